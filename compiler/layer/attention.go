package layer

import (
	"math"

	"github.com/flexnnc/flexnnc/ir/op"
)

// attention is softmax(q*k' * scale + mask) * v per head, with element strides
// into the operands: [0] per head, [1] per row, [2] per element. Head h of q reads
// head h/perGroup of k and v.
type attention struct {
	heads, perGroup int
	rows, keys      int // of q, of k and v
	width, vWidth   int // elements per row of q and k, of v
	scale           float32
	q, k, v, y      [3]int
	mask            [2]int // per head, per row
}

func (a attention) eval(q, k, v, mask, y []float64) {
	p := make([]float64, a.keys)
	for h := range a.heads {
		g := h / a.perGroup
		for i := range a.rows {
			for j := range p {
				sum := 0.0
				for l := range a.width {
					sum += q[h*a.q[0]+i*a.q[1]+l*a.q[2]] * k[g*a.k[0]+j*a.k[1]+l*a.k[2]]
				}
				p[j] = sum * float64(a.scale)
				if mask != nil {
					p[j] += mask[h*a.mask[0]+i*a.mask[1]+j]
				}
			}
			softmax64(p, p, len(p), 1)
			for n := range a.vWidth {
				sum := 0.0
				for j := range p {
					sum += p[j] * v[g*a.v[0]+j*a.v[1]+n*a.v[2]]
				}
				y[h*a.y[0]+i*a.y[1]+n*a.y[2]] = sum
			}
		}
	}
}

// lower appends the call; mask may be nil. Innermost strides must be one.
func (a attention) lower(b *Builder, name string, y, q, k, v, mask *op.Tensor) {
	in := []*op.Tensor{q, k, v}
	if mask != nil {
		in = append(in, mask)
	}
	b.Add(&op.Op{Kind: op.Call, Name: name, In: in, Out: []*op.Tensor{y},
		ThreadScratch: (4*a.keys + 63) &^ 63,
		Call: &op.CallAttr{Func: "attention", Ints: []int{
			a.heads, a.perGroup, a.rows, a.keys, a.width, a.vWidth,
			a.q[0], a.q[1], a.k[0], a.k[1], a.v[0], a.v[1], a.y[0], a.y[1], a.mask[0], a.mask[1],
		}, Floats: []float32{a.scale}},
	})
}

func inverseRoot(n int) float32 { return float32(1 / math.Sqrt(float64(n))) }
