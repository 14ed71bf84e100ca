package layer

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/flexnnc/flexnnc/ir"
)

// number is a value of a size expression: an integer until something makes it a
// float, as in ncnn.
type number struct {
	i     int
	f     float32
	float bool
}

func (n number) asFloat() float32 {
	if n.float {
		return n.f
	}
	return float32(n.i)
}

// evalExpr evaluates ncnn's list expressions: prefix notation, as in
// "*(0w,2),//(0h,3),1c", where 1c is the c of the second input.
func evalExpr(expr string, in []ir.Shape) ([]int, error) {
	tokens := strings.FieldsFunc(expr, func(r rune) bool { return r == '(' || r == ')' || r == ',' })
	var stack []number
	pop := func() number {
		if len(stack) == 0 {
			return number{float: true, f: float32(math.NaN())}
		}
		n := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		return n
	}
	for i := len(tokens) - 1; i >= 0; i-- {
		t := tokens[i]
		var n number
		var err error
		switch {
		case isSizeToken(t):
			n, err = sizeToken(t, in)
		case binaryExpr[t] != nil:
			if len(stack) < 2 {
				return nil, fmt.Errorf("expression %q: %s needs two operands", expr, t)
			}
			a := pop()
			n, err = binaryNumber(t, a, pop())
		case unaryExpr[t] != nil || strings.Contains(" abs neg sign square trunc ceil floor round ", " "+t+" "):
			if len(stack) < 1 {
				return nil, fmt.Errorf("expression %q: %s needs an operand", expr, t)
			}
			n = unaryNumber(t, pop())
		default:
			n, err = literal(t)
		}
		if err != nil {
			return nil, fmt.Errorf("expression %q: %w", expr, err)
		}
		stack = append(stack, n)
	}
	list := make([]int, 0, len(stack))
	for len(stack) > 0 {
		n := pop()
		if n.float {
			if !(math.Abs(float64(n.f)) < 1<<31) {
				return nil, fmt.Errorf("expression %q is not a size", expr)
			}
			n.i = int(n.f)
		}
		list = append(list, n.i)
	}
	return list, nil
}

func isSizeToken(t string) bool {
	return len(t) == 2 && t[0] >= '0' && t[0] <= '9' && strings.IndexByte("whdc", t[1]) >= 0
}

func sizeToken(t string, in []ir.Shape) (number, error) {
	k := int(t[0] - '0')
	if k >= len(in) {
		return number{}, fmt.Errorf("%s names input %d of %d", t, k, len(in))
	}
	s := in[k]
	return number{i: map[byte]int{'w': s.W, 'h': s.H, 'd': s.D, 'c': s.C}[t[1]]}, nil
}

func literal(t string) (number, error) {
	if strings.ContainsAny(t, ".eE") {
		f, err := strconv.ParseFloat(t, 32)
		if err != nil {
			return number{}, fmt.Errorf("%q is not a number or a function", t)
		}
		return number{f: float32(f), float: true}, nil
	}
	i, err := strconv.Atoi(t)
	if err != nil {
		return number{}, fmt.Errorf("%q is not a number or a function", t)
	}
	return number{i: i}, nil
}

var binaryExpr = map[string]func(a, b float64) float64{
	"+": func(a, b float64) float64 { return a + b }, "-": func(a, b float64) float64 { return a - b },
	"*": func(a, b float64) float64 { return a * b }, "/": func(a, b float64) float64 { return a / b },
	"//":  func(a, b float64) float64 { return math.Floor(a / b) },
	"max": math.Max, "min": math.Min, "pow": math.Pow, "atan2": math.Atan2, "fmod": math.Mod,
	"remainder": math.Remainder, "logaddexp": func(a, b float64) float64 {
		return math.Max(a, b) + math.Log1p(math.Exp(-math.Abs(a-b)))
	},
}

func binaryNumber(t string, a, b number) (number, error) {
	if a.float || b.float || !strings.Contains(" + - * // max min ", " "+t+" ") {
		return number{f: float32(binaryExpr[t](float64(a.asFloat()), float64(b.asFloat()))), float: true}, nil
	}
	switch t {
	case "+":
		return number{i: a.i + b.i}, nil
	case "-":
		return number{i: a.i - b.i}, nil
	case "*":
		return number{i: a.i * b.i}, nil
	case "max":
		return number{i: max(a.i, b.i)}, nil
	case "min":
		return number{i: min(a.i, b.i)}, nil
	}
	if b.i == 0 {
		return number{}, fmt.Errorf("division by zero")
	}
	return number{i: a.i / b.i}, nil
}

var unaryExpr = map[string]func(float64) float64{
	"acos": math.Acos, "acosh": math.Acosh, "asin": math.Asin, "asinh": math.Asinh, "atan": math.Atan,
	"atanh": math.Atanh, "cos": math.Cos, "cosh": math.Cosh, "erf": math.Erf, "exp": math.Exp, "log": math.Log,
	"log10": math.Log10, "reciprocal": func(x float64) float64 { return 1 / x },
	"rsqrt": func(x float64) float64 { return 1 / math.Sqrt(x) }, "sin": math.Sin, "sinh": math.Sinh,
	"sqrt": math.Sqrt, "tan": math.Tan, "tanh": math.Tanh,
}

func unaryNumber(t string, a number) number {
	x := float64(a.asFloat())
	if f := unaryExpr[t]; f != nil {
		return number{f: float32(f(x)), float: true}
	}
	switch t {
	case "trunc":
		x = math.Trunc(x)
	case "ceil":
		x = math.Ceil(x)
	case "floor":
		x = math.Floor(x)
	case "round":
		x = math.Round(x)
	case "abs":
		x = math.Abs(x)
	case "neg":
		x = -x
	case "square":
		x *= x
	case "sign":
		switch {
		case x > 0:
			x = 1
		case x < 0:
			x = -1
		}
	}
	if a.float && strings.Contains(" abs neg sign square ", " "+t+" ") {
		return number{f: float32(x), float: true}
	}
	return number{i: int(x)}
}
