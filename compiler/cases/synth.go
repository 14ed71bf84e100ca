package cases

import (
	"bufio"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
)

// Synthetic weights and inputs are made by a counter hash, so that a case need
// not store them. Every product below is rounded to its own value before it is
// added to: the conversions keep the compiler from fusing, and the bits are the
// same everywhere.

// uniform is element i of a stream: splitmix64 of a counter, in [-1,1).
func uniform(stream, i uint64) float64 {
	z := stream + (i+1)*0x9E3779B97F4A7C15
	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9
	z = (z ^ (z >> 27)) * 0x94D049BB133111EB
	z ^= z >> 31
	return float64(float64(z>>11)*0x1p-52) - 1
}

// synthFile is a synth.json: the blobs of a .bin file in order.
type synthFile struct {
	BinBytes int64       `json:"bin_bytes"`
	Blobs    []synthBlob `json:"blobs"`
}

// synthBlob carries its values, or a stream number with one gain per equal run of
// elements: element i is float32(gain[run] * uniform(stream, i)).
type synthBlob struct {
	Layer  string `json:"layer"`
	Flag   bool   `json:"flag"`   // a storage tag of 0 (float32) precedes the data
	Count  int    `json:"count"`  // elements
	Stream string `json:"stream"` // decimal uint64
	Gain   string `json:"gain"`   // base64 of little-endian float32
	Values string `json:"values"` // base64 of little-endian float32
}

// WriteBin writes the .bin file that a synth.json describes.
func WriteBin(synth string, w io.Writer) error {
	raw, err := os.ReadFile(synth)
	if err != nil {
		return err
	}
	var f synthFile
	if err := json.Unmarshal(raw, &f); err != nil {
		return fmt.Errorf("%s: %w", synth, err)
	}
	out := &countingWriter{w: bufio.NewWriterSize(w, 1<<20)}
	for i := range f.Blobs {
		if err := f.Blobs[i].write(out); err != nil {
			return fmt.Errorf("%s: blob %d of layer %q: %w", synth, i, f.Blobs[i].Layer, err)
		}
	}
	if out.n != f.BinBytes {
		return fmt.Errorf("%s: the blobs make %d bytes, and \"bin_bytes\" says %d", synth, out.n, f.BinBytes)
	}
	return out.w.Flush()
}

type countingWriter struct {
	w *bufio.Writer
	n int64
}

// word writes 4 bytes; an error comes again at Flush.
func (c *countingWriter) word(v uint32) {
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], v)
	c.w.Write(b[:])
	c.n += 4
}

func (b *synthBlob) write(w *countingWriter) error {
	if b.Count < 0 {
		return fmt.Errorf("%d elements", b.Count)
	}
	if b.Flag {
		w.word(0)
	}
	if b.Stream == "" {
		values, err := decodeFloats(b.Values)
		if err != nil {
			return err
		}
		if len(values) != b.Count {
			return fmt.Errorf("%d values for %d elements", len(values), b.Count)
		}
		for _, v := range values {
			w.word(math.Float32bits(v))
		}
		return nil
	}
	stream, err := strconv.ParseUint(b.Stream, 10, 64)
	if err != nil {
		return err
	}
	gain, err := decodeFloats(b.Gain)
	if err != nil {
		return err
	}
	if len(gain) == 0 || b.Count%len(gain) != 0 {
		return fmt.Errorf("%d gains for %d elements", len(gain), b.Count)
	}
	run := b.Count / len(gain)
	for r, g := range gain {
		for i := r * run; i < (r+1)*run; i++ {
			w.word(math.Float32bits(float32(float64(g) * uniform(stream, uint64(i)))))
		}
	}
	return nil
}

func decodeFloats(b64 string) ([]float32, error) {
	raw, err := base64.StdEncoding.DecodeString(b64)
	if err != nil {
		return nil, err
	}
	if len(raw)%4 != 0 {
		return nil, fmt.Errorf("%d bytes are no float32 values", len(raw))
	}
	v := make([]float32, len(raw)/4)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return v, nil
}

// triangle is a wave of period 1 in [-1,1].
func triangle(t float64) float64 {
	t -= math.Floor(t)
	return float64(4*math.Abs(t-0.5)) - 1
}

// synthetic makes an image-like tensor, channel by channel: slanted triangle
// waves, a checkerboard of 24 pixels and noise, times the amplitude.
func (in *Input) synthetic() []uint32 {
	w, h := in.Shape.W, in.Shape.H
	words := make([]uint32, 0, in.Shape.Len())
	for c := range in.Shape.C {
		s := in.seed*1000 + uint64(c)
		fx := 0.005 + float64(0.010*(uniform(s, 0)+1))
		fy := 0.005 + float64(0.010*(uniform(s, 1)+1))
		phase := uniform(s, 2)
		for y := range h {
			for x := range w {
				check := -0.35
				if (x/24+y/24)%2 == 1 {
					check = 0.35
				}
				t := float64(fx*float64(x)) + float64(fy*float64(y)) + phase
				v := triangle(t) + check + float64(0.5*uniform(s, uint64(16+y*w+x)))
				words = append(words, math.Float32bits(float32(float64(v*in.amp))))
			}
		}
	}
	return words
}
