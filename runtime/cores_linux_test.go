package runtime

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

// TestCores runs steps on one core of those there are, on several threads, and
// looks where they and the loader are.
func TestCores(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	allowed, ok := threadCores()
	if !ok {
		t.Fatal("the system does not say where threads may run")
	}
	one := 0
	for !allowed.has(one) {
		one++
	}
	p, file := sumProgram(t)
	work := p.programs[0].steps[0].run
	var elsewhere, steps atomic.Int64
	only := coreSet{}
	only.add(one)
	for i := range p.programs[0].steps {
		p.programs[0].steps[i].run = func(th *thread) {
			if now, _ := threadCores(); now != only {
				elsewhere.Add(1)
			}
			steps.Add(1)
			work(th)
		}
	}
	path := filepath.Join(t.TempDir(), "w.bin")
	if err := os.WriteFile(path, file, 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := runSum(p, Options{Threads: 3, WeightsPath: path, Cores: []int{one}})
	if err != nil {
		t.Fatal(err)
	}
	if want := sumWant(file); got != want {
		t.Errorf("%d, want %d", got, want)
	}
	if steps.Load() != 12 || elsewhere.Load() != 0 {
		t.Errorf("%d of %d threads of steps ran elsewhere", elsewhere.Load(), steps.Load())
	}
	if now, _ := threadCores(); now != allowed {
		t.Error("the calling thread is left where it was put")
	}
	place, err := placementFor([]int{one})
	if err != nil {
		t.Fatal(err)
	}
	if allowed.count() > 1 && (place.loading.has(one) || place.loading.count() != allowed.count()-1) {
		t.Errorf("loads on %x of %x", place.loading, allowed)
	}
	e := new(engine)
	if err := e.open(p, &Options{WeightsPath: path, Cores: []int{one}}, ""); err != nil {
		t.Fatal(err)
	}
	defer e.close()
	if n := len(e.team.threads); n != 1 {
		t.Errorf("%d threads for one core", n)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := e.begin(0); err != nil {
		t.Fatal(err)
	}
	if err := e.run(ctx); err != context.Canceled {
		t.Errorf("%v", err)
	}
	e.end()
	if now, _ := threadCores(); now != allowed {
		t.Error("the calling thread is left where it was put by a run that ended early")
	}
}

func TestCoresThatAreNot(t *testing.T) {
	for _, c := range []struct {
		cores []int
		want  string
	}{{[]int{-1}, "core -1"}, {[]int{1 << 20}, "core 1048576"}, {[]int{}, "names no core"}} {
		if _, err := placementFor(c.cores); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.cores, err, c.want)
		}
	}
}

// TestLargeCores reads capacities as Linux gives them.
func TestLargeCores(t *testing.T) {
	for _, c := range []struct {
		capacity []int
		want     []int
	}{
		{[]int{1024, 1024, 1024, 1024}, nil},
		{[]int{530, 530, 530, 530, 1024, 1024, 1024, 1024}, []int{4, 5, 6, 7}},
		{[]int{250, 250, 870, 870, 1024}, []int{2, 3, 4}},
		{[]int{1000, 1024}, nil},
		{[]int{400, -1}, nil}, // unknown
	} {
		dir := t.TempDir()
		var allowed coreSet
		for i, n := range c.capacity {
			allowed.add(i)
			folder := filepath.Join(dir, "cpu"+strconv.Itoa(i))
			if err := os.Mkdir(folder, 0o755); err != nil {
				t.Fatal(err)
			}
			if n < 0 {
				continue
			}
			if err := os.WriteFile(filepath.Join(folder, "cpu_capacity"), []byte(strconv.Itoa(n)+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got := largeCores(dir, &allowed); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%v: %v, want %v", c.capacity, got, c.want)
		}
	}
}
