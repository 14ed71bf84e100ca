package codegen

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/flexnnc/flexnnc/runtime"
)

// drivers names the runtime sources (base names, without build-tag suffix and
// extension) that each kind of step needs beyond the common ones.
var drivers = map[op.Kind][]string{
	op.Copy: {"copy"},
}

// common are the runtime sources of every package.
var common = []string{
	"advise",
	"arena",
	"conv",
	"convdepth",
	"convportable",
	"blend",
	"cores",
	"cpu",
	"depthwise",
	"depthwiserows",
	"depthwisestrips",
	"depthwiserun",
	"direct",
	"engine",
	"epilogue",
	"fma",
	"gate",
	"half",
	"inorder",
	"intake",
	"map",
	"pool",
	"port",
	"programs",
	"quantize",
	"rows",
	"share",
	"team",
	"thread",
	"transpose",
	"warm",
	"weights",
	"winogradargs",
}

// runtimeFiles copies the runtime sources that the plans need, with the package
// clause and the generated mark in place.
func (k *pkg) runtimeFiles() (map[string][]byte, error) {
	want := map[string]bool{}
	for _, n := range common {
		want[n] = true
	}
	for _, u := range k.units {
		for i := range u.p.Steps {
			o := u.p.Steps[i].Op
			for _, n := range drivers[o.Kind] {
				want[n] = true
			}
			if o.Panels != nil && o.Panels.Int8 != nil || o.Call != nil && o.Call.Func == "recurrent_int8" {
				want["int8"] = true
			}
			if u.p.Steps[i].Picks {
				want["pick"] = true
			}
			if o.Conv != nil && o.Conv.Winograd != 0 {
				want["winograd"], want["winogradportable"], want["winogradtiles"] = true, true, true
			}
			if isCustom(o) {
				want["custom"] = true
			} else if o.Call != nil {
				want["call"], want["scalar"] = true, true
				for _, n := range callFiles(o.Call.Func) {
					want["call_"+n] = true
				}
				if len(o.Call.Products) > 0 {
					want["call_product"] = true
				}
			}
		}
	}
	all, err := runtime.Source()
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for name, b := range all {
		stem := sourceStem(name)
		if !want[stem] {
			continue
		}
		out, err := k.rename(name, b)
		if err != nil {
			return nil, err
		}
		files["runtime_"+name] = out
	}
	return files, nil
}

// sourceStem drops the extension and the GOOS or GOARCH ending of a file name.
func sourceStem(name string) string {
	stem, _, _ := strings.Cut(name, ".")
	for _, end := range []string{"_unix", "_other", "_linux", "_amd64", "_arm64", "_asm", "_noasm", "_portable"} {
		stem = strings.TrimSuffix(stem, end)
	}
	return stem
}

// rename makes a runtime source part of the emitted package.
func (k *pkg) rename(name string, b []byte) ([]byte, error) {
	mark := []byte(generatedMark + " " + k.o.Version + " from its runtime; DO NOT EDIT.\n\n")
	if strings.HasSuffix(name, ".s") {
		return append(mark, b...), nil
	}
	clause := []byte("package runtime\n")
	i := bytes.Index(b, append([]byte("\n"), clause...)) + 1
	if i == 0 && !bytes.HasPrefix(b, clause) {
		return nil, fmt.Errorf("BUG: runtime source %s has no package clause", name)
	}
	head := b[:i]
	// The package comment of the runtime is not the emitted package's.
	if bytes.Contains(head, []byte("// Package runtime ")) {
		head = nil
	}
	out := append(mark, head...)
	out = append(out, "package "+k.o.Package+"\n"...)
	return append(out, b[i+len(clause):]...), nil
}
