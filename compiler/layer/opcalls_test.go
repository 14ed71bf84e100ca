package layer_test

import (
	"math"

	"github.com/flexnnc/flexnnc/ir/op"
)

// calls are the portable kernels as the table in calls.go describes them.
var calls = map[string]func(o *op.Op, in, out [][]float32) error{
	"reduce":           callReduce,
	"flip":             callFlip,
	"cumulative_sum":   callCumulativeSum,
	"insert":           callInsert,
	"detection_output": callDetection,
	"yolov3_output":    func(o *op.Op, in, out [][]float32) error { return callYolo("Yolov3DetectionOutput", o, in, out) },
	"yolov2_output":    func(o *op.Op, in, out [][]float32) error { return callYolo("YoloDetectionOutput", o, in, out) },
	"unfold":           callUnfold,
	"fold":             callFold,
	"diagonal":         callDiagonal,
	"grid_sample":      callGridSample,
	"roi_pool":         func(o *op.Op, in, out [][]float32) error { return callROI("ROIPooling", o, in, out) },
	"psroi_pool":       func(o *op.Op, in, out [][]float32) error { return callROI("PSROIPooling", o, in, out) },
	"roi_align":        func(o *op.Op, in, out [][]float32) error { return callROI("ROIAlign", o, in, out) },
	"argmax":           callArgMax,
	"deform":           callDeform,
	"conv3d":           callConv3D,
	"deconv":           callDeconv,
	"proposal":         callProposal,
	"einsum":           callEinsum,

	"pad":          callPad,
	"conv_dynamic": callConv,
	"resize":       callResize,
	"matmul":       callMatmul,
	"attention":    callAttention,
	"embed":        callEmbed,
	"lstm":         callLSTM,
	"gru":          callGRU,
	"rnn":          callRNN,

	"recurrent_int8": callRecurrentInt8,
}

func callPad(o *op.Op, in, out [][]float32) error {
	n := o.Call.Ints
	mode, dims, before, after, axis := n[0], n[1:5], n[5:9], n[9:13], n[13]
	size := make([]int, 4)
	for i := range size {
		size[i] = before[i] + dims[i] + after[i]
	}
	each(size, func(k int, index []int) {
		at, inside := 0, true
		for i, d := range dims {
			x := index[i] - before[i]
			if x < 0 || x >= d {
				inside = inside && mode != 0
				if mode == 1 {
					x = min(max(x, 0), d-1)
				} else if x < 0 {
					x = -x
				} else {
					x = 2*(d-1) - x
				}
			}
			at = at*d + x
		}
		switch {
		case inside:
			out[0][k] = in[0][at]
		case axis >= 0:
			out[0][k] = in[1][index[axis]]
		default:
			out[0][k] = o.Call.Floats[0]
		}
	})
	return nil
}

func callConv(o *op.Op, in, out [][]float32) error {
	n := o.Call.Ints
	ih, iw, ic, oh, ow, oc, kh, kw, sh, sw, dh, dw, pt, pl, group := n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7], n[8], n[9], n[10], n[11], n[12], n[13], n[14]
	gi, gout := ic/group, oc/group
	for y := range oh {
		for x := range ow {
			for c := range oc {
				sum := 0.0
				if len(in) > 2 {
					sum = float64(in[2][c])
				}
				for i := range kh {
					for j := range kw {
						r, s := y*sh-pt+i*dh, x*sw-pl+j*dw
						if r < 0 || s < 0 || r >= ih || s >= iw {
							continue
						}
						for q := range gi {
							sum += float64(in[0][(r*iw+s)*ic+c/gout*gi+q]) * float64(in[1][((c*gi+q)*kh+i)*kw+j])
						}
					}
				}
				out[0][(y*ow+x)*oc+c] = float32(sum)
			}
		}
	}
	return nil
}

func callResize(o *op.Op, in, out [][]float32) error {
	n := o.Call.Ints
	iw, ch, oh, ow, rt, ct := n[1], n[2], n[3], n[4], n[5], n[6]
	at := func(table []float32, i int) int { return int(math.Float32bits(table[i])) }
	for r := range oh {
		for w := range ow {
			for c := range ch {
				sum := 0.0
				for i := range rt {
					for j := range ct {
						v := in[0][(at(in[1], r*rt+i)*iw+at(in[3], w*ct+j))*ch+c]
						sum += float64(v) * float64(in[4][w*ct+j]) * float64(in[2][r*rt+i])
					}
				}
				out[0][(r*ow+w)*ch+c] = float32(sum)
			}
		}
	}
	return nil
}

func callMatmul(o *op.Op, in, out [][]float32) error {
	n := o.Call.Ints
	a, b, y := n[5:9], n[9:13], n[13:17]
	for p := range n[0] {
		for q := range n[1] {
			for i := range n[2] {
				for j := range n[3] {
					sum := 0.0
					for k := range n[4] {
						sum += float64(in[0][p*a[0]+q*a[1]+i*a[2]+k*a[3]]) * float64(in[1][p*b[0]+q*b[1]+k*b[2]+j*b[3]])
					}
					out[0][p*y[0]+q*y[1]+i*y[2]+j*y[3]] = float32(sum * float64(o.Call.Floats[0]))
				}
			}
		}
	}
	return nil
}

func callAttention(o *op.Op, in, out [][]float32) error {
	n := o.Call.Ints
	heads, per, rows, keys, width, vWidth := n[0], n[1], n[2], n[3], n[4], n[5]
	q, k, v, y, m := n[6:8], n[8:10], n[10:12], n[12:14], n[14:16]
	s := make([]float64, keys)
	for h := range heads {
		g := h / per
		for i := range rows {
			top, sum := math.Inf(-1), 0.0
			for j := range s {
				s[j] = 0
				for l := range width {
					s[j] += float64(in[0][h*q[0]+i*q[1]+l]) * float64(in[1][g*k[0]+j*k[1]+l])
				}
				s[j] *= float64(o.Call.Floats[0])
				if len(in) > 3 {
					s[j] += float64(in[3][h*m[0]+i*m[1]+j])
				}
				top = math.Max(top, s[j])
			}
			for j := range s {
				s[j] = math.Exp(s[j] - top)
				sum += s[j]
			}
			for l := range vWidth {
				r := 0.0
				for j := range s {
					r += s[j] / sum * float64(in[2][g*v[0]+j*v[1]+l])
				}
				out[0][h*y[0]+i*y[1]+l] = float32(r)
			}
		}
	}
	return nil
}

func callEmbed(o *op.Op, in, out [][]float32) error {
	words, n, rows := o.Call.Ints[0], o.Call.Ints[1], o.Call.Ints[2]
	for i := range words {
		id := min(max(int(int32(math.Float32bits(in[0][i]))), 0), rows-1)
		copy(out[0][i*n:], in[1][id*n:][:n])
	}
	return nil
}

// matvec is w times v, rows of len(v).
func matvec(w, v []float32) []float64 {
	y := make([]float64, len(w)/len(v))
	for i := range y {
		for j, x := range v {
			y[i] += float64(w[i*len(v)+j]) * float64(x)
		}
	}
	return y
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// callRecurrentInt8 runs the float kernel on weights that are undone per step: the
// products of a quantised state are those of the state that it stands for.
func callRecurrentInt8(o *op.Op, in, out [][]float32) error {
	kind := o.Call.Ints[4]
	at := []int{3, 2, 2}[kind]
	inner := *o
	attr := *o.Call
	inner.Call = &attr
	columns := o.Call.Ints[2]
	w := make([]float32, len(in[at]))
	for i, v := range in[at] {
		w[i] = v * in[at+1][i/columns]
	}
	plain := append(append(append([][]float32{}, in[:at]...), w), in[at+2:]...)
	rounded = func(h []float32) []float32 {
		top := 0.0
		for _, v := range h {
			top = math.Max(top, math.Abs(float64(v)))
		}
		if top == 0 {
			return h
		}
		q := make([]float32, len(h))
		for i, v := range h {
			q[i] = float32(math.Round(float64(v*(127/float32(top)))) * top / 127)
		}
		return q
	}
	defer func() { rounded = func(h []float32) []float32 { return h } }()
	return []func(*op.Op, [][]float32, [][]float32) error{callLSTM, callGRU, callRNN}[kind](&inner, plain, out)
}

// rounded is what W multiplies of the state.
var rounded = func(h []float32) []float32 { return h }

// steps runs a recurrence in its direction.
func steps(o *op.Op, h []float32, y []float32, step func(t int, h []float32)) {
	total, reverse := o.Call.Ints[0], o.Call.Ints[3] != 0
	for s := range total {
		t := s
		if reverse {
			t = total - 1 - s
		}
		step(t, h)
		copy(y[t*len(h):], h)
	}
}

func callLSTM(o *op.Op, in, out [][]float32) error {
	n := o.Call.Ints[1]
	h, c := out[1], out[2]
	copy(h, in[1])
	copy(c, in[2])
	steps(o, h, out[0], func(t int, h []float32) {
		g := matvec(in[3], rounded(h))
		for i := range g {
			g[i] += float64(in[0][t*4*n+i])
		}
		fresh := make([]float32, n)
		for i := range n {
			v := sigmoid(g[n+i])*float64(c[i]) + sigmoid(g[i])*math.Tanh(g[3*n+i])
			c[i] = float32(v)
			fresh[i] = float32(sigmoid(g[2*n+i]) * math.Tanh(v))
		}
		if len(in) > 4 {
			for i, v := range matvec(in[4], fresh) {
				h[i] = float32(v)
			}
			return
		}
		copy(h, fresh)
	})
	return nil
}

func callGRU(o *op.Op, in, out [][]float32) error {
	n := o.Call.Ints[1]
	copy(out[1], in[1])
	bias := make([]float32, n)
	if p := o.In[2].Const.Packed; p.Bias != nil {
		if err := p.Bias.ReadFloat32(bias, 2*n); err != nil {
			return err
		}
	} else {
		copy(bias, in[3])
	}
	steps(o, out[1], out[0], func(t int, h []float32) {
		g := matvec(in[2], rounded(h))
		x := in[0][t*3*n:]
		for i := range n {
			r, u := sigmoid(float64(x[i])+g[i]), sigmoid(float64(x[n+i])+g[n+i])
			fresh := math.Tanh(float64(x[2*n+i]) + r*(g[2*n+i]+float64(bias[i])))
			h[i] = float32((1-u)*fresh + u*float64(h[i]))
		}
	})
	return nil
}

func callRNN(o *op.Op, in, out [][]float32) error {
	n := o.Call.Ints[1]
	copy(out[1], in[1])
	steps(o, out[1], out[0], func(t int, h []float32) {
		for i, v := range matvec(in[2], rounded(h)) {
			h[i] = float32(math.Tanh(v + float64(in[0][t*n+i])))
		}
	})
	return nil
}

func callReduce(o *op.Op, in, out [][]float32) error {
	operation, rows, n := o.Call.Ints[0], o.Call.Ints[1], o.Call.Ints[2]
	for r := range rows {
		sum, abs, squares, product, top, low := 0.0, 0.0, 0.0, 1.0, math.Inf(-1), math.Inf(1)
		for _, x := range in[0][r*n:][:n] {
			v := float64(x)
			sum, abs, squares, product = sum+v, abs+math.Abs(v), squares+v*v, product*v
			top, low = math.Max(top, v), math.Min(low, v)
		}
		exp := 0.0
		for _, x := range in[0][r*n:][:n] {
			exp += math.Exp(float64(x) - top)
		}
		v := [...]float64{sum, abs, squares, sum / float64(n), top, low, product, abs, math.Sqrt(squares), math.Log(sum), top + math.Log(exp)}[operation]
		out[0][r] = float32(v * float64(o.Call.Floats[0]))
	}
	return nil
}

func callFlip(o *op.Op, in, out [][]float32) error {
	dims, flip := o.Call.Ints[:4], o.Call.Ints[4:]
	each(dims, func(k int, index []int) {
		at := 0
		for i, n := range index {
			if flip[i] != 0 {
				n = dims[i] - 1 - n
			}
			at = at*dims[i] + n
		}
		out[0][k] = in[0][at]
	})
	return nil
}

func callCumulativeSum(o *op.Op, in, out [][]float32) error {
	n, inner := o.Call.Ints[1], o.Call.Ints[2]
	for k, v := range in[0] {
		if k/inner%n > 0 {
			v += out[0][k-inner]
		}
		out[0][k] = v
	}
	return nil
}

func callInsert(o *op.Op, in, out [][]float32) error {
	dims, part, start := o.Call.Ints[:4], o.Call.Ints[4:8], o.Call.Ints[8:]
	copy(out[0], in[0])
	each(part, func(k int, index []int) {
		at := 0
		for i, n := range index {
			at = at*dims[i] + start[i] + n
		}
		out[0][at] = in[1][k]
	})
	return nil
}

// sliding visits the cells of all windows: n are the numbers of unfold.
func sliding(n []int, visit func(channel, tap, place, y, x int)) {
	each([]int{n[0], n[5], n[6], n[3], n[4]}, func(_ int, i []int) {
		visit(i[0], i[1]*n[6]+i[2], i[3]*n[4]+i[4], i[3]*n[7]+i[1]*n[9]-n[11], i[4]*n[8]+i[2]*n[10]-n[12])
	})
}

func callUnfold(o *op.Op, in, out [][]float32) error {
	n := o.Call.Ints
	sliding(n, func(c, tap, place, y, x int) {
		v := o.Call.Floats[0]
		if y >= 0 && x >= 0 && y < n[1] && x < n[2] {
			v = in[0][(c*n[1]+y)*n[2]+x]
		}
		out[0][(c*n[5]*n[6]+tap)*n[3]*n[4]+place] = v
	})
	return nil
}

func callFold(o *op.Op, in, out [][]float32) error {
	n := o.Call.Ints
	clear(out[0])
	sliding(n, func(c, tap, place, y, x int) {
		if y >= 0 && x >= 0 && y < n[1] && x < n[2] {
			out[0][c*n[16]+y*n[17]+x*n[18]] += in[0][c*n[13]+tap*n[14]+place*n[15]]
		}
	})
	return nil
}

func callDiagonal(o *op.Op, in, out [][]float32) error {
	n := o.Call.Ints
	for i := range min(len(in[0]), len(out[0])) {
		if n[2] == 0 {
			out[0][i] = in[0][(n[0]+i)*o.In[0].Dims[1]+n[1]+i]
			continue
		}
		out[0][(n[0]+i)*o.Out[0].Dims[1]+n[1]+i] = in[0][i]
	}
	return nil
}

func callEinsum(o *op.Op, in, out [][]float32) error {
	letters, results := o.Call.Ints[0], o.Call.Ints[1]
	size, strides := o.Call.Ints[2:2+letters], o.Call.Ints[2+letters:]
	sums := make([]float64, len(out[0]))
	each(size, func(_ int, index []int) {
		product, at := 1.0, 0
		for i := range in {
			k := 0
			for j, n := range index {
				k += n * strides[i*letters+j]
			}
			product *= float64(in[i][k])
		}
		for i := range results {
			at = at*size[i] + index[i]
		}
		sums[at] += product
	})
	for i, v := range sums {
		out[0][i] = float32(v)
	}
	return nil
}
