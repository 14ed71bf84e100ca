package ncnn

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"github.com/flexnnc/flexnnc/compiler/layer"
	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/diag"
)

// Tags of a tagged weight blob.
const (
	tagHalf  = 0x01306B47
	tagInt8  = 0x000D4B38
	tagFloat = 0x0002C056 // float32 that the layer scales itself
)

const tableBytes = 256 * 4 // 256 float32 ahead of one byte per weight

const wrongBin = "the .bin belongs to another .param, or was cut"

// ReadWeights finds every weight blob of g in a weights file of the given size
// and sets its offset, storage and source. It reads tags only. name is the file's
// path. Blobs lie one after the other in layer order, without gaps, so the first
// fault ends the walk.
func ReadWeights(g *ir.Graph, name string, src io.ReaderAt, size int64) diag.List {
	w := walker{name: name, src: src, size: size}
	for _, l := range g.Layers {
		def := layer.Of(l)
		if def == nil || def.Weights == nil {
			continue
		}
		w.layer = l
		l.Weights = l.Weights[:0]
		for _, d := range def.Weights(l) {
			weight, ok := w.next(d)
			if !ok {
				return w.faults
			}
			l.Weights = append(l.Weights, weight)
		}
	}
	if left := w.size - w.at; left > 0 {
		w.faults.Add(diag.Diagnostic{
			Pos:  ir.Pos{File: name, Offset: w.at},
			Text: fmt.Sprintf("%d bytes are left over after the last layer's weights", left),
			Hint: "the .bin belongs to another .param, or a layer's parameters are wrong",
		})
	}
	return w.faults
}

// walker walks over a weights file.
type walker struct {
	name   string
	src    io.ReaderAt
	size   int64
	at     int64
	layer  *ir.Layer
	faults diag.List
}

func (w *walker) fault(hint, format string, args ...any) {
	w.faults.Add(diag.Diagnostic{
		Pos: ir.Pos{File: w.name, Offset: w.at}, Layer: w.layer.Name,
		Text: fmt.Sprintf(format, args...) + fmt.Sprintf(" (layer at %s)", w.layer.Pos), Hint: hint,
	})
}

func (w *walker) next(d layer.WeightDef) (*ir.Weight, bool) {
	// Nothing larger than this can be in a file, and below it no sum overflows.
	if d.Count < 0 || int64(d.Count) > math.MaxInt64/16 {
		w.fault("", "%q has an impossible number of weights, %d", d.Name, d.Count)
		return nil, false
	}
	weight := &ir.Weight{Name: d.Name, Count: d.Count, Source: w.src}
	if d.Tagged {
		tag, ok := w.tag(d)
		if !ok {
			return nil, false
		}
		weight.Storage = storage(tag)
	}
	weight.Offset = w.at
	n := storedBytes(weight.Storage, int64(d.Count))
	if n > w.size-w.at {
		w.fault(wrongBin, "%q takes %d bytes at %d (%d weights as %s), but the file has %d", d.Name, n, w.at, d.Count, weight.Storage, w.size)
		return nil, false
	}
	w.at += n
	return weight, true
}

func (w *walker) tag(d layer.WeightDef) (uint32, bool) {
	var b [4]byte
	if w.size-w.at < int64(len(b)) {
		w.fault(wrongBin, "the storage tag of %q is at %d, but the file has %d bytes", d.Name, w.at, w.size)
		return 0, false
	}
	if _, err := w.src.ReadAt(b[:], w.at); err != nil {
		w.fault("", "reading the storage tag of %q at %d: %v", d.Name, w.at, err)
		return 0, false
	}
	w.at += int64(len(b))
	return binary.LittleEndian.Uint32(b[:]), true
}

func storage(tag uint32) ir.Storage {
	switch tag {
	case 0, tagFloat:
		return ir.StoreF32
	case tagHalf:
		return ir.StoreF16
	case tagInt8:
		return ir.StoreI8
	}
	return ir.StoreTable
}

// storedBytes is the size of count weights without their tag. It cannot overflow
// for a count up to MaxInt64/16.
func storedBytes(s ir.Storage, count int64) int64 {
	switch s {
	case ir.StoreF16:
		return (2*count + 3) &^ 3
	case ir.StoreI8:
		return (count + 3) &^ 3
	case ir.StoreTable:
		return tableBytes + (count+3)&^3
	}
	return 4 * count
}
