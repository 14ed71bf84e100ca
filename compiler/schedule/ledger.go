package schedule

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/flexnnc/flexnnc/ir/plan"
)

// ledger lists what lies in the arena at some time, for people to read.
type ledger []entry

type entry struct {
	bytes plan.Bytes
	text  string
}

// add notes bytes, if there are any, and what they are.
func (l *ledger) add(bytes plan.Bytes, format string, args ...any) {
	if bytes > 0 {
		*l = append(*l, entry{bytes, fmt.Sprintf(format+" %d bytes", append(args, bytes)...)})
	}
}

func (l ledger) total() (n plan.Bytes) {
	for _, e := range l {
		n += e.bytes
	}
	return n
}

// texts are the entries, the largest first.
func (l ledger) texts() (list []string) {
	slices.SortStableFunc(l, func(a, b entry) int { return cmp.Compare(b.bytes, a.bytes) })
	for _, e := range l {
		list = append(list, e.text)
	}
	return list
}
