// A module of its own: the fonts are needed only to make training samples,
// so the compiler's module need not depend on them.
module github.com/flexnnc/flexnnc/testdata/glyphs/synth

go 1.26.0

require golang.org/x/image v0.47.0

require (
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/text v0.43.0 // indirect
)
