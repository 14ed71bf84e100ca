package layer_test

import (
	"fmt"
	"math"

	"github.com/flexnnc/flexnnc/ir/lane"
	"github.com/flexnnc/flexnnc/ir/op"
)

// machine runs an op.Graph plainly: every tensor is dense, windows are copied.
// It is what the lowerings are tested by, and shows what each operation means.
type machine struct {
	values map[*op.Tensor][]float32
}

func (m *machine) get(t *op.Tensor) ([]float32, error) {
	if v, ok := m.values[t]; ok {
		return v, nil
	}
	if t.Const == nil {
		return nil, fmt.Errorf("tensor %q is read before it is written", t.Name)
	}
	if p := t.Const.Packed; p != nil { // the matrix, as rows
		v := make([]float32, p.N*p.K())
		if err := p.Weight.ReadFloat32(v, p.First); err != nil {
			return nil, err
		}
		m.values[t] = v
		return v, nil
	}
	v := make([]float32, t.Len())
	if err := t.Const.Fill(v); err != nil {
		return nil, err
	}
	m.values[t] = v
	return v, nil
}

func (m *machine) run(o *op.Op) error {
	in := make([][]float32, len(o.In))
	for i, t := range o.In {
		v, err := m.get(t)
		if err != nil {
			return err
		}
		if len(v) != t.Len() && (t.Const == nil || t.Const.Packed == nil) {
			return fmt.Errorf("input %q has %d elements for dims %v", t.Name, len(v), t.Dims)
		}
		in[i] = v
	}
	out := make([][]float32, len(o.Out))
	for i, t := range o.Out {
		out[i] = make([]float32, t.Len())
		m.values[t] = out[i]
	}
	var err error
	switch o.Kind {
	case op.Conv, op.Depthwise:
		err = runConv(o, in[0], out[0])
	case op.Pool:
		err = runPool(o, in[0], out[0])
	case op.Map:
		err = runMap(o.Map.Program, o.Out[0].Dims, out[0], o.In, in)
	case op.Rows:
		err = runRows(o, in, out[0])
	case op.Copy:
		perm := o.Perm
		if perm == nil {
			copy(out[0], in[0])
			break
		}
		strides := stridesOf(o.In[0].Dims)
		each(o.Out[0].Dims, func(k int, index []int) {
			at := 0
			for i, n := range index {
				if o.Out[0].Dims[i] != o.In[0].Dims[perm[i]] {
					err = fmt.Errorf("copy of %v by %v to %v", o.In[0].Dims, perm, o.Out[0].Dims)
				}
				at += n * strides[perm[i]]
			}
			out[0][k] = in[0][at]
		})
	case op.Concat:
		err = runConcat(o, in, out[0])
	case op.View:
		if o.Start == nil {
			if len(in[0]) != len(out[0]) {
				return fmt.Errorf("view of %v as %v", o.In[0].Dims, o.Out[0].Dims)
			}
			copy(out[0], in[0])
			break
		}
		strides := stridesOf(o.In[0].Dims)
		each(o.Out[0].Dims, func(k int, index []int) {
			at := 0
			for i, n := range index {
				if o.Start[i]+n >= o.In[0].Dims[i] {
					err = fmt.Errorf("window %v+%v of %v", o.Start, o.Out[0].Dims, o.In[0].Dims)
					return
				}
				at += (o.Start[i] + n) * strides[i]
			}
			out[0][k] = in[0][at]
		})
	case op.Quantize:
		runQuantize(o, in[0], out[0])
	case op.Call:
		run := calls[o.Call.Func]
		if run == nil {
			return fmt.Errorf("call of %q, which the table does not have", o.Call.Func)
		}
		err = run(o, in, out)
	default:
		err = fmt.Errorf("kind %v", o.Kind)
	}
	if err == nil && o.Epilogue != nil {
		tensors, values := append([]*op.Tensor{o.Out[0]}, o.EpilogueIn...), [][]float32{append([]float32{}, out[0]...)}
		for _, t := range o.EpilogueIn {
			v, e := m.get(t)
			if e != nil {
				return e
			}
			values = append(values, v)
		}
		err = runMap(o.Epilogue, o.Out[0].Dims, out[0], tensors, values)
	}
	return err
}

// image is a tensor's dims as H, W, C.
func image(t *op.Tensor) (h, w, c int) {
	d := append([]int{1, 1}, t.Dims...)
	d = d[len(d)-3:]
	if len(t.Dims) > 3 {
		panic("BUG: image of rank 4")
	}
	return d[0], d[1], d[2]
}

func runConv(o *op.Op, x, y []float32) error {
	a, p := o.Conv, o.Panels
	if a.Depth == nil {
		if h, w, c := image(o.In[0]); h != a.InH || w != a.InW || c != a.InC {
			return fmt.Errorf("input %v for %d x %d x %d", o.In[0].Dims, a.InH, a.InW, a.InC)
		}
	}
	if p.Int8 != nil {
		return runInt8(o, x, y)
	}
	if a.Depth == nil {
		if h, w, c := image(o.Out[0]); h != a.OutH || w != a.OutW || c != a.OutC || c != p.N {
			return fmt.Errorf("output %v for %d x %d x %d of %d panels", o.Out[0].Dims, a.OutH, a.OutW, a.OutC, p.N)
		}
	}
	if p.K() != p.Taps*p.Chans || o.Kind == op.Conv && p.K() != a.Taps()*a.InC || o.Kind == op.Depthwise && p.K() != a.KH*a.KW {
		return fmt.Errorf("panels of %d taps and %d channels", p.Taps, p.Chans)
	}
	weight, bias, err := unpack(p)
	if err != nil {
		return err
	}
	d := op.Depth{In: 1, Out: 1, K: 1, S: 1, D: 1}
	if a.Depth != nil {
		d = *a.Depth
	}
	for at := range d.Out * a.OutH * a.OutW * a.OutC {
		n, ox, oy, oz := at%a.OutC, at/a.OutC%a.OutW, at/a.OutC/a.OutW%a.OutH, at/a.OutC/a.OutW/a.OutH
		sum := bias[n]
		for t := range d.K * a.KH * a.KW {
			kx, ky, kz := t%a.KW, t/a.KW%a.KH, t/a.KW/a.KH
			iz, iy, ix := oz*d.S-d.Pad+kz*d.D, oy*a.SH-a.PadT+ky*a.DH, ox*a.SW-a.PadL+kx*a.DW
			if iz < 0 || iy < 0 || ix < 0 || iz >= d.In || iy >= a.InH || ix >= a.InW {
				continue
			}
			pixel := x[((iz*a.InH+iy)*a.InW+ix)*a.InC:][:a.InC]
			if o.Kind == op.Depthwise {
				sum += float64(pixel[n/a.Mult]) * weight[n*p.K()+t]
				continue
			}
			for c, v := range pixel {
				sum += float64(v) * weight[n*p.K()+t*a.InC+c]
			}
		}
		y[at] = float32(sum)
	}
	return nil
}

// unpack gives weights as [N][taps][channels], and biases.
func unpack(p *op.Panels) (weight, bias []float64, err error) {
	k := p.K()
	raw := make([]float32, p.N*k)
	if err := p.Weight.ReadFloat32(raw, p.First); err != nil {
		return nil, nil, err
	}
	weight, bias = make([]float64, p.N*k), make([]float64, p.N)
	ws, bs := p.WeightScale, p.BiasScale
	if ws == 0 {
		ws = 1
	}
	if bs == 0 {
		bs = 1
	}
	for n := range p.N {
		for t := range p.Taps {
			for c := range p.Chans {
				weight[n*k+t*p.Chans+c] = float64(raw[weightAt(p, n, c, t)]) * ws
			}
		}
	}
	if p.Bias != nil {
		b := make([]float32, p.N)
		if err := p.Bias.ReadFloat32(b, p.BiasAt); err != nil {
			return nil, nil, err
		}
		for n, v := range b {
			bias[n] = float64(v) * bs
		}
	}
	for _, f := range p.Fold {
		scale, shift, err := f()
		if err != nil {
			return nil, nil, err
		}
		for n := range p.N {
			bias[n] = bias[n]*scale[n] + shift[n]
			for i := range k {
				weight[n*k+i] *= scale[n]
			}
		}
	}
	return weight, bias, nil
}

func runPool(o *op.Op, x, y []float32) error {
	a := o.Pool
	if h, w, c := image(o.In[0]); h != a.InH || w != a.InW || c != a.C {
		return fmt.Errorf("input %v for %d x %d x %d", o.In[0].Dims, a.InH, a.InW, a.C)
	}
	span := func(i, in, out, k, s, pad int) (int, int) {
		if a.Adaptive {
			return i * in / out, ((i+1)*in + out - 1) / out
		}
		return i*s - pad, i*s - pad + k
	}
	for oy := range a.OutH {
		y0, y1 := span(oy, a.InH, a.OutH, a.KH, a.SH, a.PadT)
		for ox := range a.OutW {
			x0, x1 := span(ox, a.InW, a.OutW, a.KW, a.SW, a.PadL)
			for c := range a.C {
				sum, best, n := 0.0, -math.MaxFloat32, 0
				for iy := max(y0, 0); iy < min(y1, a.InH); iy++ {
					for ix := max(x0, 0); ix < min(x1, a.InW); ix++ {
						v := float64(x[(iy*a.InW+ix)*a.C+c])
						sum, best, n = sum+v, math.Max(best, v), n+1
					}
				}
				if a.CountPad {
					n = a.KH * a.KW
				}
				v := sum / float64(n)
				if a.Max {
					v = best
				}
				y[(oy*a.OutW+ox)*a.C+c] = float32(v)
			}
		}
	}
	return nil
}

// each visits the indices of an array in row-major order.
func each(dims []int, f func(k int, index []int)) {
	index := make([]int, len(dims))
	n := 1
	for _, d := range dims {
		n *= d
	}
	for k := range n {
		f(k, index)
		for i := len(dims) - 1; i >= 0; i-- {
			if index[i]++; index[i] < dims[i] {
				break
			}
			index[i] = 0
		}
	}
}

func stridesOf(dims []int) []int {
	s := make([]int, len(dims))
	for i, n := len(dims)-1, 1; i >= 0; i-- {
		s[i] = n
		n *= dims[i]
	}
	return s
}

func runMap(p *lane.Program, dims []int, y []float32, tensors []*op.Tensor, in [][]float32) error {
	if len(p.Inputs) != len(in) {
		return fmt.Errorf("program %s has %d inputs, the op %d", p.Name, len(p.Inputs), len(in))
	}
	last := len(dims) - 1
	args := make([]uint32, len(in))
	each(dims, func(k int, index []int) {
		for i, t := range tensors {
			at, skip := 0, len(dims)-len(t.Dims)
			for j, d := range t.Dims {
				n := 0
				if d != 1 {
					n = index[skip+j]
				}
				at = at*d + n
			}
			if p.Inputs[i] == lane.Vector && t.Dims[len(t.Dims)-1] != dims[last] {
				panic(fmt.Sprintf("BUG: program %s reads %v as vector of %v", p.Name, t.Dims, dims))
			}
			args[i] = math.Float32bits(in[i][at])
		}
		y[k] = math.Float32frombits(evalProgram(p, args))
	})
	return nil
}

func runRows(o *op.Op, in [][]float32, y []float32) error {
	n := o.In[0].Dims[len(o.In[0].Dims)-1]
	if o.Out[0].Len() != o.In[0].Len() {
		return fmt.Errorf("rows of %v to %v", o.In[0].Dims, o.Out[0].Dims)
	}
	for at := 0; at < len(y); at += n {
		regs := map[int]float32{}
		for _, p := range o.Rows.Passes {
			count := n
			if p.Scalar {
				count = 1
			}
			sum, top := 0.0, math.Inf(-1)
			for i := range count {
				args := make([]uint32, len(p.In))
				for j, s := range p.In {
					var v float32
					switch s.Kind {
					case op.FromRegister:
						v = regs[s.Index]
					case op.FromOutput:
						v = y[at+i]
					case op.FromInput:
						if s.Index == 0 {
							v = in[0][at+i]
						} else {
							v = in[s.Index][i]
						}
					}
					args[j] = math.Float32bits(v)
				}
				r := math.Float32frombits(evalProgram(p.Program, args))
				if p.Out {
					y[at+i] = r
				}
				if p.Scalar {
					regs[p.To] = r
				}
				sum += float64(r)
				top = math.Max(top, float64(r))
			}
			switch p.Program.Reduce {
			case lane.ReduceSum:
				regs[p.To] = float32(sum)
			case lane.ReduceMax:
				regs[p.To] = float32(top)
			}
		}
	}
	return nil
}

func runConcat(o *op.Op, in [][]float32, y []float32) error {
	dims := o.Out[0].Dims
	inner := 1
	for _, d := range dims[o.Axis+1:] {
		inner *= d
	}
	outer := len(y) / (inner * dims[o.Axis])
	at := 0
	for i, t := range o.In {
		for j := range dims {
			if j != o.Axis && t.Dims[j] != dims[j] {
				return fmt.Errorf("concat of %v into %v along %d", t.Dims, dims, o.Axis)
			}
		}
		n := t.Dims[o.Axis] * inner
		for k := range outer {
			copy(y[k*dims[o.Axis]*inner+at:], in[i][k*n:][:n])
		}
		at += n
	}
	if at != dims[o.Axis]*inner {
		return fmt.Errorf("concat into %v is short", dims)
	}
	return nil
}

// evalProgram applies a program to one element.
func evalProgram(p *lane.Program, args []uint32) uint32 {
	r := make([]uint32, len(p.Insts))
	f := func(i lane.Reg) float32 { return math.Float32frombits(r[i]) }
	mask := func(b bool) uint32 {
		if b {
			return math.MaxUint32
		}
		return 0
	}
	for i, s := range p.Insts {
		a, b, c := s.A, s.B, s.C
		var v float32
		switch s.Code {
		case lane.In:
			r[i] = args[s.Arg]
			continue
		case lane.Const:
			r[i] = s.Bits
			continue
		case lane.Add:
			v = f(a) + f(b)
		case lane.Sub:
			v = f(a) - f(b)
		case lane.Mul:
			v = f(a) * f(b)
		case lane.Div:
			v = f(a) / f(b)
		case lane.FMA:
			v = float32(math.FMA(float64(f(a)), float64(f(b)), float64(f(c))))
		case lane.FNMA:
			v = float32(math.FMA(-float64(f(a)), float64(f(b)), float64(f(c))))
		case lane.Max:
			if v = f(b); f(a) > f(b) {
				v = f(a)
			}
		case lane.Min:
			if v = f(b); f(a) < f(b) {
				v = f(a)
			}
		case lane.Sqrt:
			v = float32(math.Sqrt(float64(f(a))))
		case lane.Floor:
			v = float32(math.Floor(float64(f(a))))
		case lane.Ceil:
			v = float32(math.Ceil(float64(f(a))))
		case lane.Round:
			v = float32(math.RoundToEven(float64(f(a))))
		case lane.Trunc:
			v = float32(math.Trunc(float64(f(a))))
		default:
			switch s.Code {
			case lane.Neg:
				r[i] = r[a] ^ 1<<31
			case lane.Abs:
				r[i] = r[a] &^ (1 << 31)
			case lane.Lt:
				r[i] = mask(f(a) < f(b))
			case lane.Le:
				r[i] = mask(f(a) <= f(b))
			case lane.Eq:
				r[i] = mask(f(a) == f(b))
			case lane.Sel:
				r[i] = r[a]&r[b] | r[c]&^r[a]
			case lane.And:
				r[i] = r[a] & r[b]
			case lane.Or:
				r[i] = r[a] | r[b]
			case lane.Xor:
				r[i] = r[a] ^ r[b]
			case lane.AndNot:
				r[i] = r[a] &^ r[b]
			case lane.ToInt:
				r[i] = uint32(int32(f(a)))
			case lane.FromInt:
				r[i] = math.Float32bits(float32(int32(r[a])))
			case lane.IAdd:
				r[i] = r[a] + r[b]
			case lane.ISub:
				r[i] = r[a] - r[b]
			case lane.Shl:
				r[i] = r[a] << s.Arg
			case lane.Shr:
				r[i] = r[a] >> s.Arg
			case lane.Sar:
				r[i] = uint32(int32(r[a]) >> s.Arg)
			default:
				panic(fmt.Sprintf("BUG: code %d", s.Code))
			}
			continue
		}
		r[i] = math.Float32bits(v)
	}
	return r[p.Result]
}

// weightAt is the element of the weight blob for output channel n, input channel c and tap t.
func weightAt(p *op.Panels, n, c, t int) int {
	switch p.Order {
	case op.ChanTapOut:
		return (c*p.Taps+t)*p.N + n
	case op.ChanOutTap:
		return (c*p.N+n)*p.Taps + t
	}
	return (n*p.Chans+c)*p.Taps + t
}
