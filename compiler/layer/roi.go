package layer

import (
	"fmt"
	"math"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/op"
)

// Layers that pool one region of interest: the first four numbers of the second
// input are its corners x1, y1, x2, y2. All of them compute the region in
// float32, because rounding decides which cells are in.
func init() {
	params := func(w, h, scale string, more ...ParamDef) []ParamDef {
		return append([]ParamDef{
			{0, "pooled_width", Int, w}, {1, "pooled_height", Int, h}, {2, "spatial_scale", Float, scale},
		}, more...)
	}
	Register(&Def{
		Type: "ROIPooling", Index: 28, MinIn: 2, MaxIn: 2, MinOut: 1, MaxOut: 1,
		Params: params("", "", "default 1"),
		Shape:  func(c *ShapeCall) ([]ir.Shape, error) { return roiShape(c, 0, c.In[0].C) },
		Eval: func(c *EvalCall) error {
			r := roiOf(c, 0, 1)
			x1, y1 := float32(math.Round(float64(r.x1*r.scale))), float32(math.Round(float64(r.y1*r.scale)))
			x2, y2 := float32(math.Round(float64(r.x2*r.scale))), float32(math.Round(float64(r.y2*r.scale)))
			// ncnn is built with fast-math by default and divides through a reciprocal that falls
			// short: a border that is exact belongs to both bins.
			binW, binH := math.Nextafter32(max(x2-x1+1, 1)/float32(r.w), 0), math.Nextafter32(max(y2-y1+1, 1)/float32(r.h), 0)
			return r.each(c, func(q, ph, pw int) float64 {
				best := math.Inf(-1)
				r.cells(c, q,
					int(y1)+floor32(float32(ph)*binH), int(y1)+ceil32(float32(ph+1)*binH),
					int(x1)+floor32(float32(pw)*binW), int(x1)+ceil32(float32(pw+1)*binW),
					func(v float64) { best = math.Max(best, v) })
				if math.IsInf(best, -1) {
					return 0
				}
				return best
			})
		},
		Lower: func(b *Builder) error { return lowerROI(b, "roi_pool", 0, 1) },
	})
	Register(&Def{
		Type: "PSROIPooling", Index: 60, MinIn: 2, MaxIn: 2, MinOut: 1, MaxOut: 1,
		Params: params("default 7", "default 7", "default 0.0625", ParamDef{3, "output_dim", Int, "output channels"}),
		Shape: func(c *ShapeCall) ([]ir.Shape, error) {
			n := c.Layer.Params.Int(3, 0)
			if w, h := c.Layer.Params.Int(0, 7), c.Layer.Params.Int(1, 7); c.In[0].C != n*w*h {
				return nil, fmt.Errorf("%d channels for %d outputs of %d x %d", c.In[0].C, n, w, h)
			}
			return roiShape(c, 7, n)
		},
		Eval: func(c *EvalCall) error {
			r := roiOf(c, 7, 0.0625)
			x1, y1 := float32(math.Round(float64(r.x1)))*r.scale, float32(math.Round(float64(r.y1)))*r.scale
			x2, y2 := float32(math.Round(float64(r.x2+1)))*r.scale, float32(math.Round(float64(r.y2+1)))*r.scale
			binW, binH := max(x2-x1, 0.1)/float32(r.w), max(y2-y1, 0.1)/float32(r.h)
			return r.each(c, func(q, ph, pw int) float64 {
				sum, n := 0.0, 0
				r.cells(c, (q*r.h+ph)*r.w+pw,
					floor32(y1+float32(float32(ph)*binH)), ceil32(y1+float32(float32(ph+1)*binH)),
					floor32(x1+float32(float32(pw)*binW)), ceil32(x1+float32(float32(pw+1)*binW)),
					func(v float64) { sum, n = sum+v, n+1 })
				return sum / float64(max(n, 1))
			})
		},
		Lower: func(b *Builder) error { return lowerROI(b, "psroi_pool", 7, 0.0625) },
	})
	Register(&Def{
		Type: "ROIAlign", Index: 61, MinIn: 2, MaxIn: 2, MinOut: 1, MaxOut: 1,
		Params: params("", "", "default 1", ParamDef{3, "sampling_ratio", Int, "points per bin and axis, 0: by size"},
			ParamDef{4, "aligned", Int, "1: shifted by half a cell"}, ParamDef{5, "version", Int, "1: as in detectron2"}),
		Shape: func(c *ShapeCall) ([]ir.Shape, error) { return roiShape(c, 0, c.In[0].C) },
		Eval:  evalROIAlign,
		Lower: func(b *Builder) error {
			p := b.Layer.Params
			return lowerROI(b, "roi_align", 0, 1, p.Int(3, 0), p.Int(4, 0), p.Int(5, 0))
		},
	})
}

type roi struct {
	x1, y1, x2, y2, scale float32
	w, h                  int
}

func roiShape(c *ShapeCall, size, channels int) ([]ir.Shape, error) {
	w, h := c.Layer.Params.Int(0, size), c.Layer.Params.Int(1, size)
	if w < 1 || h < 1 || c.In[1].Len() < 4 || c.In[0].Dims != 3 || channels < 1 {
		return nil, fmt.Errorf("pools %v with a region of %v to %d x %d", c.In[0], c.In[1], w, h)
	}
	return one(ir.Shape3(w, h, channels)), nil
}

func roiOf(c *EvalCall, size int, scale float32) roi {
	p, v := c.Layer.Params, c.In[1].Data
	return roi{float32(v[0]), float32(v[1]), float32(v[2]), float32(v[3]), p.Float(2, scale), p.Int(0, size), p.Int(1, size)}
}

func floor32(v float32) int { return int(math.Floor(float64(v))) }
func ceil32(v float32) int  { return int(math.Ceil(float64(v))) }

// each computes every output.
func (r roi) each(c *EvalCall, f func(q, ph, pw int) float64) error {
	for q := range c.Out[0].Shape.C {
		for ph := range r.h {
			for pw := range r.w {
				*c.Out[0].At(q, 0, ph, pw) = f(q, ph, pw)
			}
		}
	}
	return nil
}

// cells visits the cells of a bin that are inside the image.
func (r roi) cells(c *EvalCall, q, y0, y1, x0, x1 int, visit func(v float64)) {
	s := c.In[0].Shape
	for y := max(y0, 0); y < min(y1, s.H); y++ {
		for x := max(x0, 0); x < min(x1, s.W); x++ {
			visit(*c.In[0].At(q, 0, y, x))
		}
	}
}

func evalROIAlign(c *EvalCall) error {
	r, p, s := roiOf(c, 0, 1), c.Layer.Params, c.In[0].Shape
	x1, y1, x2, y2 := r.x1*r.scale, r.y1*r.scale, r.x2*r.scale, r.y2*r.scale
	w, h := x2-x1, y2-y1
	if p.Int(4, 0) != 0 {
		x1, y1 = x1-0.5, y1-0.5
	} else {
		w, h = max(w, 1), max(h, 1)
	}
	binW, binH := w/float32(r.w), h/float32(r.h)
	points := func(size float32) int {
		if n := p.Int(3, 0); n > 0 {
			return n
		}
		return ceil32(size)
	}
	// Samples are read between cells; beyond the last one they stay at it.
	read := func(q int, y, x float32) float64 {
		return bilinear(c.In[0], q, 0, math.Min(float64(y), float64(s.H-1)), math.Min(float64(x), float64(s.W-1)))
	}
	clamp := func(v float32, n int) float32 { return min(max(v, 0), float32(n)) }
	return r.each(c, func(q, ph, pw int) float64 {
		top, left := y1+float32(float32(ph)*binH), x1+float32(float32(pw)*binW)
		ny, nx := points(h/float32(r.h)), points(w/float32(r.w))
		if p.Int(5, 0) == 0 {
			bottom, right := y1+float32(float32(ph+1)*binH), x1+float32(float32(pw+1)*binW)
			top, left, bottom, right = clamp(top, s.H), clamp(left, s.W), clamp(bottom, s.H), clamp(right, s.W)
			if bottom <= top || right <= left {
				return 0
			}
			ny, nx = points(bottom-top), points(right-left)
		}
		sum := 0.0
		for by := range ny {
			y := top + float32((float32(by)+0.5)*binH/float32(ny))
			for bx := range nx {
				x := left + float32((float32(bx)+0.5)*binW/float32(nx))
				if p.Int(5, 0) != 0 {
					if y < -1 || y > float32(s.H) || x < -1 || x > float32(s.W) {
						continue
					}
					sum += read(q, max(y, 0), max(x, 0))
					continue
				}
				sum += read(q, y, x)
			}
		}
		return sum / float64(max(ny*nx, 1))
	})
}

func lowerROI(b *Builder, call string, size int, scale float32, more ...int) error {
	p, s, o := b.Layer.Params, b.Layer.Inputs[0].Shape, b.Layer.Outputs[0].Shape
	ints := append([]int{s.H, s.W, s.C, p.Int(1, size), p.Int(0, size), o.C}, more...)
	b.Call(call, ints, []float32{p.Float(2, scale)}, []*op.Tensor{b.Output(0, ChannelsLast)}, b.In(0, ChannelsLast).Tensor, b.In(1, Planar).Tensor)
	return nil
}
