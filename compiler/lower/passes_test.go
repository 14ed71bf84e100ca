package lower

import (
	"fmt"
	"math/rand"
	"strings"
	"testing"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/google/go-cmp/cmp"
)

// after runs all passes and returns the state after the one of that name.
func after(t *testing.T, n *net, pass string) string {
	t.Helper()
	if err := op.Check(n.g); err != nil {
		t.Fatal(err)
	}
	before := evaluate(t, n.g)
	var dump string
	err := runPasses(n.g, Options{Dump: func(name string, g *op.Graph) {
		if name == pass {
			dump = g.String()
		}
		if diff := cmp.Diff(before, evaluate(t, g)); diff != "" {
			t.Errorf("pass %s changes the results: %s", name, diff)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	return dump
}

func expect(t *testing.T, got, want string) {
	t.Helper()
	want = strings.TrimPrefix(want, "\n")
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s\ngot\n%s", diff, got)
	}
}

func TestIdentity(t *testing.T) {
	n := newNet()
	x := n.input("x", 2, 3, 4)
	a := n.mapped("a", sameProgram, x)
	b := n.view("b", a, 2, 3, 4)
	c := n.transpose("c", n.window("w", b, []int{0, 0, 0}, 2, 3, 4), 0, 1, 2)
	n.output(n.concat("d", 1, c))
	expect(t, after(t, n, "identity"), `
net: 2 ops, 1 tensors
  0 input "x/in": -> %0 x f32[2,3,4]  user 4,3,2 perm 0,1,2
  1 output "d/out0": %0 x ->  user 4,3,2 perm 0,1,2
`)
}

func TestTransposes(t *testing.T) {
	n := newNet()
	x := n.relu("r", n.input("x", 2, 3, 4))
	a := n.transpose("a", x, 2, 0, 1)
	n.output(n.relu("back", n.transpose("b", a, 1, 2, 0)))  // there and back
	n.output(n.relu("other", n.transpose("c", a, 0, 2, 1))) // by now a's only reader
	y := n.relu("s", n.input("yy", 1, 3, 4))
	n.output(n.relu("flat", n.transpose("e", n.transpose("d", y, 2, 0, 1), 1, 2, 0)))
	expect(t, after(t, n, "identity"), `
net: 11 ops, 8 tensors
  0 input "x/in": -> %0 x f32[2,3,4]  user 4,3,2 perm 0,1,2
  1 map "r": %0 x -> %1 r f32[2,3,4]  relu
  2 map "back": %1 r -> %2 back f32[2,3,4]  relu
  3 output "back/out0": %2 back ->  user 4,3,2 perm 0,1,2
  4 copy "c": %1 r -> %3 c f32[4,3,2]  perm 2,1,0
  5 map "other": %3 c -> %4 other f32[4,3,2]  relu
  6 output "other/out1": %4 other ->  user 2,3,4 perm 0,1,2
  7 input "yy/in": -> %5 yy f32[1,3,4]  user 4,3,1 perm 0,1,2
  8 map "s": %5 yy -> %6 s f32[1,3,4]  relu
  9 map "flat": %6 s -> %7 flat f32[1,3,4]  relu
 10 output "flat/out2": %7 flat ->  user 4,3,1 perm 0,1,2
`)
}

func TestPorts(t *testing.T) {
	n := newNet()
	last := n.transpose("last", n.input("x", 3, 2, 4), 1, 2, 0)
	y := n.relu("y", last)
	n.output(n.transpose("planar", y, 2, 0, 1))
	n.output(y) // so that y is no mere map between ports
	expect(t, after(t, n, "ports"), `
net: 4 ops, 2 tensors
  0 input "x/in": -> %0 last f32[2,4,3]  user 4,2,3 perm 1,2,0
  1 map "y": %0 last -> %1 y f32[2,4,3]  relu
  2 output "planar/out0": %1 y ->  user 4,2,3 perm 1,2,0
  3 output "y/out1": %1 y ->  user 3,4,2 perm 0,1,2
`)
}

func TestConstants(t *testing.T) {
	n := newNet()
	x := n.input("x", 2, 3, 4)
	c := n.constant("c", func(i int) float32 { return float32(i) }, 4, 3, 2)
	turned := n.transpose("turned", c, 2, 1, 0)
	cut := n.window("cut", n.constant("d", func(i int) float32 { return float32(i * i) }, 2, 5, 4), []int{0, 1, 0}, 2, 3, 4)
	flat := n.view("flat", n.constant("e", func(i int) float32 { return float32(-i) }, 24), 2, 3, 4)
	n.output(n.sub("s", n.sub("r", n.sub("q", x, turned), cut), flat))
	expect(t, after(t, n, "constants"), `
net: 5 ops, 7 tensors
  0 input "x/in": -> %0 x f32[2,3,4]  user 4,3,2 perm 0,1,2
  1 map "q": %0 x %1 turned f32[2,3,4] const -> %4 q f32[2,3,4]  sub
  2 map "r": %4 q %2 cut f32[2,3,4] const -> %5 r f32[2,3,4]  sub
  3 map "s": %5 r %3 flat f32[2,3,4] const -> %6 s f32[2,3,4]  sub
  4 output "s/out0": %6 s ->  user 4,3,2 perm 0,1,2
`)
}

func TestAffine(t *testing.T) {
	n := newNet()
	x := n.input("x", 2, 2, 8)
	a := n.norm("a/scale", n.norm("a/norm", n.conv("a", x, 6))) // both
	g := n.concat("groups", 2, n.conv("g0", n.window("x0", a, []int{0, 0, 0}, 2, 2, 3), 4), n.conv("g1", n.window("x1", a, []int{0, 0, 3}, 2, 2, 3), 2))
	b := n.norm("b/norm", g) // into each group
	c := n.conv("c", b, 6)
	n.output(c)
	n.output(n.norm("c/norm", c)) // not: c is an output itself
	d := n.relu("d/relu", n.conv("d", b, 6))
	n.output(n.norm("d/norm", d)) // not: the relu comes first
	expect(t, after(t, n, "affine"), `
net: 15 ops, 16 tensors
  0 input "x/in": -> %0 x f32[2,2,8]  user 8,2,2 perm 0,1,2
  1 conv "a": %0 x -> %1 a/scale f32[2,2,6]  kernel 1,1 stride 1,1; panels 1 of K 8 folding 2
  2 view "x0": %1 a/scale -> %2 x0 f32[2,2,3]  from 0,0,0
  3 conv "g0": %2 x0 -> %3 g0 f32[2,2,4]  kernel 1,1 stride 1,1; panels 1 of K 3 folding 1
  4 view "x1": %1 a/scale -> %4 x1 f32[2,2,3]  from 0,0,3
  5 conv "g1": %4 x1 -> %5 g1 f32[2,2,2]  kernel 1,1 stride 1,1; panels 1 of K 3 folding 1
  6 concat "groups": %3 g0 %5 g1 -> %6 b/norm f32[2,2,6]  axis 2
  7 conv "c": %6 b/norm -> %7 c f32[2,2,6]  kernel 1,1 stride 1,1; panels 1 of K 6
  8 output "c/out0": %7 c ->  user 6,2,2 perm 0,1,2
  9 map "c/norm": %7 c %8 c/norm/scale f32[6] const %9 c/norm/shift f32[6] const -> %10 c/norm f32[2,2,6]  fma; affine
 10 output "c/norm/out1": %10 c/norm ->  user 6,2,2 perm 0,1,2
 11 conv "d": %6 b/norm -> %11 d f32[2,2,6]  kernel 1,1 stride 1,1; panels 1 of K 6
 12 map "d/relu": %11 d -> %12 d/relu f32[2,2,6]  relu
 13 map "d/norm": %12 d/relu %13 d/norm/scale f32[6] const %14 d/norm/shift f32[6] const -> %15 d/norm f32[2,2,6]  fma; affine
 14 output "d/norm/out2": %15 d/norm ->  user 6,2,2 perm 0,1,2
`)
}

// A block of a residual network, its shortcut made before, and one whose shortcut
// is made after the main branch: the addition joins the later convolution.
func TestEpilogue(t *testing.T) {
	n := newNet()
	x := n.relu("x/relu", n.conv("c0", n.input("x", 2, 2, 4), 4))
	a := n.conv("a2", n.relu("a1/relu", n.norm("a1/norm", n.conv("a1", x, 6))), 4)
	y := n.relu("y", n.sub("add", x, a))
	b := n.conv("b1", y, 4)
	s := n.conv("shortcut", y, 4)
	z := n.relu("z", n.sub("add2", b, s))
	slopes := n.constant("slopes", func(i int) float32 { return float32(i + 1) }, 4)
	p := n.mapped("prelu", fmaProgram, n.conv("c", z, 4), slopes, slopes)
	n.output(p)
	expect(t, after(t, n, "dead"), `
net: 8 ops, 8 tensors
  0 input "x/in": -> %0 x f32[2,2,4]  user 4,2,2 perm 0,1,2
  1 conv "c0": %0 x -> %1 x/relu f32[2,2,4]  kernel 1,1 stride 1,1; panels 1 of K 4; then relu
  2 conv "a1": %1 x/relu -> %2 a1/relu f32[2,2,6]  kernel 1,1 stride 1,1; panels 1 of K 4 folding 1; then relu
  3 conv "a2": %2 a1/relu -> %3 y f32[2,2,4]  kernel 1,1 stride 1,1; panels 1 of K 6; then sub_then_relu_first1 %1 x/relu
  4 conv "b1": %3 y -> %4 b1 f32[2,2,4]  kernel 1,1 stride 1,1; panels 1 of K 4
  5 conv "shortcut": %3 y -> %5 z f32[2,2,4]  kernel 1,1 stride 1,1; panels 1 of K 4; then sub_then_relu_first1 %4 b1
  6 conv "c": %5 z -> %7 prelu f32[2,2,4]  kernel 1,1 stride 1,1; panels 1 of K 4; then fma_same12 %6 slopes f32[4] const
  7 output "prelu/out0": %7 prelu ->  user 4,2,2 perm 0,1,2
`)
}

// What cannot be an epilogue stays a Map.
func TestEpilogueRefuses(t *testing.T) {
	n := newNet()
	x := n.input("x", 2, 2, 4)
	a := n.conv("a", x, 4)
	late := n.add(&op.Op{Kind: op.Copy, Name: "late", In: []*op.Tensor{a}, Out: []*op.Tensor{n.tensor("late", 2, 2, 4)}, Perm: []int{1, 0, 2}})
	n.output(n.relu("twice", a)) // a has two readers
	b := n.conv("b", x, 4)
	n.output(n.sub("vector", b, n.window("row", late, []int{0, 0, 0}, 1, 1, 4))) // broadcast, not constant
	c := n.conv("c", x, 4)
	d := n.transpose("after", n.relu("before", late), 1, 0, 2)
	n.output(n.sub("order", c, d)) // d does not exist when c runs
	got := after(t, n, "epilogue")
	for _, name := range []string{"twice", "vector", "order"} {
		if !strings.Contains(got, fmt.Sprintf("map %q", name)) {
			t.Errorf("%s was fused:\n%s", name, got)
		}
	}
}

func TestMaps(t *testing.T) {
	n := newNet()
	x, y := n.input("x", 2, 4), n.input("yy", 2, 4)
	a := n.relu("a", x)
	b := n.sub("b", y, a)
	c := n.sub("c", b, y) // y twice
	n.output(n.neg("d", c))
	expect(t, after(t, n, "maps"), `
net: 4 ops, 3 tensors
  0 input "x/in": -> %0 x f32[2,4]  user 4,2 perm 0,1
  1 input "yy/in": -> %1 yy f32[2,4]  user 4,2 perm 0,1
  2 map "d": %0 x %1 yy -> %2 d f32[2,4]  relu_then1_sub_then_sub_same12_then_neg
  3 output "d/out0": %2 d ->  user 4,2 perm 0,1
`)
}

// Weights that the file holds as float16 stay so, unless a factor is folded in.
func TestWeights(t *testing.T) {
	n := newNet()
	half := &ir.Weight{Storage: ir.StoreF16}
	x := n.input("x", 4, 5, 3)
	y := n.conv("plain", x, 8)
	y.Producer.Panels.Weight = half
	z := n.conv("folded", y, 8)
	z.Producer.Panels.Weight = half
	z = n.norm("norm", z)
	u := n.conv("scaled", z, 8)
	u.Producer.Panels.Weight, u.Producer.Panels.WeightScale = half, 0.5
	n.output(n.conv("float", u, 4))
	expect(t, after(t, n, "weights"), `
net: 6 ops, 5 tensors
  0 input "x/in": -> %0 x f32[4,5,3]  user 3,5,4 perm 0,1,2
  1 conv "plain": %0 x -> %1 plain f32[4,5,8]  kernel 1,1 stride 1,1; panels 1 of K 3 f16
  2 conv "folded": %1 plain -> %2 norm f32[4,5,8]  kernel 1,1 stride 1,1; panels 1 of K 8 folding 1 f16 widened
  3 conv "scaled": %2 norm -> %3 scaled f32[4,5,8]  kernel 1,1 stride 1,1; panels 1 of K 8 f16 widened
  4 conv "float": %3 scaled -> %4 float f32[4,5,4]  kernel 1,1 stride 1,1; panels 1 of K 8
  5 output "float/out0": %4 float ->  user 4,5,4 perm 0,1,2
`)
}

// Where there are many of them, the factor becomes part of what follows the sums.
func TestWeightsKept(t *testing.T) {
	n := newNet()
	x := n.input("x", 4, 5, 128)
	y := n.conv("kept", x, 128)
	y.Producer.Panels.Weight = &ir.Weight{Storage: ir.StoreF16}
	n.output(n.relu("relu", n.norm("norm", y)))
	expect(t, after(t, n, "weights"), `
net: 3 ops, 4 tensors
  0 input "x/in": -> %0 x f32[4,5,128]  user 128,5,4 perm 0,1,2
  1 conv "kept": %0 x -> %3 relu f32[4,5,128]  kernel 1,1 stride 1,1; panels 8 of K 128 f16; then fma_then_relu %1 norm/scale f32[128] const %2 norm/shift f32[128] const
  2 output "relu/out0": %3 relu ->  user 128,5,4 perm 0,1,2
`)
}

func TestDead(t *testing.T) {
	n := newNet()
	x := n.input("x", 2, 2, 4)
	n.input("unused", 3)
	n.conv("b", n.conv("a", x, 4), 4)
	n.output(x)
	expect(t, after(t, n, "dead"), `
net: 3 ops, 2 tensors
  0 input "x/in": -> %0 x f32[2,2,4]  user 4,2,2 perm 0,1,2
  1 input "unused/in": -> %1 unused f32[3]  user 3 perm 0
  2 output "x/out0": %0 x ->  user 4,2,2 perm 0,1,2
`)
}

// Nested concatenations, as in a dense block: all lie in the outermost.
func TestPlaceNestedConcat(t *testing.T) {
	n := newNet()
	x := n.input("x", 2, 2, 4)
	a := n.concat("a", 2, x, n.conv("ca", x, 3))
	b := n.concat("b", 2, a, n.conv("cb", a, 5))
	n.output(n.conv("last", b, 2))
	expect(t, after(t, n, "place"), `
net: 5 ops, 6 tensors
  0 input "x/in": -> %0 x f32[2,2,4] in %4 +0 by 24,12,1  user 4,2,2 perm 0,1,2
  1 conv "ca": %0 x -> %1 ca f32[2,2,3] in %4 +4 by 24,12,1  kernel 1,1 stride 1,1; panels 1 of K 4
  2 conv "cb": %2 a f32[2,2,7] in %4 +0 by 24,12,1 -> %3 cb f32[2,2,5] in %4 +7 by 24,12,1  kernel 1,1 stride 1,1; panels 1 of K 7
  3 conv "last": %4 b f32[2,2,12] -> %5 last f32[2,2,2]  kernel 1,1 stride 1,1; panels 1 of K 12
  4 output "last/out0": %5 last ->  user 2,2,2 perm 0,1,2
`)
}

// A tensor lies in one place: in the second concatenation it is a copy, as is a
// constant and a window of another tensor.
func TestPlaceCopies(t *testing.T) {
	n := newNet()
	x := n.input("x", 2, 4)
	c := n.constant("c", func(i int) float32 { return float32(i) }, 1, 4)
	w := n.window("w", x, []int{1, 0}, 1, 4)
	n.output(n.concat("a", 0, x, x, c))
	n.output(n.concat("b", 0, x, w))
	expect(t, after(t, n, "place"), `
net: 7 ops, 9 tensors
  0 input "x/in": -> %0 x f32[2,4] in %4 +0 by 4,1  user 4,2 perm 0,1
  1 copy "x/copy": %0 x -> %6 x/copy f32[2,4] in %3 +0 by 4,1
  2 copy "x/copy/2": %0 x -> %7 x/copy f32[2,4] in %3 +8 by 4,1
  3 copy "c/copy": %1 c f32[1,4] const -> %8 c/copy f32[1,4] in %3 +16 by 4,1
  4 output "a/out0": %3 a f32[5,4] ->  user 4,5 perm 0,1
  5 copy "w/copy": %2 w f32[1,4] in %4 +4 by 4,1 -> %5 w/copy f32[1,4] in %4 +8 by 4,1
  6 output "b/out1": %4 b f32[3,4] ->  user 4,3 perm 0,1
`)
}

// As in a U-net: what waits for the way down and up again has a buffer of its own, and
// not half of the larger one. What is made right before the concatenation lies in it.
func TestPlaceSkip(t *testing.T) {
	n := newNet()
	skip := n.conv("skip", n.input("x", 4, 4, 4), 3)
	low := n.conv("low", n.window("corner", skip, []int{0, 0, 0}, 2, 2, 3), 12)
	up := n.conv("up", n.view("wide", low, 4, 4, 3), 3)
	n.output(n.conv("last", n.concat("both", 2, skip, up), 2))
	expect(t, after(t, n, "place"), `
net: 7 ops, 9 tensors
  0 input "x/in": -> %0 x f32[4,4,4]  user 4,4,4 perm 0,1,2
  1 conv "skip": %0 x -> %1 skip f32[4,4,3]  kernel 1,1 stride 1,1; panels 1 of K 4
  2 conv "low": %2 corner f32[2,2,3] in %1 +0 by 12,3,1 -> %3 low f32[2,2,12]  kernel 1,1 stride 1,1; panels 1 of K 3
  3 conv "up": %4 wide f32[4,4,3] in %3 +0 by 12,3,1 -> %5 up f32[4,4,3] in %6 +3 by 24,6,1  kernel 1,1 stride 1,1; panels 1 of K 3
  4 copy "skip/copy": %1 skip -> %8 skip/copy f32[4,4,3] in %6 +0 by 24,6,1
  5 conv "last": %6 both f32[4,4,6] -> %7 last f32[4,4,2]  kernel 1,1 stride 1,1; panels 1 of K 6
  6 output "last/out0": %7 last ->  user 2,4,4 perm 0,1,2
`)
}

// As in a detector's heads: flattened results are joined without being moved.
func TestPlaceFlattenedHeads(t *testing.T) {
	n := newNet()
	x := n.input("x", 2, 2, 4)
	a := n.view("fa", n.conv("a", x, 3), 12)
	b := n.view("fb", n.conv("b", x, 5), 20)
	n.output(n.view("rows", n.concat("heads", 0, a, b), 8, 4))
	expect(t, after(t, n, "place"), `
net: 4 ops, 5 tensors
  0 input "x/in": -> %0 x f32[2,2,4]  user 4,2,2 perm 0,1,2
  1 conv "a": %0 x -> %1 a f32[2,2,3] in %3 +0 by 6,3,1  kernel 1,1 stride 1,1; panels 1 of K 4
  2 conv "b": %0 x -> %2 b f32[2,2,5] in %3 +12 by 10,5,1  kernel 1,1 stride 1,1; panels 1 of K 4
  3 output "rows/out0": %4 rows f32[8,4] in %3 +0 by 4,1 ->  user 4,8 perm 0,1
`)
}

// The channels of one half, seen flat, are no window: they are copied first.
func TestPlaceViewOfWindow(t *testing.T) {
	n := newNet()
	x := n.input("x", 2, 2, 4)
	half := n.window("half", x, []int{0, 0, 2}, 2, 2, 2)
	n.output(n.view("flat", half, 8))
	n.output(n.view("pixels", half, 4, 1, 2))
	expect(t, after(t, n, "place"), `
net: 4 ops, 5 tensors
  0 input "x/in": -> %0 x f32[2,2,4]  user 4,2,2 perm 0,1,2
  1 copy "half/copy": %1 half f32[2,2,2] in %0 +2 by 8,4,1 -> %4 half/dense f32[2,2,2]
  2 output "flat/out0": %2 flat f32[8] in %4 +0 by 1 ->  user 8 perm 0
  3 output "pixels/out1": %3 pixels f32[4,1,2] in %0 +2 by 4,2,1 ->  user 2,1,4 perm 0,1,2
`)
}

// Two reshapes around a transposition of pixels: the copy goes by rows of the image.
func TestRows(t *testing.T) {
	n := newNet()
	x := n.conv("a", n.input("x", 3, 2, 4), 4)
	half := n.add(&op.Op{Kind: op.Copy, Name: "shuffle", Perm: []int{0, 2, 1}, In: []*op.Tensor{n.view("split", x, 6, 2, 2)}, Out: []*op.Tensor{n.tensor("shuffled", 6, 2, 2)}})
	n.output(n.conv("b", n.view("whole", half, 3, 2, 4), 4))
	expect(t, after(t, n, "rows"), `
net: 5 ops, 6 tensors
  0 input "x/in": -> %0 x f32[3,2,4]  user 4,2,3 perm 0,1,2
  1 conv "a": %0 x -> %1 a f32[3,2,4]  kernel 1,1 stride 1,1; panels 1 of K 4
  2 copy "shuffle": %2 split f32[3,2,2,2] in %1 +0 by 8,4,2,1 -> %3 shuffled f32[3,2,2,2]  perm 0,1,3,2
  3 conv "b": %4 whole f32[3,2,4] in %3 +0 by 8,4,1 -> %5 b f32[3,2,4]  kernel 1,1 stride 1,1; panels 1 of K 4
  4 output "b/out0": %5 b ->  user 4,2,3 perm 0,1,2
`)
}

// A detector's head that is listed behind everything else runs when it is ready.
func TestOrder(t *testing.T) {
	n := newNet()
	x := n.conv("a", n.input("x", 4, 4, 4), 8)
	y := n.conv("c", n.conv("b", x, 2), 3)
	n.output(n.conv("head", x, 1))
	n.output(y)
	expect(t, after(t, n, "order"), `
net: 7 ops, 5 tensors
  0 input "x/in": -> %0 x f32[4,4,4]  user 4,4,4 perm 0,1,2
  1 conv "a": %0 x -> %1 a f32[4,4,8]  kernel 1,1 stride 1,1; panels 1 of K 4
  2 conv "b": %1 a -> %2 b f32[4,4,2]  kernel 1,1 stride 1,1; panels 1 of K 8
  3 conv "head": %1 a -> %4 head f32[4,4,1]  kernel 1,1 stride 1,1; panels 1 of K 8
  4 output "head/out0": %4 head ->  user 1,4,4 perm 0,1,2
  5 conv "c": %2 b -> %3 c f32[4,4,3]  kernel 1,1 stride 1,1; panels 1 of K 2
  6 output "c/out1": %3 c ->  user 3,4,4 perm 0,1,2
`)
}

func TestReshapeStrides(t *testing.T) {
	for _, c := range []struct {
		dims, strides, to, want []int
	}{
		{[]int{2, 3, 4}, []int{12, 4, 1}, []int{24}, []int{1}},
		{[]int{24}, []int{1}, []int{2, 3, 4}, []int{12, 4, 1}},
		{[]int{2, 3, 4}, []int{30, 10, 1}, []int{6, 4}, []int{10, 1}},       // rows with gaps
		{[]int{2, 3, 4}, []int{30, 10, 1}, []int{6, 2, 2}, []int{10, 2, 1}}, // split channels
		{[]int{2, 3, 4}, []int{30, 10, 1}, []int{2, 12}, nil},
		{[]int{2, 3, 4}, []int{40, 10, 1}, []int{6, 4}, nil},
		{[]int{2, 3, 4}, []int{40, 10, 1}, []int{2, 1, 3, 4, 1}, []int{40, 30, 10, 1, 1}},
		{[]int{2, 1, 4}, []int{7, 99, 1}, []int{2, 4}, []int{7, 1}},
		{[]int{3, 1}, []int{5, 1}, []int{1, 3}, []int{15, 5}},
		{[]int{1, 1}, []int{9, 9}, []int{1}, []int{1}},
	} {
		got, ok := reshapeStrides(c.dims, c.strides, c.to)
		if ok != (c.want != nil) || ok && !cmp.Equal(got, c.want) {
			t.Errorf("%v by %v as %v: %v %v, want %v", c.dims, c.strides, c.to, got, ok, c.want)
		}
	}
}

// Random graphs give the same results in every state, and pass the checks.
func TestRandomGraphs(t *testing.T) {
	kinds := map[op.Kind]int{}
	for seed := range int64(400) {
		n := randomNet(rand.New(rand.NewSource(seed)))
		text := n.g.String()
		before := evaluate(t, n.g)
		err := runPasses(n.g, Options{Dump: func(name string, g *op.Graph) {
			if diff := cmp.Diff(before, evaluate(t, g)); diff != "" {
				t.Fatalf("seed %d: pass %s changes the results: %s\nof\n%s\nto\n%s", seed, name, diff, text, g)
			}
		}})
		if err != nil {
			t.Fatalf("seed %d: %v\nof\n%s\nto\n%s", seed, err, text, n.g)
		}
		for _, o := range n.g.Ops {
			kinds[o.Kind]++
		}
	}
	t.Logf("operations left: %v", kinds)
}

// randomNet joins random operations over tensors of rank 3.
func randomNet(r *rand.Rand) *net {
	n := newNet()
	pool := []*op.Tensor{n.input("x", 2, 3, 4), n.input("yy", 2, 3, 4)}
	pick := func() *op.Tensor { return pool[len(pool)-1-min(r.Intn(len(pool)), r.Intn(len(pool)))] }
	like := func(x *op.Tensor, free int) []*op.Tensor {
		var list []*op.Tensor
		for _, t := range pool {
			ok := len(t.Dims) == len(x.Dims)
			for i := range x.Dims {
				ok = ok && (i == free || t.Dims[i] == x.Dims[i])
			}
			if ok {
				list = append(list, t)
			}
		}
		return list
	}
	for i := range 4 + r.Intn(10) {
		x, name := pick(), fmt.Sprintf("t%d", i)
		var y *op.Tensor
		switch r.Intn(11) {
		case 0, 1:
			y = n.conv(name, x, 1+r.Intn(5))
		case 2:
			y = n.relu(name, x)
		case 3:
			y = n.norm(name, n.conv(name+"/conv", x, 1+r.Intn(5)))
		case 4, 5:
			others := like(x, -1)
			y = n.sub(name, x, others[r.Intn(len(others))])
		case 6:
			perm := r.Perm(3)
			y = n.transpose(name, x, perm...)
		case 7:
			y = n.view(name, x, x.Dims[1], x.Dims[0]*x.Dims[2], 1)
			if r.Intn(2) == 0 {
				y = n.view(name+"/back", y, 1, x.Dims[0]*x.Dims[1], x.Dims[2])
			}
		case 8:
			start, dims := make([]int, 3), make([]int, 3)
			for i, d := range x.Dims {
				dims[i] = 1 + r.Intn(d)
				start[i] = r.Intn(d - dims[i] + 1)
			}
			y = n.window(name, x, start, dims...)
		default:
			axis := r.Intn(3)
			others := like(x, axis)
			in := []*op.Tensor{x}
			for range 1 + r.Intn(2) {
				in = append(in, others[r.Intn(len(others))])
			}
			if y = n.concat(name, axis, in...); y.Len() > 2000 {
				y = n.window(name+"/cut", y, []int{0, 0, 0}, 1, 1, 1)
			}
		}
		pool = append(pool, y)
	}
	n.output(pool[len(pool)-1])
	for range r.Intn(3) {
		n.output(pick())
	}
	return n
}

// TestPadding folds zeros around an image into the convolution that reads it, and
// nothing else.
func TestPadding(t *testing.T) {
	n := newNet()
	x := n.input("x", 4, 5, 3)
	pad := func(name string, value float32, mode int, before, after [4]int) *op.Tensor {
		in, dims := [4]int{1, 4, 5, 3}, make([]int, 3)
		ints := []int{mode}
		for i := range dims {
			dims[i] = before[i+1] + in[i+1] + after[i+1]
		}
		for _, d := range [][4]int{in, before, after} {
			ints = append(ints, d[:]...)
		}
		return n.add(&op.Op{Kind: op.Call, Name: name, In: []*op.Tensor{x}, Out: []*op.Tensor{n.tensor(name, dims...)},
			Call: &op.CallAttr{Func: "pad", Ints: append(ints, -1), Floats: []float32{value}}})
	}
	readers := map[string]*op.Op{}
	conv := func(name string, in *op.Tensor) {
		out := n.conv(name, in, 2)
		readers[name] = out.Producer
		n.output(out)
	}
	sides := [4]int{0, 1, 2, 0}
	conv("zeros", pad("a", 0, 0, sides, [4]int{0, 0, 1, 0}))
	conv("ones", pad("b", 1, 0, sides, sides))
	conv("edges", pad("c", 0, 1, sides, sides))
	conv("channels", pad("d", 0, 0, sides, [4]int{0, 0, 0, 1}))
	both := pad("e", 0, 0, sides, sides)
	conv("first", both)
	conv("second", both)
	e := newEditor(n.g)
	if err := foldPadding(e); err != nil {
		t.Fatal(err)
	}
	for name, o := range readers {
		folded := o.In[0] == x
		if folded != (name == "zeros") {
			t.Errorf("the zeros before %q are part of it: %v", name, folded)
		}
	}
	c := readers["zeros"].Conv
	if c.PadT != 1 || c.PadL != 2 || c.InH != 4 || c.InW != 5 || c.OutH != 5 || c.OutW != 8 {
		t.Errorf("%+v", *c)
	}
	for _, o := range n.g.Ops {
		if o.Call != nil && e.removed[o] != (o.Name == "a") {
			t.Errorf("pad %q is removed: %v", o.Name, e.removed[o])
		}
	}
}
