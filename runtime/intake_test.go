//go:build unix

package runtime

import (
	"bytes"
	"context"
	"encoding/binary"
	"hash/crc32"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// busyReader counts how many read at a time.
type busyReader struct {
	bytes.Reader
	now, most atomic.Int32
	slow      atomic.Bool
}

func (r *busyReader) ReadAt(p []byte, at int64) (int, error) {
	n := r.now.Add(1)
	defer r.now.Add(-1)
	for m := r.most.Load(); n > m && !r.most.CompareAndSwap(m, n); m = r.most.Load() {
	}
	if r.slow.Load() {
		time.Sleep(time.Millisecond)
	}
	return r.Reader.ReadAt(p, at)
}

// TestAssist: who waits for loads of several pieces reads some of them, all bytes
// arrive before the step runs, and what goes wrong with a piece ends the run.
func TestAssist(t *testing.T) {
	const size, chunk, count = 5 << 20, 192 << 10, 27
	data := make([]byte, 2*size)
	for i := range data {
		data[i] = byte(i*i>>7 + i)
	}
	p := &program{arenaBytes: size + 64}
	net := &network{maxThreads: 1, ports: 1, budgets: []int{size + 64}, programs: []*program{p}}
	head := make([]byte, (headerBytes+4*2*count+63)&^63)
	copy(head, weightsMagic)
	binary.LittleEndian.PutUint32(head[8:], weightsVersion)
	sums := head[headerBytes:headerBytes]
	for k := range 2 {
		for lo := 0; lo < size; lo += chunk {
			sums = binary.LittleEndian.AppendUint32(sums, crc32.Checksum(data[k*size+lo:k*size+min(size, lo+chunk)], castagnoli))
		}
	}
	net.file = weightsFile{name: "assist", dataOffset: int64(len(head)), dataBytes: int64(len(data)), chunks: 2 * count, headCRC: crc32.Checksum(head, castagnoli)}
	for k := range 2 {
		p.loads = append(p.loads, load{
			name: "half", offset: int64(k * size), bytes: size, arena: 64, after: int32(k), before: int32(k),
			firstChunk: int32(k * count), groupBytes: size, chunkBytes: chunk,
		})
	}
	wrong := 0
	var e engine
	for k := range 2 {
		p.steps = append(p.steps, step{wait: int32(k + 1), run: func(th *thread) {
			if !bytes.Equal(e.arena.mem[64:], data[k*size:(k+1)*size]) {
				wrong++
			}
		}})
	}
	r := &busyReader{Reader: *bytes.NewReader(append(head, data...))}
	if err := e.open(net, &Options{Weights: r}, ""); err != nil {
		t.Fatal(err)
	}
	defer e.close()
	r.slow.Store(true)
	run := func() error {
		if err := e.begin(0); err != nil {
			return err
		}
		defer e.end()
		return e.run(context.Background())
	}
	for range 3 {
		if err := run(); err != nil || wrong > 0 {
			t.Fatalf("%v; %d steps found wrong weights", err, wrong)
		}
	}
	if n := r.most.Load(); n != 2 {
		t.Errorf("%d read at a time, want the loader and who waits", n)
	}
	for _, at := range []int{len(head), len(head) + size - 1, len(head) + size + chunk, len(head) + 2*size - 1} {
		bad := append(append([]byte(nil), head...), data...)
		bad[at] ^= 4
		r.Reader = *bytes.NewReader(bad)
		if err := run(); err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("byte %d damaged: %v", at, err)
		}
		r.Reader = *bytes.NewReader(append(append([]byte(nil), head...), data...))
		if err := run(); err != nil || wrong > 0 {
			t.Fatalf("repaired: %v; %d steps found wrong weights", err, wrong)
		}
	}
}
