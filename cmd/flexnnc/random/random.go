// Package random makes up weights for networks that are measured or checked without
// a trained file.
package random

import (
	"crypto/sha256"
	"encoding/binary"
	"io"
	"math"
	"strings"

	"github.com/flexnnc/flexnnc/ir"
)

// Weights gives every layer of a graph that was read without weights such
// that keep the size of activations: computed from a hash when they are read,
// the same ones each time, and nowhere stored.
func Weights(g *ir.Graph) {
	stream := uint64(1)
	for _, l := range g.Layers {
		for _, w := range l.Weights {
			r := &generated{stream: mix(stream), size: 4 * int64(w.Count)}
			stream++
			r.low, r.high = bounds(l, w)
			// Layers that compute with int8 have their weights as such.
			if HoldsInt8(l, w.Name) {
				w.Storage, r.low, r.high, r.size = ir.StoreI8, -127, 127, int64(w.Count)
				r.bytes = true
			}
			w.Offset, w.Source = 0, r
		}
	}
	g.BinHash = sha256.Sum256([]byte("random weights"))
}

// HoldsInt8 tells whether files hold the named weights as int8 where a layer computes
// with that.
func HoldsInt8(l *ir.Layer, name string) bool {
	switch l.Type {
	case "Convolution", "ConvolutionDepthWise", "InnerProduct":
		return l.Params.Int(8, 0) != 0 && name == "weight"
	case "LSTM", "GRU", "RNN":
		return l.Params.Int(8, 0) != 0 && (name == "weight_xc" || name == "weight_hc")
	case "Gemm":
		return l.Params.Int(18, 0) != 0 && (name == "A" || name == "B")
	case "Embed":
		return l.Params.Int(18, 0) != 0 && name == "weight"
	}
	return false
}

// bounds are those of the even distribution that weights are taken from: the
// variance of a sum over all that an output reads is that of its terms, or twice
// that, which a ReLU restores; what scales is around one, what is added is small.
// Where values grew from layer to layer, gates would be steps, and answers no
// measure of accuracy.
func bounds(l *ir.Layer, w *ir.Weight) (low, high float32) {
	switch w.Name {
	case "variance", "scale", "gamma":
		return 0.8, 1.2
	case "slope":
		if l.Type == "PReLU" {
			return 0.1, 0.4
		}
		return 0.8, 1.2
	case "bias", "beta", "mean", "q_bias", "k_bias", "v_bias", "out_bias", "bias_c":
		return -0.1, 0.1
	case "weight_scales", "weight_xc_scales", "weight_hc_scales", "A_scales", "B_scale", "input_scale", "output_scale", "scale_in", "scale_out":
		return 30, 40
	case "data", "values":
		if w.Count == 1 { // networks divide by such
			return 0.5, 1.5
		}
		return -1, 1
	}
	reads := 1.0 // values that make an output
	if n := l.Params.Int(0, 0); n > 0 && w.Count > n {
		reads = float64(w.Count) / float64(n)
	}
	if l.Type == "Embed" {
		return -1, 1
	}
	gain := 3.0
	if rectified(l) {
		gain = 6
	}
	b := float32(math.Sqrt(gain / reads))
	return -b, b
}

// rectified reports whether a layer's sums go through an activation that takes about
// half of their size.
func rectified(l *ir.Layer) bool {
	if l.Params.Int(9, 0) != 0 && (strings.HasPrefix(l.Type, "Convolution") || strings.HasPrefix(l.Type, "Deconvolution") || l.Type == "InnerProduct") {
		return true
	}
	for len(l.Outputs) == 1 && l.Outputs[0].Consumer != nil {
		switch l = l.Outputs[0].Consumer; l.Type {
		case "ReLU", "PReLU", "ELU", "SELU", "CELU", "GELU", "Mish", "Swish", "HardSwish", "Clip":
			return true
		case "BatchNorm", "Scale", "Bias":
		default:
			return false
		}
	}
	return false
}

// generated is the content of a weight blob: element i is low + (high-low)*u(i).
type generated struct {
	stream    uint64
	size      int64 // bytes
	low, high float32
	bytes     bool // elements are int8, else float32
}

// ReadAt implements io.ReaderAt.
func (r *generated) ReadAt(p []byte, at int64) (int, error) {
	n := 0
	for n < len(p) && at < r.size {
		if r.bytes {
			p[n] = byte(int8(math.Round(float64(r.element(at)))))
			n++
			at++
			continue
		}
		var word [4]byte
		binary.LittleEndian.PutUint32(word[:], math.Float32bits(r.element(at/4)))
		c := copy(p[n:], word[at%4:])
		n += c
		at += int64(c)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (r *generated) element(i int64) float32 {
	u := float64(mix(r.stream+uint64(i)*0x9E3779B97F4A7C15)>>11) / (1 << 53)
	span := float64(float64(r.high)-float64(r.low)) * u
	return float32(span + float64(r.low))
}

// mix is the finalizer of splitmix64.
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}
