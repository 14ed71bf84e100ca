package ir

import (
	"math"
	"math/rand"
	"testing"
)

// Every binary16 comes back from float32 as it was.
func TestHalfThereAndBack(t *testing.T) {
	for h := range 1 << 16 {
		if got := FloatToHalf(HalfToFloat(uint16(h))); got != uint16(h) {
			t.Fatalf("%#04x came back as %#04x", h, got)
		}
	}
}

// The result is the nearest of all finite binary16, even on ties.
func TestFloatToHalf(t *testing.T) {
	check := func(v float32) {
		t.Helper()
		h := FloatToHalf(v)
		if math.Signbit(float64(v)) != (h>>15 != 0) {
			t.Fatalf("%g became %#04x", v, h)
		}
		a, m := math.Abs(float64(v)), h&0x7fff
		value := func(h uint16) float64 { // beyond the range as if it went on
			if h == 0x7c00 {
				return 65536
			}
			return float64(HalfToFloat(h))
		}
		if m == 0x7c00 && a >= 65520 {
			return
		}
		d := math.Abs(value(m) - a)
		for _, other := range []uint16{m - 1, m + 1} {
			if other > 0x7c00 {
				continue
			}
			if e := math.Abs(value(other) - a); e < d || e == d && m&1 != 0 {
				t.Fatalf("%g became %#04x = %g, but %#04x = %g", v, m, value(m), other, value(other))
			}
		}
	}
	for h := range uint16(0x7c00) {
		// Each number, the tie above it, and their neighbours.
		lo := HalfToFloat(h)
		tie := lo + 16
		if h < 0x7bff {
			tie = (lo + HalfToFloat(h+1)) / 2
		}
		for _, v := range []float32{lo, tie} {
			for _, x := range []float32{v, math.Nextafter32(v, 0), math.Nextafter32(v, 1e9)} {
				check(x)
				check(-x)
			}
		}
	}
	r := rand.New(rand.NewSource(1))
	for range 1 << 18 {
		if v := math.Float32frombits(r.Uint32()); v-v == 0 {
			check(v)
		}
	}
	for v, want := range map[float32]uint16{
		65519.996: 0x7bff, 65520: 0x7c00, float32(math.Inf(-1)): 0xfc00, 1e-30: 0, 0x1p-25: 0, 0x1.000002p-25: 1,
	} {
		if got := FloatToHalf(v); got != want {
			t.Errorf("%g became %#04x, want %#04x", v, got, want)
		}
	}
	if h := FloatToHalf(float32(math.NaN())); h&0x7c00 != 0x7c00 || h&0x3ff == 0 {
		t.Errorf("NaN became %#04x", h)
	}
}
