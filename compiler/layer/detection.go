package layer

import (
	"fmt"
	"math"
	"sort"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/lane"
	"github.com/flexnnc/flexnnc/ir/op"
)

// Detection layers end in rows of label, score and corners; how many is known
// only when they run. Shape gives the most there can be; lowered, the rows that
// are not used are zero (label 0 is the background).
func init() {
	Register(&Def{
		Type: "DetectionOutput", Index: 49, MinIn: 3, MaxIn: 3, MinOut: 1, MaxOut: 1,
		Params: []ParamDef{
			{0, "num_class", Int, "-233: MXNet's layout"}, {1, "nms_threshold", Float, "default 0.05"},
			{2, "nms_top_k", Int, "default 300"}, {3, "keep_top_k", Int, "default 100"},
			{4, "confidence_threshold", Float, "default 0.5"},
			{5, "variance_0", Float, "default 0.1"}, {6, "variance_1", Float, "default 0.1"},
			{7, "variance_2", Float, "default 0.2"}, {8, "variance_3", Float, "default 0.2"},
		},
		Shape: func(c *ShapeCall) ([]ir.Shape, error) {
			s, err := ssdOf(c.Layer, c.In)
			if err != nil {
				return nil, err
			}
			return one(ir.Shape2(6, s.most())), nil
		},
		Eval: evalDetectionOutput,
		Lower: func(b *Builder) error {
			l := b.Layer
			s, err := ssdOf(l, []ir.Shape{l.Inputs[0].Shape, l.Inputs[1].Shape, l.Inputs[2].Shape})
			if err != nil {
				return err
			}
			mxnet := 0
			if s.mxnet {
				mxnet = 1
			}
			floats := append([]float32{s.nms, s.confidence}, s.variances[:]...)
			out := b.Output(0, Planar)
			b.Add(&op.Op{Kind: op.Call, Out: []*op.Tensor{out, b.rowCount(0)},
				In:      []*op.Tensor{b.In(0, Planar).Tensor, b.In(1, Planar).Tensor, b.In(2, Planar).Tensor},
				Call:    &op.CallAttr{Func: "detection_output", Ints: []int{s.priors, s.classes, mxnet, s.topK, s.keep, s.most()}, Floats: floats, Passes: suppression(s.nms)},
				Scratch: (16*s.priors + candidateBytes*s.priors + (candidateBytes*s.classes+cornerBytes)*min(s.topK, s.priors) + 63) &^ 63,
			})
			return nil
		},
	})
	yolo := []ParamDef{
		{0, "num_class", Int, "default 20"}, {1, "num_box", Int, "default 5"},
		{2, "confidence_threshold", Float, "default 0.01"}, {3, "nms_threshold", Float, "default 0.45"},
		{4, "biases", FloatArray, "width and height of each box"},
	}
	Register(&Def{
		Type: "YoloDetectionOutput", Index: 56, MinIn: 1, MaxIn: -1, MinOut: 1, MaxOut: 1,
		Params: yolo, Shape: yoloShape, Eval: evalYolo,
		Lower: func(b *Builder) error { return lowerYolo(b, "yolov2_output") },
	})
	Register(&Def{
		Type: "Yolov3DetectionOutput", Index: 59, MinIn: 1, MaxIn: -1, MinOut: 1, MaxOut: 1,
		Params: append(yolo, ParamDef{5, "mask", FloatArray, "per input, which boxes"}, ParamDef{6, "anchors_scale", FloatArray, "per input"}),
		Shape:  yoloShape, Eval: evalYolo,
		Lower: func(b *Builder) error { return lowerYolo(b, "yolov3_output") },
	})
	Register(&Def{
		Type: "Proposal", Index: 24, MinIn: 3, MaxIn: 3, MinOut: 1, MaxOut: 2,
		Params: []ParamDef{
			{0, "feat_stride", Int, "default 16"}, {1, "base_size", Int, "default 16"}, {2, "pre_nms_topN", Int, "default 6000"},
			{3, "after_nms_topN", Int, "default 300"}, {4, "nms_thresh", Float, "default 0.7"}, {5, "min_size", Int, "default 16"},
		},
		Shape: func(c *ShapeCall) ([]ir.Shape, error) {
			s := c.In[0]
			if s.Dims != 3 || s.C != 2*9 || c.In[1].C != 4*9 || c.In[1].W != s.W || c.In[1].H != s.H || c.In[2].Len() < 3 {
				return nil, fmt.Errorf("scores %v, boxes %v and image %v do not fit nine anchors", s, c.In[1], c.In[2])
			}
			n := min(c.Layer.Params.Int(3, 300), 9*s.W*s.H)
			return []ir.Shape{ir.Shape3(4, 1, n), ir.Shape3(1, 1, n)}[:len(c.Layer.Outputs)], nil
		},
		Eval: evalProposal,
		Lower: func(b *Builder) error {
			l := b.Layer
			p, s := l.Params, l.Inputs[0].Shape
			rows := l.Outputs[0].Shape.C
			out := []*op.Tensor{b.NewTensor(l.Name+"/boxes", op.F32, []int{rows, 4})}
			if len(l.Outputs) > 1 {
				out = append(out, b.NewTensor(l.Name+"/scores", op.F32, []int{rows}))
			}
			count := b.NewTensor(l.Name+"/rows", op.I32, []int{1})
			b.Add(&op.Op{Kind: op.Call, Name: l.Name, Out: append(out, count),
				In: []*op.Tensor{b.In(0, ChannelsLast).Tensor, b.In(1, ChannelsLast).Tensor, b.In(2, Planar).Tensor},
				Call: &op.CallAttr{Func: "proposal", Floats: []float32{p.Float(4, 0.7)}, Passes: suppression(p.Float(4, 0.7)),
					Ints: []int{s.H, s.W, p.Int(0, 16), p.Int(1, 16), p.Int(2, 6000), p.Int(3, 300), p.Int(5, 16), rows}},
				Scratch: (candidateBytes*9*s.H*s.W + cornerBytes*rows + 63) &^ 63,
			})
			for i, t := range out {
				blob := l.Outputs[i]
				b.Set(i, Value{Tensor: b.View(t, blob.Name, blob.Shape.Axes()), Shape: blob.Shape, Rows: count})
			}
			return nil
		},
	})
}

// What the kernels keep of a box while they suppress, and of one that is not suppressed.
const (
	candidateBytes = 24
	cornerBytes    = 16
)

// suppression is the pass that tells of kept boxes (x1, y1, x2, y2 are inputs 0 to 3)
// whether one of them overlaps a box (inputs 4 to 7) by more than the threshold of
// their union: it leaves 1 in register 0, and else 0, or -Inf where none is kept.
func suppression(threshold float32) []op.Pass {
	p := lane.New("overlap_above_" + digits(threshold))
	var kept, box [4]lane.Reg
	for i := range kept {
		kept[i] = p.Vec()
	}
	for i := range box {
		box[i] = p.Splat()
	}
	x1, y1, x2, y2 := kept[0], kept[1], kept[2], kept[3]
	bx1, by1, bx2, by2 := box[0], box[1], box[2], box[3]
	apart := p.Or(p.Or(p.Lt(x2, bx1), p.Lt(bx2, x1)), p.Or(p.Lt(y2, by1), p.Lt(by2, y1)))
	both := p.AndNot(p.Mul(p.Sub(p.Min(bx2, x2), p.Max(bx1, x1)), p.Sub(p.Min(by2, y2), p.Max(by1, y1))), apart)
	union := p.Sub(p.Add(p.Mul(p.Sub(bx2, bx1), p.Sub(by2, by1)), p.Mul(p.Sub(x2, x1), p.Sub(y2, y1))), both)
	over := p.Sel(p.Lt(p.Mul(p.F(threshold), union), both), p.F(1), p.F(0))
	pass := op.Pass{Program: p.ReturnReduced(over, lane.ReduceMax, false), To: 0}
	for i := range pass.Program.Inputs {
		pass.In = append(pass.In, op.Source{Kind: op.FromInput, Index: i})
	}
	return []op.Pass{pass}
}

// rowCount declares the tensor that says how many rows of output i hold results.
func (b *Builder) rowCount(i int) *op.Tensor {
	blob := b.Layer.Outputs[i]
	v := b.values[blob]
	v.Rows = b.NewTensor(blob.Name+"/rows", op.I32, []int{1})
	b.Set(i, v)
	return v.Rows
}

// box is a candidate.
type box struct {
	label          int
	score          float64
	x1, y1, x2, y2 float64
}

func (b box) area() float64 { return (b.x2 - b.x1) * (b.y2 - b.y1) }

// overlap is the area that two boxes share.
func (b box) overlap(o box) float64 {
	if b.x1 > o.x2 || b.x2 < o.x1 || b.y1 > o.y2 || b.y2 < o.y1 {
		return 0
	}
	return (math.Min(b.x2, o.x2) - math.Max(b.x1, o.x1)) * (math.Min(b.y2, o.y2) - math.Max(b.y1, o.y1))
}

// byScore sorts descending; equal scores keep their order.
func byScore(b []box) {
	sort.SliceStable(b, func(i, j int) bool { return b[i].score > b[j].score })
}

// suppress keeps, of sorted boxes, those that overlap no better one by more than
// the threshold of their union.
func suppress(b []box, threshold float64) (kept []box) {
next:
	for _, c := range b {
		for _, k := range kept {
			both := c.overlap(k)
			if both > threshold*(c.area()+k.area()-both) {
				continue next
			}
		}
		kept = append(kept, c)
	}
	return kept
}

// detections makes the output: one row per box, none for none.
func detections(b []box) Tensor {
	t := NewTensor(ir.Shape{Dims: 2, W: 6, H: len(b), D: 1, C: 1})
	for i, c := range b {
		copy(t.Data[6*i:], []float64{float64(c.label), c.score, c.x1, c.y1, c.x2, c.y2})
	}
	return t
}

// ssd are the numbers of a DetectionOutput.
type ssd struct {
	mxnet           bool
	priors, classes int
	topK, keep      int
	nms, confidence float32
	variances       [4]float32
}

// most is the number of rows there can be.
func (s ssd) most() int { return max(min(s.keep, (s.classes-1)*min(s.topK, s.priors)), 1) }

func ssdOf(l *ir.Layer, in []ir.Shape) (ssd, error) {
	p := l.Params
	s := ssd{classes: p.Int(0, 0), topK: p.Int(2, 300), keep: p.Int(3, 100), nms: p.Float(1, 0.05), confidence: p.Float(4, 0.5)}
	for i, def := range []float32{0.1, 0.1, 0.2, 0.2} {
		s.variances[i] = p.Float(5+i, def)
	}
	if s.topK < 1 || s.keep < 1 {
		return s, fmt.Errorf("nms_top_k %d and keep_top_k %d: both must be at least 1", s.topK, s.keep)
	}
	location, confidence, prior := in[0], in[1], in[2]
	s.priors = prior.W / 4
	if s.mxnet = s.classes == sameUpper; s.mxnet {
		s.priors, s.classes = prior.Len()/4, confidence.H
	}
	if s.classes < 1 || s.priors < 1 || location.Len() != 4*s.priors || confidence.Len() != s.priors*s.classes || !s.mxnet && prior.Len() != 8*s.priors {
		return s, fmt.Errorf("locations %v, confidences %v and priors %v do not fit %d classes", location, confidence, prior, s.classes)
	}
	return s, nil
}

func evalDetectionOutput(c *EvalCall) error {
	s, err := ssdOf(c.Layer, shapes(c.In))
	if err != nil {
		return err
	}
	location, confidence, prior := c.In[0].Data, c.In[1].Data, c.In[2].Data
	score := func(class, i int) float64 {
		if s.mxnet {
			return confidence[class*s.priors+i]
		}
		return confidence[i*s.classes+class]
	}
	boxes := make([]box, s.priors)
	for i := range boxes {
		loc, p := location[4*i:], prior[4*i:]
		var v [4]float64
		for k := range v {
			v[k] = float64(s.variances[k])
			if !s.mxnet {
				v[k] = prior[4*s.priors+4*i+k]
			}
		}
		w, h := p[2]-p[0], p[3]-p[1]
		cx, cy := v[0]*loc[0]*w+(p[0]+p[2])/2, v[1]*loc[1]*h+(p[1]+p[3])/2
		w, h = math.Exp(v[2]*loc[2])*w, math.Exp(v[3]*loc[3])*h
		boxes[i] = box{0, 0, cx - w/2, cy - h/2, cx + w/2, cy + h/2}
	}
	var all []box
	for class := 1; class < s.classes; class++ {
		var found []box
		for i, b := range boxes {
			if v := score(class, i); v > float64(s.confidence) {
				b.label, b.score = class, v
				found = append(found, b)
			}
		}
		byScore(found)
		all = append(all, suppress(found[:min(len(found), s.topK)], float64(s.nms))...)
	}
	byScore(all)
	c.Out[0] = detections(all[:min(len(all), s.keep)])
	return nil
}

// yolo are the numbers of both Yolo layers.
type yolo struct {
	classes, boxes  int
	confidence, nms float32
	netW, netH      []float32   // per input, what box sizes are relative to
	anchors         [][]float32 // per input, width and height of each box
}

func yoloOf(l *ir.Layer, in []ir.Shape) (yolo, error) {
	p := l.Params
	y := yolo{classes: p.Int(0, 20), boxes: p.Int(1, 5), confidence: p.Float(2, 0.01), nms: p.Float(3, 0.45)}
	biases, mask, scale := p.Floats(4), p.Floats(5), p.Floats(6)
	v3 := l.Type == "Yolov3DetectionOutput"
	if v3 && (len(mask) < y.boxes*len(in) || len(scale) < len(in)) {
		return y, fmt.Errorf("%d masks and %d scales for %d inputs of %d boxes", len(mask), len(scale), len(in), y.boxes)
	}
	for i, s := range in {
		if s.Dims != 3 || y.boxes < 1 || s.C != y.boxes*(5+y.classes) {
			return y, fmt.Errorf("input %v for %d boxes of %d classes", s, y.boxes, y.classes)
		}
		w, h := float32(s.W), float32(s.H)
		if v3 {
			w, h = float32(int(scale[i]*w)), float32(int(scale[i]*h))
		}
		y.netW, y.netH = append(y.netW, w), append(y.netH, h)
		var a []float32
		for k := range y.boxes {
			at := k
			if v3 {
				at = int(mask[i*y.boxes+k])
			}
			if at < 0 || 2*at+1 >= len(biases) {
				return y, fmt.Errorf("box %d of %d", at, len(biases)/2)
			}
			a = append(a, biases[2*at], biases[2*at+1])
		}
		y.anchors = append(y.anchors, a)
	}
	return y, nil
}

func yoloShape(c *ShapeCall) ([]ir.Shape, error) {
	y, err := yoloOf(c.Layer, c.In)
	if err != nil {
		return nil, err
	}
	most := 0
	for _, s := range c.In {
		most += s.W * s.H * y.boxes
	}
	return one(ir.Shape2(6, most)), nil
}

func evalYolo(c *EvalCall) error {
	y, err := yoloOf(c.Layer, shapes(c.In))
	if err != nil {
		return err
	}
	var all []box
	for i, in := range c.In {
		w, h := in.Shape.W, in.Shape.H
		for k := range y.boxes {
			first := k * (5 + y.classes)
			for row := range h {
				for column := range w {
					at := func(q int) float64 { return *in.At(first+q, 0, row, column) }
					best := 0
					for q := range y.classes {
						if at(5+q) > at(5+best) {
							best = q
						}
					}
					// Version 3 joins the scores in one quotient, which is not the product of two
					// sigmoids; version 2 has a softmax over the classes.
					score := 1 / (1 + math.Exp(-at(4))*(1+math.Exp(-at(5+best))))
					if c.Layer.Type == "YoloDetectionOutput" {
						sum := 0.0
						for q := range y.classes {
							sum += math.Exp(at(5+q) - at(5+best))
						}
						score = sigmoid64(at(4)) / sum
					}
					if score < float64(y.confidence) {
						continue
					}
					cx, cy := (float64(column)+sigmoid64(at(0)))/float64(w), (float64(row)+sigmoid64(at(1)))/float64(h)
					bw := math.Exp(at(2)) * float64(y.anchors[i][2*k]) / float64(y.netW[i])
					bh := math.Exp(at(3)) * float64(y.anchors[i][2*k+1]) / float64(y.netH[i])
					all = append(all, box{best + 1, score, cx - bw/2, cy - bh/2, cx + bw/2, cy + bh/2})
				}
			}
		}
	}
	byScore(all)
	c.Out[0] = detections(suppress(all, float64(y.nms)))
	return nil
}

func evalProposal(c *EvalCall) error {
	p := c.Layer.Params
	stride, base := float64(p.Int(0, 16)), float64(p.Int(1, 16))
	image := c.In[2].Data
	least := float64(p.Int(5, 16)) * image[2]
	var all []box
	for r, ratio := range []float64{0.5, 1, 2} {
		aw := math.Round(base / math.Sqrt(ratio))
		ah := math.Round(aw * ratio)
		for s, scale := range []float64{8, 16, 32} {
			q := 3*r + s
			w, h := aw*scale, ah*scale
			for y := range c.In[0].Shape.H {
				for x := range c.In[0].Shape.W {
					d := func(k int) float64 { return *c.In[1].At(4*q+k, 0, y, x) }
					cx, cy := base/2+float64(x)*stride+w*d(0), base/2+float64(y)*stride+h*d(1)
					bw, bh := w*math.Exp(d(2)), h*math.Exp(d(3))
					clamp := func(v, n float64) float64 { return math.Max(math.Min(v, n-1), 0) }
					b := box{0, *c.In[0].At(9+q, 0, y, x), clamp(cx-bw/2, image[1]), clamp(cy-bh/2, image[0]), clamp(cx+bw/2, image[1]), clamp(cy+bh/2, image[0])}
					if b.x2-b.x1+1 >= least && b.y2-b.y1+1 >= least {
						all = append(all, b)
					}
				}
			}
		}
	}
	byScore(all)
	if n := p.Int(2, 6000); n > 0 {
		all = all[:min(n, len(all))]
	}
	all = suppress(all, float64(p.Float(4, 0.7)))
	all = all[:min(len(all), p.Int(3, 300))]
	c.Out[0] = NewTensor(ir.Shape{Dims: 3, W: 4, H: 1, D: 1, C: len(all)})
	for i, b := range all {
		copy(c.Out[0].Data[4*i:], []float64{b.x1, b.y1, b.x2, b.y2})
	}
	if len(c.Out) > 1 {
		c.Out[1] = NewTensor(ir.Shape{Dims: 3, W: 1, H: 1, D: 1, C: len(all)})
		for i, b := range all {
			c.Out[1].Data[i] = b.score
		}
	}
	return nil
}

func lowerYolo(b *Builder, call string) error {
	l := b.Layer
	var in []ir.Shape
	var x []*op.Tensor
	for i, blob := range l.Inputs {
		in = append(in, blob.Shape)
		x = append(x, b.In(i, ChannelsLast).Tensor)
	}
	y, err := yoloOf(l, in)
	if err != nil {
		return err
	}
	ints, floats := []int{len(in), y.classes, y.boxes}, []float32{y.confidence, y.nms}
	for i, s := range in {
		ints = append(ints, s.H, s.W)
		floats = append(floats, y.netW[i], y.netH[i])
		floats = append(floats, y.anchors[i]...)
	}
	most := l.Outputs[0].Shape.H
	out := b.Output(0, Planar)
	b.Add(&op.Op{Kind: op.Call, In: x, Out: []*op.Tensor{out, b.rowCount(0)},
		Call: &op.CallAttr{Func: call, Ints: ints, Floats: floats, Passes: suppression(y.nms)}, Scratch: ((candidateBytes+cornerBytes)*most + 63) &^ 63})
	return nil
}
