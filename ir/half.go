package ir

import "math"

// HalfToFloat widens an IEEE 754 binary16, exactly.
func HalfToFloat(h uint16) float32 {
	sign := uint32(h>>15) << 31
	exp, frac := uint32(h>>10)&31, uint32(h)&1023
	switch {
	case exp == 31:
		return math.Float32frombits(sign | 0x7f800000 | frac<<13)
	case exp == 0:
		v := float32(frac) * (1.0 / (1 << 24))
		return math.Float32frombits(sign | math.Float32bits(v))
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}

// MaxHalf is the largest finite binary16.
const MaxHalf = 65504

// FloatToHalf rounds to the nearest binary16, of two equally near ones to that
// with an even last bit. Finite numbers from 65520 on become infinite, NaN stays
// NaN.
func FloatToHalf(v float32) uint16 {
	u := math.Float32bits(v)
	sign := uint16(u>>16) & 0x8000
	u &= 0x7fffffff
	switch {
	case u > 0x7f800000:
		return sign | 0x7c00 | max(uint16(u>>13)&0x3ff, 1)
	case u >= 0x477ff000: // 65520, or infinite
		return sign | 0x7c00
	case u >= 0x38800000: // 2^-14, the smallest normal number
		return sign | uint16((u-112<<23+0xfff+u>>13&1)>>13)
	}
	// A multiple of 2^-24. Adding 0.5, whose last bit is worth 2^-24, rounds.
	return sign | uint16(math.Float32bits(math.Float32frombits(u)+0.5)-math.Float32bits(0.5))
}
