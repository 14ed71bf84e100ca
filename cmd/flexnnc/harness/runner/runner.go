// Package runner is the program that runs emitted packages on reference inputs.
// The harness copies its source beside the packages and builds one binary of all.
// It imports the standard library only, and judges nothing.
package runner

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"unsafe"
)

// Net is one emitted package.
type Net struct {
	Name  string
	Ports func() (in, out any) // pointers to its Inputs and Outputs
	Open  func(threads int, weights string, in, out any) (run, close func() error, err error)
}

// Job is what to run on one package.
type Job struct {
	ID      int
	Net     string
	Weights string     // path of the weights file, "" where they are embedded
	Threads []int      // one net is opened for each
	Inputs  [][]string // per case, a file for each input
	Outputs []string   // per case, the prefix of the files to write
	Rows    []int      // per output, values of a row where the package counts rows; else 0
	Measure bool       // resident memory; needs a process of its own
}

// Event is a line of the answer. A Start comes before each job's results, so that
// a crash can be told whose it was.
type Event struct {
	Job     int
	Start   bool   `json:",omitempty"`
	Threads int    `json:",omitempty"`
	Error   string `json:",omitempty"`
	// Unstable says that a second run of the same net gave other bits.
	Unstable bool `json:",omitempty"`
	// Allocs is the number of heap allocations that all runs made together, from the
	// first run of the net on.
	Allocs uint64 `json:",omitempty"`
	// Idle and Peak are resident bytes before New, and at most until Close; -1
	// where the system does not tell.
	Idle, Peak int64
}

// OutputFile is where output k of a case is left, for a prefix and thread count.
func OutputFile(prefix string, threads, k int) string {
	return fmt.Sprintf("%s.t%d.%d", prefix, threads, k)
}

// Main runs the jobs of the file that is the only argument.
func Main(nets []Net) {
	if err := runAll(nets); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func runAll(nets []Net) error {
	if len(os.Args) != 2 {
		return fmt.Errorf("usage: %s jobs.json", os.Args[0])
	}
	raw, err := os.ReadFile(os.Args[1])
	if err != nil {
		return err
	}
	var jobs []Job
	if err := json.Unmarshal(raw, &jobs); err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	for i := range jobs {
		j := &jobs[i]
		at := slices.IndexFunc(nets, func(n Net) bool { return n.Name == j.Net })
		if at < 0 {
			return fmt.Errorf("no package %s", j.Net)
		}
		if err := out.Encode(Event{Job: j.ID, Start: true}); err != nil {
			return err
		}
		for _, threads := range j.Threads {
			e := Event{Job: j.ID, Threads: threads, Idle: -1, Peak: -1}
			if err := j.run(&nets[at], threads, &e); err != nil {
				e.Error = err.Error()
			}
			if err := out.Encode(e); err != nil {
				return err
			}
		}
	}
	return nil
}

func (j *Job) run(n *Net, threads int, e *Event) error {
	in, out := n.Ports()
	inputs, outputs := words(in), words(out)
	first := make([][]uint32, len(outputs))
	for k := range outputs {
		first[k] = make([]uint32, len(outputs[k]))
	}
	if err := j.load(0, inputs); err != nil {
		return err
	}
	// The arrays have their memory before it is measured.
	poison(outputs)
	poison(first)
	if j.Measure {
		e.Idle = restartPeak()
	}
	run, end, err := n.Open(threads, j.Weights, in, out)
	if err != nil {
		return err
	}
	defer end()
	// Go's collector allocates for itself, and starts every two minutes.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	for c := range j.Inputs {
		if c > 0 {
			if err := j.load(c, inputs); err != nil {
				return err
			}
		}
		poison(outputs)
		if err := counted(run, &e.Allocs); err != nil {
			return err
		}
		for k := range outputs {
			copy(first[k], outputs[k])
		}
		poison(outputs)
		if err := counted(run, &e.Allocs); err != nil {
			return err
		}
		if c == 0 && e.Idle >= 0 {
			e.Peak = status("VmHWM")
		}
		found, err := j.found(out, outputs)
		if err != nil {
			return err
		}
		for k := range outputs {
			if !slices.Equal(first[k], outputs[k]) {
				e.Unstable = true
			}
			if err := writeWords(OutputFile(j.Outputs[c], threads, k), first[k][:found[k]]); err != nil {
				return err
			}
		}
	}
	return nil
}

// counted runs, and adds the heap allocations that were made.
func counted(run func() error, sum *uint64) error {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := run()
	runtime.ReadMemStats(&after)
	*sum += after.Mallocs - before.Mallocs
	return err
}

// poison fills outputs with a NaN that no network makes, so that what is not
// written shows.
func poison(outputs [][]uint32) {
	for _, o := range outputs {
		for i := range o {
			o[i] = 0x7fc0dead
		}
	}
}

// words sees the arrays of an Inputs or Outputs struct as 32-bit words, in the
// order of its fields.
func words(ports any) [][]uint32 {
	s := reflect.ValueOf(ports).Elem()
	var list [][]uint32
	for i := range s.NumField() {
		switch v := s.Field(i).Interface().(type) {
		case []float32:
			list = append(list, unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(v))), len(v)))
		case []int32:
			list = append(list, unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(v))), len(v)))
		}
	}
	return list
}

// counts finds the numbers of rows in an Outputs struct, in the order of its
// fields.
func counts(ports any) []*int32 {
	s := reflect.ValueOf(ports).Elem()
	var list []*int32
	for i := range s.NumField() {
		if n, ok := s.Field(i).Addr().Interface().(*int32); ok {
			list = append(list, n)
		}
	}
	return list
}

// found lists how many values of each output are results.
func (j *Job) found(out any, outputs [][]uint32) ([]int, error) {
	rows := counts(out)
	var list []int
	for k, o := range outputs {
		n := len(o)
		if k < len(j.Rows) && j.Rows[k] > 0 {
			if len(rows) == 0 {
				return nil, fmt.Errorf("output %d has no number of rows", k)
			}
			n = int(*rows[0]) * j.Rows[k]
			rows = rows[1:]
			if n < 0 || n > len(o) {
				return nil, fmt.Errorf("output %d claims %d values of %d", k, n, len(o))
			}
		}
		list = append(list, n)
	}
	return list, nil
}

func (j *Job) load(c int, inputs [][]uint32) error {
	if len(j.Inputs[c]) != len(inputs) {
		return fmt.Errorf("the package has %d inputs, the case %d", len(inputs), len(j.Inputs[c]))
	}
	for k, path := range j.Inputs[c] {
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if len(raw) != 4*len(inputs[k]) {
			return fmt.Errorf("%s has %d bytes, the package's input %d", path, len(raw), 4*len(inputs[k]))
		}
		for i := range inputs[k] {
			inputs[k][i] = binary.LittleEndian.Uint32(raw[4*i:])
		}
	}
	return nil
}

func writeWords(path string, v []uint32) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	if err := binary.Write(w, binary.LittleEndian, v); err != nil {
		f.Close()
		return err
	}
	if err := w.Flush(); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// restartPeak gives memory back, asks Linux to forget the peak, and returns what
// is resident now; -1 where that is not possible.
func restartPeak() int64 {
	debug.FreeOSMemory()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		return -1
	}
	return status("VmRSS")
}

// status reads a line of /proc/self/status, in bytes.
func status(key string) int64 {
	raw, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return -1
	}
	for _, line := range strings.Split(string(raw), "\n") {
		if rest, ok := strings.CutPrefix(line, key+":"); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			if err == nil {
				return n << 10
			}
		}
	}
	return -1
}
