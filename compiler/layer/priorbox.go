package layer

import (
	"fmt"
	"math"

	"github.com/flexnnc/flexnnc/ir"
)

func init() {
	Register(&Def{
		Type: "PriorBox", Index: 48, MinIn: 1, MaxIn: 2, MinOut: 1, MaxOut: 1,
		Params: []ParamDef{
			{0, "min_sizes", FloatArray, ""}, {1, "max_sizes", FloatArray, ""}, {2, "aspect_ratios", FloatArray, ""},
			{3, "variance_0", Float, "default 0.1"}, {4, "variance_1", Float, "default 0.1"},
			{5, "variance_2", Float, "default 0.2"}, {6, "variance_3", Float, "default 0.2"},
			{7, "flip", Int, "1 (default): inverse ratios too"}, {8, "clip", Int, "1: into the image"},
			{9, "image_width", Int, "-233: of the second input"}, {10, "image_height", Int, "likewise"},
			{11, "step_width", Float, "-233 (default): image over feature map"}, {12, "step_height", Float, "likewise"},
			{13, "offset", Float, "of the centre within a cell, default 0"},
			{14, "step_mmdetection", Int, "1: steps are rounded up"}, {15, "center_mmdetection", Int, "1: centres by step-1"},
		},
		Shape: func(c *ShapeCall) ([]ir.Shape, error) {
			if len(c.Layer.Params.Floats(0)) == 0 {
				return nil, fmt.Errorf("has no min_sizes")
			}
			boxes, rows, err := priorBoxes(c.Layer, c.In)
			if err != nil {
				return nil, err
			}
			if rows == 1 {
				return one(ir.Shape1(len(boxes))), nil
			}
			return one(ir.Shape2(len(boxes)/2, 2)), nil
		},
		Eval: func(c *EvalCall) error {
			boxes, _, err := priorBoxes(c.Layer, shapes(c.In))
			if err != nil {
				return err
			}
			for i, v := range boxes {
				c.Out[0].Data[i] = float64(v)
			}
			return nil
		},
		// The boxes follow from shapes alone: they are a constant.
		Lower: func(b *Builder) error {
			var in []ir.Shape
			for _, blob := range b.Layer.Inputs {
				in = append(in, blob.Shape)
			}
			boxes, _, err := priorBoxes(b.Layer, in)
			if err != nil {
				return err
			}
			s := b.Layer.Outputs[0].Shape
			b.Set(0, Value{Tensor: b.FixedConst("boxes", s.Axes(), boxes), Shape: s, Layout: Planar})
			return nil
		},
	})
}

// mostPriors bounds the boxes, which are constants of the package.
const mostPriors = 1 << 18

// priorBoxes are the corners of all boxes, and, in two rows, their variances
// after them; MXNet's form has one row and no variances.
func priorBoxes(l *ir.Layer, in []ir.Shape) (boxes []float32, rows int, err error) {
	p := l.Params
	w, h := in[0].W, in[0].H
	mins, maxs, ratios := p.Floats(0), p.Floats(1), p.Floats(2)
	imageW, imageH := p.Int(9, 0), p.Int(10, 0)
	stepW, stepH, offset := p.Float(11, sameUpper), p.Float(12, sameUpper), p.Float(13, 0)
	if per := len(mins) * (2 + 2*len(ratios)); per > 0 && w*h > mostPriors/per {
		return nil, 0, fmt.Errorf("%d boxes for each of %d x %d cells: more than %d in all", per, w, h, mostPriors)
	}
	if len(maxs) > 0 && len(maxs) < len(mins) {
		return nil, 0, fmt.Errorf("%d max_sizes for %d min_sizes", len(maxs), len(mins))
	}
	box := func(cx, cy, bw, bh, scaleX, scaleY float32) {
		boxes = append(boxes, (cx-bw*0.5)/scaleX, (cy-bh*0.5)/scaleY, (cx+bw*0.5)/scaleX, (cy+bh*0.5)/scaleY)
	}
	root := func(v float32) float32 { return float32(math.Sqrt(float64(v))) }
	mxnet := len(in) == 1 && imageW == sameUpper && imageH == sameUpper && len(maxs) == 0
	if mxnet {
		imageW, imageH = 1, 1
	}
	if !mxnet && (imageW == sameUpper || imageH == sameUpper) {
		if len(in) < 2 {
			return nil, 0, fmt.Errorf("the image size is that of a second input, which is missing")
		}
		if imageW == sameUpper {
			imageW = in[1].W
		}
		if imageH == sameUpper {
			imageH = in[1].H
		}
	}
	if imageW < 1 || imageH < 1 {
		return nil, 0, fmt.Errorf("image of %d x %d", imageW, imageH)
	}
	step := func(given float32, image, cells int) float32 {
		if given != sameUpper {
			return given
		}
		s := float32(image) / float32(cells)
		if p.Int(14, 0) != 0 {
			s = float32(math.Ceil(float64(s)))
		}
		return s
	}
	stepW, stepH = step(stepW, imageW, w), step(stepH, imageH, h)
	// The conversions keep compilers from fusing, so that every host gets the same bits.
	at := func(first float32, i int, step float32) float32 { return float32(first) + float32(float32(i)*step) }
	for i := range h {
		for j := range w {
			cx, cy := at(offset*stepW, j, stepW), at(offset*stepH, i, stepH)
			if mxnet {
				square := float32(h) / float32(w)
				for _, s := range mins {
					box(cx, cy, s*square, s, 1, 1)
				}
				for k := 1; k < len(ratios); k++ {
					r := root(ratios[k])
					box(cx, cy, mins[0]*square*r, mins[0]/r, 1, 1)
				}
				continue
			}
			if p.Int(15, 0) != 0 {
				cx, cy = at(offset*(stepW-1), j, stepW), at(offset*(stepH-1), i, stepH)
			}
			iw, ih := float32(imageW), float32(imageH)
			for k, s := range mins {
				box(cx, cy, s, s, iw, ih)
				if len(maxs) > 0 {
					g := root(s * maxs[k])
					box(cx, cy, g, g, iw, ih)
				}
				for _, ratio := range ratios {
					r := root(ratio)
					box(cx, cy, s*r, s/r, iw, ih)
					if p.Int(7, 1) != 0 {
						box(cx, cy, s/r, s*r, iw, ih)
					}
				}
			}
		}
	}
	if p.Int(8, 0) != 0 {
		for i, v := range boxes {
			boxes[i] = min(max(v, 0), 1)
		}
	}
	if mxnet {
		return boxes, 1, nil
	}
	for range len(boxes) / 4 {
		boxes = append(boxes, p.Float(3, 0.1), p.Float(4, 0.1), p.Float(5, 0.2), p.Float(6, 0.2))
	}
	return boxes, 2, nil
}
