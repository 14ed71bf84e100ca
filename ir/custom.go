package ir

// Custom is a layer type that is not ncnn's own: the user gives a Go function that
// computes it, and a rule for the shape of its outputs.
type Custom struct {
	Type         string
	Import, Func string // the function's package, by import path, and its name
	Rule         CustomRule
	Shape        Shape // of every output, by the rule CustomFixed
}

// CustomRule says where the shapes of a custom layer's outputs are from.
type CustomRule int

// Rules.
const (
	CustomUnsaid CustomRule = iota // as CustomSame, where the file's hints do not differ
	CustomSame                     // every output is shaped like the first input
	CustomHint                     // the file's hints
	CustomFixed                    // Custom.Shape
)
