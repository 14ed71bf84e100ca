package main

import (
	"fmt"
	"math"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/gobolditalic"
	"golang.org/x/image/font/gofont/goitalic"
	"golang.org/x/image/font/gofont/gomedium"
	"golang.org/x/image/font/gofont/gomediumitalic"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/gofont/gomonobold"
	"golang.org/x/image/font/gofont/gomonobolditalic"
	"golang.org/x/image/font/gofont/gomonoitalic"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/gofont/gosmallcaps"
	"golang.org/x/image/font/gofont/gosmallcapsitalic"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

// source is one font file. The small-caps fonts draw their small capitals
// under the lower-case code points; their full capitals and digits are those
// of Go Regular and Go Italic.
type source struct {
	name      string
	ttf       []byte
	smallCaps bool
}

// trainFaces are the faces that both the training set and the held-back set
// are drawn from. The order is part of the data: a sample picks a face by
// its index.
var trainFaces = []source{
	{name: "regular", ttf: goregular.TTF},
	{name: "italic", ttf: goitalic.TTF},
	{name: "medium", ttf: gomedium.TTF},
	{name: "bold", ttf: gobold.TTF},
	{name: "bolditalic", ttf: gobolditalic.TTF},
	{name: "mono", ttf: gomono.TTF},
	{name: "monoitalic", ttf: gomonoitalic.TTF},
	{name: "monobolditalic", ttf: gomonobolditalic.TTF},
	{name: "smallcaps", ttf: gosmallcaps.TTF, smallCaps: true},
	{name: "smallcapsitalic", ttf: gosmallcapsitalic.TTF, smallCaps: true},
}

// unseenFaces never appear in training, at any seed.
var unseenFaces = []source{
	{name: "mediumitalic", ttf: gomediumitalic.TTF},
	{name: "monobold", ttf: gomonobold.TTF},
}

// point is a position in outline units, y downwards.
type point struct{ x, y float64 }

// verb is one step of an outline.
type verb struct {
	op sfnt.SegmentOp
	to [3]point
}

// outline is a glyph's contours moved so that the centre of their box is the
// origin. Width and height are those of that box, in outline units.
type outline struct {
	verbs         []verb
	width, height float64
}

// face holds the outlines of every class, indexed by class.
type face struct {
	name   string
	glyphs []outline
}

func loadFaces(sources []source, labels []rune) ([]face, error) {
	faces := make([]face, len(sources))
	for i, s := range sources {
		f, err := sfnt.Parse(s.ttf)
		if err != nil {
			return nil, fmt.Errorf("font %s: %w", s.name, err)
		}
		faces[i].name = s.name
		for _, label := range labels {
			r := label
			if s.smallCaps && r >= 'A' && r <= 'Z' {
				r += 'a' - 'A'
			}
			o, err := loadOutline(f, r)
			if err != nil {
				return nil, fmt.Errorf("font %s, character %q: %w", s.name, r, err)
			}
			faces[i].glyphs = append(faces[i].glyphs, o)
		}
	}
	return faces, nil
}

func loadOutline(f *sfnt.Font, r rune) (outline, error) {
	var buf sfnt.Buffer
	index, err := f.GlyphIndex(&buf, r)
	if err != nil {
		return outline{}, err
	}
	if index == 0 {
		return outline{}, fmt.Errorf("the font has no such glyph")
	}
	// 2048 units to the em is these fonts' own grid, so nothing is rounded.
	segments, err := f.LoadGlyph(&buf, index, fixed.I(2048), &sfnt.LoadGlyphOptions{})
	if err != nil {
		return outline{}, err
	}
	bounds, _, err := f.GlyphBounds(&buf, index, fixed.I(2048), font.HintingNone)
	if err != nil {
		return outline{}, err
	}
	box := [4]float64{unfix(bounds.Min.X), unfix(bounds.Min.Y), unfix(bounds.Max.X), unfix(bounds.Max.Y)}
	centre := point{(box[0] + box[2]) / 2, (box[1] + box[3]) / 2}
	o := outline{width: box[2] - box[0], height: box[3] - box[1]}
	if len(segments) == 0 || math.Min(o.width, o.height) <= 0 {
		return outline{}, fmt.Errorf("the glyph is blank")
	}
	for _, seg := range segments {
		v := verb{op: seg.Op}
		for k, arg := range seg.Args {
			v.to[k] = point{unfix(arg.X) - centre.x, unfix(arg.Y) - centre.y}
		}
		o.verbs = append(o.verbs, v)
	}
	return o, nil
}

func unfix(v fixed.Int26_6) float64 { return float64(v) / 64 }
