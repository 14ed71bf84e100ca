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

// int8Units are the units that the CPU has.
func int8Units() []int8Unit {
	var us []int8Unit
	if hasAVX2 {
		us = append(us, int8Unit{&int8KernelsAVX2, quantizeAVX2, conv.AVX2Int8})
	}
	if hasVNNI {
		us = append(us, int8Unit{&int8KernelsVNNI, quantizeAVX512, conv.VNNI})
	}
	return us
}
