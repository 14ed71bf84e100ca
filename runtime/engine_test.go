//go:build unix

package runtime

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// sumProgram is a program of two steps that both add up the 256 bytes that their
// streamed load brought, into the first output; a resident load holds a factor.
// It exists as a weights file and as tables, as an emitted package has them.
func sumProgram(t *testing.T) (*network, []byte) {
	t.Helper()
	data := make([]byte, 64+256+256)
	for i := range data {
		data[i] = byte(3*i + 1)
	}
	const chunks = 1 + 4 + 2
	head := make([]byte, 192)
	copy(head, weightsMagic)
	binary.LittleEndian.PutUint32(head[8:], weightsVersion)
	p := &program{arenaBytes: 4096}
	net := &network{maxThreads: 3, ports: 1, budgets: []int{4096}, programs: []*program{p}}
	for i := range net.file.modelHash {
		net.file.modelHash[i], net.file.planHash[i] = byte(i+1), byte(i+101)
	}
	copy(head[16:], net.file.modelHash[:])
	copy(head[48:], net.file.planHash[:])
	sums := head[headerBytes:headerBytes]
	for _, c := range [][2]int{{0, 64}, {64, 128}, {128, 192}, {192, 256}, {256, 320}, {320, 448}, {448, 576}} {
		sums = binary.LittleEndian.AppendUint32(sums, crc32.Checksum(data[c[0]:c[1]], castagnoli))
	}
	net.file.name = "sum.weights.bin"
	net.file.dataOffset, net.file.dataBytes, net.file.chunks = int64(len(head)), int64(len(data)), chunks
	net.file.headCRC = crc32.Checksum(head, castagnoli)
	p.resident = []load{{offset: 0, bytes: 64, arena: 0, firstChunk: 0, groupBytes: 64, chunkBytes: 64}}
	p.loads = []load{
		{offset: 64, bytes: 256, arena: 1024, firstChunk: 1, groupBytes: 64, chunkBytes: 64},
		{offset: 320, bytes: 256, arena: 1024, after: 1, firstChunk: 5, groupBytes: 256, chunkBytes: 128},
	}
	add := func(th *thread) {
		for {
			k := th.claim()
			if k >= 4 {
				return
			}
			part := uint32(0)
			for _, b := range unsafe.Slice((*byte)(th.at(1024+64*k)), 64) {
				part += uint32(b)
			}
			atomic.AddUint32((*uint32)(unsafe.Pointer(&th.ports[0][0])), part*uint32(*(*byte)(th.at(0))))
		}
	}
	p.steps = []step{{run: add, wait: 1}, {run: add, wait: 2}}
	return net, append(head, data...)
}

func sumWant(file []byte) uint32 {
	var s uint32
	for _, b := range file[192+64:] {
		s += uint32(b)
	}
	return s * uint32(file[192])
}

// runSum opens the program over a weights file, runs it twice and returns the sum.
func runSum(p *network, o Options) (uint32, error) {
	e := new(engine)
	if err := e.open(p, &o, ""); err != nil {
		return 0, err
	}
	defer e.close()
	out := make([]float32, 1)
	for range 2 {
		if err := e.begin(0); err != nil {
			return 0, err
		}
		out[0] = 0
		err := e.port(0, "Outputs.Sum", out, 1)
		if err == nil {
			err = e.run(context.Background())
		}
		e.end()
		if err != nil {
			return 0, err
		}
	}
	return *(*uint32)(unsafe.Pointer(&out[0])), nil
}

// direct reports whether a file can be read around the page cache.
func direct(path string) bool {
	d, err := openDirect(path)
	if err == nil {
		d.close()
	}
	return err == nil
}

// mapped is a file as a binary's embedded string: read-only pages backed by it.
func mapped(t *testing.T, path string, n int) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := syscall.Mmap(int(f.Fd()), 0, n, syscall.PROT_READ, syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Munmap(b) })
	return unsafe.String(&b[0], n)
}

func TestEngineStreams(t *testing.T) {
	p, file := sumProgram(t)
	path := filepath.Join(t.TempDir(), "w.bin")
	if err := os.WriteFile(path, file, 0o644); err != nil {
		t.Fatal(err)
	}
	for threads := 1; threads <= 3; threads++ {
		for _, o := range []Options{
			{Threads: threads, Weights: bytes.NewReader(file)},
			{Threads: threads, WeightsPath: path, DropCache: true},
			{Threads: threads, WeightsPath: path, Direct: direct(path)},
			{Threads: threads, Weights: embeddedWeights(mapped(t, path, len(file)))},
		} {
			got, err := runSum(p, o)
			if err != nil || got != sumWant(file) {
				t.Errorf("%d threads: sum %d, %v; want %d", threads, got, err, sumWant(file))
			}
		}
	}
}

// TestWeightsFlips flips every bit of every byte of the file (a bit of each in the
// short suite): New or Run must say so each time.
func TestWeightsFlips(t *testing.T) {
	p, file := sumProgram(t)
	for i := range file {
		for bit := range 8 {
			if testing.Short() && bit != i%8 {
				continue
			}
			bad := bytes.Clone(file)
			bad[i] ^= 1 << bit
			_, err := runSum(p, Options{Threads: 1, Weights: bytes.NewReader(bad)})
			var w *WeightsError
			if !errors.As(err, &w) {
				t.Fatalf("bit %d of byte %d flipped: error %v", bit, i, err)
			}
		}
	}
}

// TestWeightsTruncated cuts the file everywhere and adds a byte.
func TestWeightsTruncated(t *testing.T) {
	p, file := sumProgram(t)
	for n := range file {
		_, err := runSum(p, Options{Threads: 1, Weights: bytes.NewReader(file[:n])})
		if err == nil || n >= 8 && !strings.Contains(err.Error(), "truncated") {
			t.Fatalf("%d of %d bytes: error %v", n, len(file), err)
		}
	}
	_, err := runSum(p, Options{Threads: 1, Weights: bytes.NewReader(append(bytes.Clone(file), 0))})
	if err == nil || !strings.Contains(err.Error(), "goes on after its end") {
		t.Errorf("a byte too many: error %v", err)
	}
}

// TestWeightsOfAnother gives a good file of another model.
func TestWeightsOfAnother(t *testing.T) {
	p, file := sumProgram(t)
	p.file.modelHash[5]++
	_, err := runSum(p, Options{Weights: bytes.NewReader(file)})
	if err == nil || !strings.Contains(err.Error(), "another model") {
		t.Errorf("error %v", err)
	}
	p.file.modelHash[5]--
	p.file.planHash[5]++
	_, err = runSum(p, Options{Weights: bytes.NewReader(file)})
	if err == nil || !strings.Contains(err.Error(), "another compilation") {
		t.Errorf("error %v", err)
	}
}

func TestWeightsMissing(t *testing.T) {
	p, _ := sumProgram(t)
	for _, o := range []Options{{}, {WeightsPath: filepath.Join(t.TempDir(), "none")}} {
		if _, err := runSum(p, o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
}

// failingReader fails from a given byte on, after the opening checks.
type failingReader struct {
	data  []byte
	from  int64
	armed atomic.Bool
}

var errDisk = errors.New("disk on fire")

func (f *failingReader) ReadAt(p []byte, at int64) (int, error) {
	if f.armed.Load() && at+int64(len(p)) > f.from {
		return 0, errDisk
	}
	return bytes.NewReader(f.data).ReadAt(p, at)
}

// TestReadError fails a streamed read: Run returns the error, and a later Run
// over a healed disk is right again.
func TestReadError(t *testing.T) {
	p, file := sumProgram(t)
	for _, from := range []int64{192 + 64, 192 + 320} {
		src := &failingReader{data: file, from: from}
		e := new(engine)
		if err := e.open(p, &Options{Threads: 2, Weights: src}, ""); err != nil {
			t.Fatal(err)
		}
		out := make([]float32, 1)
		run := func() error {
			out[0] = 0
			if err := e.begin(0); err != nil {
				return err
			}
			defer e.end()
			if err := e.port(0, "Outputs.Sum", out, 1); err != nil {
				return err
			}
			return e.run(context.Background())
		}
		for range 20 {
			src.armed.Store(true)
			if err := run(); !errors.Is(err, errDisk) {
				t.Fatalf("failing from %d: error %v", from, err)
			}
			src.armed.Store(false)
			if err := run(); err != nil || *(*uint32)(unsafe.Pointer(&out[0])) != sumWant(file) {
				t.Fatalf("after healing: %v", err)
			}
		}
		if err := e.close(); err != nil {
			t.Fatal(err)
		}
		if err := run(); !errors.Is(err, ErrClosed) {
			t.Errorf("run after close: %v", err)
		}
	}
}

func TestRunCancelled(t *testing.T) {
	p, file := sumProgram(t)
	e := new(engine)
	if err := e.open(p, &Options{Threads: 2, Weights: bytes.NewReader(file)}, ""); err != nil {
		t.Fatal(err)
	}
	defer e.close()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for range 50 {
		if err := e.run(ctx); !errors.Is(err, context.Canceled) {
			t.Fatalf("error %v", err)
		}
	}
}

func TestOptionsChecked(t *testing.T) {
	p, file := sumProgram(t)
	for _, n := range []int{-1, 4} {
		if _, err := runSum(p, Options{Threads: n, Weights: bytes.NewReader(file)}); err == nil {
			t.Errorf("%d threads: no error", n)
		}
	}
	e := new(engine)
	if err := e.open(p, &Options{Threads: 1, Weights: bytes.NewReader(file)}, ""); err != nil {
		t.Fatal(err)
	}
	defer e.close()
	if err := e.port(0, "Outputs.Sum", make([]float32, 2), 1); err == nil || !strings.Contains(err.Error(), "Outputs.Sum has 2 values, want 1") {
		t.Errorf("wrong length: %v", err)
	}
	e.net.inputs, e.ports = 1, make([][]float32, 3)
	array := make([]float32, 10)
	if err := e.port(0, "Inputs.A", array[:6], 6); err != nil {
		t.Error(err)
	}
	if err := e.port(1, "Outputs.B", array[5:], 5); err == nil || !strings.Contains(err.Error(), "Outputs.B shares memory") {
		t.Errorf("an output over an input: %v", err)
	}
	if err := e.port(1, "Outputs.B", array[6:], 4); err != nil {
		t.Error(err)
	}
	if err := e.port(2, "Outputs.C", array[9:], 1); err == nil {
		t.Error("an output over another is accepted")
	}
	if err := e.begin(0); err != nil {
		t.Fatal(err)
	}
	if err := e.begin(0); err == nil {
		t.Error("a second Run at the same time is accepted")
	}
	e.end()
}

// TestRunAllocates nothing, from the first run on, with few processors or many,
// after a collection, and whether the threads park between runs or not.
func TestRunAllocates(t *testing.T) {
	p, file := sumProgram(t)
	for _, procs := range []int{1, 2, 4, 8} {
		before := runtime.GOMAXPROCS(procs)
		for threads := 1; threads <= 3; threads++ {
			// On a machine that is busy with other processes, warm may give up before all
			// processors have met, and a single net may then see an allocation; several in
			// a row may not.
			var found string
			for range 4 {
				if found = allocations(t, p, file, threads, procs <= threads+4); found == "" {
					break
				}
				t.Logf("%d processors, %d threads: %s", procs, threads, found)
			}
			if found != "" {
				t.Errorf("%d processors, %d threads: %s", procs, threads, found)
			}
		}
		runtime.GOMAXPROCS(before)
	}
}

// allocations says which run of a new net makes some, or nothing.
func allocations(t *testing.T, p *network, file []byte, threads int, collect bool) (found string) {
	ctx := context.Background()
	e := new(engine)
	if err := e.open(p, &Options{Threads: threads, Weights: bytes.NewReader(file)}, ""); err != nil {
		t.Fatal(err)
	}
	out := make([]float32, 1)
	var from, to runtime.MemStats
	for i := range 60 {
		switch {
		case i == 20 && collect:
			runtime.GC()
		case i%10 == 9:
			time.Sleep(5 * time.Millisecond) // everybody parks
		}
		runtime.ReadMemStats(&from)
		e.ports[0] = out
		err := e.run(ctx)
		runtime.ReadMemStats(&to)
		if err != nil {
			t.Fatal(err)
		}
		if n := to.Mallocs - from.Mallocs; n != 0 {
			found = fmt.Sprintf("run %d makes %d allocations", i, n)
		}
	}
	if n := testing.AllocsPerRun(20, func() {
		if err := e.run(ctx); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		found = fmt.Sprintf("%v allocations per run", n)
	}
	if err := e.close(); err != nil {
		t.Fatal(err)
	}
	return found
}

// TestTeamParks lets the workers park between steps.
func TestTeamParks(t *testing.T) {
	var m team
	m.start(3)
	defer m.stop()
	var n atomic.Int64
	for i := range 60 {
		m.step(func(th *thread) {
			for th.claim() < 10 {
				n.Add(1)
			}
		}, part{}, [2]int{})
		if i%20 == 0 {
			time.Sleep(20 * time.Millisecond)
		}
	}
	if n.Load() != 600 {
		t.Errorf("%d tiles ran, want 600", n.Load())
	}
}
