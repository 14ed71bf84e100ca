package runtime

import (
	"math"
	"math/rand"
	"testing"
	"unsafe"
)

// TestChains4 compares chains with fma32 step by step, where sums are ties,
// subnormal, infinite, or plain.
func TestChains4(t *testing.T) {
	r := rand.New(rand.NewSource(3))
	for round := range 3000 {
		n := r.Intn(9)
		a, b := make([]float32, 2*n+1), make([]float32, 12*n+4)
		for _, s := range [][]float32{a, b} {
			for i := range s {
				switch round % 4 {
				case 0:
					s[i] = float32(r.NormFloat64())
				case 1:
					s[i] = float32(r.NormFloat64() * math.Ldexp(1, -70+r.Intn(20)))
				case 2:
					s[i] = math.Float32frombits(r.Uint32())
				default:
					s[i] = float32(r.Intn(1<<13)+1) * float32(math.Ldexp(1, r.Intn(3)*-12))
				}
			}
		}
		var got, want [4]float32
		for i := range got {
			got[i] = float32(r.Intn(3)) * float32(math.Ldexp(1, -130+40*r.Intn(4)))
			want[i] = got[i]
			for k := range n {
				want[i] = fma32(a[2*k], b[12*k+i], want[i])
			}
		}
		p := unsafe.Pointer(&b[0])
		chains4(unsafe.Pointer(&a[0]), 8, &[4]unsafe.Pointer{p, unsafe.Add(p, 4), unsafe.Add(p, 8), unsafe.Add(p, 12)}, 48, n, &got)
		for i := range got {
			if math.Float32bits(got[i]) != math.Float32bits(want[i]) && !(got[i] != got[i] && want[i] != want[i]) {
				t.Fatalf("round %d, chain %d of %d: %g, want %g", round, i, n, got[i], want[i])
			}
		}
	}
}

func BenchmarkChains4(b *testing.B) {
	const n = 512
	x, y := make([]float32, n), make([]float32, 4*n)
	r := rand.New(rand.NewSource(1))
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	for i := range y {
		y[i] = float32(r.NormFloat64())
	}
	p := unsafe.Pointer(&y[0])
	rows := [4]unsafe.Pointer{p, unsafe.Add(p, 4*n), unsafe.Add(p, 8*n), unsafe.Add(p, 12*n)}
	b.SetBytes(4 * n) // MACs as bytes
	for range b.N {
		var sum [4]float32
		chains4(unsafe.Pointer(&x[0]), 4, &rows, 4, n, &sum)
	}
}
