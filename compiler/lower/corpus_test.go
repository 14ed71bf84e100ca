package lower

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/flexnnc/flexnnc/compiler/ncnn"
	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/op"
)

// models is the folder of reference networks, "" where there is none.
func models() string {
	dir := os.Getenv("FLEXNNC_MODELS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "models")
	}
	if _, err := os.Stat(dir); err != nil {
		return ""
	}
	return dir
}

// Every reference network is read, inferred and lowered; the checks that Lower
// makes after each pass are the test. What is not supported yet has to say so.
func TestCorpus(t *testing.T) {
	root := models()
	if root == "" {
		t.Skip("no reference networks: set FLEXNNC_MODELS")
	}
	var params []string
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if strings.HasSuffix(path, ".param") {
			params = append(params, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	done, missing := 0, map[string]int{}
	for _, path := range params {
		name, err := filepath.Rel(root, path)
		if err != nil {
			t.Fatal(err)
		}
		bin := strings.TrimSuffix(path, ".param") + ".bin"
		if _, err := os.Stat(bin); err != nil {
			bin = ""
		}
		n, err := ncnn.Open(path, bin)
		if err != nil {
			if strings.Contains(err.Error(), "is not supported") {
				missing[firstLine(err)]++
			} else {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		for _, w := range n.Warnings.Found {
			t.Logf("%s: warning: %v", name, w)
		}
		if err := ir.Check(n.Graph); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := Infer(n.Graph, caseInputs(t, path)); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var last *op.Graph
		_, err = Lower(n.Graph, Options{Dump: func(_ string, g *op.Graph) { last = g }})
		switch {
		case err == nil:
			done++
		case strings.Contains(err.Error(), "BUG"):
			t.Errorf("%s: %v", name, err)
			if last != nil && len(last.Ops) < 30 {
				t.Log(last)
			}
		default:
			t.Logf("%s: lower: %v", name, firstLine(err))
		}
		n.Close()
	}
	t.Logf("%d of %d lowered; missing %v", done, len(params), missing)
}

// caseInputs are the shapes of the first case's inputs.
func caseInputs(t *testing.T, param string) map[string]ir.Shape {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(filepath.Dir(param), "case.json"))
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		Cases []struct {
			Inputs []struct {
				Name  string
				Shape []int `json:"shape_whc"`
			}
		}
	}
	if err := json.Unmarshal(data, &c); err != nil {
		t.Fatalf("%s: %v", param, err)
	}
	inputs := map[string]ir.Shape{}
	for _, in := range c.Cases[0].Inputs {
		axes := append([]int{}, in.Shape...)
		slices.Reverse(axes)
		inputs[in.Name] = ir.FromAxes(axes)
	}
	return inputs
}

func firstLine(err error) string {
	s, _, _ := strings.Cut(err.Error(), "\n")
	return s
}
