package ir

import "math"

// Scalar is one ncnn parameter value: 32 bits, and whether the file wrote them
// as a float. ncnn stores both kinds in one union without conversion.
type Scalar struct {
	Bits    uint32
	IsFloat bool
}

// Int and Float read the bits as ncnn does.
func (s Scalar) Int() int       { return int(int32(s.Bits)) }
func (s Scalar) Float() float32 { return math.Float32frombits(s.Bits) }

// IntScalar and FloatScalar make values.
func IntScalar(v int) Scalar       { return Scalar{Bits: uint32(int32(v))} }
func FloatScalar(v float32) Scalar { return Scalar{Bits: math.Float32bits(v), IsFloat: true} }

// ParamKind tells how a parameter was written.
type ParamKind int

// The kinds of parameter value.
const (
	ParamScalar ParamKind = iota
	ParamArray
	ParamString
)

// Param is one "id=value" of a layer line.
type Param struct {
	ID     int // 0 to 31
	Kind   ParamKind
	Scalar Scalar
	Array  []Scalar
	Str    string
	Pos    Pos
}

// Params are a layer's parameters in file order; an id occurs once.
type Params []Param

// Get returns the parameter, or nil.
func (ps Params) Get(id int) *Param {
	for i := range ps {
		if ps[i].ID == id {
			return &ps[i]
		}
	}
	return nil
}

// Has reports whether the id was written.
func (ps Params) Has(id int) bool { return ps.Get(id) != nil }

// Int returns a scalar parameter's bits as an int, or def where absent.
func (ps Params) Int(id, def int) int {
	if p := ps.Get(id); p != nil && p.Kind == ParamScalar {
		return p.Scalar.Int()
	}
	return def
}

// Float returns a scalar parameter's bits as a float32, or def where absent.
func (ps Params) Float(id int, def float32) float32 {
	if p := ps.Get(id); p != nil && p.Kind == ParamScalar {
		return p.Scalar.Float()
	}
	return def
}

// Ints returns an array parameter, nil where absent.
func (ps Params) Ints(id int) []int {
	p := ps.Get(id)
	if p == nil || p.Kind != ParamArray {
		return nil
	}
	v := make([]int, len(p.Array))
	for i, s := range p.Array {
		v[i] = s.Int()
	}
	return v
}

// Floats returns an array parameter, nil where absent.
func (ps Params) Floats(id int) []float32 {
	p := ps.Get(id)
	if p == nil || p.Kind != ParamArray {
		return nil
	}
	v := make([]float32, len(p.Array))
	for i, s := range p.Array {
		v[i] = s.Float()
	}
	return v
}

// Str returns a string parameter, "" where absent.
func (ps Params) Str(id int) string {
	if p := ps.Get(id); p != nil && p.Kind == ParamString {
		return p.Str
	}
	return ""
}
