package runtime

import (
	"math"
	"unsafe"
)

// callTensor is an operand of a portable kernel: up to four axes, outermost
// first, those that are missing in front of length one; strides in bytes. Where
// ring is not 0 only that many indices of an axis exist at a time, index y at
// (first+y) mod ring; only kernels that make ranges of rows meet such tensors, and
// only row, ringStart and until heed it.
type callTensor struct {
	off     int
	dims    [4]int
	strides [4]int
	ring    int
	first   int
	axis    int
}

// row is the address of element (i,j,k,0).
func (c *callTensor) row(t *thread, i, j, k int) unsafe.Pointer {
	if c.ring != 0 {
		switch c.axis {
		case 0:
			i = (c.first + i) % c.ring
		case 1:
			j = (c.first + j) % c.ring
		case 2:
			k = (c.first + k) % c.ring
		}
	}
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
	c.dims, c.strides = [4]int{1, c.dims[2], c.dims[3], 1}, [4]int{0, c.strides[2], c.strides[3], 0}
	c.axis--
	return c
}

// split gives the outer indices of innermost row r.
func (c *callTensor) split(r int) (i, j, k int) {
	return r / (c.dims[2] * c.dims[1]), r / c.dims[2] % c.dims[1], r % c.dims[2]
}

// start is the address of element n in row-major order; n may lie beyond the end
// where nothing is read from there.
func (c *callTensor) start(t *thread, n int) unsafe.Pointer { return unsafe.Pointer(c.linear(t, n)) }

// ringStart is start of a tensor that may lie in a ring.
func (c *callTensor) ringStart(t *thread, n int) unsafe.Pointer {
	l := n % c.dims[3]
	n /= c.dims[3]
	k := n % c.dims[2]
	n /= c.dims[2]
	return unsafe.Add(c.row(t, n/c.dims[1], n%c.dims[1], k), l*c.strides[3])
}

// until is the index, beyond y, of the axis that lies in a ring up to which others follow
// each other from y on, but no more than end.
func (c *callTensor) until(y, end int) int {
	if c.ring == 0 {
		return end
	}
	return min(end, y+c.ring-(c.first+y)%c.ring)
}

// slice is the n elements from element first on, which must lie in one row.
func (c *callTensor) slice(t *thread, first, n int) []float32 {
	return unsafe.Slice(c.linear(t, first), n)
}

// step is the distance in bytes of n elements in row-major order, for steps that
// stay on one axis; 0 where n elements are the whole tensor or more, as the
// step of an axis of length one is.
func (c *callTensor) step(n int) int {
	size := 1
	for i := 3; i >= 0; i-- {
		if n < size*c.dims[i] {
			return n / size * c.strides[i]
		}
		size *= c.dims[i]
	}
	return 0
}

// len is the number of elements.
func (c *callTensor) len() int { return c.rows() * c.dims[3] }

// dense tells that elements follow each other without gaps.
func (c *callTensor) dense() bool {
	size := 4
	for i := 3; i >= 0; i-- {
		if c.dims[i] != 1 && c.strides[i] != size {
			return false
		}
		size *= c.dims[i]
	}
	return true
}

// word is element n, in row-major order, of a tensor of int32.
func (c *callTensor) word(t *thread, n int) int {
	return int(int32(math.Float32bits(*c.linear(t, n))))
}

// get32 and put32 access the float at off bytes from p.
func get32(p unsafe.Pointer, off int) float32    { return *(*float32)(unsafe.Add(p, off)) }
func put32(p unsafe.Pointer, off int, v float32) { *(*float32)(unsafe.Add(p, off)) = v }

// callStep is one use of a portable kernel for a layer that has none in assembly.
// What ints and floats mean is the kernel's own business.
type callStep struct {
	kernel func(*thread, *callStep)
	in     []callTensor
	out    []callTensor
	ints   []int
	floats []float32
	passes []rowPass // over rows, where the kernel asks for them
	rows   int       // the axis of the output that a step's range is of, where the kernel heeds one
	// scratch is the arena offset of memory that only this step uses, if it asked
	// for any.
	scratch int
}

func runCall(t *thread, s *callStep) { s.kernel(t, s) }

// chains4 continues four chains of fused multiply-adds over the same n values of
// a: sum[i] = fma32(a[k], b[i][k], sum[i]) for k = 0, 1 .. with elements aStep and
// bStep bytes apart. Sums are rounded by way of float64 where that is known to be
// right, which it nearly always is.
func chains4(a unsafe.Pointer, aStep int, b *[4]unsafe.Pointer, bStep, n int, sum *[4]float32) {
	b0, b1, b2, b3 := b[0], b[1], b[2], b[3]
	s0, s1, s2, s3 := float64(sum[0]), float64(sum[1]), float64(sum[2]), float64(sum[3])
	var v, s float64
	var late, at int // the first chain that is not done for this k
	for k := range n {
		v, at = float64(get32(a, k*aStep)), k*bStep
		if s, late = s0+float64(v*float64(get32(b0, at))), 0; doubtful(s) {
			goto exactly
		}
		s0 = float64(float32(s))
		if s, late = s1+float64(v*float64(get32(b1, at))), 1; doubtful(s) {
			goto exactly
		}
		s1 = float64(float32(s))
		if s, late = s2+float64(v*float64(get32(b2, at))), 2; doubtful(s) {
			goto exactly
		}
		s2 = float64(float32(s))
		if s, late = s3+float64(v*float64(get32(b3, at))), 3; doubtful(s) {
			goto exactly
		}
		s3 = float64(float32(s))
		continue
	exactly:
		switch late {
		case 0:
			s0 = float64(fma32(float32(v), get32(b0, at), float32(s0)))
			fallthrough
		case 1:
			s1 = float64(fma32(float32(v), get32(b1, at), float32(s1)))
			fallthrough
		case 2:
			s2 = float64(fma32(float32(v), get32(b2, at), float32(s2)))
			fallthrough
		default:
			s3 = float64(fma32(float32(v), get32(b3, at), float32(s3)))
		}
	}
	*sum = [4]float32{float32(s0), float32(s1), float32(s2), float32(s3)}
}

// fourFrom is where elements n to n+3 are, step bytes apart; those from end on
// are the one before it, whose chain is then not used.
func fourFrom(p unsafe.Pointer, step, n, end int) *[4]unsafe.Pointer {
	last := end - 1
	return &[4]unsafe.Pointer{
		unsafe.Add(p, n*step), unsafe.Add(p, min(n+1, last)*step),
		unsafe.Add(p, min(n+2, last)*step), unsafe.Add(p, min(n+3, last)*step),
	}
}

// doubtful tells that s, a sum rounded to float64, may not be rounded to float32
// as the exact sum is: it is a tie of two float32, or below float32's normal
// range and not zero.
func doubtful(s float64) bool {
	u := math.Float64bits(s)
	return u<<35 == 1<<63 || u+u-1 < 897<<53-1
}

// rank orders values, and of equal ones numbers: NaN first, zeros alike. The
// number is the lower half.
func rank(v float32, number int) uint64 {
	u := math.Float32bits(v)
	switch {
	case v != v:
		u = 0
	case v == 0:
		u = 1 << 31
	case u>>31 != 0:
		u = ^u
	default:
		u |= 1 << 31
	}
	return uint64(u)<<32 | uint64(uint32(number))
}
