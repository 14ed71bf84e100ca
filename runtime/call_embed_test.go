package runtime

import (
	"math"
	"testing"
	"unsafe"
)

func TestCallEmbed(t *testing.T) {
	rounds(t, 20, func(t *testing.T, g *callRig) {
		words, n, rows := 1+g.r.Intn(20), 1+g.r.Intn(9), 1+g.r.Intn(9)
		ids := make([]int, words)
		for i := range ids {
			ids[i] = g.r.Intn(rows+4) - 2
		}
		g.inWords(ids, words)
		form := g.r.Intn(3)
		var table []float32
		switch form {
		case formFloat:
			table = g.inRandom(rows, n)
		case formHalf:
			table = g.inHalves(rows, n)
		default:
			table = g.inBytes(rows, n)
		}
		g.outTensor(words, n)
		y := g.run(callEmbed, []int{words, n, rows, form})[0]
		var want []float32
		for _, id := range ids {
			want = append(want, table[min(max(id, 0), rows-1)*n:][:n]...)
		}
		same(t, "y", y, want)
	})
}

// inBytes adds a dense matrix of int8 and returns its elements.
func (g *callRig) inBytes(rows, n int) []float32 {
	var wide []float32
	data := make([]float32, (rows*n+3)/4)
	for i := range rows * n {
		v := int8(g.r.Uint32())
		*(*int8)(unsafe.Add(unsafe.Pointer(&data[0]), i)) = v
		wide = append(wide, float32(v))
	}
	dense := g.dense
	g.dense = true
	g.in(data, len(data))
	g.dense = dense
	c := &g.step.in[len(g.step.in)-1]
	c.dims, c.strides = [4]int{1, 1, rows, n}, [4]int{0, 0, n, 1}
	return wide
}

// inHalves adds a dense matrix of float16 and returns its elements widened.
func (g *callRig) inHalves(rows, n int) []float32 {
	var wide []float32
	words := make([]uint32, (rows*n+1)/2)
	for i := range rows * n {
		h := uint16(g.r.Uint32())
		if h&0x7c00 == 0x7c00 {
			h &^= 0x0400 // no NaN, whose bits may change
		}
		words[i/2] |= uint32(h) << (i % 2 * 16)
		wide = append(wide, fromHalf(h))
	}
	data := make([]float32, len(words))
	for i, w := range words {
		data[i] = math.Float32frombits(w)
	}
	dense := g.dense
	g.dense = true
	g.in(data, len(data))
	g.dense = dense
	c := &g.step.in[len(g.step.in)-1]
	c.dims, c.strides = [4]int{1, 1, rows, n}, [4]int{0, 0, 2 * n, 2}
	return wide
}
