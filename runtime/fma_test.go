package runtime

import (
	"math"
	"math/big"
	"math/rand"
	"testing"
)

func fmaExact(x, y, z float32) float32 {
	f := func(v float32) *big.Float { return new(big.Float).SetPrec(1000).SetFloat64(float64(v)) }
	p := new(big.Float).SetPrec(1000).Mul(f(x), f(y))
	r, _ := p.Add(p, f(z)).Float32()
	return r
}

// TestFMA32 compares fma32 with exact arithmetic over bit patterns that cluster
// around ties, cancellation and subnormals.
func TestFMA32(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	pick := func() float32 {
		for {
			var u uint32
			switch r.Intn(4) {
			case 0:
				u = r.Uint32()
			case 1:
				u = r.Uint32()&0x807fffff | uint32(100+r.Intn(50))<<23
			case 2:
				u = r.Uint32()&0x80000007 | uint32(r.Intn(255))<<23
			default:
				u = r.Uint32()&0x80700000 | uint32(r.Intn(90))<<23
			}
			v := math.Float32frombits(u)
			if v == v && !math.IsInf(float64(v), 0) {
				return v
			}
		}
	}
	for range 400000 {
		x, y := pick(), pick()
		z := pick()
		if r.Intn(2) == 0 {
			z = float32(-float64(x) * float64(y)) // near cancellation
			if r.Intn(2) == 0 {
				z = math.Float32frombits(math.Float32bits(z) ^ uint32(r.Intn(4)))
			}
			if math.IsInf(float64(z), 0) || z != z {
				continue
			}
		}
		got, want := fma32(x, y, z), fmaExact(x, y, z)
		if math.Float32bits(got) != math.Float32bits(want) && !(got == 0 && want == 0) {
			t.Fatalf("fma32(%g,%g,%g) = %x, want %x", x, y, z, math.Float32bits(got), math.Float32bits(want))
		}
	}
}

func BenchmarkFMA32(b *testing.B) {
	var a [8]float32
	for i := range b.N {
		a[i&7] = fma32(1.0001, float32(i), a[i&7])
	}
	sink = a[0] + a[3]
}

var sink float32
