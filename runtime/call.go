package runtime

import "unsafe"

// callTensor is an operand of a portable kernel: up to four axes, outermost
// first, those that are missing in front of length one; strides in bytes.
type callTensor struct {
	off     int
	dims    [4]int
	strides [4]int
}

// row is the address of element (i,j,k,0).
func (c *callTensor) row(t *thread, i, j, k int) unsafe.Pointer {
	return t.at(c.off + i*c.strides[0] + j*c.strides[1] + k*c.strides[2])
}

// at is element (i,j,k,l).
func (c *callTensor) at(t *thread, i, j, k, l int) *float32 {
	return (*float32)(t.at(c.off + i*c.strides[0] + j*c.strides[1] + k*c.strides[2] + l*c.strides[3]))
}

// linear is element n in row-major order.
func (c *callTensor) linear(t *thread, n int) *float32 {
	l := n % c.dims[3]
	n /= c.dims[3]
	k := n % c.dims[2]
	n /= c.dims[2]
	return c.at(t, n/c.dims[1], n%c.dims[1], k, l)
}

// rows is the number of innermost rows.
func (c *callTensor) rows() int { return c.dims[0] * c.dims[1] * c.dims[2] }

// asImage sees a matrix [h,w] as an image [h,w,1]; an image stays as it is.
func (c callTensor) asImage(h, w, channels int) callTensor {
	if c.dims[1] == h && c.dims[2] == w && c.dims[3] == channels {
		return c
	}
	return callTensor{c.off, [4]int{1, c.dims[2], c.dims[3], 1}, [4]int{0, c.strides[2], c.strides[3], 0}}
}

// split gives the outer indices of innermost row r.
func (c *callTensor) split(r int) (i, j, k int) {
	return r / (c.dims[2] * c.dims[1]), r / c.dims[2] % c.dims[1], r % c.dims[2]
}

// callStep is one use of a portable kernel for a layer that has none in assembly.
// What ints and floats mean is the kernel's own business.
type callStep struct {
	kernel func(*thread, *callStep)
	in     []callTensor
	out    []callTensor
	ints   []int
	floats []float32
}

func runCall(t *thread, s *callStep) { s.kernel(t, s) }
