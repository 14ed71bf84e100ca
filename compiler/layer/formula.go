package layer

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/flexnnc/flexnnc/ir"
)

// Formula is arithmetic on whole numbers that says how large something of a custom
// layer is. Beside numbers, + - * / % and parentheses it knows
//
//	p5           parameter 5, or 0 where the line has none; p5|p1 is then p1
//	p5[0]        an element of the array parameter 5
//	n5           the number of its elements
//	w h d c      sizes of the first input, 1w 1h 1d 1c of the second, and so on
//
// Division rounds towards zero.
type Formula struct {
	text string
	eval func(s formulaScope) (int, error)
}

// formulaScope is what a formula is about. in is nil where no shapes are known.
type formulaScope struct {
	params ir.Params
	in     []ir.Shape
}

const (
	formulaLength = 200     // of the text
	formulaLimit  = 1 << 40 // no value of a formula is larger
)

// ParseFormula reads a formula. sizes says whether it may name those of inputs.
func ParseFormula(text string, sizes bool) (*Formula, error) {
	if len(text) > formulaLength {
		return nil, fmt.Errorf("a formula of %d characters; %d are enough", len(text), formulaLength)
	}
	p := formulaParser{rest: strings.ReplaceAll(text, " ", ""), sizes: sizes}
	eval, err := p.sum()
	if err == nil && p.rest != "" {
		err = fmt.Errorf("%q is not understood", p.rest)
	}
	if err != nil {
		return nil, fmt.Errorf("formula %q: %w", text, err)
	}
	return &Formula{text, eval}, nil
}

// Eval is the formula's value for a layer, whose inputs have shapes in.
func (f *Formula) Eval(l *ir.Layer, in []ir.Shape) (int, error) {
	n, err := f.eval(formulaScope{l.Params, in})
	if err != nil {
		return 0, fmt.Errorf("formula %q: %w", f.text, err)
	}
	return n, nil
}

type formulaFunc = func(s formulaScope) (int, error)

// formulaParser descends over what is left of the text.
type formulaParser struct {
	rest  string
	sizes bool
}

// next takes c where it comes next.
func (p *formulaParser) next(c string) bool {
	rest, ok := strings.CutPrefix(p.rest, c)
	p.rest = rest
	return ok
}

// digits takes a number, "" where none comes next.
func (p *formulaParser) digits() string {
	n := 0
	for n < len(p.rest) && p.rest[n] >= '0' && p.rest[n] <= '9' {
		n++
	}
	d := p.rest[:n]
	p.rest = p.rest[n:]
	return d
}

func (p *formulaParser) sum() (formulaFunc, error) { return p.operations("+-", p.product) }

func (p *formulaParser) product() (formulaFunc, error) { return p.operations("*/%", p.operand) }

// operations reads operands between operators of equal rank.
func (p *formulaParser) operations(operators string, operand func() (formulaFunc, error)) (formulaFunc, error) {
	left, err := operand()
	for err == nil && p.rest != "" && strings.Contains(operators, p.rest[:1]) {
		op, a := p.rest[0], left
		p.rest = p.rest[1:]
		var b formulaFunc
		if b, err = operand(); err == nil {
			left = func(s formulaScope) (int, error) {
				x, err := a(s)
				if err != nil {
					return 0, err
				}
				y, err := b(s)
				if err != nil {
					return 0, err
				}
				return operate(op, x, y)
			}
		}
	}
	return left, err
}

func operate(op byte, x, y int) (int, error) {
	n := 0
	switch op {
	case '+':
		n = x + y
	case '-':
		n = x - y
	case '*':
		if f := float64(x) * float64(y); math.Abs(f) > formulaLimit {
			return 0, errTooLarge
		}
		n = x * y
	default:
		if y == 0 {
			return 0, errors.New("division by zero")
		}
		if n = x / y; op == '%' {
			n = x % y
		}
	}
	if n > formulaLimit || n < -formulaLimit {
		return 0, errTooLarge
	}
	return n, nil
}

var errTooLarge = errors.New("the value is too large")

func (p *formulaParser) operand() (formulaFunc, error) {
	if p.next("(") {
		f, err := p.sum()
		if err == nil && !p.next(")") {
			err = errors.New("a parenthesis is not closed")
		}
		return f, err
	}
	number := p.digits()
	if p.rest != "" && strings.Contains("whdc", p.rest[:1]) {
		axis := p.rest[0]
		p.rest = p.rest[1:]
		return p.size(number, axis)
	}
	if number != "" {
		n, err := strconv.Atoi(number)
		if err != nil || n > formulaLimit {
			return nil, errTooLarge
		}
		return func(formulaScope) (int, error) { return n, nil }, nil
	}
	return p.parameter()
}

// size is that of an axis of an input.
func (p *formulaParser) size(number string, axis byte) (formulaFunc, error) {
	if !p.sizes {
		return nil, fmt.Errorf("%s%c is the size of an input, which is not known when weights are loaded", number, axis)
	}
	input, err := strconv.Atoi("0" + number)
	if err != nil {
		return nil, errTooLarge
	}
	return func(s formulaScope) (int, error) {
		if input >= len(s.in) {
			return 0, fmt.Errorf("%s%c: the layer has %d inputs, counted from 0", number, axis, len(s.in))
		}
		shape := s.in[input]
		return map[byte]int{'w': shape.W, 'h': shape.H, 'd': shape.D, 'c': shape.C}[axis], nil
	}, nil
}

// parameter reads p5, p5[0], p5|p1 or n5.
func (p *formulaParser) parameter() (formulaFunc, error) {
	count := p.next("n")
	if !count && !p.next("p") {
		if p.rest == "" {
			return nil, errors.New("something is missing at its end")
		}
		return nil, fmt.Errorf("%q is not understood", p.rest)
	}
	id, err := strconv.Atoi(p.digits())
	if err != nil {
		return nil, errors.New("p and n come with a parameter's number, as p0")
	}
	if count {
		return func(s formulaScope) (int, error) {
			if v := s.params.Get(id); v != nil && v.Kind == ir.ParamArray {
				return len(v.Array), nil
			}
			return 0, nil
		}, nil
	}
	element := -1
	if p.next("[") {
		element, err = strconv.Atoi(p.digits())
		if err != nil || !p.next("]") {
			return nil, fmt.Errorf("p%d[ comes with the number of an element and ]", id)
		}
	}
	other := formulaFunc(func(formulaScope) (int, error) { return 0, nil })
	if p.next("|") {
		if other, err = p.operand(); err != nil {
			return nil, err
		}
	}
	return func(s formulaScope) (int, error) {
		v := s.params.Get(id)
		if v == nil {
			return other(s)
		}
		x := v.Scalar
		switch {
		case element >= 0 && (v.Kind != ir.ParamArray || element >= len(v.Array)):
			return 0, fmt.Errorf("parameter %d has no element %d", id, element)
		case element >= 0:
			x = v.Array[element]
		case v.Kind == ir.ParamArray:
			return 0, fmt.Errorf("parameter %d is an array: p%[1]d[0] is its first element, n%[1]d how many it has", id)
		case v.Kind != ir.ParamScalar:
			return 0, fmt.Errorf("parameter %d is no number", id)
		}
		if !x.IsFloat {
			return x.Int(), nil
		}
		if f := float64(x.Float()); f == math.Trunc(f) && math.Abs(f) <= formulaLimit {
			return int(f), nil
		}
		return 0, fmt.Errorf("parameter %d is %v, no whole number", id, x.Float())
	}, nil
}
