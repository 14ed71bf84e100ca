package ncnn

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/flexnnc/flexnnc/ir"
)

// value reads what follows "id=". An array is "n,a,b,.." after an id of -23300
// and less, else "a,b,..", where a single element needs a comma after it. A value
// that begins with a letter or a quote is a string, any other a number.
func (b *builder) value(s *scanner, r *record, counted bool) (ir.Param, bool) {
	pos := s.pos()
	if !s.end() && s.src[s.at] == '"' && !counted {
		return b.quoted(s, r)
	}
	text := s.word()
	switch {
	case text == "":
		b.layerFault(r.layer, pos, "", "the parameter has no value")
		return ir.Param{}, false
	case counted:
		return b.countedArray(r, pos, text)
	case isLetter(text[0]):
		if len(text) > longestString {
			b.layerFault(r.layer, pos, "", "a string has %d characters; ncnn's limit is %d", len(text), longestString)
			return ir.Param{}, false
		}
		return ir.Param{Kind: ir.ParamString, Str: text}, true
	case strings.Contains(text, ","):
		return b.array(r, pos, text)
	}
	v, ok := b.number(r, pos, text)
	return ir.Param{Kind: ir.ParamScalar, Scalar: v}, ok
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func (b *builder) quoted(s *scanner, r *record) (ir.Param, bool) {
	pos := s.pos()
	s.at++
	from := s.at
	for !s.lineEnd() && s.src[s.at] != '"' {
		s.at++
	}
	if s.lineEnd() {
		b.layerFault(r.layer, pos, "", "the string has no closing quote in its line")
		return ir.Param{}, false
	}
	text := s.src[from:s.at]
	s.at++
	if len(text) > longestString {
		b.layerFault(r.layer, pos, "", "a string has %d characters; ncnn's limit is %d", len(text), longestString)
		return ir.Param{}, false
	}
	return ir.Param{Kind: ir.ParamString, Str: text}, true
}

// countedArray reads "n,a,b,.."; each element says its own kind.
func (b *builder) countedArray(r *record, pos ir.Pos, text string) (ir.Param, bool) {
	p := ir.Param{Kind: ir.ParamArray, Array: []ir.Scalar{}}
	count, rest, more := strings.Cut(text, ",")
	n, err := strconv.ParseInt(count, 10, 32)
	if err != nil || n < 0 {
		b.layerFault(r.layer, pos, "an array is -23300-id=COUNT,VALUE,..", "the array length is %q", clip(count))
		return p, false
	}
	have := 0
	if more {
		have = strings.Count(rest, ",") + 1
	}
	if int64(have) != n {
		b.layerFault(r.layer, pos, "", "the array counts %d elements but has %d", n, have)
		return p, false
	}
	for i := 0; i < have; i++ {
		var e string
		e, rest, _ = strings.Cut(rest, ",")
		v, ok := b.number(r, pos, e)
		if !ok {
			return p, false
		}
		p.Array = append(p.Array, v)
	}
	return p, true
}

// array reads "a,b,.."; the first element says the kind of all.
func (b *builder) array(r *record, pos ir.Pos, text string) (ir.Param, bool) {
	p := ir.Param{Kind: ir.ParamArray}
	text = strings.TrimSuffix(text, ",")
	mixed := false
	for more := true; more; {
		var e string
		e, text, more = strings.Cut(text, ",")
		v, ok := b.number(r, pos, e)
		if !ok {
			return p, false
		}
		if len(p.Array) > 0 && v.IsFloat != p.Array[0].IsFloat {
			mixed = true
			if v.IsFloat {
				v = ir.IntScalar(truncate(v.Float()))
			} else {
				v = ir.FloatScalar(float32(v.Int()))
			}
		}
		p.Array = append(p.Array, v)
	}
	if mixed {
		kind := "integers"
		if p.Array[0].IsFloat {
			kind = "floats"
		}
		b.layerWarning(r.layer, pos, "", "the array mixes integers and floats; ncnn reads all as %s, as the first", kind)
	}
	return p, true
}

// truncate is what reading only the digits before a decimal point gives.
func truncate(v float32) int {
	if !(math.Abs(float64(v)) < 1<<31) {
		return 0
	}
	return int(v)
}

// number reads an integer or, where it has a point or an exponent, a float.
func (b *builder) number(r *record, pos ir.Pos, s string) (ir.Scalar, bool) {
	if len(s) > longestNumber {
		b.layerFault(r.layer, pos, "write fewer digits", "the number %q has %d characters; ncnn reads %d at most", clip(s), len(s), longestNumber)
		return ir.Scalar{}, false
	}
	decimals, float, ok := numberForm(s)
	if n := len(s) - 1; !ok && n > 0 && (s[n] == 'f' || s[n] == 'F') { // as in C; ncnn reads up to there
		if decimals, float, ok = numberForm(s[:n]); ok && float {
			s = s[:n]
		} else {
			ok = false
		}
	}
	if !ok {
		b.layerFault(r.layer, pos, "", "%q is not a number", s)
		return ir.Scalar{}, false
	}
	if !float {
		v, err := strconv.ParseInt(s, 10, 32)
		if err != nil {
			b.layerFault(r.layer, pos, "", "%s does not fit in 32 bits", s)
			return ir.Scalar{}, false
		}
		return ir.IntScalar(int(v)), true
	}
	v, err := strconv.ParseFloat(s, 32)
	if err != nil { // the form is right, so it is the range
		b.layerWarning(r.layer, pos, "", "%s is beyond float32 and taken as %v", s, v)
	}
	if decimals > 9 {
		b.layerWarning(r.layer, pos, fmt.Sprintf("write %s", strconv.FormatFloat(v, 'e', 7, 32)),
			"%s has more than nine decimals, where ncnn's own reader overflows; it is taken as written", s)
	}
	return ir.FloatScalar(float32(v)), true
}

// numberForm checks [sign] digits [. digits] [e [sign] digits].
func numberForm(s string) (decimals int, float, ok bool) {
	i := 0
	sign := func() {
		if i < len(s) && (s[i] == '-' || s[i] == '+') {
			i++
		}
	}
	digits := func() int {
		from := i
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i++
		}
		return i - from
	}
	sign()
	n := digits()
	if i < len(s) && s[i] == '.' {
		i++
		float = true
		decimals = digits()
		n += decimals
	}
	if n == 0 {
		return 0, false, false
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		i++
		float = true
		sign()
		if digits() == 0 {
			return 0, false, false
		}
	}
	return decimals, float, i == len(s)
}
