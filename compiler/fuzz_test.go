//go:build unix

package compiler

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzCompile parses, infers shapes, lowers and plans. Whatever the file says, an answer
// comes soon, takes little memory, and is no mistake of the compiler's.
func FuzzCompile(f *testing.F) {
	for _, s := range []string{
		"7767517\n2 2\nInput i 0 1 x 0=8 1=7 2=4\nConvolution c 1 1 x y 0=5 1=3 4=1 5=1 6=180 9=2 -23310=1,0.1\n",
		"7767517\n4 6\nInput i 0 1 x 0=8 1=7 2=4\nSplit s 1 2 x a b\nPermute p 1 1 a c 0=3\nConcat k 2 1 b c y 0=0\n",
		"7767517\n3 3\nInput i 0 1 x 0=6 1=5 2=4\nDeconvolution d 1 1 x a 0=3 1=4 3=2 4=1 6=192\nCrop c 1 1 a y -23309=2,1,1 -23310=2,-1,3 -23311=2,1,2\n",
		"7767517\n2 2\nInput i 0 1 x 0=6 1=5\nLSTM l 1 1 x y 0=4 1=192 2=2\n",
		"7767517\n2 2\nInput i 0 1 x 0=6 1=5\nGemm g 1 1 x y 4=0 5=1 6=1 7=0 8=3 9=6 10=4\n",
		"7767517\n3 3\nInput i 0 1 x 0=6 1=5 2=4\nReshape r 1 1 x a 0=-1 1=2\nSoftmax s 1 1 a y 0=1 1=1\n",
		"7767517\n3 4\nInput i 0 1 x 0=6 1=5 2=14\nSlice s 1 2 x a b -23300=2,-233,-233\nYolov3DetectionOutput d 2 1 a b y 0=2 1=1 4=1.0,2.0 5=0.0,0.0 6=8.0,8.0\n",
	} {
		f.Add(s)
	}
	files, _ := filepath.Glob(filepath.Join(models(), "layers", "*", "*", "*.param"))
	for _, path := range files {
		if data, err := os.ReadFile(path); err == nil {
			f.Add(string(data))
		}
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, weights := range []int64{0, 1 << 40} {
			before, start := allocated(), processorTime()
			err, p := tryParam([]byte(s), weights)
			if took := processorTime() - start; took > 4*hostileTime {
				t.Fatalf("took %v of processor time", took)
			}
			if bytes := allocated() - before; bytes > hostileBytes+64*uint64(len(s)) && (err != nil || bytes > hugeBytes) {
				t.Fatalf("%d bytes", bytes)
			}
			if p != nil {
				t.Fatalf("panic: %v", p)
			}
			if err != nil && strings.Contains(err.Error(), "BUG") {
				t.Fatal(err)
			}
		}
	})
}
