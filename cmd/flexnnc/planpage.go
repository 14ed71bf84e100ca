package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/flexnnc/flexnnc/codegen/report"
	"github.com/flexnnc/flexnnc/compiler/cost"
)

// writeReport replays the plan by the target's model, and draws it: as a picture
// in a file .svg, else as a page.
func (r *planned) writeReport(file string) error {
	t := r.options.Target
	line := t.Model(r.plan.Threads).Replay(r.plan)
	page := report.Report{Plan: r.plan, Target: t.Name, Note: t.Note, Version: version, Curve: r.curve}
	// Spans are without what loads slow steps by; drawn, they fill the predicted run.
	drawn := int64(0)
	for _, s := range slices.Concat(line.Steps, line.Loads) {
		drawn = max(drawn, s.End)
	}
	stretched := func(at int64) time.Duration {
		return picoseconds(int64(float64(at) * float64(line.End) / float64(max(1, drawn))))
	}
	span := func(s cost.Span) report.Span {
		return report.Span{Begin: stretched(s.Begin), End: stretched(s.End)}
	}
	for _, s := range line.Steps {
		page.Steps = append(page.Steps, span(s))
	}
	for _, s := range line.Loads {
		page.Loads = append(page.Loads, span(s))
	}
	for _, d := range line.Waits {
		page.Waits = append(page.Waits, stretched(d))
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	write := page.Write
	if filepath.Ext(file) == ".svg" {
		write = page.WritePicture
	}
	return errors.Join(write(f), f.Close())
}

func picoseconds(n int64) time.Duration { return time.Duration(n / 1000) }
