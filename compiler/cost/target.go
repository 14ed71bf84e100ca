package cost

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"sort"
	"strings"
	"sync"
)

// Target describes a device: what `flexnnc profile` measures and --target reads.
// Throughputs are of one core.
type Target struct {
	Name  string `json:"name"`
	Note  string `json:"note,omitempty"` // where the figures come from
	Cores int    `json:"cores"`
	// Parallel is what each core beyond the first adds, as a part of the first.
	Parallel float64 `json:"parallel"`
	// Apart says that cores have caches of their own, so that what one has made is far
	// from another: threads then work in scratch of their own where there is room.
	Apart bool `json:"caches_apart,omitempty"`
	// Kernels are units of work per second by class of kernel.
	Kernels         map[Class]float64 `json:"kernels_per_second"`
	StepNS          int64             `json:"step_ns"` // of each step, whatever it does
	MemoryBandwidth float64           `json:"memory_bytes_per_second"`
	// CacheBytes is the last cache before memory, and CacheBandwidth what it gives to
	// all cores together; 0 stands for a cache that predictions know nothing of.
	// CachePerCore says that each core has one of its own, which what another core has
	// written is not in.
	CacheBytes       int64   `json:"cache_bytes,omitempty"`
	CacheBandwidth   float64 `json:"cache_bytes_per_second,omitempty"`
	CachePerCore     bool    `json:"cache_per_core,omitempty"`
	StorageBandwidth float64 `json:"storage_bytes_per_second"`
	StorageLatencyNS int64   `json:"storage_latency_ns"` // of each load
	// Fit says how well the figures explain the measurements that they come from.
	Fit *Fit `json:"fit,omitempty"`
}

// Fit is the outcome of fitting a target to measured steps.
type Fit struct {
	Steps int `json:"steps"`
	// MeanError is the mean of |predicted-measured| / measured over the steps.
	MeanError float64 `json:"mean_error"`
	// Residuals are measured steps with their prediction.
	Residuals []Residual `json:"residuals,omitempty"`
}

// Residual is one measured step.
type Residual struct {
	Step        string `json:"step"`
	Class       Class  `json:"class"`
	MeasuredNS  int64  `json:"measured_ns"`
	PredictedNS int64  `json:"predicted_ns"`
}

//go:embed targets/*.json
var builtin embed.FS

// Default is the target of those who name none.
const Default = "board"

// Builtin lists the names of the built-in targets.
func Builtin() []string {
	files, err := fs.Glob(builtin, "targets/*.json")
	if err != nil {
		panic("BUG: " + err.Error())
	}
	var names []string
	for _, f := range files {
		names = append(names, strings.TrimSuffix(path.Base(f), ".json"))
	}
	sort.Strings(names)
	return names
}

// Named gives a built-in target.
func Named(name string) (*Target, error) {
	raw, err := builtin.ReadFile("targets/" + name + ".json")
	if err != nil {
		return nil, fmt.Errorf("no target %q is built in; there are %s", name, strings.Join(Builtin(), ", "))
	}
	return Parse(name+".json", raw)
}

// Standard is the target named Default.
var Standard = sync.OnceValue(func() *Target {
	t, err := Named(Default)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return t
})

// Load gives a built-in target by name, or reads a file.
func Load(nameOrFile string) (*Target, error) {
	if nameOrFile == "" {
		nameOrFile = Default
	}
	for _, n := range Builtin() {
		if n == nameOrFile {
			return Named(n)
		}
	}
	raw, err := os.ReadFile(nameOrFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("target %q is no file, and not one of the built-in ones: %s", nameOrFile, strings.Join(Builtin(), ", "))
	}
	if err != nil {
		return nil, err
	}
	return Parse(nameOrFile, raw)
}

// Parse reads and checks the JSON form of a target. Faults name the file, and the
// line and column where JSON is malformed.
func Parse(file string, raw []byte) (*Target, error) {
	t := new(Target)
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(t); err != nil {
		at := d.InputOffset()
		var syntax *json.SyntaxError
		var wrong *json.UnmarshalTypeError
		switch {
		case errors.As(err, &syntax):
			at = syntax.Offset
		case errors.As(err, &wrong):
			at = wrong.Offset
		}
		line, column := position(raw, at)
		return nil, fmt.Errorf("%s:%d:%d: %s", file, line, column, strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := d.Token(); err != io.EOF {
		line, column := position(raw, d.InputOffset())
		return nil, fmt.Errorf("%s:%d:%d: something follows the target", file, line, column)
	}
	if err := t.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return t, nil
}

func position(raw []byte, at int64) (line, column int) {
	before := raw[:min(max(at, 0), int64(len(raw)))]
	line = 1 + bytes.Count(before, []byte("\n"))
	return line, len(before) - bytes.LastIndexByte(before, '\n')
}

// check reports everything that is wrong.
func (t *Target) check() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	within := func(field string, v, low, high float64) {
		if !(v >= low && v <= high) {
			bad("%s is %g; from %g to %g", field, v, low, high)
		}
	}
	if t.Name == "" {
		bad("name is missing")
	}
	within("cores", float64(t.Cores), 1, 1024)
	within("parallel", t.Parallel, 0, 1)
	within("step_ns", float64(t.StepNS), 0, 1e9)
	within("memory_bytes_per_second", t.MemoryBandwidth, 1e6, 1e13)
	within("storage_bytes_per_second", t.StorageBandwidth, 1e3, 1e13)
	within("storage_latency_ns", float64(t.StorageLatencyNS), 0, 1e10)
	if t.CacheBytes != 0 {
		within("cache_bytes", float64(t.CacheBytes), 1<<10, 1<<40)
		within("cache_bytes_per_second", t.CacheBandwidth, t.MemoryBandwidth, 1e13)
	}
	known := map[Class]bool{}
	for _, c := range Classes() {
		known[c] = true
		if v, ok := t.Kernels[c]; ok {
			within("kernels_per_second."+string(c), v, 1e3, 1e15)
		} else {
			bad("kernels_per_second.%s is missing", c)
		}
	}
	var unknown []string
	for c := range t.Kernels {
		if !known[c] {
			unknown = append(unknown, string(c))
		}
	}
	sort.Strings(unknown)
	for _, c := range unknown {
		bad("kernels_per_second.%s is no class of kernels", c)
	}
	return errors.Join(errs...)
}

// Print writes the JSON form.
func (t *Target) Print(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(t)
}
