package main

import (
	"fmt"
	"math/big"
	"strings"

	"github.com/flexnnc/flexnnc/ir/plan"
)

// units of a size, by suffix.
var units = map[string]int64{
	"": 1, "B": 1,
	"kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9,
	"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30,
}

const largestSize = 1 << 46

// parseSize reads "4MiB" (2^20), "4MB" (10^6), "4.5 kB" or bytes. What is not a
// whole number of bytes is rounded down.
func parseSize(s string) (plan.Bytes, error) {
	digits := strings.TrimRight(s, "BkKMGi")
	unit, ok := units[s[len(digits):]]
	digits = strings.TrimSpace(digits)
	plain := digits != "" && strings.Trim(digits, "0123456789.") == ""
	n, valid := new(big.Rat).SetString(digits)
	if !ok || !plain || !valid || len(digits) > 30 {
		return 0, fmt.Errorf("%q is no size: write 4MiB (2^20), 4MB (10^6), 512KiB, 512kB or bytes", s)
	}
	n.Mul(n, new(big.Rat).SetInt64(unit))
	bytes := new(big.Int).Quo(n.Num(), n.Denom())
	if bytes.Sign() <= 0 || bytes.Cmp(big.NewInt(largestSize)) > 0 {
		return 0, fmt.Errorf("a size of %q is out of range", s)
	}
	return plan.Bytes(bytes.Int64()), nil
}

// budget is what --budget asks for.
type budget struct {
	text  string
	bytes plan.Bytes // 0 = unlimited
	min   bool
}

func parseBudget(s string) (budget, error) {
	switch s {
	case "min":
		return budget{text: s, min: true}, nil
	case "max":
		return budget{text: s}, nil
	case "":
		return budget{}, fmt.Errorf("--budget is needed: a size such as 4MiB, or min, or max")
	}
	n, err := parseSize(s)
	if err != nil {
		return budget{}, fmt.Errorf("--budget: %w; or min, or max", err)
	}
	return budget{text: s, bytes: n}, nil
}

// parseBudgets reads the budgets of a package.
func parseBudgets(list []string) ([]budget, error) {
	if len(list) == 0 {
		list = []string{""}
	}
	var budgets []budget
	for _, s := range list {
		b, err := parseBudget(s)
		if err != nil {
			return nil, err
		}
		budgets = append(budgets, b)
	}
	return budgets, nil
}

// sizeText prints a size in units of 10^6 or 10^3 bytes.
func sizeText(n int64) string {
	switch {
	case n >= 1e6:
		return fmt.Sprintf("%.2f MB", float64(n)/1e6)
	case n >= 1e3:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%d bytes", n)
}
