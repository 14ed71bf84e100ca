// Demo reads printed characters from pictures with the emitted package
// generated/glyphs, and says how much memory that took.
//
//	demo testdata/glyphs/pictures/*.png
package main

import (
	"bytes"
	"context"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"

	"github.com/flexnnc/flexnnc/generated/glyphs"
)

// classes is the meaning of the network's outputs, in order.
const classes = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: demo PICTURE.png ...  (gray, 32x32)")
		os.Exit(2)
	}
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(files []string) error {
	in, out := glyphs.NewInputs(), glyphs.NewOutputs()
	pictures := make([][]float32, len(files))
	for i, f := range files {
		var err error
		if pictures[i], err = read(f); err != nil {
			return err
		}
	}
	debug.FreeOSMemory()
	idle := memory("VmRSS:")
	resetPeak()
	net, err := glyphs.New(glyphs.Options{})
	if err != nil {
		return err
	}
	defer net.Close()
	right := 0
	for i, f := range files {
		in.Data = pictures[i]
		if err := net.Run(context.Background(), in, out); err != nil {
			return err
		}
		best := 0
		for k, p := range out.Prob {
			if p > out.Prob[best] {
				best = k
			}
		}
		name := filepath.Base(f)
		mark := "  wrong"
		if name[0] == classes[best] {
			mark = ""
			right++
		}
		fmt.Printf("  %-24s reads %c  %5.1f %%%s\n", name, classes[best], 100*out.Prob[best], mark)
	}
	fmt.Printf("%d of %d pictures read as their names say\n", right, len(files))
	fmt.Printf("budget %d bytes, arena %d bytes, weights file %d bytes\n", glyphs.Budget, glyphs.ArenaBytes, glyphs.WeightsBytes)
	if peak := memory("VmHWM:"); peak > 0 {
		fmt.Printf("measured peak above the idle process: %d bytes (the budget, and what Go and the binary's own pages take)\n", peak-idle)
	}
	return nil
}

// read decodes a gray 32x32 picture to what the network was trained on.
func read(name string) ([]float32, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	b := img.Bounds()
	if b.Dx() != glyphs.InputDataW || b.Dy() != glyphs.InputDataH {
		return nil, fmt.Errorf("%s is %dx%d, want %dx%d", name, b.Dx(), b.Dy(), glyphs.InputDataW, glyphs.InputDataH)
	}
	v := make([]float32, 0, glyphs.InputDataLen)
	for y := range b.Dy() {
		for x := range b.Dx() {
			gray, _, _, _ := img.At(b.Min.X+x, b.Min.Y+y).RGBA()
			v = append(v, (float32(gray>>8)-127.5)/127.5)
		}
	}
	return v, nil
}

// memory reads a line of /proc/self/status in bytes; 0 where there is none.
func memory(key string) int {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for _, line := range bytes.Split(status, []byte("\n")) {
		if fields := bytes.Fields(line); len(fields) >= 2 && string(fields[0]) == key {
			if kb, err := strconv.Atoi(string(fields[1])); err == nil {
				return kb * 1024
			}
		}
	}
	return 0
}

// resetPeak makes VmHWM start again, where the system allows it.
func resetPeak() {
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0o200); err != nil {
		fmt.Fprintln(os.Stderr, "demo: the measured peak includes start-up:", err)
	}
}
