package main

import (
	"image"
	"image/draw"
	"math"
	"math/rand/v2"

	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/vector"
)

// side is the width and height of a sample in pixels.
const side = 32

// distortion says how far samples stray from a clean print. Every field is a
// limit; a sample draws its own values uniformly below it.
type distortion struct {
	minSize, maxSize float64 // longer side of the glyph's box, pixels
	stretch          float64 // width against height, as a fraction
	rotate           float64 // radians, either way
	slant            float64 // shear, either way
	shift            float64 // pixels, either way
	blur             float64 // standard deviation, pixels
	minContrast      float64 // ink against paper, gray levels
	gradient         float64 // paper brightness, edge to edge, gray levels
	noise            float64 // standard deviation, gray levels
	noiseShare       float64 // the same, as a share of the contrast
}

// printed is what the network is trained and measured on.
var printed = distortion{
	minSize: 17, maxSize: 28,
	stretch: 0.08, rotate: 10 * math.Pi / 180, slant: 0.08, shift: 3.5,
	blur: 1.2, minContrast: 50, gradient: 24,
	noise: 28, noiseShare: 0.25,
}

// clean is for the easy sample pictures.
var clean = distortion{
	minSize: 22, maxSize: 25,
	stretch: 0.01, rotate: 0.01, slant: 0, shift: 1,
	blur: 0.2, minContrast: 200, gradient: 2, noise: 1, noiseShare: 0.01,
}

// drawSample renders one glyph as side*side gray bytes, row by row.
func drawSample(rng *rand.Rand, o outline, d distortion) []byte {
	either := func(limit float64) float64 { return (2*rng.Float64() - 1) * limit }

	// Shape. The matrix [a b; c e] takes outline units to pixels.
	size := d.minSize + rng.Float64()*(d.maxSize-d.minSize)
	scale := size / math.Max(o.width, o.height)
	stretch := 1 + either(d.stretch)
	sin, cos := math.Sincos(either(d.rotate))
	slant := either(d.slant)
	sx, sy := scale*stretch, scale/stretch
	a, b := cos*sx, (cos*slant-sin)*sy
	c, e := sin*sx, (sin*slant+cos)*sy
	// Shift, but never push the turned box out of the picture.
	room := func(extent float64) float64 {
		return math.Min(d.shift, math.Max(0, (side-extent)/2))
	}
	cx := side/2 + either(room(math.Abs(a)*o.width+math.Abs(b)*o.height))
	cy := side/2 + either(room(math.Abs(c)*o.width+math.Abs(e)*o.height))
	cover := rasterize(o, func(p point) (float32, float32) {
		return float32(cx + a*p.x + b*p.y), float32(cy + c*p.x + e*p.y)
	})

	// Light: ink and paper at least minContrast apart, dark on light or
	// light on dark.
	contrast := d.minContrast + rng.Float64()*(255-d.minContrast)
	low := rng.Float64() * (255 - contrast)
	paper, ink := low+contrast, low
	if rng.IntN(2) == 1 {
		paper, ink = ink, paper
	}
	gx, gy := either(d.gradient/2), either(d.gradient/2)

	if rng.Float64() >= 0.25 { // a quarter stays sharp
		cover = blurred(cover, rng.Float64()*d.blur)
	}
	noise := 0.0
	if rng.Float64() >= 0.25 { // and a quarter free of noise
		noise = rng.Float64() * math.Min(d.noise, d.noiseShare*contrast)
	}
	pixels := make([]byte, side*side)
	for y := range side {
		for x := range side {
			ground := gx*(float64(x)/(side-1)-0.5) + gy*(float64(y)/(side-1)-0.5)
			v := paper + (ink-paper)*cover[y*side+x] + ground + noise*rng.NormFloat64()
			pixels[y*side+x] = byte(math.Round(math.Min(255, math.Max(0, v))))
		}
	}
	return pixels
}

// rasterize fills an outline; the result is the covered share of each pixel,
// 0 to 1.
func rasterize(o outline, place func(point) (float32, float32)) []float64 {
	r := vector.NewRasterizer(side, side)
	for i, v := range o.verbs {
		x0, y0 := place(v.to[0])
		x1, y1 := place(v.to[1])
		x2, y2 := place(v.to[2])
		switch v.op {
		case sfnt.SegmentOpMoveTo:
			if i > 0 {
				r.ClosePath()
			}
			r.MoveTo(x0, y0)
		case sfnt.SegmentOpLineTo:
			r.LineTo(x0, y0)
		case sfnt.SegmentOpQuadTo:
			r.QuadTo(x0, y0, x1, y1)
		case sfnt.SegmentOpCubeTo:
			r.CubeTo(x0, y0, x1, y1, x2, y2)
		}
	}
	r.ClosePath()
	mask := image.NewAlpha(image.Rect(0, 0, side, side))
	r.DrawOp = draw.Src
	r.Draw(mask, mask.Bounds(), image.Opaque, image.Point{})
	cover := make([]float64, side*side)
	for i, v := range mask.Pix {
		cover[i] = float64(v) / 255
	}
	return cover
}

// blurred convolves with a Gaussian of standard deviation sigma pixels. There
// is no ink outside the picture.
func blurred(in []float64, sigma float64) []float64 {
	if sigma < 0.05 {
		return in
	}
	radius := int(math.Ceil(3 * sigma))
	kernel := make([]float64, 2*radius+1)
	sum := 0.0
	for i := range kernel {
		t := float64(i-radius) / sigma
		kernel[i] = math.Exp(-t * t / 2)
		sum += kernel[i]
	}
	pass := func(in []float64, dx, dy int) []float64 {
		out := make([]float64, side*side)
		for y := range side {
			for x := range side {
				acc := 0.0
				for i, k := range kernel {
					px, py := x+dx*(i-radius), y+dy*(i-radius)
					if px >= 0 && px < side && py >= 0 && py < side {
						acc += k / sum * in[py*side+px]
					}
				}
				out[y*side+x] = acc
			}
		}
		return out
	}
	return pass(pass(in, 1, 0), 0, 1)
}
