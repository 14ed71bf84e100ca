package codegen

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// budget is one budget of the package.
type budget struct {
	name  string // of identifiers
	bytes int64
	arena int64 // the most that a plan within it takes
	asked bool  // else "max": what the plan takes
}

// arrange makes a unit of every plan of a set, the largest budget first.
func (k *pkg) arrange(set Set) error {
	if len(set.Plans) == 0 || len(set.Plans[0]) == 0 {
		return errors.New("BUG: a package without plans")
	}
	n := len(set.Plans[0])
	columns := make([]int, n)
	budgets := make([]budget, n)
	known := names{}
	for b := range n {
		columns[b] = b
		budgets[b], columns[b] = budget{}, b
		for _, row := range set.Plans {
			if len(row) != n {
				return errors.New("BUG: not every shape has a plan for every budget")
			}
			budgets[b].arena = max(budgets[b].arena, int64(row[b].Arena))
			budgets[b].bytes = max(budgets[b].bytes, int64(row[b].Budget))
		}
		budgets[b].asked = budgets[b].bytes > 0
		budgets[b].bytes = max(budgets[b].bytes, budgets[b].arena)
		text := fmt.Sprint(budgets[b].bytes)
		if b < len(set.Budgets) && set.Budgets[b] != "" {
			text = set.Budgets[b]
		}
		budgets[b].name = known.unique(budgetName(text))
	}
	slices.SortStableFunc(columns, func(a, b int) int { return cmp.Compare(budgets[b].bytes, budgets[a].bytes) })
	for i, c := range columns {
		k.budgets = append(k.budgets, budgets[c])
		if i > 0 && k.budgets[i-1].bytes == budgets[c].bytes {
			return fmt.Errorf("the budgets %s and %s are both %d bytes: leave one out", k.budgets[i-1].name, budgets[c].name, budgets[c].bytes)
		}
	}
	for _, row := range set.Plans {
		for _, c := range columns {
			k.units = append(k.units, k.unit(row[c]))
		}
	}
	return nil
}

// unit prepares one plan.
func (k *pkg) unit(p *plan.Plan) *unit {
	u := &unit{pkg: k, p: p, buffers: map[*op.Tensor]int{}, banded: map[*op.Op]bool{}}
	for i := range p.Steps {
		if p.Steps[i].Rows.Hi != 0 {
			u.banded[p.Steps[i].Op] = true
		}
	}
	for i, b := range p.Buffers {
		if b.Tensor != nil {
			u.buffers[b.Tensor] = i
		}
	}
	return u
}

// nameUnits tells several plans apart: "4MiB", "Shape320", "4MiB_Shape320".
func (k *pkg) nameUnits() {
	for i, u := range k.units {
		b, shape := i%len(k.budgets), i/len(k.budgets)
		var parts []string
		if len(k.budgets) > 1 {
			parts = append(parts, k.budgets[b].name)
			u.within += fmt.Sprintf(" within %d bytes", k.budgets[b].bytes)
		}
		if fields := k.shapeFields(); len(fields) > 0 {
			var sizes []string
			for _, f := range fields {
				sizes = append(sizes, fmt.Sprint(f.sizes[shape]))
			}
			parts = append(parts, "Shape"+strings.Join(sizes, "x"))
			u.within += " for " + inputText(u.inputs)
		}
		u.name = strings.Join(parts, "_")
	}
}

// budgetName is the part of identifiers that tells a budget: "4.5MB" -> "4_5MB".
func budgetName(s string) string {
	b := []byte(s)
	for i, c := range b {
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z') {
			b[i] = '_'
		}
	}
	return strings.ToUpper(string(b[:1])) + string(b[1:])
}

// ident is a package-level identifier of this plan.
func (u *unit) ident(s string) string { return s + u.name }

// threads is the largest number of compute threads.
func (k *pkg) threads() int {
	n := k.units[0].p.Threads
	for _, u := range k.units {
		n = min(n, u.p.Threads)
	}
	return n
}

// largest is the first budget.
func (k *pkg) largest() budget { return k.budgets[0] }

// shapes are the units of the largest budget, one per shape.
func (k *pkg) shapes() []*unit {
	var list []*unit
	for i := 0; i < len(k.units); i += len(k.budgets) {
		list = append(list, k.units[i])
	}
	return list
}
