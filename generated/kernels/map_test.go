//go:build linux

package kernels

import (
	"fmt"
	"maps"
	"math"
	"math/rand"
	"sort"
	"testing"
	"unsafe"

	lanekernel "github.com/flexnnc/flexnnc/avo/kernel/lane"
	"github.com/flexnnc/flexnnc/avo/kernel/lane/sample"
	"github.com/flexnnc/flexnnc/ir/lane"
)

// hard are inputs that functions have trouble with.
var hard = []float32{0, float32(math.Copysign(0, -1)), 1, -1, 0.5, -0.5, 2, 1e-45, -1e-45, 1e-38, 1e30, -1e30, 88.7, -88, 104,
	-104, 0.9, 16777216, 4e6, math.MaxFloat32, float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN())}

func mapValues(r *rand.Rand, f []float32) {
	for i := range f {
		switch r.Intn(8) {
		case 0:
			f[i] = hard[r.Intn(len(hard))]
		case 1:
			f[i] = math.Float32frombits(r.Uint32())
			if isPattern(f[i]) {
				f[i] = 0
			}
		case 2:
			f[i] = float32(r.NormFloat64() * 30)
		default:
			f[i] = float32(r.NormFloat64() * 2)
		}
	}
}

// mapNames are the sample's programs and the versions that this CPU can run.
func mapNames() (programs []*lane.Program, versions []string) {
	for v, has := range mapHas {
		if has {
			versions = append(versions, v)
		}
	}
	sort.Strings(versions)
	return sample.Programs(), versions
}

func mapStores(p *lane.Program) bool { return p.Reduce == lane.Store || p.Both }

// mapLengths are the elements of the rows tried: every tail, with and without
// whole groups before it.
func mapLengths() []int {
	var ns []int
	for n := range 71 {
		ns = append(ns, n)
	}
	return append(ns, 100, 255, 1000)
}

// TestMapKernels compares all versions of all sample programs with the reference
// evaluator, bit for bit, over operands that end at a forbidden page.
func TestMapKernels(t *testing.T) {
	programs, versions := mapNames()
	for _, p := range programs {
		t.Run(p.Name, func(t *testing.T) {
			r := rand.New(rand.NewSource(int64(len(p.Insts))))
			room := make([][]float32, len(p.Inputs)+1)
			for k := range room {
				room[k] = guarded(t, 1000)
			}
			for _, n := range mapLengths() {
				checkMap(t, r, p, versions, room, n)
			}
		})
	}
}

// end is the last n floats of f, which has a red zone before them.
func end(f []float32, n int) []float32 {
	fillPattern(f)
	return f[len(f)-n:]
}

func checkMap(t *testing.T, r *rand.Rand, p *lane.Program, versions []string, room [][]float32, n int) {
	t.Helper()
	in := make([][]float32, len(p.Inputs))
	for k, kind := range p.Inputs {
		length := n
		if kind == lane.Splat {
			length = 1
		}
		in[k] = end(room[k], length)
		mapValues(r, in[k])
	}
	want := make([]float32, n)
	result, err := p.Eval(n, in, want)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range versions {
		out := end(room[len(in)], n)
		a := &mapArgs{n: n, rows: 1, result: pattern}
		fillRoom(a)
		a.out = pointerTo(out)
		for k := range in {
			a.in[k] = pointerTo(in[k])
		}
		mapVersions[p.Name][v](a)
		if p.Reduce != lane.Store && !same(a.result, result) {
			t.Fatalf("%s, %d elements: result %g (%08x), want %g (%08x)", v, n, a.result, math.Float32bits(a.result), result, math.Float32bits(result))
		}
		for i := range n {
			if mapStores(p) && !same(out[i], want[i]) {
				t.Fatalf("%s, %d elements: element %d is %g (%08x), want %g (%08x), inputs %v", v, n, i,
					out[i], math.Float32bits(out[i]), want[i], math.Float32bits(want[i]), inputsAt(p, in, i))
			}
			if !mapStores(p) && !isPattern(out[i]) {
				t.Fatalf("%s: wrote element %d though it only reduces", v, i)
			}
		}
		if n > 0 {
			checkRed(t, fmt.Sprintf("%s, %d elements", v, n), out)
		}
	}
}

func inputsAt(p *lane.Program, in [][]float32, i int) []float32 {
	var v []float32
	for k := range in {
		if p.Inputs[k] == lane.Splat {
			v = append(v, in[k][0])
		} else {
			v = append(v, in[k][i])
		}
	}
	return v
}

func pointerTo(f []float32) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(f)) }

// fillRoom puts trouble where kernels must not expect anything.
func fillRoom(a *mapArgs) {
	fillPattern(unsafe.Slice((*float32)(unsafe.Pointer(&a.room[0])), len(a.room)/4))
}

// TestMapRows runs several rows in one call, with steps of their own, in place and
// with inputs that repeat, between red zones.
func TestMapRows(t *testing.T) {
	programs, versions := mapNames()
	r := rand.New(rand.NewSource(3))
	for _, p := range programs {
		if p.Reduce != lane.Store {
			continue
		}
		for try := range 12 {
			n, rows := 1+r.Intn(40), r.Intn(6)
			inPlace := p.Inputs[0] == lane.Vector && try%3 == 0
			step := make([]int, len(p.Inputs)+1) // floats; the last is the output's
			data := make([][]float32, len(step))
			for k := range step {
				length := n
				if k < len(p.Inputs) && p.Inputs[k] == lane.Splat {
					length = 1
				}
				step[k] = length + r.Intn(5)
				if k < len(p.Inputs) && r.Intn(4) == 0 && !(k == 0 && inPlace) {
					step[k] = 0
				}
				data[k] = make([]float32, max(0, rows-1)*step[k]+length)
				mapValues(r, data[k])
			}
			out := len(p.Inputs)
			if inPlace {
				step[out], data[out] = step[0], data[0]
			}
			want := append([]float32{}, data[out]...)
			for row := range rows {
				in := make([][]float32, len(p.Inputs))
				for k := range in {
					in[k] = data[k][row*step[k]:]
				}
				if _, err := p.Eval(n, in, want[row*step[out]:]); err != nil {
					t.Fatal(err)
				}
			}
			for _, v := range versions {
				got := end(guarded(t, len(want)), len(want))
				copy(got, data[out])
				a := &mapArgs{n: n, rows: rows, out: pointerTo(got), outStep: 4 * step[out]}
				for k := range p.Inputs {
					a.in[k], a.inStep[k] = pointerTo(data[k]), 4*step[k]
				}
				if inPlace {
					a.in[0] = pointerTo(got)
				}
				mapVersions[p.Name][v](a)
				for i := range got {
					if !same(got[i], want[i]) {
						t.Fatalf("%s %s, %d rows of %d, steps %v: float %d is %g, want %g", p.Name, v, rows, n, step, i, got[i], want[i])
					}
				}
				checkRed(t, p.Name+" "+v, got)
			}
		}
	}
}

// TestMapChoice checks that the variables hold the best version there is.
func TestMapChoice(t *testing.T) {
	for _, v := range []string{"AVX512", "AVX2", "NEON", "Go"} {
		if !mapHas[v] {
			continue
		}
		x := []float32{1, 2, 3}
		a := &mapArgs{n: 3, rows: 1, out: pointerTo(x), in: [maxMapInputs]unsafe.Pointer{pointerTo(x)}}
		mapNeg(a)
		if x[2] != -3 {
			t.Fatalf("mapNeg gave %v", x)
		}
		if got, want := fmt.Sprintf("%p", mapNeg), fmt.Sprintf("%p", mapVersions["neg"][v]); got != want {
			t.Errorf("mapNeg is %s, want the %s version at %s", got, v, want)
		}
		return
	}
}

// TestMapOffsets compares the fields' offsets with those in the assembly.
func TestMapOffsets(t *testing.T) {
	var a mapArgs
	got := map[string]int{"n": int(unsafe.Offsetof(a.n)), "rows": int(unsafe.Offsetof(a.rows)), "out": int(unsafe.Offsetof(a.out)),
		"outStep": int(unsafe.Offsetof(a.outStep)), "in": int(unsafe.Offsetof(a.in)), "inStep": int(unsafe.Offsetof(a.inStep)),
		"result": int(unsafe.Offsetof(a.result)), "room": int(unsafe.Offsetof(a.room)), "end": int(unsafe.Sizeof(a))}
	if maxMapInputs != lane.MaxInputs {
		t.Errorf("%d inputs, the generators have %d", maxMapInputs, lane.MaxInputs)
	}
	if want := lanekernel.Offsets(); !maps.Equal(got, want) {
		t.Errorf("offsets %v, the generators have %v", got, want)
	}
}

// BenchmarkMap times versions over arrays in L1.
func BenchmarkMap(b *testing.B) {
	programs, versions := mapNames()
	r := rand.New(rand.NewSource(1))
	const n = 1024
	for _, p := range programs {
		for _, v := range versions {
			b.Run(p.Name+"/"+v, func(b *testing.B) {
				a := &mapArgs{n: n, rows: 1, out: pointerTo(make([]float32, n))}
				for k := range p.Inputs {
					x := make([]float32, n)
					for i := range x {
						x[i] = float32(r.NormFloat64())
					}
					a.in[k] = pointerTo(x)
				}
				for range b.N {
					mapVersions[p.Name][v](a)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/element")
			})
		}
	}
}
