package lane

import "math"

// pi/2 in three parts, the first two rounded toward zero; pi and pi/2 as sums of two.
const (
	quarter1  = 0x1.921fb4p+0
	quarter2  = 0x1.4442d0p-24
	quarter3  = math.Pi/2 - quarter1 - quarter2
	quarterHi = 0x1.921fb6p+0
	quarterLo = math.Pi/2 - quarterHi
	halfHi    = 0x1.921fb6p+1
	halfLo    = math.Pi - halfHi
)

// trigLimit bounds the arguments of Sin, Cos and Tan.
const trigLimit = 0x1p22

// turns writes |x| < 2^22 as r + j*pi/2, with j in the low bits of the result.
// ok is the mask of arguments in range; for others r is harmless.
func (b *Builder) turns(x Reg) (r, j, ok Reg) {
	ok = b.Lt(b.Abs(x), b.F(trigLimit))
	x = b.And(x, ok)
	j = b.FMA(x, b.F(2/math.Pi), b.F(toInteger))
	k := b.Sub(j, b.F(toInteger))
	r = b.FNMA(k, b.F(quarter1), x)
	r = b.FNMA(k, b.F(quarter2), r)
	return b.FNMA(k, b.F(quarter3), r), j, ok
}

// sinCos is sine and cosine of |r| <= pi/4 and a little more.
func (b *Builder) sinCos(r Reg) (sin, cos Reg) {
	z := b.Mul(r, r)
	sin = b.FMA(b.Mul(r, z), b.poly(z, -0.166666403, 0.00833135936, -0.000194185486), r)
	cos = b.poly(z, 0.0416666195, -0.00138861977, 2.43204013e-05)
	cos = b.FMA(b.Mul(z, z), cos, b.FNMA(z, b.F(0.5), b.F(1)))
	return sin, cos
}

// isOdd is the mask of odd integers.
func (b *Builder) isOdd(j Reg) Reg { return b.Sar(b.Shl(j, 31), 31) }

func (b *Builder) sine(r, j, ok Reg) Reg {
	sin, cos := b.sinCos(r)
	v := b.Sel(b.isOdd(j), cos, sin)
	v = b.Xor(v, b.signOf(b.Shl(j, 30)))
	return b.Sel(ok, v, b.I(nanBits))
}

// Sin is the sine for |x| < 2^22, and NaN beyond; +0 for both zeros. Error 2.5 ulp.
func (b *Builder) Sin(x Reg) Reg { return b.sine(b.turns(x)) }

// Cos is the cosine for |x| < 2^22, and NaN beyond. Error 2.5 ulp.
func (b *Builder) Cos(x Reg) Reg {
	r, j, ok := b.turns(x)
	return b.sine(r, b.IAdd(j, b.I(1)), ok)
}

// Tan is the tangent for |x| < 2^22, and NaN beyond; +0 for both zeros. Error 4 ulp.
func (b *Builder) Tan(x Reg) Reg {
	r, j, ok := b.turns(x)
	sin, cos := b.sinCos(r)
	odd := b.isOdd(j)
	v := b.Div(b.Sel(odd, cos, sin), b.Sel(odd, sin, cos))
	return b.Sel(ok, b.Xor(v, b.signOf(odd)), b.I(nanBits))
}

// arcsine is asin(s) for s = x or, where big is set, s = sqrt((1-|x|)/2).
func (b *Builder) arcsine(x Reg) (p, big Reg) {
	a := b.Abs(x)
	big = b.Lt(b.F(0.5), a)
	z := b.Sel(big, b.FNMA(a, b.F(0.5), b.F(0.5)), b.Mul(a, a))
	s := b.Sel(big, b.Sqrt(z), a)
	c := b.poly(z, 0.166667521, 0.0749531016, 0.0454690196, 0.0241855029, 0.042157013)
	return b.FMA(b.Mul(s, z), c, s), big
}

// Asin is the arc sine; NaN outside -1..1. Error 2 ulp.
func (b *Builder) Asin(x Reg) Reg {
	p, big := b.arcsine(x)
	far := b.Add(b.FNMA(p, b.F(2), b.F(quarterHi)), b.F(quarterLo))
	return b.withSign(b.Sel(big, far, p), x)
}

// Acos is the arc cosine; NaN outside -1..1. Error 1.5 ulp.
func (b *Builder) Acos(x Reg) Reg {
	p, big := b.arcsine(x)
	near := b.Sub(b.F(quarterHi), b.Sub(b.withSign(p, x), b.F(quarterLo)))
	p2 := b.Add(p, p)
	left := b.Sub(b.F(halfHi), b.Sub(p2, b.F(halfLo)))
	return b.Sel(big, b.Sel(b.Lt(x, b.F(0)), left, p2), near)
}

// arctangent is atan(z) for |z| <= 1.
func (b *Builder) arctangent(z Reg) Reg {
	w := b.Mul(z, z)
	c := b.poly(w, -0.333331525, 0.199937671, -0.142110035, 0.106657855, -0.0755172372,
		0.0432058573, -0.016364133, 0.00291972281)
	return b.FMA(b.Mul(z, w), c, z)
}

// Atan is the arc tangent. Error 2 ulp.
func (b *Builder) Atan(x Reg) Reg {
	a := b.Abs(x)
	big := b.Lt(b.F(1), a)
	p := b.arctangent(b.Sel(big, b.Div(b.F(-1), a), a))
	far := b.Add(b.Add(p, b.F(quarterLo)), b.F(quarterHi))
	return b.withSign(b.Sel(big, far, p), x)
}

// Atan2 is the angle of the point (x,y), as C's atan2, with its zeros and
// infinities. Error 3 ulp.
func (b *Builder) Atan2(y, x Reg) Reg {
	ax, ay := b.Abs(x), b.Abs(y)
	// Equal magnitudes are 45 degrees even where both are infinite, 0 where both are 0.
	q := b.Sel(b.Eq(ax, ay), b.And(b.Lt(b.F(0), ax), b.F(1)), b.Div(b.Min(ax, ay), b.Max(ax, ay)))
	p := b.arctangent(q)
	p = b.Sel(b.Lt(ax, ay), b.Sub(b.F(quarterHi), b.Sub(p, b.F(quarterLo))), p)
	p = b.Sel(b.Sar(x, 31), b.Sub(b.F(halfHi), b.Sub(p, b.F(halfLo))), p)
	known := b.And(b.Eq(x, x), b.Eq(y, y))
	return b.Sel(known, b.withSign(p, y), b.I(nanBits))
}

// hyperbolic is E = e^a/2, for a >= 0, and 1/(4E) = e^-a/2.
func (b *Builder) hyperbolic(a Reg) (up, down Reg) {
	q, t := b.expSplit(b.atMost(a, 90))
	up = b.scaleBy(b.FMA(q, b.F(0.5), b.F(0.5)), t)
	return up, b.Div(b.F(0.25), up)
}

// Sinh is the hyperbolic sine. Error 2 ulp.
func (b *Builder) Sinh(x Reg) Reg {
	a := b.Abs(x)
	up, down := b.hyperbolic(a)
	z := b.Mul(a, a)
	near := b.FMA(b.Mul(a, z), b.poly(z, 0.166666672, 0.00833331048, 0.000198428956, 2.78221319e-06), a)
	return b.withSign(b.Sel(b.Lt(a, b.F(1)), near, b.Sub(up, down)), x)
}

// Cosh is the hyperbolic cosine. Error 2 ulp.
func (b *Builder) Cosh(x Reg) Reg {
	up, down := b.hyperbolic(b.Abs(x))
	return b.Add(up, down)
}

// hugeArea is where the inverse hyperbolic functions are log(2x).
const hugeArea = 0x1p15

// logPlus is log(1+r), plus log 2 where huge is set (and r is x-1).
func (b *Builder) logPlus(r, huge Reg) Reg {
	return b.Add(b.Log1p(r), b.And(huge, b.F(math.Ln2)))
}

// Asinh is the inverse hyperbolic sine. Error 3 ulp.
func (b *Builder) Asinh(x Reg) Reg {
	a := b.Abs(x)
	huge := b.Lt(b.F(hugeArea), a)
	s := b.Mul(a, a)
	r := b.Add(a, b.Div(s, b.Add(b.Sqrt(b.Add(s, b.F(1))), b.F(1))))
	return b.withSign(b.logPlus(b.Sel(huge, b.Sub(a, b.F(1)), r), huge), x)
}

// Acosh is the inverse hyperbolic cosine; NaN below 1. Error 2.5 ulp.
func (b *Builder) Acosh(x Reg) Reg {
	huge := b.Lt(b.F(hugeArea), x)
	t := b.Sub(x, b.F(1))
	r := b.Add(t, b.Sqrt(b.FMA(t, t, b.Add(t, t))))
	return b.logPlus(b.Sel(huge, t, r), huge)
}

// Atanh is the inverse hyperbolic tangent; NaN outside -1..1. Error 3 ulp.
func (b *Builder) Atanh(x Reg) Reg {
	a := b.Abs(x)
	r := b.Div(b.Add(a, a), b.Sub(b.F(1), a))
	return b.withSign(b.Mul(b.Log1p(r), b.F(0.5)), x)
}
