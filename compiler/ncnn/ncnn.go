// Package ncnn reads networks as ncnn stores them: a text .param or binary
// .param.bin file and a .bin file of weights. It turns them into an ir.Graph and
// reports every fault it meets with its position. Files are not trusted: no count
// is believed before the bytes behind it are seen, and the weights stay in their
// file. The package knows layer definitions by their parameters, arities and
// weight lists, and nothing of shapes, lowering or plans.
package ncnn

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/diag"
)

// magic opens both forms of a parameter file: as decimal text or as an int32.
const magic = 7767517

// Network is a graph with the open file that its weights are read from.
type Network struct {
	Graph *ir.Graph
	// Warnings are findings that do not keep the network from being compiled.
	Warnings diag.List
	bin      *os.File
}

// Close closes the weights file; the graph's weights cannot be read afterwards.
func (n *Network) Close() error {
	if n.bin == nil {
		return nil
	}
	f := n.bin
	n.bin = nil
	return f.Close()
}

// Open reads the network param, text or binary by its first bytes, and checks the
// weights file bin against it. bin may be "": the graph then has no weights,
// which is enough for planning. custom are layer types that are not ncnn's own. Faults in the files come back as a *diag.Error
// with everything found.
func Open(param, bin string, custom ...*ir.Custom) (*Network, error) {
	data, err := readParamFile(param)
	if err != nil {
		return nil, err
	}
	n := &Network{}
	var faults diag.List
	n.Graph, faults = ParseParam(param, data, &n.Warnings, custom...)
	if err := faults.Err(); err != nil {
		return nil, err
	}
	if bin == "" {
		return n, nil
	}
	if n.bin, err = os.Open(bin); err != nil {
		return nil, err
	}
	if err := n.openWeights(bin); err != nil {
		n.Close()
		return nil, err
	}
	return n, nil
}

func (n *Network) openWeights(bin string) error {
	info, err := n.bin.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", bin)
	}
	faults := ReadWeights(n.Graph, bin, n.bin, info.Size())
	if err := faults.Err(); err != nil {
		return err
	}
	h := sha256.New()
	size, err := io.Copy(h, io.NewSectionReader(n.bin, 0, info.Size()))
	if err != nil {
		return fmt.Errorf("reading %s: %w", bin, err)
	}
	if size != info.Size() {
		return fmt.Errorf("%s changed while it was read: %d bytes instead of %d", bin, size, info.Size())
	}
	h.Sum(n.Graph.BinHash[:0])
	return nil
}

// readParamFile reads a parameter file, once its first bytes look like one: a
// path to something else (a large weights file) is turned away before that.
func readParamFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil {
		return nil, err
	} else if info.IsDir() {
		return nil, fmt.Errorf("%s is a folder, not a .param file", path)
	}
	r := bufio.NewReader(f)
	head, _ := r.Peek(64) // shorter at the end of the file; errors come again below
	if !isBinary(head) {
		var faults diag.List
		if !checkTextMagic(path, head, &faults) {
			return nil, faults.Err()
		}
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return data, nil
}

// ParseParam reads a parameter file of either form. name is the file's path, for
// positions and for the graph's name. The graph is nil where faults were found.
func ParseParam(name string, data []byte, warnings *diag.List, custom ...*ir.Custom) (*ir.Graph, diag.List) {
	b := newBuilder(name, warnings)
	b.custom = custom
	if isBinary(data) {
		b.readBinary(data)
	} else {
		b.readText(string(data))
	}
	if !b.broken {
		b.connect()
	}
	if len(b.faults.Found) > 0 {
		return nil, b.faults
	}
	b.graph.ParamHash = sha256.Sum256(data)
	return b.graph, diag.List{}
}

func isBinary(data []byte) bool {
	return len(data) >= 4 && binary.LittleEndian.Uint32(data) == magic
}

// checkTextMagic reports whether a text file begins with ncnn's magic number.
func checkTextMagic(name string, head []byte, faults *diag.List) bool {
	if bytes.HasPrefix(bytes.TrimLeft(head, " \t\r\n\v\f"), []byte("7767517")) {
		return true
	}
	d := diag.Diagnostic{Pos: ir.Pos{File: name, Line: 1, Col: 1}, Text: "not an ncnn parameter file: it does not begin with 7767517"}
	switch {
	case len(head) == 0:
		d.Text = "the file is empty"
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		d.Hint = "save the file without a byte order mark"
	case strings.IndexFunc(string(head), func(r rune) bool { return r < ' ' && !strings.ContainsRune("\t\r\n\v\f", r) || r == '\uFFFD' }) >= 0:
		d.Hint = "this looks like a weights file; the network's .param or .param.bin is needed here"
	case len(head) > 0 && head[0] >= '0' && head[0] <= '9':
		d.Hint = "files of ncnn's first format have no such line; convert the model again with ncnn's tools"
	}
	faults.Add(d)
	return false
}

// graphName is the base name of a parameter file without its extensions.
func graphName(path string) string {
	n := filepath.Base(path)
	n = strings.TrimSuffix(n, ".bin")
	return strings.TrimSuffix(n, ".param")
}
