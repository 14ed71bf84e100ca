package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// row is an operation in the table.
type row struct {
	Name     string
	What     string
	Out      string // dims of the output
	Layers   string
	Steps    int
	Weights  plan.Bytes
	Resident plan.Bytes
	Time     time.Duration
	Wait     time.Duration
	Share    float64 // of all steps' time
	Bar      float64 // width, of the longest
}

// rows sums the steps of each operation, in order.
func (r *Report) rows() []row {
	at := map[*op.Op]int{}
	var list []row
	counted := map[int]bool{}
	total := time.Duration(0)
	for i := range r.Plan.Steps {
		s := &r.Plan.Steps[i]
		k, ok := at[s.Op]
		if !ok {
			k = len(list)
			at[s.Op] = k
			list = append(list, row{Name: s.Op.Name, What: what(s.Op), Out: dims(s.Op), Layers: layers(s.Op)})
		}
		row := &list[k]
		row.Steps++
		row.Time += r.Steps[i].Len()
		row.Wait += r.Waits[i]
		total += r.Steps[i].Len()
		for _, b := range append([]int{s.Weights}, s.Consts...) {
			if b < 0 || counted[b] {
				continue
			}
			counted[b] = true
			row.Weights += r.Plan.Buffers[b].Size
			if r.Plan.Buffers[b].Resident {
				row.Resident += r.Plan.Buffers[b].Size
			}
		}
	}
	longest := time.Duration(1)
	for _, row := range list {
		longest = max(longest, row.Time)
	}
	for i := range list {
		list[i].Share = float64(list[i].Time) / float64(max(1, total))
		list[i].Bar = 100 * float64(list[i].Time) / float64(longest)
	}
	return list
}

// what is the kind of operation with its window.
func what(o *op.Op) string {
	window := func(kh, kw, sh, sw int) string {
		t := fmt.Sprintf(" %dx%d", kh, kw)
		if sh > 1 || sw > 1 {
			t += fmt.Sprintf("/%d", max(sh, sw))
		}
		return t
	}
	switch {
	case o.Conv != nil:
		return o.Kind.String() + window(o.Conv.KH, o.Conv.KW, o.Conv.SH, o.Conv.SW)
	case o.Pool != nil && !o.Pool.Adaptive:
		return o.Kind.String() + window(o.Pool.KH, o.Pool.KW, o.Pool.SH, o.Pool.SW)
	case o.Call != nil:
		return o.Kind.String() + " " + o.Call.Func
	}
	return o.Kind.String()
}

func dims(o *op.Op) string {
	list := o.Out
	if len(list) == 0 {
		list = o.In
	}
	if len(list) == 0 {
		return ""
	}
	var s []string
	for _, d := range list[0].Dims {
		s = append(s, fmt.Sprint(d))
	}
	return strings.Join(s, "×")
}

func layers(o *op.Op) string {
	var s []string
	for _, l := range o.Layers {
		s = append(s, l.Type)
	}
	return strings.Join(s, " + ")
}
