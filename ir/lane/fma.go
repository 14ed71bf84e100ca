package lane

import "math"

// fma is x*y+z rounded once to float32. The product is exact in float64; where
// the float64 sum is not exact it is made odd, so that it lies on no tie of the
// rounding to float32.
func fma(x, y, z float32) float32 {
	p, c := float64(x)*float64(y), float64(z)
	s := p + c
	if math.IsNaN(s) || math.IsInf(s, 0) {
		return float32(s)
	}
	v := s - p
	lost := float64(p-float64(s-v)) + float64(c-v)
	if u := math.Float64bits(s); lost != 0 && u&1 == 0 {
		// s lies between two odd neighbours; take the one on the side of the sum.
		s = math.Nextafter(s, math.Copysign(math.Inf(1), lost))
	}
	return float32(s)
}
