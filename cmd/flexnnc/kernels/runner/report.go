package runner

import (
	"bufio"
	"fmt"
	"io"
)

// Report is the result; its JSON form is what -json prints.
type Report struct {
	Platform string `json:"platform"`
	Threads  int    `json:"threads"`
	ISAs     []ISA  `json:"isas"`
}

// ISA is the kernels of an instruction set.
type ISA struct {
	Name         string   `json:"name"`
	PeakGFLOPS   float64  `json:"peak_gflops"`    // of a thread; 0 = unknown
	PeakInt8GOPS float64  `json:"peak_int8_gops"` // likewise, of products of bytes
	Kernels      []Kernel `json:"kernels"`
}

// Kernel is one that was measured. Shares are medians of those within a round.
type Kernel struct {
	Group        string  `json:"group"`
	Name         string  `json:"name"`
	Samples      int     `json:"samples"`
	US           float64 `json:"median_us"`
	P10US        float64 `json:"p10_us"`
	P90US        float64 `json:"p90_us"`
	MACs         float64 `json:"macs"` // of the direct algorithm
	GFLOPS       float64 `json:"gflops"`
	ShareOfPeak  float64 `json:"share_of_peak"` // of those
	ReadBytes    int64   `json:"read_bytes"`
	WrittenBytes int64   `json:"written_bytes"`
	GBs          float64 `json:"gbs"`
	ShareOfCopy  float64 `json:"share_of_copy"`
	// Limit is what takes longer at best: "compute", the multiply-adds or the instructions of
	// its program at the rate of FMAs on registers, or "memory", a copy of what is written and a
	// read of the rest.
	Limit        string  `json:"limit,omitempty"`
	ShareOfLimit float64 `json:"share_of_limit"`
}

// Print writes the report as text, a table for each instruction set.
func (r *Report) Print(w io.Writer) error {
	b := bufio.NewWriter(w)
	for i, isa := range r.ISAs {
		if i > 0 {
			fmt.Fprintln(b)
		}
		fmt.Fprintf(b, "%s on %s, threads: %d; on registers, a thread: FMAs %s GFLOP/s, products of bytes %s Gop/s\n", isa.Name, r.Platform, r.Threads, number(isa.PeakGFLOPS), number(isa.PeakInt8GOPS))
		group := ""
		for _, k := range isa.Kernels {
			if k.Group != group {
				group = k.Group
				fmt.Fprintf(b, "%s\n%10s %21s %8s %6s %7s %6s  %s\n", group, "us", "p10 to p90", "GFLOP/s", "peak", "GB/s", "copy", "limit")
			}
			fmt.Fprintf(b, "%10.3f %10.3f %10.3f %8s %6s %7s %6s %5s of %-7s  %s\n", k.US, k.P10US, k.P90US,
				number(k.GFLOPS), percent(k.ShareOfPeak), number(k.GBs), percent(k.ShareOfCopy), percent(k.ShareOfLimit), k.Limit, k.Name)
		}
	}
	return b.Flush()
}

func number(v float64) string {
	if v == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f", v)
}

func percent(v float64) string {
	if v == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f%%", 100*v)
}
