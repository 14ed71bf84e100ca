// Package diag collects positioned findings about a user's input: data first,
// rendered last. It knows source positions and nothing of what is checked.
package diag

import (
	"errors"
	"fmt"
	"strings"

	"github.com/flexnnc/flexnnc/ir"
)

// Diagnostic is one finding. String renders "file:line:col: layer "x": text (hint)".
type Diagnostic struct {
	Pos   ir.Pos
	Layer string // layer name, where one is concerned
	Text  string
	Hint  string // what to do next, where there is something
}

func (d Diagnostic) String() string {
	var b strings.Builder
	if d.Pos.File != "" {
		fmt.Fprintf(&b, "%s: ", d.Pos)
	}
	if d.Layer != "" {
		fmt.Fprintf(&b, "layer %q: ", d.Layer)
	}
	b.WriteString(d.Text)
	if d.Hint != "" {
		fmt.Fprintf(&b, "\n\thint: %s", d.Hint)
	}
	return b.String()
}

// Max is the number of findings a List keeps; the rest are counted.
const Max = 100

// List collects findings. The zero List is ready to use.
type List struct {
	Found   []Diagnostic
	Dropped int
}

// Add appends a finding.
func (l *List) Add(d Diagnostic) {
	if len(l.Found) >= Max {
		l.Dropped++
		return
	}
	l.Found = append(l.Found, d)
}

// Layerf adds a finding about a layer, at the layer's position.
func (l *List) Layerf(at *ir.Layer, format string, args ...any) {
	l.Add(Diagnostic{Pos: at.Pos, Layer: at.Name, Text: fmt.Sprintf(format, args...)})
}

// Posf adds a finding at a position.
func (l *List) Posf(pos ir.Pos, format string, args ...any) {
	l.Add(Diagnostic{Pos: pos, Text: fmt.Sprintf(format, args...)})
}

// Err returns nil where nothing was found, else an *Error.
func (l *List) Err() error {
	if len(l.Found) == 0 {
		return nil
	}
	return &Error{*l}
}

// Error is a List as an error: the user's input is at fault (exit code 1).
type Error struct{ List List }

func (e *Error) Error() string {
	lines := make([]string, 0, len(e.List.Found)+1)
	for _, d := range e.List.Found {
		lines = append(lines, d.String())
	}
	if e.List.Dropped > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", e.List.Dropped))
	}
	return strings.Join(lines, "\n")
}

// As returns the diagnostics inside err, if any.
func As(err error) (*Error, bool) {
	var e *Error
	ok := errors.As(err, &e)
	return e, ok
}
