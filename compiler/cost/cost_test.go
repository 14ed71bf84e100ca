package cost

import (
	"bytes"
	"strings"
	"testing"

	"github.com/flexnnc/flexnnc/ir/op"
)

func TestBuiltinTargets(t *testing.T) {
	names := Builtin()
	if len(names) < 5 {
		t.Fatalf("built in are only %v", names)
	}
	for _, n := range names {
		target, err := Load(n)
		if err != nil {
			t.Fatal(err)
		}
		if target.Name != n {
			t.Errorf("%s calls itself %q", n, target.Name)
		}
		var b bytes.Buffer
		if err := target.Print(&b); err != nil {
			t.Fatal(err)
		}
		again, err := Parse("again", b.Bytes())
		if err != nil || again.Kernels[Conv] != target.Kernels[Conv] || again.StepNS != target.StepNS {
			t.Errorf("%s printed and read again: %v", n, err)
		}
	}
}

func TestParseFaults(t *testing.T) {
	var good bytes.Buffer
	if err := Standard().Print(&good); err != nil {
		t.Fatal(err)
	}
	change := func(from, to string) string {
		s := strings.Replace(good.String(), from, to, 1)
		if s == good.String() {
			t.Fatalf("no %q in %s", from, s)
		}
		return s
	}
	for want, text := range map[string]string{
		"f.json:1:":                            "",
		"f.json:2:":                            "{\n \"name\" 5}",
		"f.json:3:":                            "{\n \"name\": \"x\",\n \"cores\": \"four\"}",
		"unknown field":                        change(`"cores"`, `"kores": 4, "cores"`),
		"something follows":                    good.String() + "{}",
		"cores is 0; from 1 to 1024":           change(`"cores": 4`, `"cores": 0`),
		"kernels_per_second.conv is missing":   change(`"conv"`, `"kconv"`),
		"kernels_per_second.kconv is no class": change(`"conv"`, `"kconv"`),
		"step_ns is -1":                        change(`"step_ns": 5000`, `"step_ns": -1`),
		"cache_bytes_per_second is 5; from 1e": change(`"cache_bytes_per_second": 24000000000`, `"cache_bytes_per_second": 5`),
		"cache_bytes is 7":                     change(`"cache_bytes": 1048576`, `"cache_bytes": 7`),
	} {
		_, err := Parse("f.json", []byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if _, err := Load("no such thing"); err == nil || !strings.Contains(err.Error(), "pi4") {
		t.Errorf("%v", err)
	}
}

// TestModel checks that predictions grow with work and shrink with threads, that
// threads beyond the cores bring nothing, and that large numbers do not overflow.
func TestModel(t *testing.T) {
	target := Standard()
	one, four, many := target.Model(1), target.Model(4), target.Model(100)
	for _, c := range Classes() {
		last := int64(-1)
		for _, n := range []int64{0, 1000, 1e6, 1e9, 1e12, 1e15} {
			a, b, m := one.Units(c, n), four.Units(c, n), many.Units(c, n)
			if a <= last || b > a || b != m {
				t.Errorf("%s, %d units: %d ps on one thread, %d on four, %d on a hundred", c, n, a, b, m)
			}
			last = a
		}
	}
}

// TestNear: bytes in a cache take less time; a cache of each core's own is none to several
// threads, nor is one that a target does not name.
func TestNear(t *testing.T) {
	target := *Standard()
	x := &op.Tensor{Dims: []int{8, 8, 16}}
	o := &op.Op{Kind: op.Pool, Pool: &op.PoolAttr{KH: 1, KW: 1}, In: []*op.Tensor{x}, Out: []*op.Tensor{{Dims: []int{8, 8, 16}}}}
	part := Part{Panels: 1, All: 1}
	near := part
	near.Near = Of(o).Bytes
	shared, far := target.Model(2), target.Model(2).Op(o).Part(part)
	if got, want := far-shared.Op(o).Part(near), near.Near*(shared.Touch-shared.Near); got != want || got <= 0 {
		t.Errorf("a cache saves %d ps, want %d", got, want)
	}
	if !shared.Holds(target.CacheBytes) || shared.Holds(target.CacheBytes+1) {
		t.Errorf("a cache of %d bytes does not hold just as many", target.CacheBytes)
	}
	target.CachePerCore = true
	if one, two := target.Model(1), target.Model(2); one.Cache != target.CacheBytes || two.Cache != 0 {
		t.Errorf("one thread has %d bytes of its core's cache, two have %d", one.Cache, two.Cache)
	}
	target.CacheBytes = 0
	if m := target.Model(1); m.Cache != 0 {
		t.Errorf("no cache of %d bytes", m.Cache)
	}
}

func TestClasses(t *testing.T) {
	conv := func(kh, inC, outH int) *op.Op {
		return &op.Op{
			Kind:   op.Conv,
			Conv:   &op.ConvAttr{KH: kh, KW: kh, InC: inC, OutC: 16, OutH: outH, OutW: outH},
			Panels: &op.Panels{N: 16, Taps: kh * kh, Chans: inC},
			Out:    []*op.Tensor{{Dims: []int{outH, outH, 16}}},
		}
	}
	for want, o := range map[Class]*op.Op{
		Conv: conv(3, 64, 20), Stem: conv(3, 3, 20), Pointwise: conv(1, 64, 20), Vector: conv(1, 64, 1),
		Transpose: {Kind: op.Copy, Perm: []int{1, 2, 0}, Out: []*op.Tensor{{Dims: []int{4, 5, 6}}}},
		Copy:      {Kind: op.Copy, Perm: []int{1, 2, 0}, Out: []*op.Tensor{{Dims: []int{1, 5, 1}}}},
	} {
		w := Of(o)
		if w.Class != want || w.Units == 0 {
			t.Errorf("%+v, want %s", w, want)
		}
		if (w.Weights > 0) != (want == Conv || want == Stem || want == Pointwise) {
			t.Errorf("%s: %d weights", want, w.Weights)
		}
	}
}
