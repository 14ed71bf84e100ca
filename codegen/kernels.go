package codegen

import (
	"sort"

	"github.com/flexnnc/flexnnc/avo/kernel/conv"
	"github.com/flexnnc/flexnnc/avo/kernel/cpu"
	lanekernel "github.com/flexnnc/flexnnc/avo/kernel/lane"
	"github.com/flexnnc/flexnnc/ir/lane"
	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// kernelSet collects the kernels that the steps call.
type kernelSet struct {
	programs map[string]*lane.Program // by name of the kernel variable
	need     conv.Need
	winograd conv.WinogradNeed
	int8     conv.NeedInt8
}

// program notes a lane program and returns the variable it is called through.
func (k *kernelSet) program(p *lane.Program) string {
	if k.programs == nil {
		k.programs = map[string]*lane.Program{}
	}
	n := lanekernel.Name(p)
	k.programs[n] = p
	return n
}

// needConv notes a convolution slice.
func (u *unit) needConv(s *plan.Step) {
	o := s.Op
	last := min(s.Panels.Hi*op.PanelWidth, o.Panels.N) - (s.Panels.Hi-1)*op.PanelWidth
	c := conv.Conv{Pixels: u.runPixels(s), Panels: s.Panels.Len(), Last: last, Half: o.Panels.Type == op.F16}
	if o.Panels.Int8 != nil {
		u.kernels.int8.Convs = append(u.kernels.int8.Convs, c)
	} else {
		u.kernels.need.Convs = append(u.kernels.need.Convs, c)
	}
}

// needInt8 notes the kernels of a step of int8 images, and tells whether it is one.
func (u *unit) needInt8(s *plan.Step) bool {
	o, k := s.Op, &u.kernels.int8
	switch {
	case o.Kind == op.Quantize:
		k.Quantize = true
	case o.Panels == nil || o.Panels.Int8 == nil:
		return false
	case o.Kind == op.Depthwise:
		k.Depthwise = true
		if c := o.Conv; c.KH == 3 && c.KW == 3 && c.DW == 1 && c.Mult <= 1 {
			k.Runs = append(k.Runs, conv.Run{Width: c.KW, Stride: c.SW})
			k.RowPixels = append(k.RowPixels, c.OutW)
		}
	default:
		u.needConv(s)
	}
	return true
}

// needProducts notes the kernels by which a portable kernel multiplies matrices.
func (k *kernelSet) needProducts(s *plan.Step) {
	c := s.Op.Call
	for _, p := range c.Products {
		rows := []int{p.Rows}
		if c.BlockRows > 0 && s.Rows.Hi != 0 {
			blocks := (s.Rows.Len() + c.BlockRows - 1) / c.BlockRows
			rows = []int{s.Rows.Len() / blocks, (s.Rows.Len() + blocks - 1) / blocks}
		}
		for _, r := range rows {
			k.need.Convs = append(k.need.Convs, conv.Conv{Pixels: r, Panels: p.Panels, Last: p.Last})
		}
	}
}

// needPacked notes the kernels by which a portable kernel multiplies single rows with
// panels of the weights file.
func (k *kernelSet) needPacked(o *op.Op) {
	for _, t := range o.In {
		if t.Const == nil || t.Const.Packed == nil {
			continue
		}
		p := t.Const.Packed
		c := conv.Conv{Pixels: 1, Panels: p.Count(), Last: p.N - (p.Count()-1)*op.PanelWidth, Half: p.Type == op.F16}
		if p.Int8 != nil {
			k.int8.Convs, k.int8.Quantize = append(k.int8.Convs, c), true
		} else {
			k.need.Convs = append(k.need.Convs, c)
		}
	}
}

// blends are the portable kernels that have another make weighted sums of cells.
var blends = map[string]bool{"resize": true, "deform": true, "grid_sample": true}

// needsTranspose tells whether an operation may change the order of more channels than
// a few.
func needsTranspose(o *op.Op) bool {
	channels := func(t *op.Tensor) int { return t.Dims[len(t.Dims)-1] }
	switch o.Kind {
	case op.Copy:
		return o.Perm != nil
	case op.Input:
		return o.Port.Perm != nil && channels(o.Out[0]) > conv.MostInterleaved
	case op.Output:
		return o.Port.Perm != nil && channels(o.In[0]) > 1
	}
	return o.Call != nil && len(o.Call.Products) > 0
}

// needWinograd notes a convolution slice that works by Winograd's algorithm.
func (u *unit) needWinograd(s *plan.Step) {
	c := s.Op.Conv
	rows := c.OutH
	if s.Rows.Hi != 0 {
		rows = s.Rows.Len()
	}
	size, own := u.winogradSize(s)
	w := conv.NewWinograd(c.Winograd, rows, c.OutW)
	w.BlockTiles, w.BlockPanels, w.Panels, w.Threads, w.Own, w.Half = size.Tiles, size.Panels, s.Panels.Len(), u.p.Threads, own, s.Op.Panels.Type == op.F16
	u.kernels.winograd.Steps = append(u.kernels.winograd.Steps, w)
}

// kernelFiles generates the kernels that the steps asked for.
func (k *pkg) kernelFiles() (map[string][]byte, error) {
	files, err := cpu.Generate(k.o.Package)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(k.kernels.programs))
	for n := range k.kernels.programs {
		names = append(names, n)
	}
	sort.Strings(names)
	programs := make([]*lane.Program, len(names))
	for i, n := range names {
		programs[i] = k.kernels.programs[n]
	}
	for _, u := range k.units {
		for i := range u.p.Steps {
			s := &u.p.Steps[i]
			if u.needInt8(s) {
				continue
			}
			if c := s.Op.Conv; s.Op.Kind == op.Depthwise && c.DW == 1 && c.Mult <= 1 && !u.column(s.Op) {
				k.kernels.need.Windows = append(k.kernels.need.Windows, conv.Depthwise{
					Run:      conv.Run{Width: c.KW, Stride: c.SW, Half: s.Op.Panels.Type == op.F16},
					Strips:   c.KH == c.KW && c.SH == c.SW && c.DH == 1 && c.PadL <= c.KW/2 && (c.OutW-1)*c.SW+c.KW-c.PadL-c.InW <= c.KW/2,
					Channels: c.OutC, Pixels: c.OutW,
				})
			}
			k.kernels.need.Transpose = k.kernels.need.Transpose || needsTranspose(s.Op)
			switch {
			case s.Op.Kind == op.Conv && s.Op.Conv.Winograd != 0:
				u.needWinograd(s)
			case s.Op.Kind == op.Conv:
				u.needConv(s)
			case s.Op.Kind == op.Depthwise && s.Op.Panels.Type == op.F16:
				k.kernels.need.DepthwiseHalf = true
			case s.Op.Kind == op.Depthwise:
				k.kernels.need.Depthwise = true
			case s.Op.Kind == op.Pool && s.Op.Pool.Max:
				k.kernels.need.PoolMax = true
			case s.Op.Kind == op.Pool:
				k.kernels.need.PoolAvg = true
			case s.Op.Call != nil:
				k.kernels.need.Blend = k.kernels.need.Blend || blends[s.Op.Call.Func]
				k.kernels.needProducts(s)
				k.kernels.needPacked(s.Op)
			}
		}
	}
	for _, generate := range []func() (map[string][]byte, error){
		func() (map[string][]byte, error) { return conv.Generate(k.o.Package, k.kernels.need) },
		func() (map[string][]byte, error) { return conv.GenerateWinograd(k.o.Package, k.kernels.winograd) },
		func() (map[string][]byte, error) { return conv.GenerateInt8(k.o.Package, k.kernels.int8) },
		func() (map[string][]byte, error) { return lanekernel.Generate(k.o.Package, programs) },
	} {
		more, err := generate()
		if err != nil {
			return nil, err
		}
		for n, b := range more {
			files[n] = b
		}
	}
	return files, nil
}
