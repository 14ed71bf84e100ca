// Package narrow tells the reference interpreter what the weights of a network
// are once they are rounded to float16, folded factors included. It knows how
// weights are packed, and nothing of plans.
package narrow

import (
	"fmt"
	"math"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/op"
)

// Weights is for interp.Options: it changes the weights that g's operations hold
// as float16. Those that a factor is folded into are rounded with it and freed of
// it again.
func Weights(g *op.Graph) func(l *ir.Layer, name string, v []float64) error {
	type blob struct {
		layer *ir.Layer
		name  string
	}
	edits := map[blob][]func(v []float64) error{}
	add := func(l *ir.Layer, name string, edit func(v []float64) error) {
		edits[blob{l, name}] = append(edits[blob{l, name}], edit)
	}
	for _, o := range g.Ops {
		list := []*op.Panels{o.Panels}
		whole := false // an array, or a blob that was put in another order for the kernels
		for _, t := range o.In {
			if c := t.Const; c != nil && o.Kind == op.Call {
				list = append(list, c.Packed)
				whole = whole || c.Type == op.F16
			}
		}
		for _, p := range list {
			if p == nil || p.Type != op.F16 {
				continue
			}
			found := false
			for _, l := range o.Layers {
				for _, w := range l.Weights {
					if w == p.Weight {
						found = true
						add(l, w.Name, func(v []float64) error { return panels(v, p) })
					}
				}
			}
			whole = whole || !found
		}
		if l := o.Layers[0]; whole && l.Weight("weight") != nil {
			add(l, "weight", all)
		}
	}
	return func(l *ir.Layer, name string, v []float64) error {
		for _, edit := range edits[blob{l, name}] {
			if err := edit(v); err != nil {
				return err
			}
		}
		return nil
	}
}

// all rounds every element.
func all(v []float64) error {
	for i := range v {
		if err := round(&v[i], 1); err != nil {
			return err
		}
	}
	return nil
}

// panels rounds the elements that p packs.
func panels(v []float64, p *op.Panels) error {
	scale := make([]float64, p.N)
	for n := range scale {
		scale[n] = 1
		if p.WeightScale != 0 {
			scale[n] = p.WeightScale
		}
	}
	for _, f := range p.Fold {
		factors, _, err := f()
		if err != nil {
			return err
		}
		for n := range scale {
			scale[n] *= factors[n]
		}
	}
	for n := range p.N {
		for k := range p.K() {
			c, t := k/p.Taps, k%p.Taps
			at := (n*p.Chans+c)*p.Taps + t
			switch p.Order {
			case op.ChanTapOut:
				at = k*p.N + n
			case op.ChanOutTap:
				at = (c*p.N+n)*p.Taps + t
			}
			if err := round(&v[p.First+at], scale[n]); err != nil {
				return fmt.Errorf("%w (output channel %d, input channel %d, tap %d)", err, n, c, t)
			}
		}
	}
	return nil
}

// round rounds x times scale as it is packed.
func round(x *float64, scale float64) error {
	if scale == 0 {
		return nil
	}
	w := float32(*x)
	if scale != 1 {
		w = float32(*x * scale)
	}
	h := ir.HalfToFloat(ir.FloatToHalf(w))
	if math.IsInf(float64(h), 0) && !math.IsInf(float64(w), 0) {
		return fmt.Errorf("weight %g is beyond the range of fp16, which ends at %d", w, ir.MaxHalf)
	}
	*x = float64(h) / scale
	return nil
}
