package verify

import (
	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// buffers checks each buffer by itself: inside the arena, aligned, large enough
// for what it is said to hold.
func (c *checker) buffers() {
	p := c.p
	c.bufferOf = map[*op.Tensor]int{}
	for i := range p.Buffers {
		b := &p.Buffers[i]
		if b.Offset < 0 || b.Offset%plan.Align != 0 {
			c.fault("%s lies at %d", c.name(i), b.Offset)
		}
		if b.Size <= 0 || b.Offset+b.Size > p.Arena {
			c.fault("%s of %d bytes at %d is not inside the arena of %d", c.name(i), b.Size, b.Offset, p.Arena)
		}
		if (b.Tensor != nil) != (b.Kind == plan.Activation) {
			c.fault("%s must have a tensor if and only if it holds activations", c.name(i))
			continue
		}
		if b.SharesWith >= 0 && b.Kind != plan.Activation {
			c.fault("%s shares with buffer %d", c.name(i), b.SharesWith)
		}
		if b.Ahead != 0 && b.Kind != plan.Weights {
			c.fault("%s is for the next run", c.name(i))
		}
		if b.Resident && b.Kind != plan.Weights {
			c.fault("%s is resident", c.name(i))
		}
		if b.Expanded && !b.Resident {
			c.fault("%s is expanded, and not resident", c.name(i))
		}
		if (b.RingRows != 0 || b.RingPanels != 0) && b.Kind != plan.Activation {
			c.fault("%s is a ring", c.name(i))
		}
		switch b.Kind {
		case plan.Weights:
			if c.loadOf[i] < 0 {
				c.fault("%s is never loaded", c.name(i))
			}
		case plan.Activation:
			t := b.Tensor
			if t.Base != nil || t.Const != nil {
				c.fault("%s is for a window or a const", c.name(i))
				continue
			}
			if j, twice := c.bufferOf[t]; twice {
				c.fault("%s and %s hold the same tensor", c.name(i), c.name(j))
			}
			c.bufferOf[t] = i
			rows := t.Dims[0]
			if b.RingRows < 0 || b.RingRows > rows {
				c.fault("%s has %d ring rows of %d", c.name(i), b.RingRows, rows)
				continue
			}
			need := t.Len() * t.Type.Bytes()
			if b.RingRows > 0 {
				need = need / rows * b.RingRows
			}
			if n := b.RingPanels; n != 0 {
				channels := t.Dims[len(t.Dims)-1]
				if n < 0 || b.RingRows != 0 || b.SharesWith >= 0 {
					c.fault("%s has %d ring panels, %d ring rows, and shares with %d", c.name(i), n, b.RingRows, b.SharesWith)
					continue
				}
				need = need / channels * min(channels, n*op.PanelWidth)
			}
			if b.Size < plan.Bytes(need) {
				c.fault("%s has %d bytes for %d", c.name(i), b.Size, need)
			}
		}
		if b.Resident || b.Kind == plan.ThreadScratch || b.Kind == plan.Zeros {
			if b.First != 0 || b.Last != len(p.Steps)-1 {
				c.fault("%s is live in steps %d to %d, and must be in all", c.name(i), b.First, b.Last)
			}
		}
	}
}

// reserved checks scratch and zeros against what the ops need.
func (c *checker) reserved() {
	p := c.p
	var zeros, threads plan.Bytes
	for i := range p.Buffers {
		switch b := &p.Buffers[i]; b.Kind {
		case plan.Zeros:
			if zeros > 0 {
				c.fault("%s: there is another buffer of zeros", c.name(i))
			}
			zeros = b.Size
		case plan.ThreadScratch:
			if threads > 0 {
				c.fault("%s: there is another buffer of thread scratch", c.name(i))
			}
			threads = b.Size
		}
	}
	for _, o := range p.Graph.Ops {
		if n := plan.Bytes(padding(o)); n > zeros {
			c.fault("%s reads %d bytes of zeros as padding, there are %d", o.Name, n, zeros)
		}
		each := (plan.Bytes(o.ThreadScratch) + plan.Align - 1) / plan.Align * plan.Align
		if n := each * plan.Bytes(p.Threads); n > threads {
			c.fault("%s needs %d bytes of scratch for all threads, there are %d", o.Name, n, threads)
		}
	}
	for i := range p.Steps {
		s := &p.Steps[i]
		need := plan.Bytes(s.Op.Scratch + p.Threads*s.Op.WorkScratch)
		if s.Op.LeanScratch+s.Op.LeanWorkScratch > 0 {
			need = plan.Bytes(s.Op.LeanScratch + p.Threads*s.Op.LeanWorkScratch)
		}
		if need == 0 {
			if s.Scratch != -1 {
				c.fault("%s has scratch and needs none", stepName(s))
			}
			continue
		}
		if s.Scratch == -1 {
			c.fault("%s has no scratch", stepName(s))
			continue
		}
		b := &p.Buffers[s.Scratch]
		if b.Kind != plan.Scratch || b.Size < need || i < b.First || i > b.Last {
			c.fault("%s has %s of %d bytes, live %d to %d, as scratch of %d", stepName(s), c.name(s.Scratch), b.Size, b.First, b.Last, need)
		}
	}
}

// padding is the bytes of one input pixel where some output of a convolution
// reads outside the image, found by trying all of them.
func padding(o *op.Op) int {
	a := o.Conv
	if a == nil {
		return 0
	}
	outside := func(out, k, stride, dilation, pad, in int) bool {
		for y := range out {
			for t := range k {
				if i := y*stride - pad + t*dilation; i < 0 || i >= in {
					return true
				}
			}
		}
		return false
	}
	deep := a.Depth != nil && outside(a.Depth.Out, a.Depth.K, a.Depth.S, a.Depth.D, a.Depth.Pad, a.Depth.In)
	if deep || outside(a.OutH, a.KH, a.SH, a.DH, a.PadT, a.InH) || outside(a.OutW, a.KW, a.SW, a.DW, a.PadL, a.InW) {
		return a.InC * o.In[0].Type.Bytes()
	}
	return 0
}
