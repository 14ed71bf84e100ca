//go:build !noasm

package kernels

import (
	"strings"

	"github.com/flexnnc/flexnnc/avo/kernel/conv"
)

func assemblyTables() []*kernelTable { return []*kernelTable{&kernelsNEON} }

func tableName(i conv.ISA) string { return strings.ToLower(i.String()) }
