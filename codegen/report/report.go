// Package report draws a plan as one self-contained page: how latency falls with
// memory, what lies where in the arena over time, when loads and steps run, and what
// each operation takes; or the first two as a picture. It gets all times from its caller and knows no cost model;
// the page needs no other file and no network.
package report

import (
	"embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"time"

	"github.com/flexnnc/flexnnc/ir/plan"
)

// Report is what a page shows.
type Report struct {
	Plan    *plan.Plan
	Target  string // name of the device
	Note    string // where its figures come from
	Version string
	// Steps and Loads are when each of the plan's runs, by the model; Waits is how
	// long a step waits for its loads.
	Steps, Loads []Span
	Waits        []time.Duration
	// Curve is the memory/latency trade, by rising budget; empty leaves it out.
	Curve []Point
}

// Span is from a begin to an end, from the start of a run.
type Span struct{ Begin, End time.Duration }

// Len is the time between.
func (s Span) Len() time.Duration { return s.End - s.Begin }

// Point is the plan for a budget.
type Point struct {
	Budget, Arena    plan.Bytes
	Streamed         plan.Bytes // read in each run
	Predicted, Bound time.Duration
}

//go:embed page.html picture.svg drawings.html
var sources embed.FS

var templates = template.Must(template.New("report").Funcs(template.FuncMap{
	"bytes": Bytes, "time": Time, "percent": percent,
}).ParseFS(sources, "page.html", "picture.svg", "drawings.html"))

// Write writes the page.
func (r *Report) Write(w io.Writer) error { return r.write(w, "page.html") }

// WritePicture writes the two drawings over memory as one SVG, for where a page
// cannot stand.
func (r *Report) WritePicture(w io.Writer) error { return r.write(w, "picture.svg") }

func (r *Report) write(w io.Writer, form string) error {
	if len(r.Steps) != len(r.Plan.Steps) || len(r.Loads) != len(r.Plan.Loads) || len(r.Waits) != len(r.Plan.Steps) {
		return fmt.Errorf("BUG: times of %d steps and %d loads for a plan of %d and %d", len(r.Steps), len(r.Loads), len(r.Plan.Steps), len(r.Plan.Loads))
	}
	return templates.ExecuteTemplate(w, form, r.view())
}

// view is what the template prints.
type view struct {
	*Report
	End        time.Duration
	Bound      time.Duration
	Resident   plan.Bytes
	Streamed   plan.Bytes
	Waited     time.Duration
	Curve      *curve
	Arena      *arena
	Gantt      *gantt
	Rows       []row
	Facts      []string
	LongestRow time.Duration
}

func (r *Report) view() *view {
	v := &view{Report: r}
	for _, s := range slices.Concat(r.Steps, r.Loads) {
		v.End = max(v.End, s.End)
	}
	v.Bound = max(r.Plan.Certificate.Time.Bound(), r.Plan.Forecast.Bound)
	v.Resident, v.Streamed = r.Plan.Traffic()
	for _, d := range r.Waits {
		v.Waited += d
	}
	v.Curve = r.drawCurve()
	v.Arena = r.drawArena(v.End)
	v.Gantt = r.drawGantt(v.End)
	v.Rows = r.rows()
	for _, row := range v.Rows {
		v.LongestRow = max(v.LongestRow, row.Time)
	}
	v.Facts = r.facts(v)
	return v
}

// facts say how good the plan is, and what is in the way of a better one.
func (r *Report) facts(v *view) []string {
	c := &r.Plan.Certificate
	var f []string
	add := func(format string, args ...any) { f = append(f, fmt.Sprintf(format, args...)) }
	if c.MinBudget > 0 {
		add("The smallest budget that works is %s.", Bytes(c.MinBudget))
	}
	if c.Least.Bytes > 0 {
		add("No cutting of this network needs less than %s: during %s there are %s.", Bytes(c.Least.Bytes), c.Least.At, some(c.Least.Blocking))
	}
	if c.Live.Bytes > 0 {
		add("The steps of this plan need %s at once, during %s; the arena has %s.", Bytes(c.Live.Bytes), c.Live.At, Bytes(r.Plan.Arena))
	}
	if v.Bound > 0 {
		gap := float64(v.End)/float64(v.Bound) - 1
		add("No plan within this budget can run in less than %s; this one is predicted to take %s, %s more.", Time(v.Bound), Time(v.End), percent(gap))
	}
	if c.Time.Binding != "" {
		add("What binds: %s.", c.Time.Binding)
	}
	add("Steps wait %s for loads in all; %s are read in each run.", Time(v.Waited), Bytes(v.Streamed))
	return f
}

// some names the first of a list.
func some(list []string) string {
	const most = 4
	text := ""
	for i, s := range list {
		if i == most {
			return text + fmt.Sprintf(" and %d more", len(list)-most)
		}
		if i > 0 {
			text += ", "
		}
		text += s
	}
	return text
}

// Bytes prints a size in units of 10^3 or 10^6 bytes.
func Bytes(n plan.Bytes) string {
	switch {
	case n >= 1e6:
		return fmt.Sprintf("%.2f MB", float64(n)/1e6)
	case n >= 1e3:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%d bytes", n)
}

// Time prints a duration with three digits.
func Time(d time.Duration) string {
	switch {
	case d == 0:
		return "0"
	case d >= 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d >= time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d >= 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/1e6)
	case d >= time.Millisecond:
		return fmt.Sprintf("%.2f ms", float64(d)/1e6)
	}
	return fmt.Sprintf("%.1f µs", float64(d)/1e3)
}

func percent(f float64) string { return fmt.Sprintf("%.1f %%", 100*f) }
