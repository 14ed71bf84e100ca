// Package inputs makes up what the runs of an emitted package are given. Its source
// goes into modules that are built, so it imports the standard library only.
package inputs

import "reflect"

// Fill gives every array of a package's Inputs values: float32 between -1 and 1,
// int32 small enough to be ids of any vocabulary.
func Fill(inputs any) {
	v := reflect.ValueOf(inputs).Elem()
	seed := uint32(1)
	for i := range v.NumField() {
		switch a := v.Field(i).Interface().(type) {
		case []float32:
			for k := range a {
				seed = seed*1664525 + 1013904223
				a[k] = float32(int32(seed)>>8) / (1 << 23)
			}
		case []int32:
			for k := range a {
				a[k] = int32(k % 32)
			}
		}
	}
}
