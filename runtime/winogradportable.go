package runtime

import "unsafe"

// The transforms of one row or column of a tile, for one channel. The 1-D algorithm
// F(m,3) computes m outputs of a filter of 3 taps as
//
//	A (G g * B d)
//
// where g are the taps, d the m+2 inputs that they pass over, and * is by elements;
// the 2-D one applies each matrix to columns and then to rows (Lavin and Gray,
// sections 4.1 to 4.3). The points are 0, 1, -1 and infinity for m = 2; 0, 1/2, -1/2, -1,
// 1, 2, -2 and infinity for m = 6; and others for m = 4, which are at winogradA. A row of G is
// 1, p and p*p of its point, and A has the scales: then a row is the one before and
// one or two terms, by which the weights are expanded in few operations, the small
// points first. These functions are the definition: the assembly
// makes the same operations in the same order.

// winogradInput1 is B d.
func winogradInput1(m int, d *[8]float32) (v [8]float32) {
	switch m {
	case 2:
		v[0] = d[0] - d[2]
		v[1] = d[1] + d[2]
		v[2] = d[2] - d[1]
		v[3] = d[3] - d[1]
	case 4:
		f := winogradFactors[factorsInput4:]
		v[0] = fma32(d[0], f[1], fma32(d[2], f[0], d[4]))
		v[5] = fma32(d[1], f[1], fma32(d[3], f[0], d[5]))
		e, o := fma32(d[2], f[2], d[4]), float32(fma32(d[1], f[2], d[3])*f[4])
		v[1], v[2] = e+o, e-o
		e, o = fma32(d[2], f[3], d[4]), float32(fma32(d[1], f[3], d[3])*f[5])
		v[3], v[4] = e+o, e-o
	case 6:
		f := winogradFactors[factorsInput6:]
		v[0] = fma32(d[4]-d[2], f[0], d[0]-d[6])
		v[7] = fma32(d[3]-d[5], f[0], d[7]-d[1])
		h := float32(d[3] * f[6])
		e, o := fma32(fma32(d[4], f[3], d[2]), f[4], d[6]), fma32(d[5], f[5], fma32(d[1], f[7], h))
		v[1], v[2] = e+o, e-o
		e, o = fma32(d[4], f[1], d[2]+d[6]), fma32(d[3], f[1], d[1]+d[5])
		v[3], v[4] = e-o, e+o
		e, o = fma32(d[4], f[3], fma32(d[2], f[2], d[6])), fma32(d[5], f[7], fma32(d[1], f[5], h))
		v[5], v[6] = e+o, e-o
	}
	return v
}

// winogradExpand1 is G g.
func winogradExpand1(m int, g *[8]float32) (u [8]float32) {
	u[0], u[m+1] = g[0], g[2]
	switch m {
	case 2:
		u[1] = g[0] + g[2] + g[1]
		u[2] = fma32(g[1], winogradFactors[factorsExpand6+7], u[1])
	case 4:
		f := winogradFactors[factorsExpand4:]
		u[1] = fma32(g[1], f[1], fma32(g[2], f[0], g[0]))
		u[2] = fma32(g[1], f[2], u[1])
		u[3] = fma32(g[1], f[3], fma32(g[2], f[4], u[2]))
		u[4] = fma32(g[1], f[5], u[3])
	case 6:
		f := winogradFactors[factorsExpand6:]
		u[1] = fma32(g[1], f[1], fma32(g[2], f[0], g[0]))
		u[2] = u[1] - g[1]
		u[3] = fma32(g[1], f[2], fma32(g[2], f[3], u[2]))
		u[4] = fma32(g[1], f[4], u[3])
		u[5] = fma32(g[2], f[5], u[4]) + g[1]
		u[6] = fma32(g[1], f[6], u[5])
	}
	return u
}

// winogradOutput1 is A x, plus the bias where there is one.
func winogradOutput1(m int, x *[8]float32, bias *float32) (y [8]float32) {
	// plus starts a sum that has no term of its own.
	plus := func(x, k float32) float32 {
		if bias == nil {
			return float32(x * k)
		}
		return fma32(x, k, *bias)
	}
	first, last := x[0], x[m+1]
	if bias != nil {
		last += *bias
		if m != 4 {
			first += *bias
		}
	}
	t, s := x[1]+x[2], x[1]-x[2]
	switch m {
	case 2:
		f := winogradFactors[factorsOutput2:]
		y[0], y[1] = fma32(t, f[0], first), fma32(s, f[0], last)
	case 4:
		f := winogradFactors[factorsOutput4:]
		t2, s2 := x[3]+x[4], x[3]-x[4]
		y[0] = fma32(t2, f[5], fma32(t, f[1], plus(first, f[0])))
		y[1] = fma32(s2, f[6], plus(s, f[2]))
		y[2] = fma32(t2, f[7], plus(t, f[3]))
		y[3] = fma32(s2, f[8], fma32(s, f[4], last))
	case 6:
		f := winogradFactors[factorsOutput6:]
		t1, s1 := x[3]+x[4], x[4]-x[3]
		t2, s2 := x[5]+x[6], x[5]-x[6]
		y[0] = fma32(t, f[7], fma32(t2, f[1], fma32(t1, f[0], first)))
		y[1] = fma32(s, f[8], fma32(s2, f[2], plus(s1, f[0])))
		y[2] = fma32(t, f[9], fma32(t2, f[3], plus(t1, f[0])))
		y[3] = fma32(s, f[10], fma32(s2, f[4], plus(s1, f[0])))
		y[4] = fma32(t, f[11], fma32(t2, f[5], plus(t1, f[0])))
		y[5] = fma32(s, f[12], fma32(s2, f[6], fma32(s1, f[0], last)))
	}
	return y
}

// winogradInputPortable is the input kernel for tiles of m x m in plain Go.
func winogradInputPortable(a *winogradArgs, m int) {
	n := m + 2
	ind := unsafe.Slice((*uint32)(a.ind), n*n)
	var d, v [8]float32
	var rows [8][8]float32
	for c := range a.n {
		for i := range n {
			for j := range n {
				d[j] = f32(unsafe.Add(a.from, ind[i*n+j]), c)
			}
			rows[i] = winogradInput1(m, &d)
		}
		for j := range n {
			for i := range n {
				d[i] = rows[i][j]
			}
			v = winogradInput1(m, &d)
			for i := range n {
				putf32(unsafe.Add(a.to, (i*n+j)*a.toStep), c, v[i])
			}
		}
	}
}

// winogradExpandPortable is the expand kernel, of float16 weights if half.
func winogradExpandPortable(a *winogradArgs, m int, half bool) {
	n := m + 2
	var g, u [8]float32
	var columns [3][8]float32
	for c := range a.n * panelWidth {
		for j := range 3 {
			for i := range 3 {
				g[i] = weight(unsafe.Add(a.from, (3*i+j)*a.fromStep), c, half)
			}
			columns[j] = winogradExpand1(m, &g)
		}
		for i := range n {
			for j := range 3 {
				g[j] = columns[j][i]
			}
			u = winogradExpand1(m, &g)
			for j := range n {
				putf32(unsafe.Add(a.to, (i*n+j)*a.toStep), c, u[j])
			}
		}
	}
}

// winogradOutputPortable is the output kernel.
func winogradOutputPortable(a *winogradArgs, m int) {
	n := m + 2
	ind := unsafe.Slice((*uint32)(a.ind), m*m)
	var x, y [8]float32
	var columns [8][8]float32
	for c := range a.n {
		bias := f32(a.w, c)
		for j := range n {
			for i := range n {
				x[i] = f32(unsafe.Add(a.from, (i*n+j)*a.fromStep), c)
			}
			columns[j] = winogradOutput1(m, &x, nil)
		}
		for i := range m {
			for j := range n {
				x[j] = columns[j][i]
			}
			y = winogradOutput1(m, &x, &bias)
			for j := range m {
				v := y[j]
				if a.act == actRelu {
					v = relu32(v)
				}
				putf32(unsafe.Add(a.to, ind[i*m+j]), c, v)
			}
		}
	}
}

// winogradProductPortable is the product kernel of one row and one panel at a time.
func winogradProductPortable(a *winogradArgs, mr, np int) {
	for r := range a.blocks * mr {
		x, to := unsafe.Add(a.from, r*a.fromStep), unsafe.Add(a.to, r*a.toStep)
		for p := range np {
			w := unsafe.Add(a.w, p*a.wStep)
			for c := 0; c < panelWidth; c += 4 {
				winogradProduct4(a, x, unsafe.Add(w, 4*c), unsafe.Add(to, 4*(p*panelWidth+c)))
			}
		}
	}
}

// winogradProduct4 computes four sums in float64, as convWidened2x4 does, and
// starts again with fma32 where that may not be exact.
func winogradProduct4(a *winogradArgs, x, w, to unsafe.Pointer) {
	var start [4]float32
	if a.add != 0 {
		start = *(*[4]float32)(to)
	}
	s := [4]float64{float64(start[0]), float64(start[1]), float64(start[2]), float64(start[3])}
	for c := range a.n {
		v := float64(f32(x, c))
		b := (*[4]float32)(unsafe.Add(w, 4*panelWidth*c))
		for i := range s {
			sum := s[i] + float64(v*float64(b[i]))
			if risky(sum) {
				winogradExact4(a, x, w, to, start)
				return
			}
			s[i] = float64(float32(sum))
		}
	}
	*(*[4]float32)(to) = [4]float32{float32(s[0]), float32(s[1]), float32(s[2]), float32(s[3])}
}

func winogradExact4(a *winogradArgs, x, w, to unsafe.Pointer, s [4]float32) {
	for c := range a.n {
		b := (*[4]float32)(unsafe.Add(w, 4*panelWidth*c))
		for i := range s {
			s[i] = fma32(f32(x, c), b[i], s[i])
		}
	}
	*(*[4]float32)(to) = s
}
