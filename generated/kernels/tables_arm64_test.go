//go:build !noasm

package kernels

import (
	"strings"

	"github.com/flexnnc/flexnnc/avo/kernel/conv"
)

func assemblyTables() []*kernelTable { return []*kernelTable{&kernelsNEON} }

func tableName(i conv.ISA) string { return strings.ToLower(i.String()) }

// int8Units are the units that the CPU has.
func int8Units() []int8Unit {
	us := []int8Unit{{&int8KernelsNEON, quantizeNEON, conv.NEONInt8}}
	if hasSDOT {
		us = append(us, int8Unit{&int8KernelsSDOT, quantizeNEON, conv.SDOT})
	}
	return us
}
