package codegen_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/flexnnc/flexnnc/compiler"
)

// hostileTest goes beside the emitted package. foreign.bin is the weights file of the
// same graph with one weight changed, param.bin a file of another format.
const hostileTest = `package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"glyphs/glyphs"
)

// answer runs the package on weights and returns what it says.
func answer(t *testing.T, o glyphs.Options) ([]float32, error) {
	n, err := glyphs.New(o)
	if err != nil {
		return nil, err
	}
	defer n.Close()
	in, out := glyphs.NewInputs(), glyphs.NewOutputs()
	for i := range in.Data {
		in.Data[i] = float32(i%17) / 17
	}
	if err := n.Run(context.Background(), in, out); err != nil {
		return nil, err
	}
	return out.Prob, nil
}

func refused(t *testing.T, what string, err error, says ...string) {
	t.Helper()
	var w *glyphs.WeightsError
	if !errors.As(err, &w) {
		t.Fatalf("%s: %v is no WeightsError", what, err)
	}
	for _, s := range says {
		if strings.Contains(err.Error(), s) {
			return
		}
	}
	t.Fatalf("%s: %q says none of %q", what, err, says)
}

func file(t *testing.T) []byte {
	raw, err := os.ReadFile("glyphs/weights.bin")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := answer(t, glyphs.Options{Threads: 2, Weights: bytes.NewReader(raw)}); err != nil {
		t.Fatalf("the good file: %v", err)
	}
	return raw
}

// flipped is a file with one bit changed, without a copy of it.
type flipped struct {
	raw []byte
	at  int64
	bit byte
}

func (f flipped) ReadAt(p []byte, at int64) (int, error) {
	n, err := bytes.NewReader(f.raw).ReadAt(p, at)
	if at <= f.at && f.at < at+int64(n) {
		p[f.at-at] ^= f.bit
	}
	return n, err
}

func TestFlips(t *testing.T) {
	raw := file(t)
	r := rand.New(rand.NewSource(1))
	step := 1 + len(raw)/FLIPS
	for at := 0; at < len(raw); {
		_, err := answer(t, glyphs.Options{Threads: 1, Weights: flipped{raw, int64(at), 1 << r.Intn(8)}})
		refused(t, "a flipped bit", err, "damaged", "not a flexnnc weights file", "format version")
		if at < 4096 { // header and checksum table
			at += 1 + step/8
		} else {
			at += 1 + r.Intn(2*step)
		}
	}
	_, err := answer(t, glyphs.Options{Threads: 1, Weights: flipped{raw, int64(len(raw) - 1), 0x80}})
	refused(t, "the last bit", err, "damaged")
}

func TestTruncated(t *testing.T) {
	raw := file(t)
	for _, n := range []int{0, 1, 7, 8, 100, 127, 128, 129, 4000, len(raw) / 2, len(raw) - 4096, len(raw) - 64, len(raw) - 1} {
		_, err := answer(t, glyphs.Options{Weights: bytes.NewReader(raw[:n])})
		if n < 8 {
			refused(t, "nearly nothing", err, "not a flexnnc weights file", "truncated")
		} else {
			refused(t, "a cut file", err, "truncated")
		}
		path := filepath.Join(t.TempDir(), "w.bin")
		if err := os.WriteFile(path, raw[:n], 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err = answer(t, glyphs.Options{WeightsPath: path}); err == nil || !strings.Contains(err.Error(), path) {
			t.Fatalf("a cut file of %d bytes: %v", n, err)
		}
	}
	_, err := answer(t, glyphs.Options{Weights: bytes.NewReader(append(bytes.Clone(raw), 0))})
	refused(t, "a byte too many", err, "goes on after its end")
	path := filepath.Join(t.TempDir(), "none")
	_, err = answer(t, glyphs.Options{WeightsPath: path})
	refused(t, "no file", err, "cannot be opened")
}

func TestForeign(t *testing.T) {
	for _, name := range []string{"foreign.bin", "param.bin"} {
		_, err := answer(t, glyphs.Options{WeightsPath: name})
		refused(t, name, err, "another model", "not a flexnnc weights file")
	}
}

// cutLater loses its end while a net is open.
type cutLater struct {
	raw []byte
	cut *bool
}

func (c cutLater) ReadAt(p []byte, at int64) (int, error) {
	raw := c.raw
	if *c.cut {
		raw = raw[:len(raw)/3]
	}
	return bytes.NewReader(raw).ReadAt(p, at)
}

func TestDamageLater(t *testing.T) {
	raw := file(t)
	cut := false
	n, err := glyphs.New(glyphs.Options{Threads: 2, Weights: cutLater{raw, &cut}})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	in, out := glyphs.NewInputs(), glyphs.NewOutputs()
	run := func() error { return n.Run(context.Background(), in, out) }
	if err := run(); err != nil {
		t.Fatal(err)
	}
	good := bytes.Clone(floats(out.Prob))
	cut = true
	if STREAMS {
		refused(t, "a file that shrinks", run(), "short read")
		refused(t, "a file that shrinks", run(), "short read")
	}
	cut = false
	if err := run(); err != nil || !bytes.Equal(good, floats(out.Prob)) {
		t.Fatalf("the file is whole again: %v, or other bits", err)
	}
	in.Data = in.Data[1:]
	if err := run(); err == nil || !strings.Contains(err.Error(), "Inputs.Data has") {
		t.Fatalf("an input that is too short: %v", err)
	}
	n.Close()
	if err := run(); !errors.Is(err, glyphs.ErrClosed) {
		t.Fatalf("a closed net: %v", err)
	}
}

func floats(v []float32) []byte {
	var b []byte
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

var _ io.ReaderAt = flipped{}
`

// TestHostileWeights gives an emitted package weights files that are damaged, cut
// or another model's, where all weights stay and where they are streamed: an error
// that says so each time, and never an answer.
func TestHostileWeights(t *testing.T) {
	raw, err := os.ReadFile("../testdata/glyphs/glyphs.bin")
	if err != nil {
		t.Fatal(err)
	}
	other := bytes.Clone(raw)
	other[len(other)/2] ^= 1
	flips := "1500"
	if testing.Short() {
		flips = "200"
	}
	for name, o := range map[string]compiler.Options{
		"min": {Min: true, Threads: 2},
		"max": {Threads: 2},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			p := emit(t, o, filepath.Join(dir, "glyphs"))
			if err := os.Remove(filepath.Join(dir, "glyphs", "go.mod")); err != nil {
				t.Fatal(err)
			}
			streams := "false"
			for _, l := range p.Loads {
				if !l.Resident {
					streams = "true"
				}
			}
			foreign := filepath.Join(t.TempDir(), "foreign")
			bin := filepath.Join(t.TempDir(), "other.bin")
			if err := os.WriteFile(bin, other, 0o644); err != nil {
				t.Fatal(err)
			}
			emitWith(t, bin, o, foreign)
			text := bytes.ReplaceAll([]byte(hostileTest), []byte("STREAMS"), []byte(streams))
			text = bytes.ReplaceAll(text, []byte("FLIPS"), []byte(flips))
			foreignRaw, err := os.ReadFile(filepath.Join(foreign, "weights.bin"))
			if err != nil {
				t.Fatal(err)
			}
			for file, b := range map[string][]byte{
				"go.mod":          []byte("module glyphs\n\ngo 1.24\n"),
				"main.go":         []byte("package main\n\nfunc main() {}\n"),
				"hostile_test.go": text,
				"foreign.bin":     foreignRaw,
				"param.bin":       raw,
			} {
				if err := os.WriteFile(filepath.Join(dir, file), b, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			goTool(t, dir, nil, "test", "-count=1", ".")
		})
	}
}
