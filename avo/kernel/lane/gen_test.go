package lane

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flexnnc/flexnnc/avo/amd64"
	"github.com/flexnnc/flexnnc/avo/kernel/lane/sample"
	"github.com/flexnnc/flexnnc/ir/lane"
)

// TestCommitted checks that the committed package holds what the generators make
// now, and that they make the same from programs in another order.
func TestCommitted(t *testing.T) {
	programs := sample.Programs()
	files, err := Generate("kernels", programs)
	if err != nil {
		t.Fatal(err)
	}
	more, err := Versions("kernels", programs)
	if err != nil {
		t.Fatal(err)
	}
	for n, b := range more {
		files[n] = b
	}
	for i := range programs[:len(programs)/2] {
		j := len(programs) - 1 - i
		programs[i], programs[j] = programs[j], programs[i]
	}
	again, err := Generate("kernels", append(programs, programs[0]))
	if err != nil {
		t.Fatal(err)
	}
	for n, b := range files {
		committed, err := os.ReadFile(filepath.Join("../../../generated/kernels", n))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(b, committed) {
			t.Errorf("%s is out of date: go run ./avo/kernel/gen", n)
		}
		if a, ok := again[n]; ok && !bytes.Equal(a, b) {
			t.Errorf("%s depends on the order of the programs", n)
		}
	}
}

func TestNames(t *testing.T) {
	for _, c := range []struct {
		name   string
		reduce lane.Reduction
		want   string
	}{
		{"exp", lane.Store, "mapExp"},
		{"add_relu", lane.Store, "mapAddRelu"},
		{"a1b", lane.Store, "mapA1b"},
		{"a_1b", lane.Store, "mapA_1b"},
		{"x", lane.ReduceSum, "reduceSumX"},
		{"x", lane.ReduceMax, "reduceMaxX"},
		{"x", lane.ReduceMin, "reduceMinX"},
	} {
		if got := Name(&lane.Program{Name: c.name, Reduce: c.reduce}); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestGenerateErrors(t *testing.T) {
	if files, err := Generate("p", nil); err != nil || len(files) != 0 {
		t.Errorf("no programs: %d files, %v", len(files), err)
	}
	b := lane.New("bad")
	p := b.Return(b.Add(b.Vec(), b.Vec()))
	p.Insts[2].A = 5
	if _, err := Generate("p", []*lane.Program{p}); err == nil || !strings.Contains(err.Error(), "reads result 5") {
		t.Errorf("got %v", err)
	}
	b = lane.New("crush")
	x := b.Vec()
	var vs []lane.Reg
	for k := range 100 {
		vs = append(vs, b.Mul(x, b.F(float32(k)+0.5)))
	}
	v := x
	for k := range vs {
		v = b.Add(v, vs[len(vs)-1-k*37%100])
	}
	if _, err := Generate("p", []*lane.Program{b.Return(v)}); err == nil || !strings.Contains(err.Error(), "values to spill") {
		t.Errorf("got %v", err)
	}
}

// TestPlans pins down how groups are laid out: nothing of everyday use spills, and
// constants stay in registers.
func TestPlans(t *testing.T) {
	crowded := func(name string) bool {
		return name == "crowd" || name == "many_masks" || strings.HasPrefix(name, "random")
	}
	for _, p := range sample.Programs() {
		for _, i := range []isa{avx512, avx2} {
			x, pl, err := planX86(amd64.New(), p, i, true)
			if err == errMasks {
				x, pl, err = planX86(amd64.New(), p, i, false)
			}
			if err != nil {
				t.Fatal(err)
			}
			var c cost
			for _, b := range x.k.split(pl.interleave) {
				more, err := x.k.sequence(b, true).allocate(pl.files, nil, false)
				if err != nil {
					t.Fatal(err)
				}
				c = c.plus(more)
			}
			t.Logf("%-20s %-6s %d constants, %d pinned, %d interleaved: %+v", p.Name, i, len(x.k.invariants), len(pl.files.pinned), pl.interleave, c)
			if c.spills > 0 && !crowded(p.Name) {
				t.Errorf("%s on %s spills %d times", p.Name, i, c.spills)
			}
		}
	}
}
