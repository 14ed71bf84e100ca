//go:build noasm || !(amd64 || arm64)

package kernels

import "github.com/flexnnc/flexnnc/avo/kernel/conv"

func assemblyTables() []*kernelTable { return nil }

func tableName(i conv.ISA) string { return i.String() }

func int8Units() []int8Unit { return nil }
