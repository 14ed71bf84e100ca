package pack

import (
	"bytes"
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/op"
)

// blob is a weight blob of float32 in memory.
func blob(name string, v ...float32) *ir.Weight {
	var b bytes.Buffer
	binary.Write(&b, binary.LittleEndian, v)
	return &ir.Weight{Name: name, Count: len(v), Source: bytes.NewReader(b.Bytes())}
}

// ramp is 0, step, 2*step, ...
func ramp(n int, step float32) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = step * float32(i)
	}
	return v
}

// TestPanel compares every element of packed panels, of both sizes and all orders,
// with where the definition of op.Panels puts it.
func TestPanel(t *testing.T) {
	const n, taps, chans = 19, 3, 5
	for _, typ := range []op.Type{op.F32, op.F16} {
		for _, order := range []op.Order{op.OutChanTap, op.ChanTapOut, op.ChanOutTap} {
			w := ramp(2+n*taps*chans, 0.125)
			p := &op.Panels{
				Name: "p", N: n, Taps: taps, Chans: chans, Type: typ, Order: order, First: 2, Weight: blob("weight", w...),
				Bias: blob("bias", ramp(n+1, 3)...), BiasAt: 1,
				Fold: []op.Affine{func() (scale, shift []float64, err error) {
					for i := range n {
						scale, shift = append(scale, float64(1+i%2)), append(shift, 0.5)
					}
					return scale, shift, nil
				}},
			}
			k, err := New(p)
			if err != nil {
				t.Fatal(err)
			}
			for i := range p.Count() {
				dst := make([]byte, p.PanelBytes())
				dst[len(dst)-1] = 1 // to be cleared
				if err := k.Panel(i, dst); err != nil {
					t.Fatal(err)
				}
				for j := range op.PanelWidth {
					o := i*op.PanelWidth + j
					want := float32(0)
					scale := float32(1 + o%2)
					if o < n {
						want = 3*float32(o+1)*scale + 0.5
					}
					if got := math.Float32frombits(binary.LittleEndian.Uint32(dst[4*j:])); got != want {
						t.Errorf("%v, order %d: bias %d is %g, want %g", typ, order, o, got, want)
					}
					for e := range taps * chans {
						tap, c := e/chans, e%chans
						want := float32(0)
						if o < n {
							at := [...]int{op.OutChanTap: (o*chans+c)*taps + tap, op.ChanTapOut: (c*taps+tap)*n + o, op.ChanOutTap: (c*n+o)*taps + tap}[order]
							want = w[2+at] * scale
						}
						at := op.PanelWidth*e + j
						var got float32
						if typ == op.F16 {
							got = ir.HalfToFloat(binary.LittleEndian.Uint16(dst[64+2*at:]))
						} else {
							got = math.Float32frombits(binary.LittleEndian.Uint32(dst[64+4*at:]))
						}
						if got != want {
							t.Errorf("%v, order %d: weight of output %d, channel %d, tap %d is %g, want %g", typ, order, o, c, tap, got, want)
						}
					}
				}
				if end := 64 + op.PanelWidth*taps*chans*typ.Bytes(); bytes.Trim(dst[end:], "\x00") != nil && len(bytes.Trim(dst[end:], "\x00")) > 0 {
					t.Errorf("%v: the end of panel %d is not zero", typ, i)
				}
			}
		}
	}
}

// What float16 cannot hold is an error that says which weight it is.
func TestHalfRange(t *testing.T) {
	p := &op.Panels{Name: "p", N: 2, Taps: 1, Chans: 2, Type: op.F16, Weight: blob("weight", 1, 65519, -65520, 1)}
	k, err := New(p)
	if err != nil {
		t.Fatal(err)
	}
	err = k.Panel(0, make([]byte, p.PanelBytes()))
	if err == nil || !strings.Contains(err.Error(), "-65520 is beyond the range of fp16, which ends at 65504 (output channel 1, input channel 0, tap 0)") {
		t.Errorf("got %v", err)
	}
	c := &op.Const{Name: "c", Type: op.F16, Len: 2, Fill: func(dst []float32) error { dst[0], dst[1] = 1, 1e9; return nil }}
	if err := Const(c, make([]byte, c.Bytes())); err == nil || !strings.Contains(err.Error(), "(element 1)") {
		t.Errorf("got %v", err)
	}
	c.Fill = func(dst []float32) error { dst[0], dst[1] = 1.5, float32(math.Inf(1)); return nil }
	b := make([]byte, c.Bytes())
	if err := Const(c, b); err != nil || !bytes.Equal(b[:4], []byte{0x00, 0x3e, 0x00, 0x7c}) {
		t.Errorf("%x, %v", b[:4], err)
	}
}
