package runtime

import "math"

// Functions of one float32 for the portable kernels: the same sequences of
// operations as those that lane programs use (errors are given there), so that
// they have the same bits on every platform. math.Exp and its like have not.

const (
	expToInteger = 0x1.8p23 // adding it to |x| < 2^22 rounds x to an integer in the low bits
	expLn2Hi     = 0x1.62e42ep-1
	expLn2Lo     = math.Ln2 - expLn2Hi
)

// expSplit32 writes exp(x), |x| < 2^20, as (1+q)*2^k.
func expSplit32(x float32) (q float32, k int32) {
	t := fma32(x, math.Log2E, expToInteger)
	n := t - expToInteger
	r := fma32(-n, expLn2Hi, x)
	r = fma32(-n, expLn2Lo, r)
	p := float32(0.00138706493)
	p = fma32(p, r, 0.00836625881)
	p = fma32(p, r, 0.0416674353)
	p = fma32(p, r, 0.166665465)
	p = fma32(p, r, 0.49999997)
	return fma32(float32(r*r), p, r), int32(math.Float32bits(t) - 0x4b400000)
}

// power2 is 2^k for -126 <= k <= 127, +Inf for k = 128.
func power2(k int32) float32 { return math.Float32frombits(uint32(k+127) << 23) }

// exp32 is e^x.
func exp32(x float32) float32 {
	if x < -104 {
		x = -104
	}
	if x > 89 {
		x = 89
	}
	q, k := expSplit32(x)
	r := float32((q + 1) * power2(k>>1))
	return float32(r * power2(k-k>>1))
}

// sigmoid32 is 1/(1+e^-x).
func sigmoid32(x float32) float32 {
	x = -x
	if x < -87.3 {
		x = -87.3
	}
	if x > 89 {
		x = 89
	}
	q, k := expSplit32(x)
	return 1 / (float32((q+1)*power2(k)) + 1)
}

// tanh32 is the hyperbolic tangent.
func tanh32(x float32) float32 {
	const sign = 1 << 31
	a := math.Float32frombits(math.Float32bits(x) &^ sign)
	a += a
	if a > 19 {
		a = 19
	}
	q, k := expSplit32(a)
	s := power2(k)
	e := fma32(s, q, s-1)
	return math.Float32frombits(math.Float32bits(e/(e+2)) | math.Float32bits(x)&sign)
}

// log32 is the natural logarithm: -Inf at 0, NaN below.
func log32(x float32) float32 {
	switch {
	case x == 0:
		return float32(math.Inf(-1))
	case !(x > 0):
		return float32(math.NaN())
	case x > math.MaxFloat32:
		return x
	}
	e := float32(0)
	if x < 0x1p-126 {
		x *= 0x1p23
		e = -23
	}
	u := math.Float32bits(x)
	k := int32(u-0x3f3504f3) >> 23
	f := math.Float32frombits(u-uint32(k)<<23) - 1
	e += float32(k)
	p := float32(-0.0763639957)
	p = fma32(p, f, 0.127621993)
	p = fma32(p, f, -0.131596133)
	p = fma32(p, f, 0.142015815)
	p = fma32(p, f, -0.166234091)
	p = fma32(p, f, 0.200012416)
	p = fma32(p, f, -0.250008196)
	p = fma32(p, f, 0.333333313)
	ff := float32(f * f)
	tail := fma32(-ff, 0.5, fma32(float32(ff*f), p, float32(e*expLn2Lo)))
	return fma32(e, expLn2Hi, f+tail)
}

// round32 is the nearest integer, halves away from zero, as C's round.
func round32(x float32) float32 { return float32(math.Round(float64(x))) }

// floor32 and ceil32 are exact.
func floor32(x float32) float32 { return float32(math.Floor(float64(x))) }
func ceil32(x float32) float32  { return float32(math.Ceil(float64(x))) }

// sqrt32 is correctly rounded.
func sqrt32(x float32) float32 { return float32(math.Sqrt(float64(x))) }
