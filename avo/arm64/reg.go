package arm64

import (
	"fmt"

	"github.com/mmcloughlin/avo/reg"
)

// Register kinds private to this package; avo uses 0 to 3.
const (
	kindGP    reg.Kind = 0x40
	kindVec   reg.Kind = 0x41
	kindFlags reg.Kind = 0x42 // one pseudo register, NZCV: only for liveness
)

// physical is a physical arm64 register. reg.Register has unexported methods, so
// an arbitrary register is embedded to inherit them; every exported method that
// avo's passes consult is overridden.
type physical struct {
	reg.Physical
	kind reg.Kind
	num  int
	name string
	spec reg.Spec
}

func (p physical) ID() reg.ID               { return physicalID(p.kind, p.num, p.spec) }
func (p physical) Kind() reg.Kind           { return p.kind }
func (p physical) PhysicalIndex() reg.Index { return reg.Index(p.num) }
func (p physical) Info() reg.Info           { return reg.None }
func (p physical) Asm() string              { return p.name }
func (p physical) Size() uint               { return p.spec.Size() }
func (p physical) Mask() uint16             { return p.spec.Mask() }

// physicalID relies on one property of avo's identifiers: bit 0 tells virtual
// from physical.
func physicalID(k reg.Kind, num int, s reg.Spec) reg.ID {
	return reg.NewVirtual(reg.Index(num), k, s).ID() &^ 1
}

// GP is a 64-bit general register; Vec a 128-bit vector register. Either may be
// virtual (allocated by Compile) or fixed (R, V).
type GP struct{ r reg.Register }

// Vec is a 128-bit vector register.
type Vec struct{ r reg.Register }

var (
	gpRegs  [31]reg.Register
	vecRegs [32]reg.Register
	flags   = physical{Physical: reg.RAX, kind: kindFlags, name: "NZCV", spec: reg.S64}
)

func init() {
	for i := range gpRegs {
		gpRegs[i] = physical{Physical: reg.RAX, kind: kindGP, num: i, name: fmt.Sprintf("R%d", i), spec: reg.S64}
	}
	for i := range vecRegs {
		vecRegs[i] = physical{Physical: reg.RAX, kind: kindVec, num: i, name: fmt.Sprintf("V%d", i), spec: reg.S128}
	}
}

// allocatable lists the general registers the allocator may use. R18 belongs to
// the platform, R27 to cmd/asm, R28 holds g, R29 and R30 are frame and link.
// R16 and R17 are usable because functions make no calls.
var allocatable = map[reg.Kind][]int{
	kindGP: {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 19, 20, 21, 22, 23, 24, 25, 26},
	kindVec: {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27,
		28, 29, 30, 31},
}

// R is a fixed general register; i must be one the allocator may use, else
// Compile reports it.
func R(i int) GP {
	if i < 0 || i >= len(gpRegs) {
		panic(fmt.Sprintf("BUG: no general register %d", i))
	}
	return GP{gpRegs[i]}
}

// V is a fixed vector register.
func V(i int) Vec {
	if i < 0 || i >= len(vecRegs) {
		panic(fmt.Sprintf("BUG: no vector register %d", i))
	}
	return Vec{vecRegs[i]}
}
