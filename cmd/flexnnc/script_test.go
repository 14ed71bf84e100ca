package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"flexnnc": main})
}

// TestScripts runs the command lines of testdata/script. Beside testscript's own
// commands they have
//
//	exits CODE PROGRAM ARGS...      the program ends with just this exit code
//	capture NAME stdout|stderr RE   a variable from the first group of the first match
//	add NAME N                      adds N to a variable that holds a number
//	same DIR DIR                    two folders hold the same files
//	absent RE DIR                   no file of the folder has a match
//
// $GLYPHS is the folder of the built-in network; zeros.f32 is a file of two zeros.
// Scripts that build packages end
// their name in _build; the short suite leaves them out.
func TestScripts(t *testing.T) {
	glyphs, err := filepath.Abs("../../testdata/glyphs")
	if err != nil {
		t.Fatal(err)
	}
	goEnv := map[string]string{}
	for _, k := range []string{"GOCACHE", "GOMODCACHE", "GOPATH", "GOROOT"} {
		out, err := exec.Command("go", "env", k).Output()
		if err != nil {
			t.Fatal(err)
		}
		goEnv[k] = strings.TrimSpace(string(out))
	}
	files, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	if testing.Short() {
		quick := files[:0]
		for _, f := range files {
			if !strings.HasSuffix(f, "_build.txtar") {
				quick = append(quick, f)
			}
		}
		files = quick
	}
	testscript.Run(t, testscript.Params{
		Files:               files,
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			for k, v := range goEnv {
				e.Setenv(k, v)
			}
			e.Setenv("GLYPHS", glyphs)
			e.Setenv("GOFLAGS", "-mod=mod")
			e.Setenv("GOWORK", "off")
			e.Setenv("CGO_ENABLED", "0")
			return os.WriteFile(filepath.Join(e.WorkDir, "zeros.f32"), make([]byte, 8), 0o644)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits": exits, "capture": capture, "add": add, "same": same, "absent": absent,
		},
	})
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		code = exit.ExitCode()
	}
	if code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
}

func capture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: capture NAME stdout|stderr RE")
	}
	re, err := regexp.Compile(args[2])
	ts.Check(err)
	m := re.FindStringSubmatch(ts.ReadFile(args[1]))
	if len(m) < 2 {
		ts.Fatalf("no match for %s", re)
	}
	ts.Setenv(args[0], m[1])
}

func add(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: add NAME N")
	}
	a, err := strconv.Atoi(ts.Getenv(args[0]))
	ts.Check(err)
	b, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Setenv(args[0], strconv.Itoa(a+b))
}

// folder reads the files of a folder.
func folder(ts *testscript.TestScript, dir string) map[string]string {
	files := map[string]string{}
	entries, err := os.ReadDir(ts.MkAbs(dir))
	ts.Check(err)
	for _, e := range entries {
		files[e.Name()] = ts.ReadFile(filepath.Join(dir, e.Name()))
	}
	if len(files) == 0 {
		ts.Fatalf("%s is empty", dir)
	}
	return files
}

func same(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: same DIR DIR")
	}
	a, b := folder(ts, args[0]), folder(ts, args[1])
	for name, text := range a {
		if other, ok := b[name]; !ok || other != text {
			ts.Fatalf("%s differs", name)
		}
	}
	if len(a) != len(b) {
		ts.Fatalf("%d files and %d", len(a), len(b))
	}
}

func absent(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: absent RE DIR")
	}
	re, err := regexp.Compile(args[0])
	ts.Check(err)
	for name, text := range folder(ts, args[1]) {
		if m := re.FindString(text); m != "" {
			ts.Fatalf("%s has %q", name, m)
		}
	}
}

// TestMistakes checks what a user cannot bring about: errors and panics of
// flexnnc's own are reported as such.
func TestMistakes(t *testing.T) {
	for name, f := range map[string]func() error{
		"error": func() error { return errors.New("BUG: the planner made a hole") },
		"panic": func() error { panic("a hole") },
	} {
		path := filepath.Join(t.TempDir(), "stderr")
		w, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if code := protect(w, func() bool { return false }, f); code != exitBug {
			t.Errorf("%s: exit code %d, want %d", name, code, exitBug)
		}
		w.Close()
		text, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(text), "a hole") || !strings.Contains(string(text), reportText) {
			t.Errorf("%s: printed %q, %v", name, text, err)
		}
	}
}
