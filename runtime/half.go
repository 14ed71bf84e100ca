package runtime

import (
	"math"
	"unsafe"
)

// weightBytes is the size of a weight.
func weightBytes(half bool) int {
	if half {
		return 2
	}
	return 4
}

// weight loads the i-th of the weights at p, and widens it.
func weight(p unsafe.Pointer, i int, half bool) float32 {
	if half {
		return fromHalf(*(*uint16)(unsafe.Add(p, 2*i)))
	}
	return f32(p, i)
}

// Forms of the elements of a table.
const (
	formFloat = iota
	formHalf
	formInt8
)

// formBytes is the size of an element.
func formBytes(form int) int { return [...]int{4, 2, 1}[form] }

// widenRow sets y to as many elements of a form.
func widenRow(y []float32, from unsafe.Pointer, form int) {
	for i := range y {
		if form == formInt8 {
			y[i] = float32(*(*int8)(unsafe.Add(from, i)))
		} else {
			y[i] = weight(from, i, form == formHalf)
		}
	}
}

// fromHalf is the float32 of an IEEE 754 binary16, as VCVTPH2PS and FCVTL give it:
// always exact, subnormals too, whatever the mode for those of float32 is. A
// signalling NaN stays one here; the sum that it enters does not show that.
func fromHalf(h uint16) float32 {
	s := int32(int16(h)) >> 31 << 31
	u := uint32(h&0x7fff) << 13 // exponent and fraction in their places
	if u >= 0x7c00<<13 {        // infinite or not a number
		return math.Float32frombits(uint32(s) | u | 0x7f800000)
	}
	// The exponent is 112 too small; where it is 0, the fraction is a subnormal and
	// has no leading 1 to be shifted in, which the subtraction of one does as well.
	if u < 0x0400<<13 {
		v := math.Float32frombits(u|113<<23) - math.Float32frombits(113<<23)
		return math.Float32frombits(uint32(s) | math.Float32bits(v))
	}
	return math.Float32frombits(uint32(s) | u + 112<<23)
}
