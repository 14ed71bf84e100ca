package ir

import "fmt"

// Shape is an ncnn blob's shape. Dims is its rank, 1 to 4; axes beyond the rank
// are 1. Rank 1 is (W), rank 2 (W,H), rank 3 (W,H,C), rank 4 (W,H,D,C); data are
// dense in the order C, D, H, W with W innermost. The zero Shape is "unknown".
type Shape struct {
	Dims       int
	W, H, D, C int
}

// Shape1 to Shape4 make shapes of each rank, axes in ncnn's order.
func Shape1(w int) Shape          { return Shape{1, w, 1, 1, 1} }
func Shape2(w, h int) Shape       { return Shape{2, w, h, 1, 1} }
func Shape3(w, h, c int) Shape    { return Shape{3, w, h, 1, c} }
func Shape4(w, h, d, c int) Shape { return Shape{4, w, h, d, c} }

// Known reports whether the shape has been inferred.
func (s Shape) Known() bool { return s.Dims != 0 }

// Len is the number of elements.
func (s Shape) Len() int {
	if s.Dims == 0 {
		return 0
	}
	return s.W * s.H * s.D * s.C
}

// Axes lists the sizes from the outermost axis (ncnn's axis 0) to the innermost.
func (s Shape) Axes() []int {
	switch s.Dims {
	case 1:
		return []int{s.W}
	case 2:
		return []int{s.H, s.W}
	case 3:
		return []int{s.C, s.H, s.W}
	case 4:
		return []int{s.C, s.D, s.H, s.W}
	}
	return nil
}

// FromAxes is the inverse of Axes. It panics unless 1 <= len(axes) <= 4.
func FromAxes(axes []int) Shape {
	switch len(axes) {
	case 1:
		return Shape1(axes[0])
	case 2:
		return Shape2(axes[1], axes[0])
	case 3:
		return Shape3(axes[2], axes[1], axes[0])
	case 4:
		return Shape4(axes[3], axes[2], axes[1], axes[0])
	}
	panic(fmt.Sprintf("BUG: shape of rank %d", len(axes)))
}

// String prints W×H×D×C in ncnn's order, as --input takes it: "227,227,3".
func (s Shape) String() string {
	switch s.Dims {
	case 0:
		return "?"
	case 1:
		return fmt.Sprintf("%d", s.W)
	case 2:
		return fmt.Sprintf("%d,%d", s.W, s.H)
	case 3:
		return fmt.Sprintf("%d,%d,%d", s.W, s.H, s.C)
	}
	return fmt.Sprintf("%d,%d,%d,%d", s.W, s.H, s.D, s.C)
}
