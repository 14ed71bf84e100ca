package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/flexnnc/flexnnc/ir/plan"
)

func TestTicks(t *testing.T) {
	for _, limit := range []float64{1, 7, 99, 12345, 3e9} {
		list := ticks(limit, 8)
		if len(list) < 3 || len(list) > 10 || list[0] != 0 || list[len(list)-1] > limit {
			t.Errorf("to %g: %v", limit, list)
		}
	}
	if list := logTicks(3.1e6, 4e6); len(list) != 2 {
		t.Errorf("%v", list)
	}
	if list := logTicks(900, 3e6); len(list) < 9 || list[0] != 1000 {
		t.Errorf("%v", list)
	}
}

// sample is a plan of two steps, the second with weights that are streamed.
func sample() *Report {
	in := &op.Tensor{Name: "x<y", Dims: []int{4, 4, 8}}
	conv := &op.Op{Name: "c&d", Kind: op.Conv, In: []*op.Tensor{in}, Out: []*op.Tensor{in}, Conv: &op.ConvAttr{KH: 3, KW: 3, SH: 2, SW: 2}, Layers: []*ir.Layer{{Type: "Convolution"}}}
	p := &plan.Plan{
		Graph: &op.Graph{Name: "net<script>"}, Arena: 4096, Threads: 2,
		File: plan.File{Items: []plan.Item{{Name: "w"}}, Bytes: 1024},
		Buffers: []plan.Buffer{
			{Name: "x", Kind: plan.Activation, Size: 512, Last: 1, RingRows: 2},
			{Name: "w", Kind: plan.Weights, Offset: 1024, Size: 1024, Last: 1},
			{Name: "k", Kind: plan.Weights, Offset: 2048, Size: 64, Last: 1, Resident: true},
		},
		Steps: []plan.Step{{Op: &op.Op{Name: "in", Kind: op.Input, Out: []*op.Tensor{in}}, Weights: -1}, {Index: 1, Op: conv, Weights: 1, Consts: []int{2}, Wait: 1}},
		Loads: []plan.Load{{Buffer: 2, Resident: true, Bytes: 64}, {Index: 1, Buffer: 1, Bytes: 1024}},
	}
	p.Certificate.MinBudget = 2048
	ms := time.Millisecond
	return &Report{
		Plan: p, Target: "board", Version: "0",
		Steps: []Span{{0, ms}, {3 * ms, 4 * ms}}, Loads: []Span{{}, {0, 3 * ms}}, Waits: []time.Duration{0, 2 * ms},
		Curve: []Point{{Arena: 2048, Predicted: 9 * ms, Bound: 5 * ms}, {Arena: 4096, Predicted: 4 * ms, Bound: 4 * ms}, {Arena: 1 << 20, Predicted: 2 * ms}},
	}
}

var rects = regexp.MustCompile(`<rect class="hit ([^"]*)" x="([^"]*)" y="([^"]*)" width="([^"]*)" height="([^"]*)" data-t="([^"]*)"`)

func TestPage(t *testing.T) {
	var b bytes.Buffer
	if err := sample().Write(&b); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for _, want := range []string{
		"<h1>net&lt;script&gt;</h1>", "4.1 kB", "The smallest budget that works is 2.0 kB", "Steps wait 2.00 ms",
		"2 rows of an activation", "weights that stay between runs", "weights, being loaded", "weights in use",
		"waits 2.00 ms for its weights", "conv 3x3/2", "4×4×8", "this plan: 4.1 kB",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in the page", want)
		}
	}
	for _, bad := range []string{"=\"NaN", "Inf\"", "ZgotmplZ", "%!", "<no value>", "src=", "href="} {
		if strings.Contains(text, bad) {
			t.Errorf("%q in the page", bad)
		}
	}
	found := rects.FindAllStringSubmatch(text, -1)
	if len(found) < 7 {
		t.Fatalf("%d rectangles", len(found))
	}
	for _, m := range found {
		var v [4]float64
		for i := range v {
			f, err := strconv.ParseFloat(m[2+i], 64)
			if err != nil {
				t.Fatal(err)
			}
			v[i] = f
		}
		if v[0] < left-0.01 || v[0]+v[2] > right+0.3 || v[1] < 0 || v[1]+v[3] > 462 || v[2] <= 0 || v[3] <= 0 {
			t.Errorf("%s lies outside: %v", m[6], v)
		}
	}
}

// A picture stands alone: well-formed XML with all styles and no reference, and the
// same rectangles as the page.
func TestPicture(t *testing.T) {
	for _, curve := range []bool{true, false} {
		r := sample()
		if !curve {
			r.Curve = nil
		}
		var b, page bytes.Buffer
		if err := errors.Join(r.WritePicture(&b), r.Write(&page)); err != nil {
			t.Fatal(err)
		}
		text := b.String()
		for d := xml.NewDecoder(&b); ; {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("%v in %s", err, text)
			}
		}
		for _, bad := range []string{"NaN", "Inf\"", "ZgotmplZ", "%!", "<no value>", "href="} {
			if strings.Contains(text, bad) {
				t.Errorf("%q in the picture", bad)
			}
		}
		if has := strings.Contains(text, "Latency over memory"); has != curve {
			t.Errorf("the curve is there: %v, want %v", has, curve)
		}
		in := rects.FindAllString(text, -1)
		if len(in) < 4 {
			t.Fatalf("%d rectangles", len(in))
		}
		for _, rect := range in {
			if !strings.Contains(page.String(), rect) {
				t.Errorf("%s is not on the page", rect)
			}
		}
	}
}

func TestTimesMustFitThePlan(t *testing.T) {
	r := sample()
	r.Steps = r.Steps[:1]
	if err := r.Write(&bytes.Buffer{}); err == nil {
		t.Error("one time for two steps is accepted")
	}
}

func TestText(t *testing.T) {
	for want, got := range map[string]string{
		"0": Time(0), "1.5 µs": Time(1500), "2.50 ms": Time(2500 * time.Microsecond), "25.0 ms": Time(25 * time.Millisecond),
		"2.50 s": Time(2500 * time.Millisecond), "12.0 s": Time(12 * time.Second),
		"12 bytes": Bytes(12), "1.2 kB": Bytes(1200), "1.20 MB": Bytes(1200000),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
