package cases

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"

	"github.com/flexnnc/flexnnc/ir"
)

// Input is one input blob of a case.
type Input struct {
	Name  string
	Shape ir.Shape
	Ints  bool // the words are int32 and not float32

	file       string
	seed       uint64
	amp        float64
	png, pixel string
	mean, norm []float32
}

// Words gives the input's 32-bit words, dense in the order C, D, H, W with W
// innermost: the bits of float32 values, or int32 where Ints says so.
func (in *Input) Words() ([]uint32, error) {
	switch {
	case in.file != "":
		return readWords(in.file, in.Shape)
	case in.png != "":
		return in.pixels()
	}
	return in.synthetic(), nil
}

// Reference gives the output's values as the reference has them, dense.
func (o *Output) Reference() ([]float32, error) {
	words, err := readWords(o.file, o.Shape)
	if err != nil {
		return nil, err
	}
	v := make([]float32, len(words))
	for i, w := range words {
		v[i] = math.Float32frombits(w)
	}
	return v, nil
}

// readWords reads a file of little-endian words whose number must be the shape's.
func readWords(path string, s ir.Shape) ([]uint32, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if want := 4 * int64(s.Len()); info.Size() != want {
		return nil, fmt.Errorf("%s has %d bytes; a shape of %v makes %d", path, info.Size(), s, want)
	}
	words := make([]uint32, s.Len())
	if err := binary.Read(bufio.NewReader(f), binary.LittleEndian, words); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return words, nil
}

// pixels decodes the picture and makes (x - mean) * norm of each channel, planar.
func (in *Input) pixels() ([]uint32, error) {
	f, err := os.Open(in.png)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	img, err := png.Decode(bufio.NewReader(f))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", in.png, err)
	}
	b := img.Bounds()
	if b.Dx() != in.Shape.W || b.Dy() != in.Shape.H {
		return nil, fmt.Errorf("%s is %dx%d pixels, and input %q is %v", in.png, b.Dx(), b.Dy(), in.Name, in.Shape)
	}
	channels, err := channelsOf(img, in.pixel)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", in.png, err)
	}
	words := make([]uint32, 0, in.Shape.Len())
	for c := range in.Shape.C {
		mean, norm := float32(0), float32(1)
		if len(in.mean) > 0 {
			mean = in.mean[c]
		}
		if len(in.norm) > 0 {
			norm = in.norm[c]
		}
		for y := b.Min.Y; y < b.Max.Y; y++ {
			for x := b.Min.X; x < b.Max.X; x++ {
				v := float32(channels(x, y)[c]) - mean
				words = append(words, math.Float32bits(v*norm))
			}
		}
	}
	return words, nil
}

// channelsOf reads 8-bit pixels, unchanged, in the order asked for. Gray ones may
// come out of a coloured picture whose channels are equal.
func channelsOf(img image.Image, order string) (func(x, y int) [3]uint8, error) {
	if g, ok := img.(*image.Gray); ok {
		return func(x, y int) [3]uint8 {
			v := g.GrayAt(x, y).Y
			return [3]uint8{v, v, v}
		}, nil
	}
	switch img.(type) {
	case *image.Gray16, *image.RGBA64, *image.NRGBA64:
		return nil, fmt.Errorf("the picture has 16 bits a channel, want 8")
	}
	r, b := 0, 2
	if order == "bgr" {
		r, b = 2, 0
	}
	read := func(x, y int) [3]uint8 {
		p := color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA)
		var v [3]uint8
		v[r], v[1], v[b] = p.R, p.G, p.B
		return v
	}
	if order == "gray" {
		for y := img.Bounds().Min.Y; y < img.Bounds().Max.Y; y++ {
			for x := img.Bounds().Min.X; x < img.Bounds().Max.X; x++ {
				if v := read(x, y); v[0] != v[1] || v[1] != v[2] {
					return nil, fmt.Errorf("pixel %d,%d has a colour, and pixels are to be gray: convert the picture first", x, y)
				}
			}
		}
	}
	return read, nil
}
