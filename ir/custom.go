package ir

// Custom is a layer type that is not ncnn's own: the user gives a Go function that
// computes it, and says of what shapes its outputs are and what it loads from the .bin.
type Custom struct {
	Type         string
	Import, Func string         // the function's package, by import path, and its name
	Shapes       []CustomShape  // of the outputs in order, the last also of those beyond; none: CustomUnsaid
	Weights      []CustomWeight // in the order in which the layer loads them
}

// CustomShape is the rule for the shape of an output.
type CustomShape struct {
	Rule CustomRule
	// Sizes are W / W,H / W,H,C / W,H,D,C by the rule CustomSizes: arithmetic over the
	// layer's parameters and the sizes of its inputs.
	Sizes []string
}

// CustomRule says where the shape of a custom layer's output is from.
type CustomRule int

// Rules.
const (
	CustomUnsaid CustomRule = iota // as CustomSame, where the file's hint does not differ
	CustomSame                     // shaped like the first input
	CustomHint                     // the file's hint
	CustomSizes                    // CustomShape.Sizes
)

// CustomWeight is one blob of weights.
type CustomWeight struct {
	Count  string // arithmetic over the layer's parameters
	Tagged bool   // a storage tag precedes it: ncnn's load type 0
}

// Shape is the rule for output i.
func (c *Custom) Shape(i int) CustomShape {
	if len(c.Shapes) == 0 {
		return CustomShape{}
	}
	return c.Shapes[min(i, len(c.Shapes)-1)]
}
