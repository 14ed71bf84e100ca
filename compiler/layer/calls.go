package layer

import (
	"fmt"
	"github.com/flexnnc/flexnnc/ir/op"
)

// The portable kernels of the runtime that op.Call names, with the meaning of
// their Ints and Floats. All tensors are dense float32 in row-major order unless
// said otherwise; the runtime works over any Go type of loops, but each output
// element must be one fixed sequence of operations, in the order given.
//
// In the table, x, y are In[0] and Out[0]; d0..d3 are four dims, outermost
// first, padded on the left with ones.
//
//	pad             Ints: mode (0 constant, 1 replicate, 2 reflect), in d0..d3, before b0..b3, after a0..a3 (17 numbers
//	                in groups: [0] mode, [1:5] in, [5:9] before, [9:13] after, [13] axis of values or -1); Floats: [0] value.
//	                y has dims b+d+a. Mode 0: value, or In[1][index of y on axis] where axis >= 0. Mode 2 does not repeat the edge.
//	conv_dynamic    In: x [H,W,C], weight, bias (optional). Ints: InH InW InC OutH OutW OutC KH KW SH SW DH DW PadT PadL group.
//	                weight is [OutC][InC/group][KH][KW]. y [OutH,OutW,OutC] = fma chain from bias (or 0) over ky, kx, c, cells outside
//	                the image skipped.
//	resize          In: x [InH,InW,C], row indices (i32), row weights, column indices (i32), column weights.
//	                Ints: InH InW C OutH OutW RT CT piece: output row r reads the RT input rows at r*RT.., which are neighbours or
//	                the same, column w the CT columns at w*CT... y[r,w,c] = fma chain over the rows of (fma chain over the columns
//	                of x*column weight) * row weight; each chain starts with a product, and RT = 1 is the chain over columns alone.
//	                The pass, if RT > 1: the chain over rows, of as many vectors and then their factors. ThreadScratch has room
//	                for RT pieces of so many pixels.
//	matmul          In: a, b. Ints: outer inner M N K, element strides of a (outer, inner, m, k), of b (outer, inner, k, n), of y
//	                (outer, inner, m, n), then panels of columns packed at a time, and blocks that rows are cut into.
//	                Floats: [0] factor. y = factor * (fma chain over k of a*b, from zero). ThreadScratch has room for the panels,
//	                and for a block's rows where a's terms are no neighbours.
//	attention       In: q, k, v, and mask or not. Ints: heads perGroup rows keys width vWidth, then element strides per head and per
//	                row of q, of k, of v, of y, of mask (k, v: head is the query's head/perGroup); innermost stride 1. Then the most
//	                rows of a head that are made at a time, panels of keys and of values that are packed at a time, bytes of scratch
//	                per thread, and 1 where y's and q's outermost axis is heads, 0 where it is rows: a step's range is of that.
//	                Then the bytes of a head's packed keys, behind which its values are packed once for all rows, or 0.
//	                Floats: [0] scale. Per head and row: s[j] = scale * (fma chain over width of q*k[j], from zero) + mask[j];
//	                p = softmax of s (max, exp and sum as the Rows of a Softmax, then division); y[n] = fma chain over j of
//	                p[j]*v[j][n], from zero. Passes make p of s. WorkScratch has room for the panels, and for the rows' s.
//	reduce          In: x [rows,n], or an image whose channels are reduced. Ints: operation (numbers of Reduction: 0 sum 1 sum|x| 2 sum x*x 3 mean 4 max 5 min 6 product
//	                7 sum|x| 8 sqrt of sum x*x 9 log of sum 10 log of sum of exp, by max + log(sum exp(x-max))), rows, n.
//	                Floats: [0] factor of the result. y [rows,1], or an image of one channel. Sums, products and extrema by the lane
//	                reductions' structure. Passes, but for a product: the sum or extremum, and of 10 the sum as well.
//	unfold          In: x [C,H,W]. Ints: C H W OH OW KH KW SH SW DH DW PadT PadL. Floats: [0] value outside. y [C*KH*KW,OH*OW].
//	fold            In: x. Ints: as unfold, of the image that y is, then element strides of x per channel, tap and place, of y per
//	                channel, row and column. y = sum, from zero, over the taps in order, of what x has of each element there.
//	diagonal        In: x. Ints: row and column of the diagonal's start, 1 where y is the matrix. y: the diagonal of x, or zeros
//	                with x on it.
//	einsum          Ints: letters, letters of the result, the letters' sizes, then per input a stride per letter. y (the first
//	                letters, row-major) = fma chain, from zero, over the other letters (last fastest) of the product of the
//	                inputs, in order, the last factor by the fma.
//	grid_sample     In: x [(D,)H,W,C], grid. Ints: D H W C OD OH OW n kind padding align fusion. y [(OD,)OH,OW,C]. The n = 2 or 3
//	                coordinates x y (z) of point i are grid[i*n..], or with fusion grid[k*points+i]. Kinds, padding and the
//	                arithmetic as in gridsample.go (coordinates in float32, then weighted sums of cells, zero outside, as fma
//	                chains). ThreadScratch has room for the cells of 16 points.
//	roi_pool, psroi_pool, roi_align
//	                In: x [H,W,C], region (4 numbers). Ints: H W C PH PW outputs (roi_align: then sampling ratio, aligned,
//	                version). Floats: [0] spatial scale. y [PH,PW,outputs]. The arithmetic as in roi.go.
//	argmax          In: x (planar). Ints: n, k, values (1: they come first). y: the k largest values and/or their indices as floats,
//	                descending, of equal ones the larger index first.
//	deform          In: x [H,W,C], offset [OH,OW,2*taps], mask [OH,OW,taps] or not. Ints: H W C OH OW KH KW SH SW DH DW PadT PadL.
//	                y [OH*OW, taps*C]: cell (y*SH-PadT+ky*DH+dy, x*SW-PadL+kx*DW+dx) of each tap by bilinear interpolation: the fma
//	                chain of four cells, which starts with a product, by weights that are times mask; dy, dx are channels 2*tap,
//	                2*tap+1 of offset. ThreadScratch has room for the cells of a pixel: see blendScratch.
//	conv3d          In: x [D,H,W,C], weight [OutC][C/group][KD][KH][KW], bias or not. Ints: D H W C OD OH OW OutC KD KH KW SD SH SW
//	                DD DH DW, PadF PadT PadL, group, 1 where the weight is F16. y [OD,OH,OW,OutC] = fma chain from bias over kz, ky, kx, c.
//	deconv          In: x [D,H,W,C], weight, bias or not. Ints: as conv3d up to group, then swapped, 1 where the weight is F16. Weight is [OutC][C/group][taps], or where
//	                swapped [group][C/group][OutC/group][taps]. y = fma chain from bias over kz, ky, kx (falling), c of
//	                x[(o+Pad-k*dilation)/stride] where that is whole and inside.
//	proposal        In: scores [H,W,18], boxes [H,W,36], image (height, width, scale). Ints: H W stride base before after min_size rows.
//	                Floats: [0] threshold. Out: boxes [rows,4], scores [rows] where there are three, and the number of rows found
//	                [1] (i32). See evalProposal; rows not used are zero. Scratch: 24 bytes per box, 16 per row.
//	                The pass is suppression's, here and in the next three.
//	flip            Ints: d0..d3, f0..f3: y is x with the axes of f = 1 reversed.
//	cumulative_sum  Ints: outer n inner. x, y [outer,n,inner]: y[:,0,:] = x[:,0,:], y[:,i,:] = x[:,i,:] + y[:,i-1,:].
//	insert          In: x, part. Ints: d0..d3 of x, p0..p3 of part, s0..s3: y is x with part at index s.
//	detection_output In: location [4*P], confidence [P*C] ([C,P] if mxnet), prior [2,4*P] ([P,4] if mxnet; variances are Floats).
//	                Ints: P C mxnet topK keep rows. Floats: nms threshold, confidence threshold, 4 variances.
//	                Out: [rows,6]: label score x1 y1 x2 y2, by descending score, rows not used are zero; and the number of rows
//	                found [1] (i32). See evalDetectionOutput. Scratch as lowered: 40 bytes per prior, 24 per box that a class keeps,
//	                and 16 per box of one class.
//	yolov3_output   In: heads [H,W,boxes*(5+classes)]. Ints: heads classes boxes, then H W of each. Floats: confidence threshold,
//	                nms threshold, then per head: net width, net height, boxes times width height. Out as above; see evalYolo.
//	                Scratch: 40 bytes per box of all heads.
//	yolov2_output   The same with version 2's score: sigmoid of the box score times the softmax over the classes.
//	embed           In: ids (i32, [words]), table [rows,n]. Ints: words n rows form. y [words,n]: y[i] = table[id clamped to 0..rows-1].
//	                form is 1 where the table's tensor is F16, which the pass over weights decides, and 2 where it is I8.
//	lstm            In: xg [T,4H] (input's part of the gates, order I F O G, biases included), h0 [P], c0 [H], W [4H,P] in panels,
//	                and where P != H the projection R [P,H] in panels. Out: y [T,P], h [P], c [H]. Ints: T H P reverse, then 1 or 0:
//	                whether W and R are float16, which the pass over weights decides.
//	                Per step t (from T-1 down if reverse): g = xg[t] + (fma chain of W h, from zero), then
//	                c = fma(sigmoid(F), c, sigmoid(I)*tanh(G)), h = sigmoid(O)*tanh(c) (then R h), y[t] = h.
//	                Passes make c, and h, of the parts of g and of c: see cell.passes. So do those of the next three.
//	                ThreadScratch has room for the table of products, the gates and H floats.
//	gru             In: xg [T,3H] (order R U N), h0 [H], W [3H,H] in panels with bias BN. Out: y [T,H], h [H]. Ints as of lstm, P = H.
//	                r = sigmoid(xg R + (W h) R), u likewise, n = tanh(fma(r, chain of (W h) N from BN, xg N)),
//	                h = fma(u, h, (1-u)*n).
//	recurrent_int8  Ints: T H P reverse kind (0 lstm, 1 gru, 2 rnn), whether R is float16. In and Out as the kernel of that kind has
//	                them, but W is in int8 panels, and 1/scale of its rows [rows], and BN, follow it. The state is quantised in each
//	                step by 127/largest; sums are exact. ThreadScratch has room for the table, rows + H floats and the state.
//	custom          The Go function of the layer CallAttr.Custom; all tensors are planar and without gaps.
//	rnn             In: xg [T,H], h0 [H], W [H,H] in panels. Out: y [T,H], h [H]. Ints as for gru. h = tanh(xg + W h).

// blendScratch is the scratch of a thread that has places made as weighted sums of taps cells
// each: a position and a weight per cell, and a cell of zeros.
func blendScratch(places, taps, channels int) int { return (8*places*taps + 4*channels + 63) &^ 63 }

// padCall appends a pad; in, before and after have equal lengths of at most 4.
func (b *Builder) padCall(mode int, value float32, in, before, after []int, out *op.Tensor, x ...*op.Tensor) *op.Op {
	return b.padCallAxis(mode, value, in, before, after, -1, out, x...)
}

func (b *Builder) padCallAxis(mode int, value float32, in, before, after []int, axis int, out *op.Tensor, x ...*op.Tensor) *op.Op {
	ints := []int{mode}
	for _, d := range [][]int{four(in, 1), four(before, 0), four(after, 0)} {
		ints = append(ints, d...)
	}
	if axis >= 0 {
		axis += 4 - len(in)
	}
	o := b.Call("pad", append(ints, axis), []float32{value}, []*op.Tensor{out}, x...)
	if len(in) > 1 && len(x[0].Dims) == len(in) && len(out.Dims) == len(in) {
		o.Call.Rows = paddedRows(mode, in[0], before[0], out.Dims[0])
	}
	return o
}

// paddedRows are the rows of n that each of all rows of a padded image repeats.
func paddedRows(mode, n, before, all int) (rows [][2]int) {
	for y := range all {
		from := y - before
		switch {
		case from >= 0 && from < n:
		case mode == 0:
			rows = append(rows, [2]int{})
			continue
		case mode == 1 || n == 1:
			from = min(max(from, 0), n-1)
		default:
			for from < 0 || from >= n {
				if from = -from; from < 0 {
					from += 2 * (n - 1)
				}
			}
		}
		rows = append(rows, [2]int{from, from + 1})
	}
	return rows
}

// four pads dims on the left to four.
func four(dims []int, with int) []int {
	d := []int{with, with, with, with}
	copy(d[4-len(dims):], dims)
	return d
}

// lowerDynamicConv lowers a convolution whose weight is an input.
func lowerDynamicConv(b *Builder, v Value, axes, group int) error {
	weight := b.In(1, Planar)
	c, err := convOf(b.Layer, v.Shape, axes, group, &weight.Shape)
	if err != nil {
		return err
	}
	if c.padded() && c.padValue != 0 {
		return fmt.Errorf("pad_value %v with dynamic weights has no kernel", c.padValue)
	}
	finish, err := convEpilogue(b)
	if err != nil {
		return err
	}
	callWithWeights(b, "conv_dynamic", []int{
		c.in[1], c.in[0], c.inC, c.out[1], c.out[0], c.outC, c.kernel[1], c.kernel[0], c.stride[1], c.stride[0],
		c.dilation[1], c.dilation[0], c.before[1], c.before[0], group,
	}, b.Convert(v, ChannelsLast, b.Layer.Inputs[0].Name).Tensor, weight.Tensor, finish)
	return nil
}
