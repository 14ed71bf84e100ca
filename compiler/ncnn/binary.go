package ncnn

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/flexnnc/flexnnc/compiler/layer"
	"github.com/flexnnc/flexnnc/ir"
)

// The binary form is little-endian 32-bit words:
//
//	magic, layers, blobs
//	per layer: type, inputs, outputs, input blob.., output blob.., parameters, -233
//
// A parameter is its id and a word, or -23300-id, a length and as many words, or
// -23400-id, a length and as many bytes padded to words.

const (
	endOfParams = -233
	customBit   = 1 << 8 // marks the type numbers of layers that a program registered
)

// words reads 32-bit words with their byte offsets.
type words struct {
	file string
	data []byte
	at   int
}

func (w *words) pos() ir.Pos { return ir.Pos{File: w.file, Offset: int64(w.at)} }

func (w *words) left() int { return len(w.data) - w.at }

func (w *words) next() (uint32, bool) {
	if w.left() < 4 {
		return 0, false
	}
	v := binary.LittleEndian.Uint32(w.data[w.at:])
	w.at += 4
	return v, true
}

func (w *words) int() (int, bool) {
	v, ok := w.next()
	return int(int32(v)), ok
}

// readBinary reads as far as the first fault in the structure: past one, words
// mean nothing.
func (b *builder) readBinary(data []byte) {
	w := &words{file: b.file, data: data, at: 4}
	if !b.binaryLayers(w) {
		b.broken = true
		return
	}
	if n := w.left(); n > 0 {
		b.warnings.Posf(w.pos(), "%d bytes after the last layer are ignored", n)
	}
}

func (b *builder) cut(w *words, what string) bool {
	b.fault(w.pos(), "the file was cut, or a count before this place is wrong", "the file ends within %s", what)
	return false
}

func (b *builder) binaryLayers(w *words) bool {
	pos := w.pos()
	layers, ok1 := w.int()
	blobs, ok2 := w.int()
	if !ok1 || !ok2 {
		return b.cut(w, "its counts of layers and blobs")
	}
	// The least layer is its type, two counts and the end of its parameters; a
	// blob is named at least once.
	if most := w.left() / 16; layers <= 0 || layers > most {
		b.fault(pos, "", "the number of layers is %d, where the file has room for 1 to %d", layers, most)
		return false
	}
	if most := w.left() / 4; blobs <= 0 || blobs > most {
		b.fault(pos, "", "the number of blobs is %d, where the file has room for 1 to %d", blobs, most)
		return false
	}
	for i := range layers {
		r := &record{layer: &ir.Layer{Pos: w.pos(), Name: fmt.Sprintf("layer%d", i)}}
		if !b.binaryLayer(w, r, blobs) {
			return false
		}
		b.define(r)
	}
	return true
}

func (b *builder) binaryLayer(w *words, r *record, blobs int) bool {
	l := r.layer
	typ, ok1 := w.int()
	countsPos := w.pos()
	ins, ok2 := w.int()
	outs, ok3 := w.int()
	if !ok1 || !ok2 || !ok3 {
		return b.cut(w, "the head of a layer")
	}
	if r.def = layer.LookupIndex(typ); r.def != nil {
		l.Type = r.def.Type
	} else {
		l.Type = fmt.Sprintf("type %d", typ)
		hint := "read the text .param, if there is one: it has the type's name"
		if typ&customBit != 0 && typ > 0 {
			hint = "a layer that a program registered with ncnn: read the text .param, which has the type's name, and give a Go function with --custom"
		}
		b.unsupported(r, hint)
	}
	if most := w.left() / 4; ins < 0 || outs < 0 || ins > most || outs > most-ins {
		b.layerFault(l, countsPos, "", "the layer counts %d inputs and %d outputs, where the file has %d words left", ins, outs, most)
		return false
	}
	var ok bool
	if r.ins, ok = b.binaryBlobs(w, r, ins, blobs); !ok {
		return false
	}
	if r.outs, ok = b.binaryBlobs(w, r, outs, blobs); !ok {
		return false
	}
	return b.binaryParams(w, r)
}

func (b *builder) binaryBlobs(w *words, r *record, n, blobs int) ([]blobName, bool) {
	names := make([]blobName, 0, n) // n words are there
	for range n {
		pos := w.pos()
		i, _ := w.int()
		if i < 0 || i >= blobs {
			b.layerFault(r.layer, pos, "", "blob %d, where the file has blobs 0 to %d", i, blobs-1)
			return nil, false
		}
		names = append(names, blobName{fmt.Sprintf("blob%d", i), pos})
	}
	return names, true
}

func (b *builder) binaryParams(w *words, r *record) bool {
	for {
		p := ir.Param{Pos: w.pos()}
		id, ok := w.int()
		switch {
		case !ok:
			return b.cut(w, fmt.Sprintf("the parameters of layer %q", r.layer.Name))
		case id == endOfParams:
			return true
		case id <= -23400:
			p.ID, p.Kind = -id-23400, ir.ParamString
		case id <= -23300:
			p.ID, p.Kind = -id-23300, ir.ParamArray
		default:
			p.ID = id
		}
		if p.ID < 0 || p.ID >= maxParams {
			b.layerFault(r.layer, p.Pos, "", "there is no parameter id %d", id)
			return false
		}
		if !b.binaryValue(w, r, &p) {
			return false
		}
		b.addParam(r, p)
	}
}

func (b *builder) binaryValue(w *words, r *record, p *ir.Param) bool {
	pos := w.pos()
	first, ok := w.next()
	if !ok {
		return b.cut(w, fmt.Sprintf("parameter %d of layer %q", p.ID, r.layer.Name))
	}
	n := int(int32(first))
	switch p.Kind {
	case ir.ParamScalar:
		p.Scalar = b.binaryScalar(r, p.ID, first)
	case ir.ParamArray:
		if most := w.left() / 4; n < 0 || n > most {
			b.layerFault(r.layer, pos, "", "array %d has a length of %d, where the file has %d words left", p.ID, n, most)
			return false
		}
		p.Array = make([]ir.Scalar, 0, n)
		for range n {
			v, _ := w.next()
			p.Array = append(p.Array, b.binaryScalar(r, p.ID, v))
		}
	case ir.ParamString:
		if most := min(w.left(), longestString); n < 0 || n > most || (n+3)&^3 > w.left() {
			b.layerFault(r.layer, pos, "", "string %d has a length of %d, where at most %d is possible", p.ID, n, most)
			return false
		}
		text := w.data[w.at : w.at+n]
		w.at += (n + 3) &^ 3
		if end := bytes.IndexByte(text, 0); end >= 0 {
			text = text[:end]
		}
		p.Str = string(text)
	}
	return true
}

// binaryScalar marks a word as float where the layer's definition reads it as
// one: the file does not say.
func (b *builder) binaryScalar(r *record, id int, bits uint32) ir.Scalar {
	s := ir.Scalar{Bits: bits}
	if r.def == nil {
		return s
	}
	for _, d := range r.def.Params {
		if d.ID == id {
			s.IsFloat = d.Kind == layer.Float || d.Kind == layer.FloatArray
		}
	}
	return s
}
