package form

import (
	"fmt"
	"math"
	"math/rand"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// sample draws valid operand values: the bounds of every immediate first, then
// random ones.
func sample(r *rand.Rand, f *Form, round int) []int64 {
	vals := make([]int64, len(f.Operands))
	for {
		for i, o := range f.Operands {
			step := max(o.Step, 1)
			switch o.Kind {
			case Vec:
				vals[i] = r.Int63n(32)
			case VecLow:
				vals[i] = r.Int63n(16)
			case GP:
				vals[i] = r.Int63n(31)
			case Imm, Label:
				switch round {
				case 0:
					vals[i] = o.Min
				case 1:
					vals[i] = o.Max
				default:
					vals[i] = o.Min + r.Int63n((o.Max-o.Min)/step+1)*step
				}
				if o.Name == "imm" && o.Max == arith.Max && f.CheckValue(i, vals[i]) != nil {
					vals[i] = r.Int63n(4096)
				}
			case Mask:
				size := 2 << r.Intn(6)
				ones := 1 + r.Intn(size-1)
				e := uint64(1)<<ones - 1
				var v uint64
				for s := 0; s < 64; s += size {
					v |= e << s
				}
				k := r.Intn(64)
				vals[i] = int64(v<<k | v>>((64-k)&63))
			case Float:
				v := math.Ldexp(float64(16+r.Intn(16))/16, r.Intn(8)-3)
				if r.Intn(2) == 0 {
					v = -v
				}
				vals[i] = int64(math.Float32bits(float32(v)))
			case Cond:
				vals[i] = r.Int63n(14)
			}
		}
		for i, x := range f.List {
			vals[x] = (vals[f.List[0]] + int64(i)) % 32
		}
		if f.Check(vals) == nil {
			return vals
		}
	}
}

type sampled struct {
	f    *Form
	gnu  string
	word uint32
}

func samples(t *testing.T, rounds int) []sampled {
	r := rand.New(rand.NewSource(1))
	var out []sampled
	for _, f := range All() {
		for k := 0; k < rounds; k++ {
			vals := sample(r, f, k)
			w, err := f.Encode(vals)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, sampled{f, f.GNU(vals), w})
		}
	}
	return out
}

// branchText is what llvm-mc reads as a byte distance.
func branchText(s sampled) string {
	if !s.f.Branch {
		return s.gnu
	}
	i := strings.LastIndexByte(s.gnu, ' ')
	return s.gnu[:i+1] + "#" + s.gnu[i+1:]
}

func lookTool(t *testing.T, names ...string) string {
	for _, n := range names {
		if p, err := exec.LookPath(n); err == nil {
			return p
		}
	}
	t.Skipf("none of %s installed", strings.Join(names, ", "))
	return ""
}

func TestEncodingsAgainstLLVM(t *testing.T) {
	mc := lookTool(t, "llvm-mc-19", "llvm-mc")
	ss := samples(t, 12)
	var src strings.Builder
	for _, s := range ss {
		fmt.Fprintln(&src, branchText(s))
	}
	cmd := exec.Command(mc, "-triple=aarch64", "-mattr=+fullfp16,+dotprod", "-show-encoding")
	cmd.Stdin = strings.NewReader(src.String())
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%.3000s", err, stderr.String())
	}
	ms := regexp.MustCompile(`encoding: \[0x(..),0x(..),0x(..),0x(..)\]`).FindAllStringSubmatch(string(out), -1)
	if len(ms) != len(ss) {
		t.Fatalf("%d encodings for %d instructions", len(ms), len(ss))
	}
	for i, m := range ms {
		w, err := strconv.ParseUint(m[4]+m[3]+m[2]+m[1], 16, 32)
		if err != nil {
			t.Fatal(err)
		}
		if uint32(w) != ss[i].word {
			t.Errorf("%s: %s: llvm-mc %08x, table %08x", ss[i].f.Name, ss[i].gnu, w, ss[i].word)
		}
	}
	t.Logf("%d instructions of %d forms", len(ss), len(All()))
}
