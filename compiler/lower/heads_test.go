package lower

import (
	"slices"
	"strings"
	"testing"

	"github.com/flexnnc/flexnnc/ir/op"
)

// attentionByHand is an attention of 3 heads of 8 over 10 rows, by products: ncnn's
// permute codes 2 and 3 put heads outside, the latter with keys innermost. The
// argument is what stands between the first product, s0, and what the softmax reads.
func attentionByHand(codeK string, transB string, between ...string) []string {
	lines := []string{
		"Input in 0 1 in 0=24 1=10", "Split sp 1 3 in a b c",
		"InnerProduct q 1 1 a q0 0=24 1=1 2=576", "Reshape qr 1 1 q0 q1 0=8 1=3 2=10", "Permute qp 1 1 q1 q2 0=2",
		"InnerProduct k 1 1 b k0 0=24 1=1 2=576", "Reshape kr 1 1 k0 k1 0=8 1=3 2=10", "Permute kp 1 1 k1 k2 0=" + codeK,
		"InnerProduct v 1 1 c v0 0=24 1=1 2=576", "Reshape vr 1 1 v0 v1 0=8 1=3 2=10", "Permute vp 1 1 v1 v2 0=2",
		"MatMul qk 2 1 q2 k2 s0 0=" + transB,
	}
	lines = append(lines, between...)
	return append(lines,
		"Softmax sm 1 1 s p 0=2 1=1", "MatMul pv 2 1 p v2 y0",
		"Permute yp 1 1 y0 y1 0=2", "Reshape yr 1 1 y1 y2 0=24 1=10", "InnerProduct o 1 1 y2 y 0=24 1=1 2=576")
}

func TestAttentionJoins(t *testing.T) {
	for name, test := range map[string]struct {
		lines  []string
		joined bool
	}{
		"scaled":      {attentionByHand("2", "1", "BinaryOp sc 1 1 s0 s 0=2 1=1 2=0.35"), true},
		"not scaled":  {attentionByHand("2", "1", "ReLU r 1 1 s0 s"), true},
		"keys turned": {attentionByHand("3", "0", "BinaryOp sc 1 1 s0 s 0=3 1=1 2=2.5"), true},
		"masked": {attentionByHand("2", "1", "Input mask 0 1 mask 0=10 1=10 2=1", "BinaryOp sc 1 1 s0 s1 0=2 1=1 2=0.35",
			"BinaryOp add 2 1 s1 mask s 0=0"), true},
		"masked per head":  {attentionByHand("2", "1", "Input mask 0 1 mask 0=10 1=10 2=3", "BinaryOp add 2 1 s0 mask s 0=0"), true},
		"mask of one row":  {attentionByHand("2", "1", "Input mask 0 1 mask 0=10 1=1 2=1", "BinaryOp add 2 1 s0 mask s 0=0"), true},
		"factor per row":   {attentionByHand("2", "1", "Input mask 0 1 mask 0=1 1=10 2=1", "BinaryOp mul 2 1 s0 mask s 0=2"), false},
		"two masks":        {attentionByHand("2", "1", "Input m 0 1 m 0=10 1=10 2=1", "Input n 0 1 n 0=10 1=10 2=1", "BinaryOp f 2 1 s0 m s1 0=0", "BinaryOp g 2 1 s1 n s 0=2"), false},
		"scores are shown": {attentionByHand("2", "1", "Split sp2 1 2 s0 s shown"), false},
	} {
		g := graph(t, test.lines...)
		if err := Infer(g, nil); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		low, err := Lower(g, Options{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var calls []string
		copies := 0
		for _, o := range low.Ops {
			switch {
			case o.Kind == op.Copy:
				copies++
			case o.Kind == op.Call:
				calls = append(calls, o.Call.Func)
				if o.Call.Func == "attention" && len(o.Call.Rows) != 10 {
					t.Errorf("%s: %d ranges of rows", name, len(o.Call.Rows))
				}
			}
		}
		want := []string{"matmul", "matmul"}
		if test.joined {
			want = []string{"attention"}
		}
		if !slices.Equal(calls, want) || copies != 0 {
			t.Errorf("%s: calls %v, %d copies\n%s", name, calls, copies, low)
		}
	}
}

// TestHeadsStay keeps a transposition that others read, beside what strides say, and
// one that strides cannot say.
func TestHeadsStay(t *testing.T) {
	lines := attentionByHand("2", "1", "ReLU r 1 1 s0 s")
	for i, l := range lines {
		if strings.HasPrefix(l, "Permute vp") {
			lines[i] = "Permute vp 1 1 v1 v9 0=2"
			lines = slices.Insert(lines, i+1, "Split vs 1 2 v9 v2 shown")
		}
	}
	g := graph(t, lines...)
	if err := Infer(g, nil); err != nil {
		t.Fatal(err)
	}
	low, err := Lower(g, Options{})
	if err != nil {
		t.Fatal(err)
	}
	copies := 0
	for _, o := range low.Ops {
		if o.Kind == op.Copy {
			copies++
		}
		if o.Kind == op.Call && o.Call.Func != "attention" {
			t.Errorf("calls %s", o.Call.Func)
		}
	}
	if copies != 2 { // what is shown lies channels last
		t.Errorf("%d copies in\n%s", copies, low)
	}
}
