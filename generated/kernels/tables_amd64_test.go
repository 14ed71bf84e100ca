//go:build !noasm

package kernels

import (
	"strings"

	"github.com/flexnnc/flexnnc/avo/kernel/conv"
)

func assemblyTables() []*kernelTable {
	var ts []*kernelTable
	if hasAVX2 {
		ts = append(ts, &kernelsAVX2)
	}
	if hasAVX512 {
		ts = append(ts, &kernelsAVX512)
	}
	return ts
}

func tableName(i conv.ISA) string { return strings.ToLower(i.String()) }
