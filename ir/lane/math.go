package lane

import "math"

// The functions below are sequences of single IEEE operations, so they have the
// same bits on every back end. Coefficients come from internal/fit; the errors
// given are the largest found by the package's tests over dense samples, in units
// of the last place (ulp) of the true result. All of them return NaN for NaN.

const (
	signBit   = 0x80000000
	minNormal = 0x1p-126
	infBits   = 0x7f800000
	nanBits   = 0x7fc00000
	// toInteger is 1.5*2^23: adding it to |x| < 2^22 rounds x to an integer,
	// which is then in the low bits of the sum.
	toInteger     = 0x1.8p23
	toIntegerBits = 0x4b400000
	oneBits       = 0x3f800000
)

// Split constants: the high part is rounded toward zero so that the low part is
// positive, which keeps the sign of a zero through the reductions.
const (
	ln2Hi = 0x1.62e42ep-1
	ln2Lo = math.Ln2 - ln2Hi
)

// poly is c[0] + c[1]*x + c[2]*x^2 .. by Horner's rule.
func (b *Builder) poly(x Reg, c ...float32) Reg {
	r := b.F(c[len(c)-1])
	for i := len(c) - 2; i >= 0; i-- {
		r = b.FMA(r, x, b.F(c[i]))
	}
	return r
}

// signOf is the sign bit of x; withSign gives r >= 0 that sign.
func (b *Builder) signOf(x Reg) Reg      { return b.And(x, b.I(signBit)) }
func (b *Builder) withSign(r, x Reg) Reg { return b.Or(r, b.signOf(x)) }

// atMost and atLeast clamp x and keep NaN.
func (b *Builder) atMost(x Reg, v float32) Reg  { return b.Min(b.F(v), x) }
func (b *Builder) atLeast(x Reg, v float32) Reg { return b.Max(b.F(v), x) }

// expSplit writes exp(x), |x| < 2^20, as (1+q)*2^k: q is expm1 of the reduced
// argument, and k sits in the low bits of t (see toInteger).
func (b *Builder) expSplit(x Reg) (q, t Reg) {
	t = b.FMA(x, b.F(math.Log2E), b.F(toInteger))
	k := b.Sub(t, b.F(toInteger))
	r := b.FNMA(k, b.F(ln2Hi), x)
	r = b.FNMA(k, b.F(ln2Lo), r)
	return b.expm1Poly(r), t
}

// expm1Poly is exp(r)-1 for |r| <= ln2/2.
func (b *Builder) expm1Poly(r Reg) Reg {
	p := b.poly(r, 0.49999997, 0.166665465, 0.0416674353, 0.00836625881, 0.00138706493)
	return b.FMA(b.Mul(r, r), p, r)
}

// scale is 2^k for -126 <= k <= 127, +Inf for k = 128.
func (b *Builder) scale(t Reg) Reg { return b.IAdd(b.Shl(t, 23), b.I(oneBits)) }

// scaleBy is r*2^k for -252 <= k <= 254, rounded once.
func (b *Builder) scaleBy(r, t Reg) Reg {
	k := b.ISub(t, b.I(toIntegerBits))
	half := b.Sar(k, 1)
	r = b.Mul(r, b.scale(half))
	return b.Mul(r, b.scale(b.ISub(k, half)))
}

// Exp is e^x: +Inf above 88.73, subnormal and then 0 below -87.3. Error 1.1 ulp.
func (b *Builder) Exp(x Reg) Reg {
	q, t := b.expSplit(b.atMost(b.atLeast(x, -104), 89))
	return b.scaleBy(b.Add(q, b.F(1)), t)
}

// expNormal is e^x for results from 2^-126 to 2^127.5; +Inf from x = 88.4,
// never below 2^-126. Cheaper than Exp.
func (b *Builder) expNormal(x Reg) Reg {
	q, t := b.expSplit(b.atMost(b.atLeast(x, -87.3), 89))
	return b.Mul(b.Add(q, b.F(1)), b.scale(t))
}

// expm1 is e^x-1 for -87 <= x <= 88.
func (b *Builder) expm1(x Reg) Reg {
	q, t := b.expSplit(x)
	s := b.scale(t)
	return b.FMA(s, q, b.Sub(s, b.F(1)))
}

// Expm1 is e^x-1. Error 1.5 ulp.
func (b *Builder) Expm1(x Reg) Reg {
	q, t := b.expSplit(b.atMost(b.atLeast(x, -20), 89))
	k := b.ISub(t, b.I(toIntegerBits))
	half := b.Sar(k, 1)
	// (1+q)*2^k - 1 = 2^h*(2^(k-h)*q + (2^(k-h) - 2^-h)) keeps clear of overflow.
	rest := b.scale(b.ISub(k, half))
	low := b.scale(b.ISub(b.I(0), half))
	r := b.Mul(b.scale(half), b.FMA(rest, q, b.Sub(rest, low)))
	return b.withSign(r, x)
}

// Sigmoid is 1/(1+e^-x); 0 below -88.4. Error 2.5 ulp above that.
func (b *Builder) Sigmoid(x Reg) Reg {
	return b.Div(b.F(1), b.Add(b.expNormal(b.Neg(x)), b.F(1)))
}

// Swish is x*Sigmoid(x); -0 below -88.4. Error 2.5 ulp above that. NaN at -Inf.
func (b *Builder) Swish(x Reg) Reg {
	return b.Div(x, b.Add(b.expNormal(b.Neg(x)), b.F(1)))
}

// Tanh has an error of 2.5 ulp.
func (b *Builder) Tanh(x Reg) Reg {
	e := b.expm1(b.atMost(b.Add(b.Abs(x), b.Abs(x)), 19))
	return b.withSign(b.Div(e, b.Add(e, b.F(2))), x)
}

// Mish is x*tanh(log(1+e^x)). Error 3.5 ulp. NaN at -Inf.
func (b *Builder) Mish(x Reg) Reg {
	// tanh(log(1+n)) = w/(w+2) with w = n*(n+2).
	n := b.Exp(b.atMost(x, 20))
	w := b.Mul(n, b.Add(n, b.F(2)))
	return b.Mul(x, b.Div(w, b.Add(w, b.F(2))))
}

// Softplus is log(1+e^x) without overflow. Error 2.5 ulp.
func (b *Builder) Softplus(x Reg) Reg {
	t := b.Exp(b.Or(x, b.I(signBit)))
	p := b.poly(t, -0.499999315, 0.333304703, -0.24958156, 0.196931928, -0.153490975,
		0.10670013, -0.0575615279, 0.0201503336, -0.0033065395)
	return b.Add(b.Max(x, b.F(0)), b.FMA(b.Mul(t, t), p, t))
}

// logSplit writes x > 0 as (1+f)*2^e with 1+f in [sqrt(1/2), sqrt(2)).
func (b *Builder) logSplit(x Reg) (f, e Reg) {
	small := b.Lt(x, b.F(minNormal))
	x = b.Sel(small, b.Mul(x, b.F(0x1p23)), x)
	k := b.Sar(b.ISub(x, b.I(0x3f3504f3)), 23)
	f = b.Sub(b.ISub(x, b.Shl(k, 23)), b.F(1))
	return f, b.Sub(b.FromInt(k), b.And(small, b.F(23)))
}

// logTail is log(1+f) - f + more, for the f of logSplit.
func (b *Builder) logTail(f, more Reg) Reg {
	p := b.poly(f, 0.333333313, -0.250008196, 0.200012416, -0.166234091, 0.142015815,
		-0.131596133, 0.127621993, -0.0763639957)
	ff := b.Mul(f, f)
	return b.FNMA(ff, b.F(0.5), b.FMA(b.Mul(ff, f), p, more))
}

// log is the natural logarithm of a finite x > 0, plus a small correction.
func (b *Builder) log(x, correction Reg) Reg {
	f, e := b.logSplit(x)
	tail := b.logTail(f, b.FMA(e, b.F(ln2Lo), correction))
	return b.FMA(e, b.F(ln2Hi), b.Add(f, tail))
}

// logEnds puts in what a logarithm r of x is outside 0 < x < Inf.
func (b *Builder) logEnds(x, r Reg) Reg {
	outside := b.Sel(b.Eq(x, b.F(0)), b.I(infBits|signBit), b.I(nanBits))
	return b.Sel(b.Lt(b.F(0), x), b.Sel(b.Lt(x, b.I(infBits)), r, x), outside)
}

// Log is the natural logarithm; -Inf at 0, NaN below. Error 1 ulp.
func (b *Builder) Log(x Reg) Reg { return b.logEnds(x, b.log(x, b.F(0))) }

// Log10 is the decimal logarithm; -Inf at 0, NaN below. Error 2 ulp.
func (b *Builder) Log10(x Reg) Reg {
	return b.logEnds(x, b.Mul(b.log(x, b.F(0)), b.F(math.Log10E)))
}

// Log1p is log(1+x); -Inf at -1, NaN below. Error 1.5 ulp.
func (b *Builder) Log1p(x Reg) Reg {
	u := b.Add(x, b.F(1))
	lost := b.Div(b.Sub(x, b.Sub(u, b.F(1))), u)
	r := b.logEnds(u, b.log(u, lost))
	// Tiny x is its own logarithm, and keeps the sign of zero.
	return b.Sel(b.Eq(u, b.F(1)), x, r)
}

// Erf is the error function. Error 1.5 ulp.
func (b *Builder) Erf(x Reg) Reg {
	a := b.atMost(b.Abs(x), 4)
	z := b.Mul(a, a)
	p := b.poly(z, 0.128379166, -0.376126289, 0.112836242, -0.02685556, 0.00519175315,
		-0.000803975272, 7.94310035e-05)
	near := b.FMA(a, p, a)
	logErfc := b.poly(a, -0.000177487251, -1.12774956, -0.637059808, -0.104037262, 0.0222770162,
		-0.00305558369, 0.000197178655)
	q, t := b.expSplit(logErfc)
	far := b.FNMA(b.Add(q, b.F(1)), b.scale(t), b.F(1))
	return b.withSign(b.Sel(b.Lt(a, b.F(0.9)), near, far), x)
}

// Erfc is 1-Erf with small relative error where it is small: subnormal above
// 9.19, 0 above 10.06. Error 5 ulp.
func (b *Builder) Erfc(x Reg) Reg { return b.erfc(x, b.F(0)) }

// erfc is Erfc of |x| + more, for a tiny correction, with the sign of x.
func (b *Builder) erfc(x, more Reg) Reg {
	a := b.atMost(b.Abs(x), 10.1)
	q := b.Div(b.F(1), b.Add(a, b.F(2)))
	h := b.poly(b.FNMA(q, b.F(4), b.F(1)), 1.02158272, -0.68716085, 0.279471368, -0.0364367738,
		-0.0215019453, 0.00643840013, 0.0030410483, -0.00073107885, -0.000527794939, -4.42537239e-05)
	s := b.Mul(a, a)
	lost := b.FMA(b.Add(a, a), more, b.FMA(a, a, b.Neg(s)))
	e, t := b.expSplit(b.Neg(s))
	e = b.Add(e, b.F(1))
	e = b.FNMA(e, lost, e)
	r := b.scaleBy(b.Mul(e, b.Mul(q, h)), t)
	return b.Sel(b.Lt(x, b.F(0)), b.Sub(b.F(2), r), r)
}

// GELU is x/2*erfc(-x/sqrt(2)). Error 6 ulp. NaN at -Inf.
func (b *Builder) GELU(x Reg) Reg {
	const c, cLo = 0x1.6a09e6p-1, math.Sqrt2/2 - 0x1.6a09e6p-1
	a := b.atMost(b.Abs(x), 15)
	z := b.Mul(a, b.F(c))
	lost := b.FMA(a, b.F(cLo), b.FMA(a, b.F(c), b.Neg(z)))
	return b.Mul(b.Mul(x, b.F(0.5)), b.erfc(b.Xor(z, b.signOf(b.Neg(x))), lost))
}

// GELUTanh is the usual approximation of GELU, x/2*(1+tanh(sqrt(2/pi)*(x+0.044715*x^3))).
// Error 5.5 ulp down to -2, then growing. NaN at -Inf.
func (b *Builder) GELUTanh(x Reg) Reg {
	const c = 2 * 0.7978845608028654
	xx := b.Mul(x, x)
	return b.Mul(x, b.Sigmoid(b.Mul(x, b.FMA(xx, b.F(c*0.044715), b.F(c)))))
}
