package cost

import "context"

// Kind is who wrote a piece of code.
type Kind int

// Kinds of code.
const (
	Kernel  Kind = iota // generated assembly
	Driver              // Go of the package that is measured
	Library             // of Go's library, as memmove
	kinds
)

// Sum is what some code cost.
type Sum struct {
	Instructions [kinds]uint64
	FMLAs        uint64 // vector multiply-adds
	// GEMM is the instructions of inner loops of matrix products, and GEMMFMLAs the
	// multiply-adds among them.
	GEMM, GEMMFMLAs uint64
	// Cycles are modelled; GEMMCycles those of the inner loops, and GEMMAdds the
	// multiply-adds in them: cores that issue in order have loops of their own.
	Cycles, GEMMCycles map[CPU]float64
	GEMMAdds           map[CPU]uint64
}

// All is the instructions of all kinds.
func (s *Sum) All() uint64 {
	return s.Instructions[Kernel] + s.Instructions[Driver] + s.Instructions[Library]
}

// Add adds another sum.
func (s *Sum) Add(o *Sum) {
	for k := range s.Instructions {
		s.Instructions[k] += o.Instructions[k]
	}
	s.FMLAs += o.FMLAs
	s.GEMM += o.GEMM
	s.GEMMFMLAs += o.GEMMFMLAs
	if s.Cycles == nil {
		s.Cycles, s.GEMMCycles, s.GEMMAdds = map[CPU]float64{}, map[CPU]float64{}, map[CPU]uint64{}
	}
	for c, n := range o.Cycles {
		s.Cycles[c] += n
		s.GEMMCycles[c] += o.GEMMCycles[c]
		s.GEMMAdds[c] += o.GEMMAdds[c]
	}
}

// PeakShare is the part of a core's peak rate of multiply-adds that inner loops of
// matrix products reach in the model.
func (s *Sum) PeakShare(c CPU) float64 {
	if s.GEMMCycles[c] == 0 {
		return 0
	}
	return float64(s.GEMMAdds[c]) / s.GEMMCycles[c] / c.peak()
}

// Cost is the sums of a run.
type Cost struct {
	ByLabel map[uint64]*Sum
	// BySymbol has the instructions of each function under every label.
	BySymbol map[uint64]map[string]uint64
}

// Sum multiplies counts by the models' cycles of the blocks.
func (m *Model) Sum(ctx context.Context, code *Code, counts Counts, kindOf func(symbol string) Kind) (*Cost, error) {
	// A block's first instruction tells how often it ran.
	ran := func(label map[uint64]uint64, b *Block) uint64 { return label[b.Code[0].Addr] }
	var used []*Block
	for _, b := range code.Blocks {
		for _, label := range counts {
			if ran(label, b) > 0 {
				used = append(used, b)
				break
			}
		}
	}
	cycles := map[CPU][]float64{}
	for _, cpu := range CPUs() {
		v, err := m.Cycles(ctx, cpu, used)
		if err != nil {
			return nil, err
		}
		cycles[cpu] = v
	}
	c := &Cost{ByLabel: map[uint64]*Sum{}, BySymbol: map[uint64]map[string]uint64{}}
	for label, at := range counts {
		s := &Sum{Cycles: map[CPU]float64{}, GEMMCycles: map[CPU]float64{}, GEMMAdds: map[CPU]uint64{}}
		c.ByLabel[label], c.BySymbol[label] = s, map[string]uint64{}
		for i, b := range used {
			n := ran(at, b)
			if n == 0 {
				continue
			}
			all := n * uint64(len(b.Code))
			fmlas := n * uint64(b.FMLAs())
			s.Instructions[kindOf(b.Symbol.Name)] += all
			s.FMLAs += fmlas
			if b.GEMM {
				s.GEMM += all
				s.GEMMFMLAs += fmlas
			}
			c.BySymbol[label][b.Symbol.Name] += all
			for _, cpu := range CPUs() {
				s.Cycles[cpu] += float64(n) * cycles[cpu][i]
				if b.GEMM {
					s.GEMMCycles[cpu] += float64(n) * cycles[cpu][i]
					s.GEMMAdds[cpu] += fmlas
				}
			}
		}
	}
	return c, nil
}
