package cost

import (
	"bufio"
	"bytes"
	"context"
	"debug/elf"
	"fmt"
	"os/exec"
	"regexp"
	"sort"
	"strconv"
	"strings"
)

// Symbol is a function of the program.
type Symbol struct {
	Name   string
	Lo, Hi uint64
}

// Instruction is one as the disassembler prints it.
type Instruction struct {
	Addr uint64
	Text string // without the names of targets
	// Target is where a branch goes, 0 where that is not in the instruction.
	Target uint64
	// Ends says that the next instruction may not be executed after this one.
	Ends bool
}

// Block is a straight piece of code, entered at its start only.
type Block struct {
	Symbol *Symbol
	Code   []Instruction
	// GEMM says that it lies in an innermost loop at least half of whose instructions are
	// multiply-adds by elements that it loads: the inner loop of a product of matrices.
	// Transforms multiply by factors that stay.
	GEMM bool
}

// Code is the functions of a program and their blocks.
type Code struct {
	Lo, Hi  uint64 // of all the text
	Symbols []*Symbol
	Blocks  []*Block // by address
}

// Read disassembles the functions of an ELF file whose names want accepts.
func (t *Tools) Read(ctx context.Context, path string, want func(name string) bool) (*Code, error) {
	f, err := elf.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text := f.Section(".text")
	if text == nil {
		return nil, fmt.Errorf("%s has no text section", path)
	}
	c := &Code{Lo: text.Addr, Hi: text.Addr + text.Size}
	symbols, err := f.Symbols()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for _, s := range symbols {
		if elf.ST_TYPE(s.Info) == elf.STT_FUNC && s.Size > 0 && want(s.Name) {
			c.Symbols = append(c.Symbols, &Symbol{s.Name, s.Value, s.Value + s.Size})
		}
	}
	if len(c.Symbols) == 0 {
		return nil, fmt.Errorf("%s has none of the functions looked for", path)
	}
	sort.Slice(c.Symbols, func(i, j int) bool { return c.Symbols[i].Lo < c.Symbols[j].Lo })
	code, err := t.disassemble(ctx, path, c.Symbols)
	if err != nil {
		return nil, err
	}
	for _, s := range c.Symbols {
		c.Blocks = append(c.Blocks, blocks(s, code[s])...)
	}
	return c, nil
}

// near is the bytes between functions that are disassembled in one go.
const near = 4 << 10

// disassemble runs llvm-objdump over runs of neighbouring functions.
func (t *Tools) disassemble(ctx context.Context, path string, symbols []*Symbol) (map[*Symbol][]Instruction, error) {
	code := map[*Symbol][]Instruction{}
	for i := 0; i < len(symbols); {
		end := i + 1
		for end < len(symbols) && symbols[end].Lo < symbols[end-1].Hi+near {
			end++
		}
		cmd := exec.CommandContext(ctx, t.Objdump, "-d", "--no-show-raw-insn", "--mattr=+v8.2a,+fullfp16,+dotprod",
			fmt.Sprintf("--start-address=%#x", symbols[i].Lo), fmt.Sprintf("--stop-address=%#x", symbols[end-1].Hi), path)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("%s: %w: %s", t.Objdump, err, stderr.String())
		}
		lines := bufio.NewScanner(bytes.NewReader(out))
		k := i
		for lines.Scan() {
			in, ok := parseLine(lines.Text())
			if !ok {
				continue
			}
			for k < end && in.Addr >= symbols[k].Hi {
				k++
			}
			if k < end && in.Addr >= symbols[k].Lo {
				code[symbols[k]] = append(code[symbols[k]], in)
			}
		}
		i = end
	}
	return code, nil
}

var (
	codeLine = regexp.MustCompile(`^\s*([0-9a-f]+):\s+(\S.*)$`)
	branch   = regexp.MustCompile(`^(b|b\.\w+|bl|cbn?z|tbn?z)\s(?:.*\s)?(0x[0-9a-f]+)$`)
	ending   = regexp.MustCompile(`^(b|b\.\w+|bl|blr|br|ret|cbn?z|tbn?z|svc|brk|hlt|udf)\b`)
	symbolic = regexp.MustCompile(`\s*<.*>$`)
	blank    = regexp.MustCompile(`\s+`)
)

// parseLine reads a line as "  4a0: 	ldr	x1, [x0]".
func parseLine(line string) (in Instruction, ok bool) {
	line, _, _ = strings.Cut(line, "//")
	m := codeLine.FindStringSubmatch(line)
	if m == nil {
		return in, false
	}
	in.Addr, _ = strconv.ParseUint(m[1], 16, 64)
	in.Text = blank.ReplaceAllString(symbolic.ReplaceAllString(strings.TrimSpace(m[2]), ""), " ")
	if t := branch.FindStringSubmatch(in.Text); t != nil {
		in.Target, _ = strconv.ParseUint(t[2], 0, 64)
	}
	in.Ends = ending.MatchString(in.Text)
	return in, true
}

// blocks cuts a function behind what ends a block and before what a branch of the
// function goes to.
func blocks(s *Symbol, code []Instruction) []*Block {
	target := map[uint64]bool{}
	for i := range code {
		if t := code[i].Target; t >= s.Lo && t < s.Hi {
			target[t] = true
		}
	}
	var bs []*Block
	from := 0
	for i := range code {
		if i > from && target[code[i].Addr] {
			bs = append(bs, &Block{Symbol: s, Code: code[from:i]})
			from = i
		}
		if code[i].Ends {
			bs = append(bs, &Block{Symbol: s, Code: code[from : i+1]})
			from = i + 1
		}
	}
	if from < len(code) {
		bs = append(bs, &Block{Symbol: s, Code: code[from:]})
	}
	markGEMM(bs)
	return bs
}

var (
	byElement = regexp.MustCompile(`^fmla v\d+\.4s, v\d+\.4s, v(\d+)\.s\[\d\]$`)
	loads     = regexp.MustCompile(`^ld[^\[]*`)
	register  = regexp.MustCompile(`\b[dqsv](\d+)\b`)
	anyFMLA   = regexp.MustCompile(`^fmla v`)
)

// markGEMM finds innermost loops, from a branch back to its target, that multiply by
// elements which they load for a good part.
func markGEMM(bs []*Block) {
	type loop struct{ lo, hi uint64 }
	var loops []loop
	for _, b := range bs {
		last := b.Code[len(b.Code)-1]
		if last.Target != 0 && last.Target <= last.Addr && !strings.HasPrefix(last.Text, "bl ") {
			loops = append(loops, loop{last.Target, last.Addr})
		}
	}
	for _, l := range loops {
		inner := true
		for _, o := range loops {
			if o != l && o.lo >= l.lo && o.hi <= l.hi {
				inner = false
			}
		}
		if !inner {
			continue
		}
		var body []*Block
		multiplies, all := map[string]int{}, 0 // by the register with the element
		loaded := map[string]bool{}
		for _, b := range bs {
			if b.Code[0].Addr < l.lo || b.Code[0].Addr > l.hi {
				continue
			}
			body = append(body, b)
			for _, in := range b.Code {
				all++
				if m := byElement.FindStringSubmatch(in.Text); m != nil {
					multiplies[m[1]]++
				}
				for _, m := range register.FindAllStringSubmatch(loads.FindString(in.Text), -1) {
					loaded[m[1]] = true
				}
			}
		}
		gemm := 0
		for r, n := range multiplies {
			if loaded[r] {
				gemm += n
			}
		}
		for _, b := range body {
			b.GEMM = b.GEMM || 2*gemm >= all
		}
	}
}

// FMLAs is the vector multiply-adds of a block.
func (b *Block) FMLAs() int {
	n := 0
	for _, in := range b.Code {
		if anyFMLA.MatchString(in.Text) {
			n++
		}
	}
	return n
}
