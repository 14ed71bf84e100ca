package lane

import (
	"fmt"
	"math"
)

// Groups is the number of accumulators of a reduction.
const Groups = 16

// Eval runs p over n elements and is what every back end is compared with. in[k]
// has n values, or one for a Splat; out, which may be one of them, takes the
// per-element results where the program has such. The second result is that of
// the reduction.
func (p *Program) Eval(n int, in [][]float32, out []float32) (float32, error) {
	if err := p.Check(); err != nil {
		return 0, err
	}
	if len(in) != len(p.Inputs) {
		return 0, fmt.Errorf("lane program %q: %d inputs given, %d wanted", p.Name, len(in), len(p.Inputs))
	}
	for k := range in {
		want := n
		if p.Inputs[k] == Splat {
			want = 1
		}
		if len(in[k]) < want {
			return 0, fmt.Errorf("lane program %q: input %d has %d values, %d wanted", p.Name, k, len(in[k]), want)
		}
	}
	stores := p.Reduce == Store || p.Both
	if stores && len(out) < n {
		return 0, fmt.Errorf("lane program %q: room for %d results of %d", p.Name, len(out), n)
	}
	var acc [Groups]float32
	for j := range acc {
		acc[j] = p.Reduce.Start()
	}
	v := make([]uint32, len(p.Insts))
	for i := range n {
		for k := range p.Insts {
			v[k] = p.Insts[k].eval(v, p.Inputs, in, i)
		}
		r := math.Float32frombits(v[p.Result])
		if stores {
			out[i] = r
		}
		acc[i%Groups] = p.Reduce.Join(r, acc[i%Groups])
	}
	for d := Groups / 2; d > 0; d /= 2 {
		for j := range d {
			acc[j] = p.Reduce.Join(acc[j+d], acc[j])
		}
	}
	return acc[0], nil
}

// Start is the first value of an accumulator.
func (r Reduction) Start() float32 {
	switch r {
	case ReduceMax:
		return float32(math.Inf(-1))
	case ReduceMin:
		return float32(math.Inf(1))
	}
	return 0
}

// Join puts v into an accumulator.
func (r Reduction) Join(v, acc float32) float32 {
	switch r {
	case ReduceSum:
		return v + acc
	case ReduceMax:
		if v > acc {
			return v
		}
	case ReduceMin:
		if v < acc {
			return v
		}
	}
	return acc
}

func mask(b bool) uint32 {
	if b {
		return math.MaxUint32
	}
	return 0
}

func (i *Inst) eval(v []uint32, kinds []Input, in [][]float32, at int) uint32 {
	switch i.Code {
	case In:
		if kinds[i.Arg] == Splat {
			at = 0
		}
		return math.Float32bits(in[i.Arg][at])
	case Const:
		return i.Bits
	}
	var a, b, c uint32
	switch n := i.Code.operands(); n {
	case 3:
		c = v[i.C]
		fallthrough
	case 2:
		b = v[i.B]
		fallthrough
	default:
		a = v[i.A]
	}
	switch i.Code {
	case Sel:
		return a&b | ^a&c
	case And:
		return a & b
	case Or:
		return a | b
	case Xor:
		return a ^ b
	case AndNot:
		return a &^ b
	case IAdd:
		return a + b
	case ISub:
		return a - b
	case Shl:
		return a << i.Arg
	case Shr:
		return a >> i.Arg
	case Sar:
		return uint32(int32(a) >> i.Arg)
	case Neg:
		return a ^ signBit
	case Abs:
		return a &^ signBit
	case FromInt:
		return math.Float32bits(float32(int32(a)))
	}
	x, y, z := math.Float32frombits(a), math.Float32frombits(b), math.Float32frombits(c)
	switch i.Code {
	case Lt:
		return mask(x < y)
	case Le:
		return mask(x <= y)
	case Eq:
		return mask(x == y)
	case ToInt:
		return uint32(int32(x))
	}
	return math.Float32bits(i.Code.float(x, y, z))
}

func (c Code) float(x, y, z float32) float32 {
	switch c {
	case Add:
		return x + y
	case Sub:
		return x - y
	case Mul:
		return float32(x * y)
	case Div:
		return x / y
	case FMA:
		return fma(x, y, z)
	case FNMA:
		return fma(-x, y, z)
	case Max:
		if x > y {
			return x
		}
		return y
	case Min:
		if x < y {
			return x
		}
		return y
	case Sqrt:
		return float32(math.Sqrt(float64(x)))
	case Floor:
		return float32(math.Floor(float64(x)))
	case Ceil:
		return float32(math.Ceil(float64(x)))
	case Round:
		return float32(math.RoundToEven(float64(x)))
	case Trunc:
		return float32(math.Trunc(float64(x)))
	}
	panic("BUG: lane: no such float operation")
}
