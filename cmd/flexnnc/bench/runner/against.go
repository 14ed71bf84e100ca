package runner

import (
	"fmt"
	"os"
	"os/exec"
	"sort"
	"strconv"
	"strings"
	"time"
)

// turnTime is the least time of own runs in a round.
const turnTime = 300 * time.Millisecond

// takeTurns runs the network and another program alternately, so that both see
// the same machine, and compares them round by round.
func (r *report) takeTurns(s *Session, o *options, typical time.Duration) error {
	runs := max(3, int(turnTime/max(typical, 1)))
	if o.runs > 0 {
		runs = max(1, (o.runs+againstRuns-1)/againstRuns)
	}
	a := &against{Command: o.against}
	var ratios []float64
	for range againstRuns {
		if err := s.Run(); err != nil { // the other program has had the caches
			return err
		}
		times := make([]time.Duration, runs)
		for i := range times {
			from := time.Now()
			if err := s.Run(); err != nil {
				return err
			}
			times[i] = time.Since(from)
		}
		sortDurations(times)
		other, err := runOther(o.against)
		if err != nil {
			return err
		}
		p := pair{OwnMS: ms(quantile(times, 0.5)), OtherMS: other}
		p.Ratio = share(p.OwnMS, p.OtherMS)
		a.Pairs = append(a.Pairs, p)
		ratios = append(ratios, p.Ratio)
	}
	sort.Float64s(ratios)
	a.Ratio = median(ratios)
	r.Against = a
	return nil
}

// runOther runs a command and returns the median of the milliseconds it prints.
func runOther(command string) (float64, error) {
	c := exec.Command("sh", "-c", command)
	c.Stderr = os.Stderr
	out, err := c.Output()
	if err != nil {
		return 0, fmt.Errorf("%s: %w", command, err)
	}
	v := milliseconds(string(out))
	if len(v) == 0 {
		return 0, fmt.Errorf("%s printed no line that ends in a number of milliseconds", command)
	}
	return median(v), nil
}

// milliseconds is the last word of every line, where that is a positive number.
func milliseconds(text string) []float64 {
	var v []float64
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if x, err := strconv.ParseFloat(words[len(words)-1], 64); err == nil && x > 0 && x < 1e9 {
			v = append(v, x)
		}
	}
	return v
}

// median sorts v.
func median(v []float64) float64 {
	sort.Float64s(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
