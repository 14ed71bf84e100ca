package harness

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sort"
	"time"

	"github.com/flexnnc/flexnnc/cmd/flexnnc/harness/runner"
	"github.com/flexnnc/flexnnc/compiler/cases"
)

const (
	// batch is how many packages one process runs where memory is not measured:
	// starting under emulation takes longer than a small network.
	batch = 64
	// measured is up to how many packages memory is measured: the pages of a large
	// binary that a process touches on its way count as its memory, too.
	measured = 64
	// patience is how long a process may be silent; a large network under emulation
	// on a loaded machine takes minutes.
	patience = 30 * time.Minute
)

// task is a package to run.
type task struct {
	t     *suite
	k     *pack
	job   runner.Job
	runs  map[int]runner.Event // by threads
	error string
}

// runAll runs every package of an instruction set and judges what it answers.
func (s *session) runAll(ctx context.Context, arch, bin string) error {
	emulated := arch != Portable && arch != runtime.GOARCH
	var tasks []*task
	count := 0
	s.live(func(*suite, *pack) { count++ })
	measure := !emulated && count <= measured && !s.o.RedZones
	s.live(func(t *suite, k *pack) {
		j := runner.Job{ID: len(tasks), Net: k.name, Weights: k.weights, Threads: s.o.Threads, Inputs: t.inputs, Measure: measure}
		for c := range t.inputs {
			j.Outputs = append(j.Outputs, filepath.Join(s.o.Work, "out", fmt.Sprintf("%s.%s.%d", k.name, arch, c)))
		}
		for _, o := range t.outputs {
			j.Rows = append(j.Rows, o.row)
		}
		tasks = append(tasks, &task{t: t, k: k, job: j, runs: map[int]runner.Event{}})
	})
	size := 1
	if !measure {
		size = max(1, min(batch, len(tasks)/s.o.Parallel))
	}
	var groups [][]*task
	for at := 0; at < len(tasks); at += size {
		groups = append(groups, tasks[at:min(at+size, len(tasks))])
	}
	done := 0
	s.parallel(len(groups), func(i int) {
		for left := groups[i]; len(left) > 0 && ctx.Err() == nil; {
			left = s.process(ctx, left, bin, fmt.Sprintf("%s.%d", arch, i), emulated)
		}
		if k := groups[i][0]; measure && k.over() && ctx.Err() == nil {
			was := k.runs
			k.runs = map[int]runner.Event{}
			s.process(ctx, groups[i], bin, fmt.Sprintf("%s.%d", arch, i), emulated)
			k.keepLess(was)
		}
		s.mu.Lock()
		done += len(groups[i])
		s.o.Progress("ran %d of %d packages on %s", done, len(tasks), arch)
		s.mu.Unlock()
	})
	if err := ctx.Err(); err != nil {
		return err
	}
	ran := map[*pack]*task{}
	for _, k := range tasks {
		ran[k.k] = k
	}
	for _, t := range s.suites {
		if err := t.record(s, arch, ran); err != nil {
			return err
		}
	}
	return nil
}

// over tells whether a run seems to take more memory than its arena and the slack. It is
// measured again then: on a busy machine Go's runtime starts more threads of its own, and
// collects at other times, and what the package takes is the less of two.
func (k *task) over() bool {
	for _, e := range k.runs {
		if e.Peak-e.Idle > k.k.arena+Slack {
			return true
		}
	}
	return false
}

// keepLess joins the runs with what was measured before.
func (k *task) keepLess(was map[int]runner.Event) {
	for threads, e := range was {
		again, ok := k.runs[threads]
		if !ok {
			again = e
		}
		if e.Error != "" {
			again.Error = e.Error
		}
		again.Unstable, again.Allocs = again.Unstable || e.Unstable, max(again.Allocs, e.Allocs)
		if e.Peak-e.Idle < again.Peak-again.Idle {
			again.Idle, again.Peak = e.Idle, e.Peak
		}
		k.runs[threads] = again
	}
}

// process starts a process for the tasks and returns those that it left undone: a
// crash is charged to the task that was running.
func (s *session) process(ctx context.Context, tasks []*task, bin, name string, emulated bool) []*task {
	fail := func(err error) []*task {
		for _, k := range tasks {
			k.error = err.Error()
		}
		return nil
	}
	jobs := make([]runner.Job, len(tasks))
	for i, k := range tasks {
		jobs[i] = k.job
	}
	raw, err := json.Marshal(jobs)
	if err != nil {
		return fail(err)
	}
	path := filepath.Join(s.o.Work, "jobs."+name+".json")
	if err := os.WriteFile(path, raw, 0o644); err != nil {
		return fail(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	args := []string{bin, path}
	if emulated {
		args = append([]string{qemu()}, args...)
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return fail(err)
	}
	if err := cmd.Start(); err != nil {
		return fail(err)
	}
	watch := time.AfterFunc(patience, cancel)
	current := -1
	lines := bufio.NewScanner(stdout)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		watch.Reset(patience)
		var e runner.Event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			continue // not ours: the exit status tells
		}
		for i, k := range tasks {
			if k.job.ID != e.Job {
				continue
			}
			if e.Start {
				current = i
			} else {
				k.runs[e.Threads] = e
			}
		}
	}
	silent := !watch.Stop()
	err = cmd.Wait()
	switch {
	case err == nil:
		return nil
	case silent:
		err = fmt.Errorf("nothing was heard for %v", patience)
	default:
		err = fmt.Errorf("the program failed: %w: %s", err, firstLines(stderr.Bytes(), 12))
	}
	if current < 0 {
		return fail(err)
	}
	tasks[current].error = err.Error()
	return tasks[current+1:]
}

// record judges the answers of one instruction set.
func (t *suite) record(s *session, arch string, ran map[*pack]*task) error {
	if t.report.Error != "" {
		return nil
	}
	if t.bits == nil {
		t.bits = map[string][32]byte{}
	}
	for i, b := range s.o.Budgets {
		k := t.packages[i]
		for _, threads := range s.o.Threads {
			r := &Run{Budget: b.Name, Bytes: int64(b.Bytes), Arena: k.arena, Arch: arch, Threads: threads, Peak: -1, Foreign: len(t.imports) > 0}
			if b.Kind != Size {
				r.Bytes = k.arena
			}
			t.report.Runs = append(t.report.Runs, r)
			task := ran[k]
			if k.failed != "" || task == nil {
				r.Error = k.failed
				continue
			}
			e, ok := task.runs[threads]
			switch {
			case !ok && task.error != "":
				r.Error = task.error
				continue
			case !ok:
				r.Error = "the program said nothing"
				continue
			case e.Error != "":
				r.Error = e.Error
				continue
			}
			r.Unstable, r.Allocs = e.Unstable, e.Allocs
			if e.Idle >= 0 && e.Peak >= 0 {
				r.Peak = max(0, e.Peak-e.Idle)
			}
			if err := t.judge(s, task, r); err != nil {
				return err
			}
		}
	}
	return nil
}

// judge compares the outputs of a run, the first with the reference and the
// others with the first.
func (t *suite) judge(s *session, k *task, r *Run) error {
	r.Equal = true
	for c := range t.cases.Cases {
		for i := range t.cases.Cases[c].Outputs {
			o := &t.cases.Cases[c].Outputs[i]
			path := runner.OutputFile(k.job.Outputs[c], r.Threads, t.port(o.Name))
			raw, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			key := fmt.Sprintf("%d/%d", c, i)
			sum := sha256.Sum256(raw)
			was, known := t.bits[key]
			if known && was == sum {
				continue
			}
			j, err := t.verdict(s, c, o, raw)
			if err != nil {
				return err
			}
			if !known {
				t.bits[key] = sum
				t.report.Outputs = append(t.report.Outputs, j)
				r.First = true
				continue
			}
			r.Equal = false
			r.Differs = append(r.Differs, j)
		}
	}
	return nil
}

func (t *suite) verdict(s *session, c int, o *cases.Output, raw []byte) (Judged, error) {
	want, err := o.Reference()
	if err != nil {
		return Judged{}, err
	}
	got := make([]float32, len(raw)/4)
	ints := t.outputs[t.port(o.Name)].ints
	for i := range got {
		w := binary.LittleEndian.Uint32(raw[4*i:])
		if ints {
			got[i] = float32(int32(w))
		} else {
			got[i] = math.Float32frombits(w)
		}
	}
	rule := cases.Rule{Tol: o.Tol, Detections: o.AfterNMS}
	if s.o.Tol > 0 {
		rule.Tol = s.o.Tol
	}
	rule.Steps = t.steps && rule.Tol == 0
	return Judged{Case: t.cases.Cases[c].Name, Output: o.Name, Rule: rule, Verdict: cases.Judge(got, want, o, rule)}, nil
}

// order sorts the runs by budget, instruction set and threads, as they were asked for.
func (t *suite) order(o Options) {
	rank := map[string]int{}
	for i, b := range o.Budgets {
		rank["budget "+b.Name] = i
	}
	for i, a := range o.Arches {
		rank[a] = i
	}
	runs := t.report.Runs
	sort.SliceStable(runs, func(i, j int) bool {
		a, b := runs[i], runs[j]
		if x, y := rank["budget "+a.Budget], rank["budget "+b.Budget]; x != y {
			return x < y
		}
		if x, y := rank[a.Arch], rank[b.Arch]; x != y {
			return x < y
		}
		return a.Threads < b.Threads
	})
}

// ErrFailed says that not everything holds.
var ErrFailed = errors.New("not all networks pass")

// Err is ErrFailed where a network has failures.
func (r *Report) Err() error {
	for _, n := range r.Networks {
		if len(n.Failures()) > 0 {
			return ErrFailed
		}
	}
	return nil
}
