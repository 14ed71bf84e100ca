// Package form is the table of A64 instruction forms: for each form its
// operands, what it reads and writes, the ranges of its immediates, its 32-bit
// encoding, its GNU text and, for the few that cmd/asm must lay out itself
// (branches, parameter loads, returns), its Go text.
//
// It knows nothing of register allocation, of avo or of kernels: operands are
// plain numbers.
//
// Source of the field layouts: Arm Architecture Reference Manual, A64.
package form

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Kind is the class of one operand.
type Kind uint8

// Operand kinds. The value of a register operand is its number; of a float32
// operand its IEEE bits; of a label its distance in bytes from the branch.
const (
	Vec    Kind = iota // V0-V31
	VecLow             // V0-V15: the by-element register of 16-bit lanes
	GP                 // R0-R30
	Imm                // int: immediate, lane index or byte offset
	Mask               // uint64: logical immediate
	Float              // float32: 8-bit floating-point immediate
	Cond               // condition code, 0-13
	Label              // branch target
)

// IsReg reports whether k is a register class.
func (k Kind) IsReg() bool { return k <= GP }

// Access tells how an instruction uses a register operand.
type Access uint8

// Access values; a tied operand (accumulator, partial write, updated base) is
// ReadWrite.
const (
	Read Access = 1 << iota
	Write
	ReadWrite = Read | Write
)

// Operand is one operand of a form, in the order of its constructor.
type Operand struct {
	Name   string
	Kind   Kind
	Access Access // registers only

	// Shift is the lowest bit of a register field; negative when the register is
	// implied by another one (the second to fourth register of a list).
	Shift int

	// Min, Max and Step bound an Imm or a Label. A Step of 0 means 1.
	Min, Max, Step int64

	// Enc gives the bits of a value, or tells why it has none. A register needs it
	// only when Shift does not say all.
	Enc func(v int64) (uint32, error)
}

// Form is one row of the table.
type Form struct {
	Name     string    // constructor
	Template string    // GNU text with $operand holes
	Word     uint32    // fixed bits
	Operands []Operand // constructor order: as cmd/asm writes them, destination last
	Doc      string    // meaning, where the template does not make it plain

	Go  string // cmd/asm text with $operand holes; "" means the form is emitted as a WORD
	ISA string // feature beyond Armv8.0 NEON: "FP16", "DotProd", or ""

	// Distinct lists operand pairs which must not be the same register: the
	// results of a pair load, and a general register with an updated base.
	Distinct [][2]int

	// List gives the operands forming a register list, which must be
	// consecutive modulo 32; empty when there is none.
	List []int

	ReadsFlags, WritesFlags bool
	Branch, Conditional     bool
	Terminal                bool
}

// RangeError is an operand value a form cannot encode.
type RangeError struct {
	Form, Operand string
	Value         int64
	Reason        string
}

func (e *RangeError) Error() string {
	return fmt.Sprintf("%s: %s = %d: %s", e.Form, e.Operand, e.Value, e.Reason)
}

func (f *Form) rangeErr(o Operand, v int64, format string, a ...any) error {
	return &RangeError{f.Name, o.Name, v, fmt.Sprintf(format, a...)}
}

// CheckValue tells whether v can be the i-th operand.
func (f *Form) CheckValue(i int, v int64) error {
	_, err := f.bits(i, v)
	return err
}

func (f *Form) bits(i int, v int64) (uint32, error) {
	o := f.Operands[i]
	switch {
	case o.Kind.IsReg():
		limit := map[Kind]int64{Vec: 31, VecLow: 15, GP: 30}[o.Kind]
		if v < 0 || v > limit {
			return 0, f.rangeErr(o, v, "no such register, want 0 to %d", limit)
		}
		if o.Enc != nil {
			return o.Enc(v)
		}
		if o.Shift < 0 {
			return 0, nil
		}
		return uint32(v) << o.Shift, nil
	case o.Kind == Imm || o.Kind == Label:
		if v < o.Min || v > o.Max {
			return 0, f.rangeErr(o, v, "out of range %d to %d", o.Min, o.Max)
		}
		if o.Step > 1 && v%o.Step != 0 {
			return 0, f.rangeErr(o, v, "not a multiple of %d", o.Step)
		}
	case o.Kind == Cond:
		if v < 0 || v > 13 {
			return 0, f.rangeErr(o, v, "no such condition")
		}
	}
	w, err := o.Enc(v)
	if err != nil {
		return 0, f.rangeErr(o, v, "%v", err)
	}
	return w, nil
}

// Check tells whether the operand values, registers included, form a valid
// instruction.
func (f *Form) Check(vals []int64) error {
	_, err := f.Encode(vals)
	return err
}

// Encode returns the instruction word.
func (f *Form) Encode(vals []int64) (uint32, error) {
	if len(vals) != len(f.Operands) {
		return 0, fmt.Errorf("%s: %d operands, want %d", f.Name, len(vals), len(f.Operands))
	}
	w := f.Word
	for i, v := range vals {
		b, err := f.bits(i, v)
		if err != nil {
			return 0, err
		}
		w |= b
	}
	for _, p := range f.Distinct {
		if vals[p[0]] == vals[p[1]] {
			return 0, fmt.Errorf("%s: %s and %s are both register %d, the result would be unpredictable",
				f.Name, f.Operands[p[0]].Name, f.Operands[p[1]].Name, vals[p[0]])
		}
	}
	for i, x := range f.List {
		if want := (vals[f.List[0]] + int64(i)) % 32; vals[x] != want {
			return 0, fmt.Errorf("%s: %s is V%d, the list needs V%d", f.Name, f.Operands[x].Name, vals[x], want)
		}
	}
	return w, nil
}

// CondNames are the GNU condition names by code.
var CondNames = [...]string{"eq", "ne", "hs", "lo", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le"}

// Text renders a template ($$ is a dollar sign); text overrides the rendering of an operand when it
// returns true (labels by name, registers not yet allocated).
func (f *Form) Text(template string, vals []int64, text func(i int) (string, bool)) string {
	var b strings.Builder
	for {
		pre, rest, ok := strings.Cut(template, "$")
		b.WriteString(pre)
		if !ok {
			break
		}
		if strings.HasPrefix(rest, "$") {
			b.WriteByte('$')
			template = rest[1:]
			continue
		}
		n := 0
		for n < len(rest) && (rest[n] >= 'a' && rest[n] <= 'z' || n > 0 && rest[n] >= '0' && rest[n] <= '9') {
			n++
		}
		name := rest[:n]
		template = rest[n:]
		i := f.index(name)
		if text != nil {
			if s, ok := text(i); ok {
				b.WriteString(s)
				continue
			}
		}
		b.WriteString(f.Operands[i].text(vals[i]))
	}
	// A zero offset is not written: [x1], not [x1, #0].
	s := b.String()
	if t, ok := strings.CutSuffix(s, ", #0]"); ok {
		s = t + "]"
	}
	return s
}

func (o Operand) text(v int64) string {
	switch o.Kind {
	case Mask:
		return "0x" + strconv.FormatUint(uint64(v), 16)
	case Float:
		s := strconv.FormatFloat(float64(math.Float32frombits(uint32(v))), 'f', -1, 32)
		if !strings.Contains(s, ".") {
			s += ".0"
		}
		return s
	case Cond:
		return CondNames[v]
	}
	return strconv.FormatInt(v, 10)
}

// GNU returns the GNU text of the instruction. A label operand is written as a
// distance in bytes.
func (f *Form) GNU(vals []int64) string { return f.Text(f.Template, vals, nil) }

func (f *Form) index(name string) int {
	for i, o := range f.Operands {
		if o.Name == name {
			return i
		}
	}
	panic("BUG: form " + f.Name + " has no operand " + name)
}

// All returns the table in a fixed order. It must not be modified.
func All() []*Form { return table }

// ByName returns the named form, or nil.
func ByName(name string) *Form { return byName[name] }

var table, byName = buildTable()

func buildTable() ([]*Form, map[string]*Form) {
	var t []*Form
	for _, part := range [][]*Form{gpForms(), branchForms(), memForms(), listForms(), fpForms(), fpScalarForms(), intForms(), permuteForms(), wideForms()} {
		t = append(t, part...)
	}
	m := make(map[string]*Form, len(t))
	for _, f := range t {
		if m[f.Name] != nil {
			panic("BUG: two forms named " + f.Name)
		}
		m[f.Name] = f
	}
	return t, m
}
