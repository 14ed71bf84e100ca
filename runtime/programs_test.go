//go:build unix

package runtime

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"
)

const testBlock = 64 // bytes; everything in these tests is made of such blocks

// shiftingNetwork has random programs over one weights file: residents, streamed
// loads and zeros wherever it happens. Their steps check every byte that they may
// rely on, and scribble over all others.
type shiftingNetwork struct {
	network
	data    []byte // of the weights
	file    []byte
	mistake atomic.Pointer[string]
	want    [3]atomic.Int64 // runs of each shape
}

func (s *shiftingNetwork) wrong(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	s.mistake.CompareAndSwap(nil, &text)
}

func newShifting(r *rand.Rand, shapes, budgets int) *shiftingNetwork {
	const blocks = 40
	s := &shiftingNetwork{data: make([]byte, blocks*testBlock)}
	r.Read(s.data)
	head := make([]byte, (headerBytes+4*blocks+63)&^63)
	copy(head, weightsMagic)
	binary.LittleEndian.PutUint32(head[8:], weightsVersion)
	sums := head[headerBytes:headerBytes]
	for i := range blocks {
		sums = binary.LittleEndian.AppendUint32(sums, crc32.Checksum(s.data[i*testBlock:(i+1)*testBlock], castagnoli))
	}
	s.network.file = weightsFile{
		name: "shifting.weights.bin", dataOffset: int64(len(head)), dataBytes: int64(len(s.data)), chunks: blocks,
		headCRC: crc32.Checksum(head, castagnoli),
	}
	s.file = append(head, s.data...)
	s.maxThreads, s.ports = 1, 1
	for b := range budgets {
		s.budgets = append(s.budgets, (100-20*b)*testBlock)
	}
	for shape := range shapes {
		for b := range budgets {
			s.programs = append(s.programs, s.program(r, shape, s.budgets[b]/testBlock-r.Intn(5)))
		}
	}
	return s
}

// program makes one of so many blocks. Places are often those of other programs.
func (s *shiftingNetwork) program(r *rand.Rand, shape, blocks int) *program {
	p := &program{arenaBytes: blocks * testBlock}
	taken := make([]bool, blocks)
	place := func(n, liked int) int {
		for range 50 {
			at := r.Intn(blocks - n + 1)
			if liked >= 0 && liked+n <= blocks && r.Intn(3) > 0 {
				at = liked
			}
			free := true
			for k := at; k < at+n; k++ {
				free = free && !taken[k]
			}
			if free {
				for k := at; k < at+n; k++ {
					taken[k] = true
				}
				return at
			}
		}
		return -1
	}
	if n := r.Intn(4); n > 0 {
		if at := place(n, r.Intn(3)); at >= 0 {
			p.zeros, p.zerosBytes = at*testBlock, n*testBlock
		}
	}
	for at := 0; at < len(s.data)/testBlock; {
		n := min(1+r.Intn(4), len(s.data)/testBlock-at)
		l := load{
			name: fmt.Sprint("blocks ", at), offset: int64(at * testBlock), bytes: uint32(n * testBlock),
			firstChunk: int32(at), groupBytes: testBlock, chunkBytes: testBlock,
		}
		// The same block likes to be at the same place in all programs.
		if where := place(n, at+3); where >= 0 && r.Intn(4) > 0 {
			l.arena = uint32(where * testBlock)
			if r.Intn(2) == 0 {
				p.resident = append(p.resident, l)
			} else {
				p.loads = append(p.loads, l)
			}
		}
		at += n
	}
	steps := 1 + r.Intn(4)
	kept, waits := prefixes(r, len(p.resident), steps), prefixes(r, len(p.loads), steps)
	for i := range p.resident {
		p.resident[i].before = int32(firstNeed(kept, i))
	}
	for i := range p.loads {
		l := &p.loads[i]
		l.before = int32(firstNeed(waits, i))
		l.after = r.Int31n(l.before + 1)
		if i > 0 {
			l.after = max(l.after, p.loads[i-1].after)
		}
	}
	mine := make([]bool, blocks*testBlock) // by byte: may be scribbled over
	for i := range mine {
		mine[i] = true
	}
	for _, l := range append(append([]load{{arena: uint32(p.zeros), bytes: uint32(p.zerosBytes)}}, p.resident...), p.loads...) {
		for i := l.arena; i < l.arena+l.bytes; i++ {
			mine[i] = false
		}
	}
	for i := range steps {
		p.steps = append(p.steps, step{wait: int32(waits[i]), kept: int32(kept[i]), run: func(t *thread) {
			arena := unsafe.Slice((*byte)(t.arena), p.arenaBytes)
			for _, l := range append(append([]load{}, p.resident[:kept[i]]...), p.loads[:waits[i]]...) {
				if l.ahead > 0 && i >= int(l.ahead) { // it may come for the next run by now
					continue
				}
				if !bytes.Equal(arena[l.arena:l.arena+l.bytes], s.data[l.offset:l.offset+int64(l.bytes)]) {
					s.wrong("shape %d, step %d: %s are not at %d", shape, i, l.name, l.arena)
				}
			}
			for _, z := range arena[p.zeros : p.zeros+p.zerosBytes] {
				if z != 0 {
					s.wrong("shape %d, step %d: zeros at %d are %d", shape, i, p.zeros, z)
				}
			}
			for k := range arena {
				if mine[k] {
					arena[k] = 0xa5
				}
			}
			// What is streamed does not stay either.
			if i == steps-1 {
				s.want[shape].Add(1)
			}
			for _, l := range p.loads {
				if l.ahead == 0 && i == steps-1 || i == int(l.ahead)-1 {
					clear(arena[l.arena : l.arena+l.bytes])
				}
			}
		}})
	}
	// Some are made at the end of the run before, where there was one.
	ahead := 1
	for i := range r.Intn(len(p.loads) + 1) {
		ahead = min(steps, max(ahead, int(p.loads[i].before)+1)+r.Intn(2))
		p.loads[i].ahead = int32(ahead)
	}
	return p
}

// prefixes is how many of n loads each step needs, all of them in the end.
func prefixes(r *rand.Rand, n, steps int) []int {
	list := make([]int, steps)
	for i := range list {
		if i > 0 {
			list[i] = list[i-1]
		}
		list[i] += r.Intn(n - list[i] + 1)
	}
	list[steps-1] = n
	return list
}

// firstNeed is the first step that needs load k.
func firstNeed(prefixes []int, k int) int {
	return slices.IndexFunc(prefixes, func(n int) bool { return n > k })
}

// once runs a shape and reports what its steps found wrong.
func (s *shiftingNetwork) once(t *testing.T, e *engine, ctx context.Context, shape int) error {
	t.Helper()
	if err := e.begin(shape); err != nil {
		return err
	}
	err := e.run(ctx)
	e.end()
	if m := s.mistake.Load(); m != nil {
		t.Fatal(*m)
	}
	return err
}

// TestShifting goes from program to program at random: nothing that a step relies
// on may be missing or left over from another program.
func TestShifting(t *testing.T) {
	kept := 0
	for seed := range int64(60) {
		r := rand.New(rand.NewSource(seed))
		s := newShifting(r, 1+r.Intn(3), 1+r.Intn(3))
		src := &failingReader{data: s.file}
		e := new(engine)
		if err := e.open(&s.network, &Options{Weights: src, Budget: s.budgets[r.Intn(len(s.budgets))]}, ""); err != nil {
			t.Fatal(err)
		}
		for range 60 {
			if r.Intn(2) == 0 {
				if err := e.setBudget(s.budgets[r.Intn(len(s.budgets))] + r.Intn(20)); err != nil {
					t.Fatal(err)
				}
				if have := len(e.arena.mem); have != s.arenaBytes(e.budget) {
					t.Fatalf("the arena has %d bytes within budget %d", have, e.budget)
				}
				for _, h := range e.have[e.at] {
					if h {
						kept++
					}
				}
			}
			ctx, cancel := context.WithCancel(context.Background())
			switch r.Intn(8) {
			case 0:
				cancel()
				if err := s.once(t, e, ctx, r.Intn(len(s.programs)/len(s.budgets))); !errors.Is(err, context.Canceled) && err != nil {
					t.Fatal(err)
				}
			case 1: // some reads fail
				src.from = int64(r.Intn(len(s.file)))
				src.armed.Store(true)
				if err := s.once(t, e, ctx, r.Intn(len(s.programs)/len(s.budgets))); err != nil && !errors.Is(err, errDisk) {
					t.Fatal(err)
				}
				src.armed.Store(false)
			default:
				if err := s.once(t, e, ctx, r.Intn(len(s.programs)/len(s.budgets))); err != nil {
					t.Fatal(err)
				}
			}
			cancel()
		}
		if err := e.close(); err != nil {
			t.Fatal(err)
		}
	}
	if kept < 100 {
		t.Errorf("only %d residents were kept by all switches", kept)
	}
}

// TestShiftingUnderLoad changes the budget from other goroutines while runs follow
// runs, and closes the net in the middle, after a first run at least.
func TestShiftingUnderLoad(t *testing.T) {
	for seed := range int64(10) {
		r := rand.New(rand.NewSource(seed))
		s := newShifting(r, 2, 3)
		e := new(engine)
		if err := e.open(&s.network, &Options{Weights: bytes.NewReader(s.file)}, ""); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for g := range 2 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for i := 0; ; i++ {
					if err := e.setBudget(s.budgets[(i+g)%3]); err != nil {
						if !errors.Is(err, ErrClosed) {
							t.Error(err)
						}
						return
					}
					if i%16 == 0 {
						time.Sleep(50 * time.Microsecond)
					}
				}
			}()
		}
		closed := make(chan error, 1)
		runs := 0
		for ; ; runs++ {
			if runs == 1 {
				time.AfterFunc(30*time.Millisecond, func() { closed <- e.close() })
			}
			if err := s.once(t, e, context.Background(), runs%2); errors.Is(err, ErrClosed) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
		if err := <-closed; err != nil {
			t.Fatal(err)
		}
		wg.Wait()
	}
}

// TestBudgetSettles: a budget that is asked for during a run is adopted when that ends.
func TestBudgetSettles(t *testing.T) {
	s := newShifting(rand.New(rand.NewSource(1)), 1, 3)
	e := new(engine)
	if err := e.open(&s.network, &Options{Weights: bytes.NewReader(s.file)}, ""); err != nil {
		t.Fatal(err)
	}
	defer e.close()
	if err := e.begin(0); err != nil {
		t.Fatal(err)
	}
	if err := e.setBudget(s.budgets[2]); err != nil {
		t.Fatal(err)
	}
	if e.budget != 0 {
		t.Error("the budget changed during a run")
	}
	e.end()
	if e.budget != 2 || len(e.arena.mem) != s.arenaBytes(2) {
		t.Errorf("budget %d and %d bytes after the run", e.budget, len(e.arena.mem))
	}
	if err := e.setBudget(s.budgets[2] - 1); err == nil || !strings.Contains(err.Error(), "smallest budget") {
		t.Errorf("too small a budget: %v", err)
	}
}

// slowReader blocks every read until it is told how many may pass.
type slowReader struct {
	bytes.Reader
	pass chan struct{}
	slow atomic.Bool
}

func (s *slowReader) ReadAt(p []byte, at int64) (int, error) {
	if s.slow.Load() {
		<-s.pass
	}
	return s.Reader.ReadAt(p, at)
}

// TestCancelWhileLoading cancels a run, and closes a net, that waits for a load:
// both end after the piece that is being read, not after all of the load.
func TestCancelWhileLoading(t *testing.T) {
	net, file := sumProgram(t)
	src := &slowReader{Reader: *bytes.NewReader(file), pass: make(chan struct{})}
	e := new(engine)
	if err := e.open(net, &Options{Threads: 1, Weights: src}, ""); err != nil {
		t.Fatal(err)
	}
	run := func(ctx context.Context) error {
		if err := e.begin(0); err != nil {
			return err
		}
		defer e.end()
		if err := e.port(0, "Outputs.Sum", make([]float32, 1), 1); err != nil {
			return err
		}
		return e.run(ctx)
	}
	src.slow.Store(true)
	ctx, cancel := context.WithCancelCause(context.Background())
	result := make(chan error)
	go func() { result <- run(ctx) }()
	time.Sleep(5 * time.Millisecond)
	cause := errors.New("enough")
	cancel(cause)
	src.pass <- struct{}{} // one read
	if err := <-result; !errors.Is(err, cause) {
		t.Errorf("cancelled while loading: %v", err)
	}
	go func() { result <- run(context.Background()) }()
	time.Sleep(5 * time.Millisecond)
	closed := make(chan error)
	go func() { closed <- e.close() }()
	time.Sleep(5 * time.Millisecond)
	src.pass <- struct{}{}
	if err := <-result; !errors.Is(err, ErrClosed) {
		t.Errorf("closed while loading: %v", err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if err := e.close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
}
