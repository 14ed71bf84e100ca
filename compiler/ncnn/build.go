package ncnn

import (
	"fmt"
	"slices"
	"strings"

	"github.com/flexnnc/flexnnc/compiler/layer"
	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/diag"
)

// Parameter ids that every layer has: hints for the sizes of its outputs and a
// mask of CPU features to avoid. Neither means anything for the answer.
const (
	hintsID   = 30
	featureID = 31
	maxParams = 32
)

// builder collects what either parser finds and joins it to a graph.
type builder struct {
	file     string
	graph    *ir.Graph
	faults   diag.List
	warnings *diag.List
	records  []*record
	custom   []*ir.Custom    // layer types that Go functions compute
	unknown  map[string]bool // layer types without definition, which were reported
	// broken says that some layer's blobs could not be read, so that a blob without
	// producer means nothing.
	broken bool
}

// record is one layer as it was written, before blobs are joined.
type record struct {
	layer     *ir.Layer
	def       *layer.Def
	ins, outs []blobName
}

type blobName struct {
	name string
	pos  ir.Pos
}

func newBuilder(file string, warnings *diag.List) *builder {
	return &builder{file: file, warnings: warnings, graph: &ir.Graph{Name: graphName(file)}, unknown: map[string]bool{}}
}

func (b *builder) fault(pos ir.Pos, hint, format string, args ...any) {
	b.faults.Add(diag.Diagnostic{Pos: pos, Text: fmt.Sprintf(format, args...), Hint: hint})
}

func (b *builder) layerFault(l *ir.Layer, pos ir.Pos, hint, format string, args ...any) {
	b.faults.Add(diag.Diagnostic{Pos: pos, Layer: l.Name, Text: fmt.Sprintf(format, args...), Hint: hint})
}

func (b *builder) layerWarning(l *ir.Layer, pos ir.Pos, hint, format string, args ...any) {
	b.warnings.Add(diag.Diagnostic{Pos: pos, Layer: l.Name, Text: fmt.Sprintf(format, args...), Hint: hint})
}

// customHint is the way round a layer that is none of ncnn's own.
func customHint(typ string) string {
	return fmt.Sprintf("give a Go function that computes it: compile --custom %s=import/path.Func", typ)
}

// leftHint is the way round an operator that pnnx wrote as it found it, where it
// knows no layer of ncnn's.
func leftHint(typ string) string {
	return "pnnx left the operator as it is in PyTorch: run pnnx again with the input's shape (inputshape=[1,3,224,224]), leave the operator out of the module, or " + customHint(typ)
}

// leftByPNNX reports whether a type is that of a PyTorch operator: nn.Conv2d, aten::exp.
func leftByPNNX(typ string) bool {
	for _, prefix := range []string{"nn.", "F.", "torch.", "Tensor.", "torchvision.", "aten::", "prim::", "pnnx."} {
		if strings.HasPrefix(typ, prefix) {
			return true
		}
	}
	return false
}

// ownOfPNNX reports a file in pnnx's own form, which looks like ncnn's.
func (b *builder) ownOfPNNX() bool {
	for _, r := range b.records {
		if r.layer.Type == "pnnx.Input" {
			b.faults = diag.List{}
			b.fault(r.layer.Pos, "give the file whose name ends in .ncnn.param, which pnnx writes beside this one", "this is the network in pnnx's own form and not in ncnn's")
			return true
		}
	}
	return false
}

// unsupported reports a layer type without definition, once per type.
func (b *builder) unsupported(r *record, hint string) {
	if !b.unknown[r.layer.Type] {
		if hint == "" && leftByPNNX(r.layer.Type) {
			hint = leftHint(r.layer.Type)
		}
		if hint == "" && len(b.faults.Found) < mostGuesses {
			var types []string
			for _, d := range layer.All() {
				types = append(types, d.Type)
			}
			hint = didYouMean(r.layer.Type, types)
			if hint != "" {
				hint += " or "
			}
			hint += customHint(r.layer.Type)
		}
		if hint == "" {
			hint = customHint(r.layer.Type)
		}
		b.layerFault(r.layer, r.layer.Pos, hint, "layer type %q is not supported", r.layer.Type)
	}
	b.unknown[r.layer.Type] = true
}

// define checks a finished record against its layer's definition.
func (b *builder) define(r *record) {
	b.records = append(b.records, r)
	d := r.def
	if d == nil {
		return // reported already
	}
	if n := len(r.ins); n > 1 && d.MaxIn == 1 {
		b.layerWarning(r.layer, r.layer.Pos, "", "%s reads one input; the other %s ignored, as ncnn does", d.Type, map[bool]string{true: "is", false: fmt.Sprintf("%d are", n-1)}[n == 2])
	} else {
		b.arity(r, "input", n, d.MinIn, d.MaxIn)
	}
	b.arity(r, "output", len(r.outs), d.MinOut, d.MaxOut)
	r.layer.Params = b.takeHints(r)
	if r.layer.Custom != nil {
		return // its parameters mean what its function makes of them
	}
	for i := range r.layer.Params {
		b.checkParam(r, &r.layer.Params[i])
	}
}

func (b *builder) arity(r *record, what string, n, lo, hi int) {
	if n >= lo && (hi < 0 || n <= hi) {
		return
	}
	var want string
	switch {
	case hi < 0:
		want = fmt.Sprintf("at least %d %s", lo, plural(lo, what))
	case lo == hi:
		want = fmt.Sprintf("%d %s", lo, plural(lo, what))
	default:
		want = fmt.Sprintf("%d to %d %ss", lo, hi, what)
	}
	b.layerFault(r.layer, r.layer.Pos, "", "%s has %s, not %d", r.layer.Type, want, n)
}

// takeHints moves the shape hints out of the parameters and drops the feature mask.
func (b *builder) takeHints(r *record) ir.Params {
	var kept ir.Params
	for _, p := range r.layer.Params {
		switch p.ID {
		case hintsID:
			if h, ok := parseHints(p.Array, len(r.outs)); ok {
				r.layer.Hints = h
			} else {
				b.layerWarning(r.layer, p.Pos, "", "shape hints are not understood and ignored")
			}
		case featureID:
		default:
			kept = append(kept, p)
		}
	}
	return kept
}

// parseHints reads rank, w, h, c (4 numbers a blob) or rank, w, h, d, c (5).
func parseHints(a []ir.Scalar, outs int) ([]ir.Shape, bool) {
	if outs == 0 || len(a) == 0 || len(a)%outs != 0 {
		return nil, false
	}
	step := len(a) / outs
	if step != 4 && step != 5 {
		return nil, false
	}
	hints := make([]ir.Shape, 0, outs)
	for ; len(a) > 0; a = a[step:] {
		rank, w, h, d, c := a[0].Int(), a[1].Int(), a[2].Int(), 1, a[3].Int()
		if step == 5 {
			d, c = a[3].Int(), a[4].Int()
		}
		s := ir.Shape{}
		switch rank {
		case 0:
		case 1:
			s = ir.Shape1(w)
		case 2:
			s = ir.Shape2(w, h)
		case 3:
			s = ir.Shape3(w, h, c)
		case 4:
			if step == 4 {
				return nil, false
			}
			s = ir.Shape4(w, h, d, c)
		default:
			return nil, false
		}
		hints = append(hints, s)
	}
	return hints, true
}

// checkParam compares how a parameter is written with how ncnn reads it. ncnn
// keeps ints and floats in one union: the wrong kind is read as other bits.
func (b *builder) checkParam(r *record, p *ir.Param) {
	var d *layer.ParamDef
	for i := range r.def.Params {
		if r.def.Params[i].ID == p.ID {
			d = &r.def.Params[i]
		}
	}
	if d == nil {
		b.layerWarning(r.layer, p.Pos, "", "%s has no parameter %d; it is ignored", r.layer.Type, p.ID)
		return
	}
	name := fmt.Sprintf("parameter %d (%s)", p.ID, d.Name)
	wantArray := d.Kind == layer.IntArray || d.Kind == layer.FloatArray
	switch {
	case p.Kind == ir.ParamString && d.Kind != layer.String:
		b.layerFault(r.layer, p.Pos, "", "%s is the string %q where a number is expected", name, p.Str)
	case d.Kind == layer.String && p.Kind != ir.ParamString:
		b.layerFault(r.layer, p.Pos, "strings begin with a letter or a quote", "%s is a number where a string is expected", name)
	case d.Kind == layer.String:
	case p.Kind == ir.ParamScalar && wantArray:
		b.layerWarning(r.layer, p.Pos, fmt.Sprintf("write -%d=1,VALUE or %d=VALUE, (with the comma)", 23300+p.ID, p.ID),
			"%s is a single number where an array is expected; ncnn takes the array as empty", name)
	case p.Kind == ir.ParamArray && !wantArray:
		b.layerFault(r.layer, p.Pos, "", "%s is an array where a single number is expected", name)
	case p.Kind == ir.ParamScalar:
		if wrongBits(p.Scalar, d.Kind == layer.Float) {
			b.bitsWarning(r, p, name, d.Kind == layer.Float)
		}
	default:
		for _, s := range p.Array {
			if wrongBits(s, d.Kind == layer.FloatArray) {
				b.bitsWarning(r, p, name, d.Kind == layer.FloatArray)
				break
			}
		}
	}
}

// wrongBits reports whether a number was written in the other kind. Zero has the
// same bits in both. Some converters write floats as the integer of their bits:
// an integer that makes a normal float is meant so.
func wrongBits(s ir.Scalar, float bool) bool {
	const exponent = 0xff << 23
	if s.IsFloat == float || s.Bits == 0 {
		return false
	}
	e := s.Bits & exponent
	return !float || e == 0 || e == exponent
}

func (b *builder) bitsWarning(r *record, p *ir.Param, name string, float bool) {
	if float {
		b.layerWarning(r.layer, p.Pos, "write 1.0 and not 1", "%s is written as an integer; ncnn takes its bits as a float", name)
	} else {
		b.layerWarning(r.layer, p.Pos, "write 1 and not 1.0", "%s is written as a float; ncnn takes its bits as an integer", name)
	}
}

// connect joins the records' blobs by name and finishes the graph.
func (b *builder) connect() {
	g := b.graph
	producers := map[string]*record{}
	for _, r := range b.records {
		for _, o := range r.outs {
			if producers[o.name] == nil {
				producers[o.name] = r
			}
		}
	}
	blobs := map[string]*ir.Blob{}
	for _, r := range b.records {
		l := r.layer
		l.Index = len(g.Layers)
		g.Layers = append(g.Layers, l)
		for _, in := range r.ins {
			if blob := b.consume(r, in, blobs, producers); blob != nil {
				l.Inputs = append(l.Inputs, blob)
			}
		}
		for _, o := range r.outs {
			if old := blobs[o.name]; old != nil {
				b.layerFault(l, o.pos, "give one of the two outputs another name", "blob %q is produced a second time; layer %q at %s produces it", o.name, old.Producer.Name, old.Pos)
				continue
			}
			blob := &ir.Blob{Index: len(g.Blobs), Name: o.name, Pos: o.pos, Producer: l}
			blobs[o.name] = blob
			g.Blobs = append(g.Blobs, blob)
			l.Outputs = append(l.Outputs, blob)
		}
	}
	b.dropUnread()
	for _, blob := range g.Blobs {
		if blob.Producer.Type == "Input" {
			g.Inputs = append(g.Inputs, blob)
		}
		if blob.Consumer == nil {
			g.Outputs = append(g.Outputs, blob)
		}
	}
	if len(b.faults.Found) == 0 {
		b.listWeights()
	}
}

// dropUnread leaves out inputs that no layer reads, such as the labels of training,
// where layers read others. ncnn does not ask for them either.
func (b *builder) dropUnread() {
	g := b.graph
	unread := func(blob *ir.Blob) bool { return blob.Producer.Type == "Input" && blob.Consumer == nil }
	if !slices.ContainsFunc(g.Blobs, unread) || !slices.ContainsFunc(g.Layers, func(l *ir.Layer) bool { return len(l.Inputs) > 0 }) {
		return
	}
	for _, l := range g.Layers {
		for _, blob := range l.Outputs {
			if unread(blob) {
				b.layerWarning(l, blob.Pos, "", "no layer reads input %q; it is left out", blob.Name)
			}
		}
		l.Outputs = slices.DeleteFunc(l.Outputs, unread)
	}
	g.Blobs = slices.DeleteFunc(g.Blobs, unread)
	for i, blob := range g.Blobs {
		blob.Index = i
	}
	gone := func(l *ir.Layer) bool { return l.Type == "Input" && len(l.Outputs) == 0 }
	b.records = slices.DeleteFunc(b.records, func(r *record) bool { return gone(r.layer) })
	g.Layers = slices.DeleteFunc(g.Layers, gone)
	for i, l := range g.Layers {
		l.Index = i
	}
}

func (b *builder) consume(r *record, in blobName, blobs map[string]*ir.Blob, producers map[string]*record) *ir.Blob {
	l := r.layer
	blob := blobs[in.name]
	switch later := producers[in.name]; {
	case blob == nil && later != nil && later != r:
		b.layerFault(l, in.pos, "layers run in file order: move the producer up", "blob %q is consumed before layer %q at %s produces it", in.name, later.layer.Name, later.layer.Pos)
	case blob == nil && later != nil:
		b.layerFault(l, in.pos, "", "the layer consumes blob %q, which it produces itself", in.name)
	case blob == nil:
		b.layerFault(l, in.pos, b.guessBlob(in.name), "no layer produces blob %q", in.name)
	case blob.Consumer != nil:
		b.layerFault(l, in.pos, "put a Split layer after its producer", "blob %q is consumed a second time; layer %q at %s consumes it", in.name, blob.Consumer.Name, blob.Consumer.Pos)
	default:
		blob.Consumer = l
	}
	return blob
}

// mostGuesses bounds the findings for which near names are searched: with many
// faults in a large file the search would take its square.
const mostGuesses = 32

func (b *builder) guessBlob(name string) string {
	if len(b.faults.Found) >= mostGuesses {
		return ""
	}
	var names []string
	for _, have := range b.graph.Blobs {
		if have.Consumer == nil {
			names = append(names, have.Name)
		}
	}
	return didYouMean(name, names)
}

// listWeights runs the definitions' own checks and asks them for their weights.
func (b *builder) listWeights() {
	for _, r := range b.records {
		before := len(b.faults.Found)
		if r.def.Check != nil {
			r.def.Check(r.layer, &b.faults)
		}
		if r.def.Weights == nil || len(b.faults.Found) > before {
			continue
		}
		for _, w := range r.def.Weights(r.layer) {
			if w.Count < 0 {
				b.layerFault(r.layer, r.layer.Pos, "", "%s needs %d weights %q: its parameters contradict each other", r.layer.Type, w.Count, w.Name)
			}
			r.layer.Weights = append(r.layer.Weights, &ir.Weight{Name: w.Name, Count: w.Count})
		}
	}
}

func plural(n int, what string) string {
	if n == 1 {
		return what
	}
	return what + "s"
}
