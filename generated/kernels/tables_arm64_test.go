//go:build !noasm

package kernels

import (
	"strings"

	"github.com/flexnnc/flexnnc/avo/kernel/conv"
)

func assemblyTables() []*kernelTable { return []*kernelTable{&kernelsNEON} }

func tableName(i conv.ISA) string { return strings.ToLower(i.String()) }

// peakFMA is the loop on registers alone for a table's instructions, and its
// floating-point operations per iteration.
func peakFMA(tab *kernelTable) (loop func(int), flops float64) {
	if tab.name == "neon" {
		return peakNEON, 2 * 4 * conv.PeakFMAs
	}
	return nil, 0
}

// int8Units are the units that the CPU has.
func int8Units() []int8Unit {
	us := []int8Unit{{&int8KernelsNEON, quantizeNEON, conv.NEONInt8}}
	if hasSDOT {
		us = append(us, int8Unit{&int8KernelsSDOT, quantizeNEON, conv.SDOT})
	}
	return us
}
