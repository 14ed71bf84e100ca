package op

import (
	"slices"

	"github.com/flexnnc/flexnnc/ir/lane"
)

func (c *checker) kind(o *Op) {
	attrs := 0
	for _, have := range []bool{o.Port != nil, o.Conv != nil, o.Pool != nil, o.Map != nil, o.Rows != nil, o.Call != nil} {
		if have {
			attrs++
		}
	}
	want := 1
	if o.Kind == Copy || o.Kind == Concat || o.Kind == View || o.Kind == Quantize {
		want = 0
	}
	if attrs != want {
		c.bugf("has %d attribute structs", attrs)
		return
	}
	switch o.Kind {
	case Input:
		if o.Port == nil {
			c.bugf("has no port")
		} else if c.count(o, 0, 0, 1) {
			c.port(o.Port, o.Out[0])
		}
	case Output:
		if o.Port == nil {
			c.bugf("has no port")
		} else if c.count(o, 1, 1, 0) {
			c.port(o.Port, o.In[0])
		}
	case Conv, Depthwise:
		c.conv(o)
	case Pool:
		c.pool(o)
	case Map:
		if o.Map == nil {
			c.bugf("has no program")
		} else if c.count(o, 0, -1, 1) {
			c.program(o.Map.Program, o.In, o.Out[0])
		}
	case Rows:
		if o.Rows == nil {
			c.bugf("has no passes")
		} else if c.count(o, 1, -1, 1) {
			c.rows(o)
		}
	case Copy:
		if c.count(o, 1, 1, 1) {
			c.copy(o)
		}
	case Concat:
		if c.placed {
			c.bugf("is left after placement")
		} else if c.count(o, 1, -1, 1) {
			c.concat(o)
		}
	case View:
		if c.placed {
			c.bugf("is left after placement")
		} else if c.count(o, 1, 1, 1) {
			c.view(o)
		}
	case Quantize:
		if c.count(o, 1, 1, 1) {
			c.quantize(o)
		}
	case Call:
		if o.Call == nil || o.Call.Func == "" {
			c.bugf("calls nothing")
		} else if o.Call.Rows != nil {
			c.callRows(o)
		}
		if o.Call != nil && o.Call.HeadWidth != 0 {
			c.callHeads(o)
		}
	default:
		c.bugf("has an unknown kind")
	}
}

// callRows checks which rows of its first input a kernel says that it reads.
func (c *checker) callRows(o *Op) {
	if len(o.In) == 0 || len(o.Out) != 1 || len(o.Out[0].Dims) < 2 || len(o.In[0].Dims) < 2 || len(o.Call.Rows) != o.Out[0].Dims[0] {
		c.bugf("makes %d rows of %v", len(o.Call.Rows), o.Out)
		return
	}
	for y, r := range o.Call.Rows {
		if r[0] < 0 || r[0] > r[1] || r[1] > o.In[0].Dims[0] {
			c.bugf("reads rows %v of %v for row %d", r, o.In[0], y)
			return
		}
	}
}

// callHeads checks that the operands of an attention hold whole heads side by side.
func (c *checker) callHeads(o *Op) {
	if len(o.In) < 3 || len(o.Out) != 1 {
		c.bugf("makes heads of %d tensors", len(o.In))
		return
	}
	row := o.Out[0].Len() / o.Out[0].Dims[0]
	for _, t := range []*Tensor{o.In[0], o.In[1], o.In[2], o.Out[0]} {
		if len(t.Dims) < 2 || t.Len()/t.Dims[0] != row || row%o.Call.HeadWidth != 0 {
			c.bugf("makes heads of %d channels of %v and %v", o.Call.HeadWidth, t, o.Out[0])
		}
	}
}

func (c *checker) port(p *Port, t *Tensor) {
	axes := p.Shape.Axes()
	if p.Blob == nil || !isPerm(p.Perm, len(axes)) || len(t.Dims) != len(axes) {
		c.bugf("port of shape %v, perm %v and tensor %v", p.Shape, p.Perm, t)
		return
	}
	for i, a := range p.Perm {
		if t.Dims[i] != axes[a] {
			c.bugf("port of shape %v, perm %v and tensor %v", p.Shape, p.Perm, t)
			return
		}
	}
}

func isPerm(p []int, n int) bool {
	if len(p) != n {
		return false
	}
	seen := make([]bool, n)
	for _, a := range p {
		if a < 0 || a >= n || seen[a] {
			return false
		}
		seen[a] = true
	}
	return true
}

// image reports whether t is [h,w,ch], or [w,ch] where h is 1, or [ch] where w is 1 too.
func image(t *Tensor, h, w, ch int) bool {
	full := [3]int{h, w, ch}
	skip := 3 - len(t.Dims)
	if skip < 0 {
		return false
	}
	for i, d := range full {
		switch {
		case i < skip && d != 1:
			return false
		case i >= skip && d != t.Dims[i-skip]:
			return false
		}
	}
	return true
}

func (c *checker) conv(o *Op) {
	a, p := o.Conv, o.Panels
	if a == nil || p == nil {
		c.bugf("has no attributes or no panels")
		return
	}
	if !c.count(o, 1, 1, 1) {
		return
	}
	if d := a.Depth; d != nil {
		if !slices.Equal(o.In[0].Dims, []int{d.In, a.InH, a.InW, a.InC}) || !slices.Equal(o.Out[0].Dims, []int{d.Out, a.OutH, a.OutW, a.OutC}) ||
			min(d.K, d.S, d.D) < 1 || o.Kind != Conv || a.Winograd != 0 || p.Int8 != nil {
			c.bugf("maps %v to %v by windows over depth %+v", o.In[0], o.Out[0], *d)
		}
	} else if !image(o.In[0], a.InH, a.InW, a.InC) || !image(o.Out[0], a.OutH, a.OutW, a.OutC) {
		c.bugf("maps [%d,%d,%d] to [%d,%d,%d], but its tensors are %v and %v", a.InH, a.InW, a.InC, a.OutH, a.OutW, a.OutC, o.In[0], o.Out[0])
	}
	if min(a.KH, a.KW, a.SH, a.SW, a.DH, a.DW) < 1 {
		c.bugf("kernel %d,%d stride %d,%d dilation %d,%d", a.KH, a.KW, a.SH, a.SW, a.DH, a.DW)
	}
	if w := a.Winograd; w != 0 {
		if w != 2 && w != 4 && w != 6 || a.WinogradTiles < 1 || o.Kind != Conv || a.KH != 3 || a.KW != 3 || max(a.SH, a.SW, a.DH, a.DW) != 1 {
			c.bugf("winograd %d by %d tiles, of a kernel %d,%d stride %d,%d dilation %d,%d", w, a.WinogradTiles, a.KH, a.KW, a.SH, a.SW, a.DH, a.DW)
		}
		ample, lean := a.WinogradSizes()
		if o.RowGrain != w || o.Scratch != ample.Shared || o.WorkScratch != ample.PerThread || o.LeanScratch != lean.Shared || o.LeanWorkScratch != lean.PerThread {
			c.bugf("winograd %d with steps by %d rows, scratch %d and %d per thread", w, o.RowGrain, o.Scratch, o.WorkScratch)
		}
	}
	c.types(o)
	if p.Int8 != nil {
		c.int8(o)
		return
	}
	chans := a.InC
	if o.Kind == Depthwise {
		chans = 1
		if a.OutC != a.InC*a.Mult {
			c.bugf("%d output channels from %d input channels times %d", a.OutC, a.InC, a.Mult)
		}
	}
	// An inner product over a flattened image is a 1x1 convolution whose panels
	// know the pixels as taps.
	flat := a.Taps() == 1 && p.K() == chans
	if p.N != a.OutC || !flat && (p.Taps != a.Taps() || p.Chans != chans) {
		c.bugf("panels of %d channels, %d taps of %d, where %d, %d and %d are needed", p.N, p.Taps, p.Chans, a.OutC, a.Taps(), chans)
	}
}

// types checks that int8 tensors, panels and the rounding go together.
func (c *checker) types(o *Op) {
	in, out, p := o.In[0], o.Out[0], o.Panels
	if (p.Type == I8) != (p.Int8 != nil) || (in.Type == I8) != (p.Type == I8) {
		c.bugf("reads %v with panels of %s", in, p.Type)
	}
	if (out.Type == I8) != (o.Quantize != 0) || out.Type == I8 && p.Type != I8 {
		c.bugf("writes %v, and quantises by %v", out, o.Quantize)
	}
}

// int8 checks the extents of a convolution with int8 panels.
func (c *checker) int8(o *Op) {
	a, p := o.Conv, o.Panels
	if !p.AsStored() || a.Winograd != 0 || p.Int8.Depthwise != (o.Kind == Depthwise) {
		c.bugf("int8 panels with folded factors, in another order, or of another kind")
	}
	taps := a.KH * a.KW
	ok := p.Taps == taps && a.InC == Fours(p.Chans) || taps == 1 && a.InC == p.Taps*Fours(p.Chans) // an inner product over an image
	if o.Kind == Depthwise {
		ok = p.Taps == taps && p.Chans == 1 && a.Mult > 0 && a.OutC%a.Mult == 0 && a.InC == Fours(a.OutC/a.Mult)
	}
	if p.N != a.OutC || !ok {
		c.bugf("int8 panels of %d channels, %d taps of %d, for %d channels, %d taps of %d", p.N, p.Taps, p.Chans, a.OutC, taps, a.InC)
	}
}

func (c *checker) quantize(o *Op) {
	in, out := o.In[0], o.Out[0]
	last := len(in.Dims) - 1
	if o.Quantize == 0 || in.Type != F32 || out.Type != I8 || len(out.Dims) != len(in.Dims) ||
		!slices.Equal(in.Dims[:last], out.Dims[:last]) || out.Dims[last] != Fours(in.Dims[last]) {
		c.bugf("quantises %v to %v by %v", in, out, o.Quantize)
	}
}

func (c *checker) pool(o *Op) {
	a := o.Pool
	if a == nil || !c.count(o, 1, 1, 1) {
		c.bugf("has no attributes")
		return
	}
	if !image(o.In[0], a.InH, a.InW, a.C) || !image(o.Out[0], a.OutH, a.OutW, a.C) {
		c.bugf("maps [%d,%d,%d] to [%d,%d], but its tensors are %v and %v", a.InH, a.InW, a.C, a.OutH, a.OutW, o.In[0], o.Out[0])
	}
	if !a.Adaptive && min(a.KH, a.KW, a.SH, a.SW) < 1 {
		c.bugf("kernel %d,%d stride %d,%d", a.KH, a.KW, a.SH, a.SW)
	}
}

// program checks an element-wise program over out.
func (c *checker) program(p *lane.Program, in []*Tensor, out *Tensor) {
	if p == nil {
		c.bugf("has no program")
		return
	}
	if err := p.Check(); err != nil {
		c.bugf("%v", err)
	}
	if p.Reduce != lane.Store {
		c.bugf("program %s reduces", p.Name)
	}
	if len(p.Inputs) != len(in) {
		c.bugf("program %s has %d inputs, and there are %d tensors", p.Name, len(p.Inputs), len(in))
		return
	}
	for i, t := range in {
		if !Broadcasts(t.Dims, out.Dims) {
			c.bugf("input %v does not broadcast to %v", t, out)
			continue
		}
		inner, splat := t.Dims[len(t.Dims)-1], p.Inputs[i] == lane.Splat
		if splat && inner != 1 || !splat && inner != out.Dims[len(out.Dims)-1] {
			c.bugf("program %s reads %v as %s for rows of %d", p.Name, t, p.Inputs[i], out.Dims[len(out.Dims)-1])
		}
	}
}

// Broadcasts reports whether dims, with ones in front, are those of to or 1.
func Broadcasts(dims, to []int) bool {
	skip := len(to) - len(dims)
	if skip < 0 {
		return false
	}
	for i, d := range dims {
		if d != 1 && d != to[skip+i] {
			return false
		}
	}
	return true
}

func (c *checker) epilogue(o *Op) {
	if o.Epilogue == nil {
		if len(o.EpilogueIn) > 0 {
			c.bugf("has inputs for an epilogue that it has not")
		}
		return
	}
	if o.Kind != Conv && o.Kind != Depthwise {
		c.bugf("has an epilogue")
		return
	}
	out := o.Out[0]
	for _, t := range o.EpilogueIn {
		if o.Conv != nil && o.Conv.Depth != nil && t.Const == nil {
			c.bugf("the epilogue of a convolution over depth reads %v", t)
		}
		if !slices.Equal(t.Dims, out.Dims) && !(t.Const != nil && t.Len() == out.Dims[len(out.Dims)-1]) {
			c.bugf("the epilogue's input %v is neither like %v nor a vector of channels", t, out)
		}
	}
	c.program(o.Epilogue, append([]*Tensor{out}, o.EpilogueIn...), out)
}

func (c *checker) rows(o *Op) {
	defined := map[int]bool{}
	wrote := false
	for i, p := range o.Rows.Passes {
		if p.Program == nil {
			c.bugf("pass %d has no program", i)
			return
		}
		if err := p.Program.Check(); err != nil {
			c.bugf("pass %d: %v", i, err)
		}
		if len(p.In) != len(p.Program.Inputs) {
			c.bugf("pass %d has %d sources for a program with %d inputs", i, len(p.In), len(p.Program.Inputs))
			return
		}
		for _, s := range p.In {
			switch s.Kind {
			case FromInput:
				if s.Index < 0 || s.Index >= len(o.In) {
					c.bugf("pass %d reads input %d", i, s.Index)
				}
			case FromOutput:
				if !wrote {
					c.bugf("pass %d reads the output before a pass writes it", i)
				}
			case FromRegister:
				if !defined[s.Index] {
					c.bugf("pass %d reads register %d before a pass writes it", i, s.Index)
				}
			}
		}
		reduces := p.Program.Reduce != lane.Store
		if (reduces || p.Scalar) != (p.To >= 0) {
			c.bugf("pass %d writes register %d", i, p.To)
		}
		if p.Scalar && (reduces || p.Out) || !reduces && !p.Scalar && !p.Out || reduces && p.Out != p.Program.Both {
			c.bugf("pass %d neither reduces nor writes, or both where it should not", i)
		}
		defined[p.To] = p.To >= 0
		wrote = wrote || p.Out
	}
	if !wrote {
		c.bugf("no pass writes the output")
	}
}

func (c *checker) copy(o *Op) {
	in, out := o.In[0], o.Out[0]
	if o.Perm == nil {
		if in.Len() != out.Len() || in.Type != out.Type {
			c.bugf("copies %v to %v", in, out)
		}
		return
	}
	if !isPerm(o.Perm, len(in.Dims)) || len(out.Dims) != len(in.Dims) || in.Type != out.Type {
		c.bugf("copies %v to %v by %v", in, out, o.Perm)
		return
	}
	for i, p := range o.Perm {
		if out.Dims[i] != in.Dims[p] {
			c.bugf("copies %v to %v by %v", in, out, o.Perm)
			return
		}
	}
}

func (c *checker) concat(o *Op) {
	out := o.Out[0]
	if o.Axis < 0 || o.Axis >= len(out.Dims) {
		c.bugf("axis %d of %v", o.Axis, out)
		return
	}
	sum := 0
	for _, t := range o.In {
		if len(t.Dims) != len(out.Dims) || t.Type != out.Type {
			c.bugf("joins %v to %v", t, out)
			return
		}
		for i, d := range t.Dims {
			if i != o.Axis && d != out.Dims[i] {
				c.bugf("joins %v to %v along axis %d", t, out, o.Axis)
				return
			}
		}
		sum += t.Dims[o.Axis]
	}
	if sum != out.Dims[o.Axis] {
		c.bugf("joins %d to %v along axis %d", sum, out, o.Axis)
	}
}

func (c *checker) view(o *Op) {
	in, out := o.In[0], o.Out[0]
	if in.Type != out.Type {
		c.bugf("sees %v as %v", in, out)
	}
	if o.Start == nil {
		if in.Len() != out.Len() {
			c.bugf("sees %v as %v", in, out)
		}
		return
	}
	if len(o.Start) != len(in.Dims) || len(out.Dims) != len(in.Dims) {
		c.bugf("window %v from %v of %v", out, o.Start, in)
		return
	}
	for i, s := range o.Start {
		if s < 0 || s+out.Dims[i] > in.Dims[i] {
			c.bugf("window %v from %v of %v", out, o.Start, in)
			return
		}
	}
}
