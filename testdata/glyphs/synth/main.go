// Command synth draws the samples that the glyph network is trained and
// measured on: characters of the Go fonts, turned, shifted, scaled, blurred
// and noisy, as 32x32 gray pictures. It knows nothing of networks.
//
//	go run . -out DIR                writes train.bin, held.bin, unseen.bin
//	go run . -out DIR -pictures      writes sample PNGs, and nothing else
//	go run . -out DIR -sheet         writes sheet.png, faces by classes
//
// A set file is the 4 bytes "GLY1", three little-endian uint32 (samples,
// width, height), then per sample one byte class, one byte face and
// width*height bytes of gray, row by row. Sample i of a set depends on
// nothing but the set's seed and i.
package main

import (
	"bufio"
	"encoding/binary"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

// A set's seed. The sets differ in seed, so no sample of one is in another.
const (
	trainSeed   = 1
	heldSeed    = 2
	unseenSeed  = 3
	pictureSeed = 7
)

func main() {
	out := flag.String("out", "", "folder to write to")
	labelFile := flag.String("labels", "../labels.txt", "classes, one character a line")
	train := flag.Int("train", 4000, "training samples a class")
	held := flag.Int("held", 1000, "held-back samples a class")
	unseen := flag.Int("unseen", 500, "samples a class from faces kept out of training")
	pictures := flag.Bool("pictures", false, "write the sample PNGs instead of the sets")
	sheet := flag.Bool("sheet", false, "write an overview instead of the sets")
	flag.Parse()
	if err := run(*out, *labelFile, *train, *held, *unseen, *pictures, *sheet); err != nil {
		fmt.Fprintln(os.Stderr, "synth:", err)
		os.Exit(1)
	}
}

func run(out, labelFile string, train, held, unseen int, pictures, sheet bool) error {
	if out == "" {
		return fmt.Errorf("-out is missing")
	}
	labels, err := readLabels(labelFile)
	if err != nil {
		return err
	}
	known, err := loadFaces(trainFaces, labels)
	if err != nil {
		return err
	}
	strange, err := loadFaces(unseenFaces, labels)
	if err != nil {
		return err
	}
	switch {
	case pictures:
		return writePictures(out, append(known, strange...), labels)
	case sheet:
		return writeSheet(filepath.Join(out, "sheet.png"), append(known, strange...))
	}
	sets := []struct {
		name     string
		faces    []face
		seed     uint64
		perClass int
	}{
		{"train.bin", known, trainSeed, train},
		{"held.bin", known, heldSeed, held},
		{"unseen.bin", strange, unseenSeed, unseen},
	}
	for _, s := range sets {
		if err := writeSet(filepath.Join(out, s.name), s.faces, s.seed, s.perClass); err != nil {
			return err
		}
	}
	return nil
}

func readLabels(name string) ([]rune, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var labels []rune
	for line := range strings.Lines(string(text)) {
		r := []rune(strings.TrimSpace(line))
		if len(r) != 1 {
			return nil, fmt.Errorf("%s: line %d is not one character", name, len(labels)+1)
		}
		labels = append(labels, r[0])
	}
	if len(labels) == 0 || len(labels) > 256 {
		return nil, fmt.Errorf("%s: %d classes; 1 to 256 fit in a set file", name, len(labels))
	}
	return labels, nil
}

func sampleRand(seed, index uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, index)) }

func writeSet(name string, faces []face, seed uint64, perClass int) (err error) {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}()
	w := bufio.NewWriterSize(f, 1<<20)
	classes := len(faces[0].glyphs)
	count := classes * perClass
	if _, err := io.WriteString(w, "GLY1"); err != nil {
		return err
	}
	for _, v := range []int{count, side, side} {
		if err := binary.Write(w, binary.LittleEndian, uint32(v)); err != nil {
			return err
		}
	}
	for i := range count {
		rng := sampleRand(seed, uint64(i))
		class, which := i%classes, rng.IntN(len(faces))
		if _, err := w.Write([]byte{byte(class), byte(which)}); err != nil {
			return err
		}
		if _, err := w.Write(drawSample(rng, faces[which].glyphs[class], printed)); err != nil {
			return err
		}
	}
	return w.Flush()
}

// writePictures draws the committed samples: six clean, six as distorted as
// the network's training. The name is the class, the face and the
// kind.
func writePictures(dir string, faces []face, labels []rune) error {
	wanted := []struct {
		label rune
		face  string
		kind  string
	}{
		{'0', "regular", "clean"}, {'4', "mono", "clean"}, {'7', "bold", "clean"},
		{'A', "regular", "clean"}, {'G', "bolditalic", "clean"}, {'W', "mono", "clean"},
		{'2', "italic", "rough"}, {'8', "monobold", "rough"}, {'B', "mediumitalic", "rough"},
		{'K', "medium", "rough"}, {'O', "regular", "rough"}, {'R', "monoitalic", "rough"},
		{'S', "bold", "rough"}, {'Z', "smallcaps", "rough"},
	}
	for i, want := range wanted {
		d := clean
		if want.kind == "rough" {
			d = printed
		}
		for _, f := range faces {
			if f.name != want.face {
				continue
			}
			for class, label := range labels {
				if label != want.label {
					continue
				}
				pix := drawSample(sampleRand(pictureSeed, uint64(i)), f.glyphs[class], d)
				img := &image.Gray{Pix: pix, Stride: side, Rect: image.Rect(0, 0, side, side)}
				name := fmt.Sprintf("%c_%s_%s.png", label, f.name, want.kind)
				if err := writePNG(filepath.Join(dir, name), img); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// writeSheet draws a row per face, a column per class, clean above distorted.
func writeSheet(name string, faces []face) error {
	classes := len(faces[0].glyphs)
	img := image.NewGray(image.Rect(0, 0, classes*side, 2*len(faces)*side))
	for row, f := range faces {
		for class, g := range f.glyphs {
			for k, d := range []distortion{clean, printed} {
				pix := drawSample(sampleRand(pictureSeed, uint64(row*classes+class)), g, d)
				for i, v := range pix {
					img.SetGray(class*side+i%side, (2*row+k)*side+i/side, color.Gray{Y: v})
				}
			}
		}
	}
	return writePNG(name, img)
}

func writePNG(name string, img image.Image) (err error) {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}()
	return png.Encode(f, img)
}
