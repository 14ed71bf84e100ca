package runtime

import "math"

// fma32 is x*y+z rounded once to float32: what VFMADD and FMLA compute. The
// product of two float32 is exact in float64; the sum is rounded to odd, so that
// the second rounding, to float32, is right in every case, subnormals included.
func fma32(x, y, z float32) float32 {
	p := float64(x) * float64(y)
	c := float64(z)
	s := p + c
	u := math.Float64bits(s)
	// Away from a tie of the second rounding, and from float32's subnormals, the
	// first rounding cannot matter.
	if u&0x1fffffff != 0x10000000 && u>>52&0x7ff-897 < 1100 {
		return float32(s)
	}
	return fmaOdd(p, c, s, u)
}

func fmaOdd(p, c, s float64, u uint64) float32 {
	if math.IsNaN(s) || math.IsInf(s, 0) {
		return float32(s)
	}
	b := s - p
	e := (p - (s - b)) + (c - b) // exact error of s (Knuth's TwoSum)
	if e != 0 && u&1 == 0 {
		if (e > 0) == (s > 0) {
			u++
		} else {
			u--
		}
	}
	return float32(math.Float64frombits(u))
}
