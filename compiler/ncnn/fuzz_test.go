package ncnn

import (
	"bytes"
	"testing"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/diag"
)

// checkParse asserts what holds for any input: a graph that keeps its invariants
// or at least one fault, and no more memory than a small multiple of the input.
func checkParse(t *testing.T, data []byte) *ir.Graph {
	var w diag.List
	g, faults := ParseParam("f.param", data, &w)
	if g == nil {
		if len(faults.Found) == 0 {
			t.Fatal("neither a graph nor a fault")
		}
		_ = faults.Err().Error()
		return nil
	}
	if len(faults.Found) > 0 {
		t.Fatal("a graph in spite of faults")
	}
	if err := ir.Check(g); err != nil {
		t.Fatal(err)
	}
	if g.String() != g.String() {
		t.Fatal("the printed form is not stable")
	}
	return g
}

func FuzzParamText(f *testing.F) {
	for _, s := range []string{
		"7767517\n2 2\nInput in0 0 1 in0 0=5 1=4 2=3\nTestPass p 1 1 in0 out\n",
		"7767517\n3 3\nInput in0 0 1 in0 -23330=4,3,5,4,3\nTestConv c 1 1 in0 x -23302=3,1,2,-3 3=0.1,-.5e1, 0=8 4=\"*(0w,2), -1\"\nTestPass p 1 1 x out\n",
		"7767517 2\n2 Input in0 0 1 in0 0=5\nTestConv c 1\n1 in0\nout 0=8\n 6=9\n",
		"7767517\n2000000000 2000000000\nTestAdd a 2000000000 2000000000 x y",
		"7767517\n1 1\nTestConv c 1 1 x y -23302=2000000000,1 0=99999999999999999999999",
		"7767517\n1 1\nInput i 0 1 x -23330=1,3",
		"7767517\n1 1\nTestPass p 0 0 -23330=4,3,1,1,1",
		"7767517\n1 1\nNo \"x 1 0 \xff 0=\"\n=",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if isBinary([]byte(s)) {
			t.Skip("binary")
		}
		checkParse(t, []byte(s))
	})
}

func FuzzParamBinary(f *testing.F) {
	for _, b := range [][]byte{
		bin(1, 1, 16, 0, 1, 0, -233),
		bin(3, 3, 16, 0, 1, 0, -23330, 4, 3, 5, 4, 3, 0, 5, -233, 9004, 1, 1, 0, 1, 0, 8, -23302, 1, 7, -23404, 4, "0w,1", 6, 2, -233, 9001, 1, 1, 1, 2, -233),
		bin(0x7fffffff, 0x7fffffff, 16, 0, 1, 0, -233),
		bin(1, 0x7fffffff, 16, 0, -1, 0, -233),
		bin(1, 1, 9001, 1, 1, 0x09090909, -5, -233),
		bin(1, 1, 9002, 0x7fffffff, 0x7fffffff),
		bin(1, 1, 16, 0, 1, 0, -23300, 0x40000001, 1, -233),
		bin(1, 1, 16, 0, 1, 0, -23404, -4, -233),
		bin(1, 1, 9001, 0, 0, -23330, 4, 3, 1, 1, 1, -233),
	} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) { checkParse(t, append(bin(magic), b...)) })
}

func FuzzWeights(f *testing.F) {
	f.Add(int32(2), int32(5), concat(bin(0), floats(1, 2, 3, 4, 5), floats(10, 11)))
	f.Add(int32(1), int32(3), concat(bin(0x01306B47), []byte{0, 0x3c, 0, 0x40, 0, 0x44, 9, 9}, floats(1)))
	f.Add(int32(1), int32(3), concat(bin(0x000D4B38), []byte{1, 2, 3, 9}, floats(1)))
	f.Add(int32(0), int32(2), concat(bin(7), make([]byte, 1028)))
	f.Add(int32(0x7fffffff), int32(0x7fffffff), bin(0x01306B47))
	f.Fuzz(func(t *testing.T, outputs, count int32, file []byte) {
		g := checkParse(t, bin(magic, 2, 2, 16, 0, 1, 0, -233, 9004, 1, 1, 0, 1, 0, int(outputs), 6, int(count), -233))
		if g == nil {
			return
		}
		faults := ReadWeights(g, "f.bin", bytes.NewReader(file), int64(len(file)))
		if len(faults.Found) > 0 {
			return
		}
		for _, w := range g.Layers[1].Weights {
			if _, err := w.Float32s(); err != nil {
				t.Fatalf("an accepted weight cannot be read: %v", err)
			}
		}
	})
}
