package runtime

import "unsafe"

// blendArgs is what a kernel of weighted sums of cells reads: a cell is a pixel's
// channels, and each place that it makes is a sum of some of them. It computes
//
//	for p := range places {
//		for c := range channels {
//			sum := 0
//			for k := range taps { // the first one is a product, the others are fused
//				i := p*placeStep + k*tapStep
//				sum += (in + *(at+i)*inStep)[c] * *(weights+i)
//			}
//			(out + p*outStep)[c] = sum
//		}
//	}
//
// Elements of at are uint32. Counts are at least 1.
type blendArgs struct {
	out, in            unsafe.Pointer
	at, weights        unsafe.Pointer
	places, taps       int
	channels           int
	inStep, outStep    int // bytes
	placeStep, tapStep int // bytes, in at and in weights
}

func blendPortable(a *blendArgs) {
	for p := range a.places {
		out := unsafe.Add(a.out, p*a.outStep)
		for c := range a.channels {
			var sum float32
			for k := range a.taps {
				i := p*a.placeStep + k*a.tapStep
				x := f32(unsafe.Add(a.in, int(*(*uint32)(unsafe.Add(a.at, i)))*a.inStep), c)
				w := f32(unsafe.Add(a.weights, i), 0)
				if k == 0 {
					sum = float32(x * w)
				} else {
					sum = fma32(x, w, sum)
				}
			}
			putf32(out, c, sum)
		}
	}
}
