package arm64

import (
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flexnnc/flexnnc/avo/arm64/form"
	"github.com/flexnnc/flexnnc/avo/arm64/internal/formtest"
	"github.com/mmcloughlin/avo/reg"
)

// The machine state the executed test loads before and stores after one
// instruction: V0-V31, R0-R15, then the four flag bits as 64-bit words.
const (
	stateGP    = 32 * 16
	stateFlags = stateGP + 16*8
	stateBytes = stateFlags + 4*8
	memBytes   = 4096 // what base registers point into the middle of
)

// runQEMU builds the module for arm64 and runs it under emulation.
func runQEMU(t *testing.T, dir string) string {
	t.Helper()
	qemu, err := exec.LookPath("qemu-aarch64")
	if err != nil {
		t.Skip("not installed: qemu-aarch64")
	}
	bin := filepath.Join(dir, "kern.bin")
	if out, err := goTool(t, dir, "build", "-o", bin, "."); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	cmd := exec.Command(qemu, "-cpu", "max", bin)
	cmd.Env = os.Environ()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("run: %v\n%.4000s", err, out)
	}
	return string(out)
}

// probe emits a function that runs one instruction on a whole machine state.
func probe(c *Context, name string, f *form.Form, vals []int64) {
	c.Function(name, "func(in, out *byte)")
	in, out := c.Load("in"), c.Load("out")
	for i := 0; i < 32; i += 2 {
		c.LDPQ(16*i, in, V(i), V(i+1))
	}
	for i := range 16 {
		c.LDRX(stateGP+8*i, in, R(i))
	}
	t, u := c.GP(), c.GP()
	c.LDRX(stateFlags, in, t)
	c.LDRX(stateFlags+8, in, u)
	c.CMP(u, t)
	args := make([]any, len(vals))
	for i, o := range f.Operands {
		switch o.Kind {
		case form.Vec, form.VecLow:
			args[i] = V(int(vals[i]))
		case form.GP:
			args[i] = R(int(vals[i]))
		default:
			args[i] = vals[i]
		}
	}
	// All registers are alive across the instruction, whatever it declares.
	c.op(f.Name, args...)
	for i, cond := range []Cond{EQ, HS, MI, VS} {
		c.CSET(cond, t)
		c.STRX(t, stateFlags+8*i, out)
	}
	for i := 0; i < 32; i += 2 {
		c.STPQ(V(i), V(i+1), 16*i, out)
	}
	for i := range 16 {
		c.STRX(R(i), stateGP+8*i, out)
	}
	c.RET()
}

const probeMain = `package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand"
	"unsafe"
)

type probe struct {
	name               string
	fn                 func(in, out *byte)
	read, write        []int // byte offsets of registers in the state
	base, index        int   // offsets of address registers, -1 if none
	readsFlags, writesFlags bool
}

const (
	gp, flags, size, memSize = %d, %d, %d, %d
)

var mem, pattern = make([]byte, memSize), make([]byte, memSize)

func width(off int) int {
	if off < gp {
		return 16
	}
	return 8
}

// fill draws a state; lanes are plain small floats, integers or bits.
func fill(r *rand.Rand, s []byte) {
	for i := 0; i < gp; i += 16 {
		switch r.Intn(6) {
		case 0:
			for j := 0; j < 16; j += 4 {
				binary.LittleEndian.PutUint32(s[i+j:], math.Float32bits(float32(r.Intn(64)-32)/4))
			}
		case 1:
			for j := 0; j < 16; j++ {
				s[i+j] = byte(r.Intn(40))
			}
		case 2:
			for j := 0; j < 16; j += 4 {
				s[i+j] = byte(r.Intn(200))
			}
		case 3:
			s[i], s[i+8] = byte(r.Intn(200)), byte(r.Intn(200))
		case 4: // zero
		default:
			r.Read(s[i : i+16])
		}
	}
	for i := gp; i < flags; i += 8 {
		if r.Intn(4) > 0 {
			r.Read(s[i : i+8])
		}
	}
	binary.LittleEndian.PutUint64(s[flags:], uint64(r.Intn(4)-2))
	binary.LittleEndian.PutUint64(s[flags+8:], uint64(r.Intn(4)-2)<<(62*uint(r.Intn(2))))
}

func (p probe) point(s []byte) {
	if p.index >= 0 {
		binary.LittleEndian.PutUint64(s[p.index:], 64)
	}
	if p.base >= 0 {
		binary.LittleEndian.PutUint64(s[p.base:], uint64(uintptr(unsafe.Pointer(&mem[memSize/2]))))
	}
}

func (p probe) run(in []byte) (out, after []byte) {
	out = make([]byte, size)
	if p.base < 0 {
		p.fn(&in[0], &out[0])
		return out, nil
	}
	copy(mem, pattern)
	p.fn(&in[0], &out[0])
	return out, append([]byte(nil), mem...)
}

func has(l []int, x int) bool {
	for _, y := range l {
		if x == y {
			return true
		}
	}
	return false
}

// regs visits the offsets of all registers.
func regs(f func(off int)) {
	for o := 0; o < gp; o += 16 {
		f(o)
	}
	for o := gp; o < flags; o += 8 {
		f(o)
	}
}

func flagBits(t, u uint64) [4]bool {
	d := t - u
	return [4]bool{d == 0, t >= u, int64(d) < 0, (int64(t) < int64(u)) != (int64(d) < 0)}
}

func main() {
	r := rand.New(rand.NewSource(3))
	r.Read(pattern)
	for _, p := range probes {
		changed, depends, flagsChanged, flagsMatter := map[int]bool{}, map[int]bool{}, false, false
		for trial := 0; trial < 200; trial++ {
			if trial >= 8 && len(changed) >= len(p.write) && (p.base >= 0 || len(depends) >= len(p.read)) && flagsChanged == p.writesFlags && flagsMatter == p.readsFlags {
				break // all that is declared was seen
			}
			in := make([]byte, size)
			fill(r, in)
			p.point(in)
			out, m := p.run(in)
			regs(func(o int) {
				if w := width(o); !bytes.Equal(in[o:o+w], out[o:o+w]) {
					changed[o] = true
					if !has(p.write, o) {
						fmt.Printf("%%s writes the register at %%d without saying so\n", p.name, o)
					}
				}
			})
			t, u := binary.LittleEndian.Uint64(in[flags:]), binary.LittleEndian.Uint64(in[flags+8:])
			for i, b := range flagBits(t, u) {
				if b != (out[flags+8*i] == 1) {
					flagsChanged = true
				}
			}
			// Replace one register at a time: results may change only if it is read.
			other := make([]byte, size)
			fill(r, other)
			regs(func(o int) {
				w := width(o)
				if o == p.base {
					return
				}
				in2 := append([]byte(nil), in...)
				copy(in2[o:o+w], other[o:o+w])
				if o == p.index {
					binary.LittleEndian.PutUint64(in2[o:], 80)
				}
				out2, m2 := p.run(in2)
				same := bytes.Equal(m, m2)
				for _, x := range p.write {
					same = same && bytes.Equal(out[x:x+width(x)], out2[x:x+width(x)])
				}
				if p.writesFlags {
					same = same && bytes.Equal(out[flags:], out2[flags:])
				}
				if !same {
					depends[o] = true
					if !has(p.read, o) {
						fmt.Printf("%%s reads the register at %%d without saying so\n", p.name, o)
					}
				}
			})
			in2 := append([]byte(nil), in...)
			copy(in2[flags:], other[flags:])
			out2, _ := p.run(in2)
			for _, x := range p.write {
				if !bytes.Equal(out[x:x+width(x)], out2[x:x+width(x)]) {
					flagsMatter = true
				}
			}
		}
		for _, o := range p.write {
			if !changed[o] {
				fmt.Printf("%%s never writes the register at %%d\n", p.name, o)
			}
		}
		for _, o := range p.read {
			if !depends[o] && o != p.base && p.base < 0 {
				fmt.Printf("%%s does not need the register at %%d\n", p.name, o)
			}
		}
		if flagsChanged != p.writesFlags {
			fmt.Printf("%%s: changes flags: %%v, declared %%v\n", p.name, flagsChanged, p.writesFlags)
		}
		if flagsMatter != p.readsFlags {
			fmt.Printf("%%s: depends on flags: %%v, declared %%v\n", p.name, flagsMatter, p.readsFlags)
		}
	}
	fmt.Printf("%%d probes\n", len(probes))
}
`

// TestReadsAndWrites executes every form once on random machine states and
// compares what it reads and writes with what the table says: an undeclared
// write or read would let the allocator break a kernel.
func TestReadsAndWrites(t *testing.T) {
	if testing.Short() {
		t.Skip("short")
	}
	r := rand.New(rand.NewSource(4))
	c := New()
	var list strings.Builder
	probes := 0
	for _, f := range form.All() {
		if f.Branch || f.Terminal {
			continue
		}
		vals := distinctOperands(r, f)
		name := fmt.Sprintf("probe%d", probes)
		probes++
		probe(c, name, f, vals)
		var read, write []string
		base, index := -1, -1
		memory := strings.Contains(f.Template, "[x$n")
		for i, o := range f.Operands {
			if !o.Kind.IsReg() {
				continue
			}
			off := int(vals[i]) * 16
			if o.Kind == form.GP {
				off = stateGP + int(vals[i])*8
			}
			switch {
			case memory && o.Name == "n":
				base = off
			case memory && o.Name == "m":
				index = off
			}
			if o.Access&form.Read != 0 {
				read = append(read, fmt.Sprint(off))
			}
			if o.Access&form.Write != 0 {
				write = append(write, fmt.Sprint(off))
			}
		}
		fmt.Fprintf(&list, "\t{name: %q, fn: %s, read: []int{%s}, write: []int{%s}, base: %d, index: %d, readsFlags: %v, writesFlags: %v},\n",
			f.GNU(vals), name, strings.Join(read, ", "), strings.Join(write, ", "), base, index, f.ReadsFlags, f.WritesFlags)
	}
	dir := kernModule(t, c, "main", map[string]string{
		"main.go":   fmt.Sprintf(probeMain, stateGP, stateFlags, stateBytes, memBytes),
		"probes.go": "package main\n\nvar probes = []probe{\n" + list.String() + "}\n",
	})
	out := runQEMU(t, dir)
	last := fmt.Sprintf("%d probes\n", probes)
	if faults, ok := strings.CutSuffix(out, last); !ok || faults != "" {
		t.Errorf("\n%.6000s", out)
	}
	t.Log(last)
}

// distinctOperands samples operands whose registers all differ, with small
// offsets, so that each register shows its own part.
func distinctOperands(r *rand.Rand, f *form.Form) []int64 {
	for {
		vals := formtest.Sample(r, f, 2, 16)
		seen := map[reg.ID]bool{}
		ok := true
		for i, o := range f.Operands {
			var id reg.ID
			switch {
			case o.Kind == form.GP:
				id = R(int(vals[i])).r.ID()
			case o.Kind.IsReg():
				id = V(int(vals[i])).r.ID()
			default:
				if o.Name == "shift" && o.Min == 1 && vals[i] > o.Max/2 {
					ok = false // keep some bits
				}
				ok = ok && (o.Name != "index" || vals[i] > 0)
				if o.Name == "off" && (vals[i] > memBytes/4 || vals[i] < -memBytes/4) {
					ok = false
				}
				continue
			}
			ok = ok && !seen[id]
			seen[id] = true
		}
		if ok {
			return vals
		}
	}
}
