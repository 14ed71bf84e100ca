package runtime

import "testing"

func TestCallEmbed(t *testing.T) {
	rounds(t, 20, func(t *testing.T, g *callRig) {
		words, n, rows := 1+g.r.Intn(20), 1+g.r.Intn(9), 1+g.r.Intn(9)
		ids := make([]int, words)
		for i := range ids {
			ids[i] = g.r.Intn(rows+4) - 2
		}
		g.inWords(ids, words)
		table := g.inRandom(rows, n)
		g.outTensor(words, n)
		y := g.run(callEmbed, []int{words, n, rows})[0]
		var want []float32
		for _, id := range ids {
			want = append(want, table[min(max(id, 0), rows-1)*n:][:n]...)
		}
		same(t, "y", y, want)
	})
}
