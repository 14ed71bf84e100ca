package arm64

import (
	"fmt"
	"go/types"
	"regexp"
	"strings"

	"github.com/mmcloughlin/avo/gotypes"
)

// sizes are those of arm64; avo's own are of amd64, equal for all basic types.
var sizes = types.SizesFor("gc", "arm64")

// Load moves a scalar parameter to a new general register: pointers and ints
// whole, narrower integers extended by their sign, float32 as its bits. Parts of
// a slice or string are named x_base, x_len and x_cap.
func (c *Context) Load(param string) GP {
	d := c.GP()
	b := c.param(param, false)
	if b == nil {
		return d
	}
	op, ok := map[types.BasicKind]string{
		types.Bool: "MOVBU", types.Uint8: "MOVBU", types.Int8: "MOVB",
		types.Uint16: "MOVHU", types.Int16: "MOVH",
		types.Uint32: "MOVWU", types.Float32: "MOVWU", types.Int32: "MOVW",
		types.Int: "MOVD", types.Uint: "MOVD", types.Int64: "MOVD", types.Uint64: "MOVD",
		types.Uintptr: "MOVD", types.UnsafePointer: "MOVD", types.Float64: "MOVD",
	}[b.Type.Kind()]
	if !ok {
		c.fail("parameter %s: no load of type %s", param, b.Type)
		return d
	}
	gnu := map[string]string{"MOVBU": "ldrb w", "MOVB": "ldrsb x", "MOVHU": "ldrh w", "MOVH": "ldrsh x", "MOVWU": "ldr w", "MOVW": "ldrsw x", "MOVD": "ldr x"}[op]
	addr, off := b.Addr.Asm(), b.Addr.Disp
	c.pseudo("Load", nil, d.r, func(n int64) (string, []string, []string) {
		return op, []string{addr, fmt.Sprintf("R%d", n)}, []string{fmt.Sprintf("%s%d, [sp, #%d]", gnu, n, off+frameLink)}
	})
	return d
}

// LoadS moves a float32 parameter to lane 0 of a new vector register and clears
// the other lanes.
func (c *Context) LoadS(param string) Vec {
	d := c.Vec()
	b := c.param(param, false)
	if b == nil {
		return d
	}
	if b.Type.Kind() != types.Float32 {
		c.fail("parameter %s: type %s, want float32", param, b.Type)
		return d
	}
	addr, off := b.Addr.Asm(), b.Addr.Disp
	c.pseudo("LoadS", nil, d.r, func(n int64) (string, []string, []string) {
		return "FMOVS", []string{addr, fmt.Sprintf("F%d", n)}, []string{fmt.Sprintf("ldr s%d, [sp, #%d]", n, off+frameLink)}
	})
	return d
}

// Store writes a general register to a named result of 4 or 8 bytes.
func (c *Context) Store(s GP, result string) {
	b := c.param(result, true)
	if b == nil {
		return
	}
	op, r := "MOVD", "x"
	switch n := sizes.Sizeof(b.Type); n {
	case 8:
	case 4:
		op, r = "MOVW", "w"
	default:
		c.fail("result %s: no store of %d bytes", result, n)
		return
	}
	addr, off := b.Addr.Asm(), b.Addr.Disp
	c.pseudo("Store", s.r, nil, func(n int64) (string, []string, []string) {
		return op, []string{fmt.Sprintf("R%d", n), addr}, []string{fmt.Sprintf("str %s%d, [sp, #%d]", r, n, off+frameLink)}
	})
}

// StoreS writes lane 0 of a vector register to a named float32 result.
func (c *Context) StoreS(s Vec, result string) {
	b := c.param(result, true)
	if b == nil {
		return
	}
	if b.Type.Kind() != types.Float32 {
		c.fail("result %s: type %s, want float32", result, b.Type)
		return
	}
	addr, off := b.Addr.Asm(), b.Addr.Disp
	c.pseudo("StoreS", s.r, nil, func(n int64) (string, []string, []string) {
		return "FMOVS", []string{fmt.Sprintf("F%d", n), addr}, []string{fmt.Sprintf("str s%d, [sp, #%d]", n, off+frameLink)}
	})
}

// frameLink is the distance from SP to the first parameter in a leaf function
// with an empty frame: the slot of the link register.
const frameLink = 8

// registerName matches the words cmd/asm reads as a register, so that the operand
// g+8(FP) would not be a parameter.
var registerName = regexp.MustCompile(`^(g|R[0-9]+|R[0-9]+_PLATFORM|[FV][0-9]+|ZR|LR|RSP|SP|FP|PC|SB)$`)

// param resolves a parameter or a result; nil after an error.
func (c *Context) param(name string, result bool) *gotypes.Basic {
	if !c.needFunction() {
		return nil
	}
	if registerName.MatchString(name) {
		c.fail("%s: cmd/asm takes this name for a register", name)
		return nil
	}
	tuple := c.fn.Signature.Params()
	if result {
		tuple = c.fn.Signature.Results()
	}
	b, err := tuple.Lookup(name).Resolve()
	if err != nil {
		for _, p := range []struct {
			suffix string
			part   func(gotypes.Component) gotypes.Component
		}{{"_base", gotypes.Component.Base}, {"_len", gotypes.Component.Len}, {"_cap", gotypes.Component.Cap}} {
			if whole, ok := strings.CutSuffix(name, p.suffix); ok {
				b, err = p.part(tuple.Lookup(whole)).Resolve()
			}
		}
	}
	if err != nil {
		c.fail("%s: %w", name, err)
		return nil
	}
	return b
}
