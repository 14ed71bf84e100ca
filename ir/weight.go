package ir

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

// Storage is how a weight blob lies in a .bin file.
type Storage int

// ncnn's storage forms. Untagged vectors (biases, norms) are StoreF32.
const (
	StoreF32   Storage = iota
	StoreF16           // tag 0x01306B47, padded to 4 bytes
	StoreI8            // tag 0x000D4B38, padded to 4 bytes
	StoreTable         // 256 float32, then one byte per weight, padded to 4 bytes
)

func (s Storage) String() string {
	return [...]string{"f32", "f16", "i8", "table"}[s]
}

// Weight is a reference to one weight blob of a .bin file; the data stay in the
// file and are read on demand, so that a large file is never held in memory.
type Weight struct {
	Name    string // as the layer's definition names it: "weight", "bias", ...
	Count   int    // elements
	Storage Storage
	Offset  int64       // of the data in the file, after the tag (the table, for StoreTable)
	Source  io.ReaderAt // nil where the graph was read without weights
}

// ReadFloat32 fills dst with elements first, first+1, ... widened to float32.
// It reads only those elements. int8 elements are widened as they are, unscaled.
func (w *Weight) ReadFloat32(dst []float32, first int) error {
	if w.Source == nil {
		return fmt.Errorf("weights of %q were not given", w.Name)
	}
	if first < 0 || first+len(dst) > w.Count {
		return fmt.Errorf("BUG: elements [%d,%d) of %q, which has %d", first, first+len(dst), w.Name, w.Count)
	}
	var table []float32
	size, at := 4, w.Offset
	switch w.Storage {
	case StoreF16:
		size = 2
	case StoreI8:
		size = 1
	case StoreTable:
		size = 1
		table = make([]float32, 256)
		t := Weight{Name: w.Name, Count: 256, Offset: w.Offset, Source: w.Source}
		if err := t.ReadFloat32(table, 0); err != nil {
			return err
		}
		at += 1024
	}
	const chunk = 64 << 10
	buf := make([]byte, min(chunk, len(dst)*size))
	at += int64(first) * int64(size)
	for len(dst) > 0 {
		n := min(len(buf)/size, len(dst))
		b := buf[:n*size]
		if _, err := w.Source.ReadAt(b, at); err != nil {
			return fmt.Errorf("reading %d bytes at %d for %q: %w", len(b), at, w.Name, err)
		}
		switch w.Storage {
		case StoreF32:
			for i := range n {
				dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
			}
		case StoreF16:
			for i := range n {
				dst[i] = HalfToFloat(binary.LittleEndian.Uint16(b[2*i:]))
			}
		case StoreI8:
			for i := range n {
				dst[i] = float32(int8(b[i]))
			}
		case StoreTable:
			for i := range n {
				dst[i] = table[b[i]]
			}
		}
		dst = dst[n:]
		at += int64(len(b))
	}
	return nil
}

// Float32s reads the whole blob; use it for small vectors only.
func (w *Weight) Float32s() ([]float32, error) {
	if w.Source == nil {
		return nil, fmt.Errorf("weights of %q were not given", w.Name)
	}
	v := make([]float32, w.Count)
	return v, w.ReadFloat32(v, 0)
}
