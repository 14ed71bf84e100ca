package lower

import (
	"fmt"
	"slices"

	"github.com/flexnnc/flexnnc/ir/op"
)

// pass is one step over the lowered graph.
type pass struct {
	name string
	// does says what the pass brings, why says why it stands where it stands.
	does, why string
	run       func(*editor) error
	// required passes cannot be left out: what follows relies on them.
	required bool
	// placed says that tensors have their places after the pass.
	placed bool
}

// passes run in this order. The order is data: the reasons stand beside it.
var passes = []pass{
	{
		name: "identity", run: removeIdentity,
		does: "removes copies, views and maps that change nothing, and makes one transposition of two",
		why:  "first, since they stand between the operations that the next passes join",
	},
	{
		name: "heads", run: foldHeads,
		does: "lets attention and products read and write matrices whose heads lie side by side",
		why:  "after identity, which makes one transposition of several; before ports, which takes those at the ends",
	},
	{
		name: "padding", run: foldPadding,
		does: "lets convolutions see zeros around an image that a layer puts there",
		why:  "before anything that looks at what a convolution reads",
	},
	{
		name: "ports", run: foldPorts,
		does: "lets inputs and outputs be transposed by the copy from and to the user's array",
		why:  "before constants and placement see the copies that this saves",
	},
	{
		name: "constants", run: foldConstants, required: true,
		does: "turns views and transposed copies of constants into constants of their own",
		why:  "before fusing, which takes vectors only as constants; placement relies on no view of a constant being left",
	},
	{
		name: "affine", run: foldAffine,
		does: "folds batch norms, scales and biases into the weights of the convolution before them",
		why:  "before the activation behind them becomes an epilogue, which would stand between",
	},
	{
		name: "maps", run: fuseMaps,
		does: "joins chains of element-wise operations",
		why:  "after affine, which takes single layers; before epilogue, so that a chain becomes one with fewer steps",
	},
	{
		name: "attention", run: joinAttention,
		does: "makes one attention of two products and the softmax between them",
		why:  "after heads, which says how the products' operands lie, and after maps, so that one stands between the two at most",
	},
	{
		name: "epilogue", run: fuseEpilogue,
		does: "makes activations and residual additions part of the convolution before them",
		why:  "after everything that removes operations between the two",
	},
	{
		name: "quantize", run: fuseQuantize,
		does: "has int8 convolutions round what is only read rounded",
		why:  "after epilogue, which changes what is rounded",
	},
	{
		name: "dead", run: removeDead, required: true,
		does: "removes operations and tensors that nothing reads",
		why:  "after the last pass that orphans some; placement would keep memory for them",
	},
	{
		name: "weights", run: storeWeights,
		does: "keeps weights as float16 that the file holds as such, or all where that is asked for",
		why:  "after affine, which makes other numbers of those that it folds factors into",
	},
	{
		name: "place", run: place, required: true, placed: true,
		does: "makes windows of concatenations and views, and copies where that is impossible",
		why:  "after everything that joins operations: it fixes which tensors share buffers, which fusing would have to undo",
	},
	{
		name: "rows", run: splitRows, placed: true,
		does: "gives copies that run over all pixels of an image its rows as outermost axis",
		why:  "after place, which says which tensors see the image that a copy reads or makes",
	},
	{
		name: "order", run: orderOps, placed: true,
		does: "runs what is ready as soon as that frees memory",
		why:  "after place, which says what shares a buffer",
	},
	{
		name: "winograd", run: chooseWinograd, placed: true,
		does: "chooses Winograd's algorithm for 3x3 convolutions where it is faster",
		why:  "after everything that changes convolutions: it looks at their shapes",
	},
	{
		name: "scratch", run: reserveScratch, required: true, placed: true,
		does: "notes the scratch memory that each operation's driver needs",
		why:  "last: it looks at the operations that are left",
	},
}

// Pass describes a pass to users of --dump.
type Pass struct{ Name, Does, Why string }

// Passes lists the passes in the order in which they run, after "lower".
func Passes() []Pass {
	var list []Pass
	for _, p := range passes {
		list = append(list, Pass{p.name, p.does, p.why})
	}
	return list
}

func checkOptions(o Options) error {
	for _, name := range o.Without {
		found := false
		for _, p := range passes {
			if p.name == name {
				found = true
				if p.required {
					return fmt.Errorf("pass %q cannot be left out", name)
				}
			}
		}
		if !found {
			return fmt.Errorf("there is no pass %q", name)
		}
	}
	return nil
}

// runPasses runs the table over g, which is checked after each pass.
func runPasses(g *op.Graph, o Options) error {
	for _, p := range passes {
		if slices.Contains(o.Without, p.name) {
			continue
		}
		e := newEditor(g)
		e.half = o.Half
		if err := p.run(e); err != nil {
			return fmt.Errorf("pass %s: %w", p.name, err)
		}
		e.finish()
		check := op.Check
		if p.placed {
			check = op.CheckPlaced
		}
		if err := check(g); err != nil {
			return fmt.Errorf("after pass %s: %w", p.name, err)
		}
		if o.Dump != nil {
			o.Dump(p.name, g)
		}
	}
	return nil
}
