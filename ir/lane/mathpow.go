package lane

import "math"

// Parts of 2/ln2, the factor from atanh to log2.
const (
	twoLog2EHi = 0x1.715476p+1
	twoLog2ELo = 2*math.Log2E - twoLog2EHi
)

// log2Pair is log2(a) of a finite a > 0 as the sum of two floats, with a relative
// error of some 2^-33.
func (b *Builder) log2Pair(a Reg) (hi, lo Reg) {
	f, e := b.logSplit(a)
	// log2(1+f) = 2/ln2 * atanh(s), s = f/(2+f); 2+f and s each in two parts.
	d := b.Add(f, b.F(2))
	dLo := b.Sub(f, b.Sub(d, b.F(2)))
	r := b.Div(b.F(1), d)
	s := b.Mul(f, r)
	sLo := b.Mul(b.FNMA(s, dLo, b.FNMA(s, d, f)), r)
	h := b.Mul(s, b.F(twoLog2EHi))
	hLo := b.FMA(s, b.F(twoLog2EHi), b.Neg(h))
	hLo = b.FMA(s, b.F(twoLog2ELo), hLo)
	hLo = b.FMA(sLo, b.F(twoLog2EHi), hLo)
	// The first term of the series counts in two parts as well.
	z := b.Mul(s, s)
	zLo := b.FMA(s, s, b.Neg(z))
	s3 := b.Mul(s, z)
	s3Lo := b.FMA(s, zLo, b.FMA(s, z, b.Neg(s3)))
	s3Lo = b.FMA(b.Mul(z, b.F(3)), sLo, s3Lo)
	p := b.Mul(z, b.poly(z, 0.577078819, 0.411927283, 0.336489499))
	hLo = b.FMA(s3, p, b.FMA(s3Lo, b.F(0.961796701), hLo))
	hLo = b.FMA(s3, b.F(0.961796701), hLo)
	hi = b.Add(e, h)
	lo = b.Add(b.Sub(h, b.Sub(hi, e)), hLo)
	sum := b.Add(hi, lo)
	return sum, b.Sub(lo, b.Sub(sum, hi))
}

// Pow is x^y as C's pow, special cases included. Error 2 ulp.
func (b *Builder) Pow(x, y Reg) Reg {
	a := b.Abs(x)
	hi, lo := b.log2Pair(a)
	// For zero and infinity the high part alone says it all.
	inner := b.And(b.Lt(b.F(0), a), b.Lt(a, b.I(infBits)))
	ends := b.Sel(b.Eq(a, b.F(0)), b.I(infBits|signBit), a)
	hi = b.Sel(inner, hi, ends)
	w := b.Mul(y, hi)
	wLo := b.FMA(y, lo, b.FMA(y, hi, b.Neg(w)))
	near := b.Lt(b.Abs(w), b.F(200))
	wLo = b.And(wLo, near)
	w = b.atMost(b.atLeast(w, -160), 160)
	// 2^(w+wLo)
	t := b.Add(w, b.F(toInteger))
	r := b.Add(b.Sub(w, b.Sub(t, b.F(toInteger))), wLo)
	p := b.poly(r, 1, 0.693147182, 0.240226477, 0.0555035956, 0.00961850025, 0.00133909762, 0.000153289075)
	v := b.scaleBy(p, t)
	v = b.Sel(b.Or(b.Eq(a, b.F(1)), b.Eq(y, b.F(0))), b.F(1), v)
	// Negative x: the sign of an odd power, no value for a fraction.
	integer := b.Eq(b.Floor(y), y)
	yHalf := b.Mul(y, b.F(0.5))
	odd := b.AndNot(integer, b.Eq(b.Floor(yHalf), yHalf))
	v = b.Xor(v, b.And(b.signOf(x), odd))
	fraction := b.And(b.Lt(x, b.F(0)), b.AndNot(b.Lt(b.Abs(y), b.I(infBits)), integer))
	fraction = b.And(fraction, b.Lt(a, b.I(infBits)))
	v = b.Sel(fraction, b.I(nanBits), v)
	// 1^NaN and NaN^0 are 1, other NaN stay.
	one := b.Or(b.Eq(x, b.F(1)), b.Eq(y, b.F(0)))
	known := b.Or(b.And(b.Eq(x, x), b.Eq(y, y)), one)
	return b.Sel(known, v, b.I(nanBits))
}

// fmodSteps is how many times a quotient of up to 2^24 is taken off.
const fmodSteps = 3

// Fmod is C's fmod, exact, for |x/y| < 2^70;
// beyond, exact or NaN.
func (b *Builder) Fmod(x, y Reg) Reg {
	r := x
	for range fmodSteps {
		r = b.FNMA(b.Trunc(b.Div(r, y)), y, r)
	}
	// A quotient that was rounded up leaves a remainder of the other sign.
	over := b.Sar(b.Xor(r, x), 31)
	over = b.AndNot(over, b.Eq(r, b.F(0)))
	r = b.Add(r, b.And(over, b.Or(b.Abs(y), b.signOf(x))))
	return b.divided(x, y, r)
}

// Remainder is the IEEE remainder (C's remainder, quotient rounded to nearest,
// ties to even), exact, for |x/y| < 2^70;
// beyond, exact or NaN.
func (b *Builder) Remainder(x, y Reg) Reg {
	r := x
	for range fmodSteps {
		r = b.FNMA(b.Round(b.Div(r, y)), y, r)
	}
	// A tie that was none, by rounding of the quotient.
	a := b.Abs(r)
	over := b.Lt(b.Abs(y), b.Add(a, a))
	r = b.Sub(r, b.And(over, b.Or(b.Abs(y), b.signOf(r))))
	return b.divided(x, y, r)
}

// divided finishes a remainder r of x/y: x where y is infinite, NaN where the
// steps did not reach, the sign of x for zero.
func (b *Builder) divided(x, y, r Reg) Reg {
	ay := b.Abs(y)
	whole := b.And(b.Eq(ay, b.I(infBits)), b.Lt(b.Abs(x), b.I(infBits)))
	r = b.Sel(b.Lt(b.Abs(r), ay), r, b.I(nanBits))
	r = b.Sel(b.Eq(r, b.F(0)), b.signOf(x), r)
	return b.Sel(whole, x, r)
}
