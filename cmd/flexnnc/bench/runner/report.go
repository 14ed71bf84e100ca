package runner

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
)

// report is the result; its JSON form is what --json prints.
type report struct {
	Network       string  `json:"network"`
	Budget        string  `json:"budget"`
	Platform      string  `json:"platform"`
	Kernels       string  `json:"kernels"`
	Threads       int     `json:"threads"`
	Runs          int     `json:"runs"`
	MedianMS      float64 `json:"median_ms"`
	MinMS         float64 `json:"min_ms"`
	P10MS         float64 `json:"p10_ms"`
	P90MS         float64 `json:"p90_ms"`
	CPUMS         float64 `json:"cpu_ms"` // of the process, all threads; -1 = unknown
	MACs          float64 `json:"macs"`
	GFLOPS        float64 `json:"gflops"`
	PeakGFLOPS    float64 `json:"peak_gflops"` // 0 = unknown
	ShareOfPeak   float64 `json:"share_of_peak"`
	CopyGBs       float64 `json:"copy_gbs"`
	RSSBytes      int64   `json:"rss_bytes"` // most of the process; -1 = unknown
	ArenaBytes    int64   `json:"arena_bytes"`
	WeightsBytes  int64   `json:"weights_bytes"`
	StreamedBytes int64   `json:"streamed_bytes"` // per run
	StallMS       float64 `json:"stall_ms"`       // waited for loads, per run
	Layers        []layer `json:"layers"`
	// Prediction is left out for another number of threads than it was made for.
	Prediction *prediction `json:"prediction,omitempty"`
	Against    *against    `json:"against,omitempty"`
}

// prediction compares what a target's cost model says with what was measured.
type prediction struct {
	Target string  `json:"target"`
	MS     float64 `json:"ms"`    // of a run
	Error  float64 `json:"error"` // predicted / measured - 1
	// LayerError is the mean of |predicted - measured| over layers, each weighted with
	// its measured time, as a part of the sum of these.
	LayerError float64 `json:"layer_error"`
}

// layer is an operation: all of its steps.
type layer struct {
	Name        string  `json:"name"`
	Kind        string  `json:"kind"`
	Steps       int     `json:"steps"`
	MS          float64 `json:"ms"`
	Share       float64 `json:"share"` // of all layers
	MACs        float64 `json:"macs"`
	GFLOPS      float64 `json:"gflops"`
	ShareOfPeak float64 `json:"share_of_peak"`
	Bytes       float64 `json:"bytes"`
	GBs         float64 `json:"gbs"`
	// What a run reads from the weights file for the layer, and waits for it before its
	// steps, whose time does not count that.
	StreamedBytes int64   `json:"streamed_bytes"`
	StallMS       float64 `json:"stall_ms"`
	PredictedMS   float64 `json:"predicted_ms,omitempty"`
}

// against is the comparison with another program; ratios are own time over the
// other's, so that less than 1 is faster.
type against struct {
	Command string  `json:"command"`
	Ratio   float64 `json:"ratio"` // median of the pairs
	Pairs   []pair  `json:"pairs"`
}

type pair struct {
	OwnMS   float64 `json:"own_ms"`
	OtherMS float64 `json:"other_ms"`
	Ratio   float64 `json:"ratio"`
}

func (r *report) printJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(r)
}

func (r *report) print(w io.Writer) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "%s, budget %s, %d thread%s, %s kernels on %s, %d runs\n", r.Network, r.Budget, r.Threads, plural(r.Threads), r.Kernels, r.Platform, r.Runs)
	cpu := ""
	if r.CPUMS >= 0 {
		cpu = fmt.Sprintf("; CPU time %.3f", r.CPUMS)
	}
	fmt.Fprintf(b, "time     median %.3f ms (min %.3f, p10 %.3f, p90 %.3f%s)\n", r.MedianMS, r.MinMS, r.P10MS, r.P90MS, cpu)
	peak := "peak not known"
	if r.PeakGFLOPS > 0 {
		peak = fmt.Sprintf("%.1f %% of a peak of %.1f", 100*r.ShareOfPeak, r.PeakGFLOPS)
	}
	fmt.Fprintf(b, "speed    %.1f GFLOP/s for %.1f million multiply-adds: %s\n", r.GFLOPS, r.MACs/1e6, peak)
	rss := "resident set not known"
	if r.RSSBytes >= 0 {
		rss = fmt.Sprintf("%d bytes resident at most", r.RSSBytes)
	}
	fmt.Fprintf(b, "memory   arena %d bytes; %s\n", r.ArenaBytes, rss)
	fmt.Fprintf(b, "weights  %d bytes; each run reads %d and waits %.3f ms for them\n", r.WeightsBytes, r.StreamedBytes, r.StallMS)
	if a := r.Against; a != nil {
		fmt.Fprintf(b, "against  %s\n         ratio %.3f (own time / other's, median of %d pairs)\n", a.Command, a.Ratio, len(a.Pairs))
		for _, p := range a.Pairs {
			fmt.Fprintf(b, "         %10.3f ms %10.3f ms %8.3f\n", p.OwnMS, p.OtherMS, p.Ratio)
		}
	}
	if p := r.Prediction; p != nil {
		fmt.Fprintf(b, "forecast %.3f ms by the model of %s: %+.1f %%; layers are off by %.1f %%\n", p.MS, p.Target, 100*p.Error, 100*p.LayerError)
	}
	streamed := func(read, stall string) string {
		if r.StreamedBytes == 0 {
			return ""
		}
		return fmt.Sprintf("%10s %9s ", read, stall)
	}
	fmt.Fprintf(b, "layers   (timed apart; a copy moves %.1f GB/s)\n%10s %10s %6s %8s %6s %7s %s%6s  %s\n", r.CopyGBs, "ms", "forecast", "share", "GFLOP/s", "peak", "GB/s", streamed("streamed", "stall ms"), "steps", "layer")
	for _, l := range r.Layers {
		fmt.Fprintf(b, "%10.4f %10s %5.1f%% %8.1f %5.1f%% %7.1f %s%6d  %s (%s)\n", l.MS, r.forecast(l), 100*l.Share, l.GFLOPS, 100*l.ShareOfPeak, l.GBs,
			streamed(fmt.Sprint(l.StreamedBytes), fmt.Sprintf("%.4f", l.StallMS)), l.Steps, l.Name, l.Kind)
	}
	return b.Flush()
}

// forecast is the text of a layer's prediction.
func (r *report) forecast(l layer) string {
	if r.Prediction == nil {
		return "-"
	}
	return fmt.Sprintf("%.4f", l.PredictedMS)
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}
