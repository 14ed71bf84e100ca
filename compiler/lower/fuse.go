package lower

import (
	"fmt"
	"slices"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/lane"
	"github.com/flexnnc/flexnnc/ir/op"
)

// maxFused bounds the instructions of a fused program: back ends keep its values
// in registers.
const maxFused = 64

// part is a convolution that makes channels First and up of a tensor.
type part struct {
	conv  *op.Op
	first int
}

// parts are the convolutions that make all of t's channels: one, or those of the
// groups that a Concat along the innermost axis joins. It is nil where t is made
// otherwise, or where some of it is also read by others than user.
func (e *editor) parts(t *op.Tensor, user *op.Op) []part {
	o := t.Producer
	if o == nil || e.only(t) != user {
		return nil
	}
	if isConv(o) {
		return []part{{o, 0}}
	}
	if o.Kind != op.Concat || o.Axis != len(t.Dims)-1 {
		return nil
	}
	var list []part
	first := 0
	for _, in := range o.In {
		if in.Producer == nil || !isConv(in.Producer) || e.only(in) != o {
			return nil
		}
		list = append(list, part{in.Producer, first})
		first += in.Dims[o.Axis]
	}
	return list
}

func isConv(o *op.Op) bool { return o.Kind == op.Conv || o.Kind == op.Depthwise }

// absorb removes m, whose results were made part of what produces its input t.
func (e *editor) absorb(m *op.Op, t *op.Tensor, into []part) {
	for _, p := range into {
		p.conv.Layers = append(p.conv.Layers[:len(p.conv.Layers):len(p.conv.Layers)], m.Layers...)
	}
	producer := t.Producer
	e.remove(m)
	produce(producer, m.Out[0])
}

// foldAffine folds, but for what staysHalf keeps, a Map that is y = x*scale[c]+shift[c] into the weights of the
// convolution that makes x, where nothing stands between the two.
func foldAffine(e *editor) error {
	for _, m := range e.g.Ops {
		if m.Kind != op.Map || m.Affine == nil || len(m.In) == 0 {
			continue
		}
		x := m.In[0]
		if !slices.Equal(x.Dims, m.Out[0].Dims) {
			continue
		}
		list := e.parts(x, m)
		if len(list) == 0 || anyEpilogue(list) || anyInt8(list) || e.staysHalf(list) {
			continue
		}
		for _, p := range list {
			p.conv.Panels.Fold = append(p.conv.Panels.Fold, channels(m.Affine, p.first, p.conv.Panels.N))
		}
		e.absorb(m, x, list)
	}
	return nil
}

// keptHalf is the number of weights of a convolution from which on it is better to
// leave a factor out of them than to hold twice the bytes.
const keptHalf = 16 << 10

// staysHalf says that a convolution's weights are to stay float16, as the file has
// them: a factor per channel becomes part of its epilogue.
func (e *editor) staysHalf(list []part) bool {
	p := list[0].conv.Panels
	return len(list) == 1 && !e.half && p.AsStored() && p.Weight != nil && p.Weight.Storage == ir.StoreF16 && p.N*p.K() >= keptHalf
}

func anyEpilogue(list []part) bool {
	for _, p := range list {
		if p.conv.Epilogue != nil {
			return true
		}
	}
	return false
}

// anyInt8 tells of weights that no factor can be folded into.
func anyInt8(list []part) bool {
	for _, p := range list {
		if p.conv.Panels.Int8 != nil {
			return true
		}
	}
	return false
}

// channels are the factors of n channels from the first-th on.
func channels(a op.Affine, first, n int) op.Affine {
	return func() (scale, shift []float64, err error) {
		if scale, shift, err = a(); err != nil {
			return nil, nil, err
		}
		if len(scale) < first+n || len(shift) < first+n {
			return nil, nil, fmt.Errorf("BUG: factors for %d and %d channels, where %d are needed", len(scale), len(shift), first+n)
		}
		return scale[first : first+n], shift[first : first+n], nil
	}
}

// fuseMaps joins a Map with the one that alone reads its result, where both go
// over the same dims, and has a tensor read once that is an input twice.
func fuseMaps(e *editor) error {
	for _, m := range e.g.Ops {
		if m.Kind != op.Map {
			continue
		}
		e.mergeInputs(m)
		for k := 0; k < len(m.In); k++ {
			x := m.In[k]
			inner := x.Producer
			if inner == nil || inner.Kind != op.Map || e.only(x) != m || !slices.Equal(x.Dims, m.Out[0].Dims) {
				continue
			}
			p := compose(m.Map.Program, k, inner.Map.Program)
			if p == nil {
				continue
			}
			in := append([]*op.Tensor{}, inner.In...)
			in = append(in, m.In[:k]...)
			in = append(in, m.In[k+1:]...)
			e.remove(inner)
			for _, t := range inner.In {
				e.readers[t] = append(e.readers[t], m)
			}
			m.Layers = append(inner.Layers[:len(inner.Layers):len(inner.Layers)], m.Layers...)
			m.In, m.Map, m.Affine = in, &op.MapAttr{Program: p}, nil
			e.mergeInputs(m)
			k = -1 // look at all inputs again
		}
	}
	return nil
}

// mergeInputs lets m read a tensor once that is several of its inputs.
func (e *editor) mergeInputs(m *op.Op) {
	for j := 1; j < len(m.In); j++ {
		for i := range j {
			if m.In[i] != m.In[j] {
				continue
			}
			p := lane.Merge(m.Map.Program, i, j)
			if p == nil {
				continue
			}
			e.unread(m.In[j], m)
			m.In = append(append([]*op.Tensor{}, m.In[:j]...), m.In[j+1:]...)
			m.Map = &op.MapAttr{Program: p}
			j--
			break
		}
	}
}

// compose is lane.Compose within the bound on instructions.
func compose(outer *lane.Program, at int, inner *lane.Program) *lane.Program {
	p := lane.Compose(outer, at, inner)
	if p == nil || len(p.Insts) > maxFused {
		return nil
	}
	return p
}

// fuseEpilogue makes a Map the epilogue of the convolution that makes one of its
// inputs, if that has no other reader: an activation, or a residual addition with
// a tensor that exists before the convolution runs. Of several such inputs the
// one that is made last is it, since then the others exist. Maps behind become
// part of the same epilogue.
func fuseEpilogue(e *editor) error {
	for _, m := range e.g.Ops {
		if m.Kind != op.Map {
			continue
		}
		if k := latest(m); k >= 0 {
			e.fuseInto(m, k)
		}
	}
	return nil
}

// latest is the input of m that is produced last, -1 where none is.
func latest(m *op.Op) int {
	k := -1
	for i, t := range m.In {
		if t.Producer != nil && (k < 0 || t.Producer.Index > m.In[k].Producer.Index) {
			k = i
		}
	}
	return k
}

func (e *editor) fuseInto(m *op.Op, k int) {
	x, out := m.In[k], m.Out[0]
	list := e.parts(x, m)
	if len(list) == 0 || !slices.Equal(x.Dims, out.Dims) || m.Map.Program.Inputs[k] != lane.Vector {
		return
	}
	if len(list) > 1 && len(m.In) > 1 {
		return // other inputs would have to be cut into groups
	}
	var others []*op.Tensor
	for i, t := range m.In {
		if i == k {
			continue
		}
		if !epilogueInput(t, out, m.Map.Program.Inputs[i], list[0].conv) {
			return
		}
		others = append(others, t)
	}
	fused := make([]*lane.Program, len(list))
	for i, p := range list {
		if p.conv.Epilogue == nil {
			fused[i] = lane.First(m.Map.Program, k)
		} else if fused[i] = compose(m.Map.Program, k, p.conv.Epilogue); fused[i] == nil {
			return
		}
	}
	for i, p := range list {
		p.conv.Epilogue = fused[i]
	}
	e.absorb(m, x, list)
	if len(others) > 0 {
		conv := list[0].conv
		conv.EpilogueIn = append(conv.EpilogueIn[:len(conv.EpilogueIn):len(conv.EpilogueIn)], others...)
		for _, t := range others {
			e.readers[t] = append(e.readers[t], conv)
		}
	}
}

// epilogueInput reports whether conv can read t beside its own result: element by
// element, or as a constant vector of channels.
func epilogueInput(t, out *op.Tensor, kind lane.Input, conv *op.Op) bool {
	if kind != lane.Vector {
		return false
	}
	if t.Const != nil {
		return slices.Equal(t.Dims, out.Dims) || t.Len() == out.Dims[len(out.Dims)-1]
	}
	return slices.Equal(t.Dims, out.Dims) && t.Producer.Index < conv.Index && conv.Conv.Depth == nil
}
