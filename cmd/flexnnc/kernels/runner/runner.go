// Package runner is the program that measures kernels: it runs each shape and each
// tile many times, and between their runs a loop of FMAs on registers, a copy and a
// read of as many bytes, so that all of them see the machine in one state. Its source
// goes into the module that is built, so it imports the standard library only.
package runner

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"time"
)

// Kernels describes what is measured, and leads into its packages.
type Kernels struct {
	Variable       string          // of the environment, which chooses the instruction set
	ISAs           func() []string // of the machine, the best first
	Peak, PeakInt8 func(n int) float64
	Read           func(p *byte, n int)             // n times 512 bytes
	Copy           func(to, from *byte, n int) bool // likewise; false where there is no such loop
	Only           string                           // kernels to measure where no others are asked for
	Tiles          func() []Tile
	Shapes         []Shape
	MaxThreads     int
	Open           func(threads int, weights string) (*Session, error) // nil without Shapes
}

// Session is the opened network of shapes.
type Session struct {
	Steps func(f func(run func(step int), arena []byte))
	Close func() error
}

// Shape is a layer: some steps of the network.
type Shape struct {
	Group, Name   string
	Steps         []int
	MACs          float64 // multiply-adds of the direct algorithm
	Work          float64 // FMAs, or instructions times lanes, that it takes at least
	Read, Written float64 // bytes, each once
	Int8          bool
	Fill          [][3]int // bytes of the arena that hold its inputs: offset, count, and bytes of an element
}

// Tile is a kernel by itself; the fields are as those of Shape.
type Tile struct {
	Group, Name         string
	MACs                float64
	Work, Read, Written float64
	Int8                bool
	Run                 func(n int)
}

// options are the program's flags.
type options struct {
	threads int
	kernel  string
	only    *regexp.Regexp
	isa     string
	weights string
	time    time.Duration
	json    bool
	child   bool
}

// Main is the program's main function.
func Main(k *Kernels) {
	if err := run(k, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return
		}
		fmt.Fprintf(os.Stderr, "kernels: %v\n", err)
		os.Exit(1)
	}
}

func run(k *Kernels, args []string, stdout, stderr io.Writer) error {
	var o options
	f := flag.NewFlagSet("benchmark of kernels", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.IntVar(&o.threads, "threads", 1, "compute `threads`; tiles are measured on one")
	f.StringVar(&o.kernel, "kernel", k.Only, "`regexp` of the kernels to measure, by \"group: name\"")
	f.StringVar(&o.isa, "isa", "", "instruction `set`; by default all that the machine has")
	f.StringVar(&o.weights, "weights", "", "weights `file`, where it is not beside the program")
	f.DurationVar(&o.time, "time", 100*time.Millisecond, "`time` for a kernel, about")
	f.BoolVar(&o.json, "json", false, "print JSON")
	f.BoolVar(&o.child, "child", false, "measure one instruction set, and print JSON")
	if err := f.Parse(args); err != nil {
		return err
	}
	var err error
	switch o.only, err = regexp.Compile(o.kernel); {
	case err != nil:
		return fmt.Errorf("-kernel: %w", err)
	case f.NArg() > 0:
		return fmt.Errorf("there is no argument %q", f.Arg(0))
	case o.threads < 1 || k.Open != nil && o.threads > k.MaxThreads:
		return fmt.Errorf("-threads %d: from 1 to %d", o.threads, k.MaxThreads)
	case o.child:
		isa, err := k.measure(&o)
		if err != nil {
			return err
		}
		return json.NewEncoder(stdout).Encode(isa)
	}
	r := &Report{Platform: runtime.GOOS + "/" + runtime.GOARCH, Threads: o.threads}
	isas := k.ISAs()
	if o.isa != "" {
		isas = []string{o.isa}
	}
	for _, name := range isas {
		var isa *ISA
		if o.isa = name; name == k.ISAs()[0] {
			isa, err = k.measure(&o)
		} else {
			isa, err = k.start(name, args, stderr)
		}
		if err != nil {
			return err
		}
		r.ISAs = append(r.ISAs, *isa)
	}
	if o.json {
		e := json.NewEncoder(stdout)
		e.SetIndent("", " ")
		return e.Encode(r)
	}
	return r.Print(stdout)
}

// start measures an instruction set that is not the best in a process of its own: which kernels a package
// calls is settled when it starts.
func (k *Kernels) start(name string, args []string, stderr io.Writer) (*ISA, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	cmd := exec.Command(self, append(args, "-child", "-isa", name)...)
	cmd.Env = append(os.Environ(), k.Variable+"="+name)
	cmd.Stdout, cmd.Stderr = &out, stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("measuring %s: %w", name, err)
	}
	isa := new(ISA)
	return isa, json.Unmarshal(out.Bytes(), isa)
}

// matches tells whether a kernel is to be measured.
func (o *options) matches(group, name string) bool { return o.only.MatchString(group + ": " + name) }

// measure makes all measurements of the instruction set in use.
func (k *Kernels) measure(o *options) (*ISA, error) {
	if have := k.ISAs(); o.isa != "portable" && !strings.Contains(" "+strings.Join(have, " ")+" ", " "+o.isa+" ") {
		return nil, fmt.Errorf("-isa %s: the machine has %s", o.isa, strings.Join(have, ", "))
	}
	isa := &ISA{Name: o.isa}
	g := &gauge{k: k, threads: 1, limit: o.time, peak: newLoop(k.Peak), peakInt8: newLoop(k.PeakInt8)}
	if o.threads == 1 {
		for _, t := range k.Tiles() {
			if o.matches(t.Group, t.Name) {
				isa.Kernels = append(isa.Kernels, g.kernel(Shape{Group: t.Group, Name: t.Name, MACs: t.MACs, Work: t.Work, Read: t.Read, Written: t.Written, Int8: t.Int8}, t.Run))
			}
		}
	}
	if k.Open != nil {
		s, err := k.Open(o.threads, o.weights)
		if err != nil {
			return nil, err
		}
		defer s.Close()
		g.threads = o.threads
		s.Steps(func(run func(int), arena []byte) {
			for i := range k.Shapes {
				c := &k.Shapes[i]
				if !o.matches(c.Group, c.Name) {
					continue
				}
				fill(arena, c.Fill)
				isa.Kernels = append(isa.Kernels, g.kernel(*c, func(n int) {
					for range n {
						for _, step := range c.Steps {
							run(step)
						}
					}
				}))
			}
		})
	}
	isa.PeakGFLOPS, isa.PeakInt8GOPS = median(g.peaks), median(g.peaksInt8)
	return isa, nil
}

// fill gives the inputs of a shape values: float32 between -1 and 1, or any bytes.
func fill(arena []byte, places [][3]int) {
	seed := uint32(1)
	for _, p := range places {
		b := arena[p[0] : p[0]+p[1]]
		for i := range b {
			seed = seed*1664525 + 1013904223
			b[i] = byte(seed >> 24)
			if p[2] == 4 && i%4 == 3 { // sign and exponent
				b[i] = b[i]&0x80 | 0x3e
			}
		}
	}
}
