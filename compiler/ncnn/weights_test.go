package ncnn

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/diag"
	"github.com/google/go-cmp/cmp"
)

const convs = "7767517\n3 3\nInput in0 0 1 in0\nTestConv a 1 1 in0 x 0=2 6=5\nTestConv b 1 1 x y 0=1 6=3\n"

func floats(v ...float32) []byte {
	var b []byte
	for _, f := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(f))
	}
	return b
}

func concat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func TestWeightStorage(t *testing.T) {
	table := make([]float32, 256)
	for i := range table {
		table[i] = float32(i) / 2
	}
	for _, c := range []struct {
		name  string
		data  []byte // of the five weights of layer a, with their tag
		kind  ir.Storage
		want  []float32
		bytes int
	}{
		{"f32", concat(bin(0), floats(1, 2, 3, 4, 5)), ir.StoreF32, []float32{1, 2, 3, 4, 5}, 24},
		{"scaled f32", concat(bin(0x0002C056), floats(1, 2, 3, 4, 5)), ir.StoreF32, []float32{1, 2, 3, 4, 5}, 24},
		{"f16, padded", concat(bin(0x01306B47), []byte{0, 0x3c, 0, 0x40, 0, 0x44, 1, 0, 0, 0xfc, 9, 9}), ir.StoreF16,
			[]float32{1, 2, 4, 1.0 / (1 << 24), float32(math.Inf(-1))}, 16},
		{"i8, padded", concat(bin(0x000D4B38), []byte{1, 0xff, 0x7f, 0x80, 0, 9, 9, 9}), ir.StoreI8, []float32{1, -1, 127, -128, 0}, 12},
		{"table, padded", concat(bin(1), floats(table...), []byte{0, 1, 255, 3, 4, 9, 9, 9}), ir.StoreTable, []float32{0, .5, 127.5, 1.5, 2}, 4 + 1024 + 8},
	} {
		g, _ := parse(t, convs)
		file := concat(c.data, floats(10, 11), bin(0), floats(20, 21, 22), floats(30))
		faults := ReadWeights(g, "m.bin", bytes.NewReader(file), int64(len(file)))
		if err := faults.Err(); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		for _, w := range []struct {
			weight *ir.Weight
			want   []float32
			at     int
		}{
			{g.Layers[1].Weight("weight"), c.want, 4},
			{g.Layers[1].Weight("bias"), []float32{10, 11}, c.bytes},
			{g.Layers[2].Weight("weight"), []float32{20, 21, 22}, c.bytes + 12},
			{g.Layers[2].Weight("bias"), []float32{30}, c.bytes + 24},
		} {
			got, err := w.weight.Float32s()
			if err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(w.want, got); diff != "" || w.weight.Offset != int64(w.at) {
				t.Errorf("%s: %s at %d, want %d: %s", c.name, w.weight.Name, w.weight.Offset, w.at, diff)
			}
		}
		if s := g.Layers[1].Weights[0].Storage; s != c.kind {
			t.Errorf("%s is %v", c.name, s)
		}
	}
}

func TestWeightFaults(t *testing.T) {
	whole := concat(bin(0), floats(1, 2, 3, 4, 5), floats(10, 11), bin(0), floats(20, 21, 22), floats(30))
	for _, c := range []struct {
		name, param string
		file        []byte
		want        string
	}{
		{"cut in weights", convs, whole[:17],
			`m.bin:+4: layer "a": "weight" takes 20 bytes at 4 (5 weights as f32), but the file has 17 (layer at dir/m.param:4:1) | the .bin belongs to another .param, or was cut`},
		{"cut in bias", convs, whole[:len(whole)-1],
			`m.bin:+48: layer "b": "bias" takes 4 bytes at 48 (1 weights as f32), but the file has 51 (layer at dir/m.param:5:1) | the .bin belongs to another .param, or was cut`},
		{"cut in tag", convs, whole[:34],
			`m.bin:+32: layer "b": the storage tag of "weight" is at 32, but the file has 34 bytes (layer at dir/m.param:5:1) | the .bin belongs to another .param, or was cut`},
		{"empty", convs, nil,
			`m.bin: layer "a": the storage tag of "weight" is at 0, but the file has 0 bytes (layer at dir/m.param:4:1) | the .bin belongs to another .param, or was cut`},
		{"left over", convs, append(whole[:len(whole):len(whole)], 1, 2, 3),
			`m.bin:+52: 3 bytes are left over after the last layer's weights | the .bin belongs to another .param, or a layer's parameters are wrong`},
		{"a table where the tag is anything", convs, concat(bin(0x3f800000), whole),
			`m.bin:+4: layer "a": "weight" takes 1032 bytes at 4 (5 weights as table), but the file has 56 (layer at dir/m.param:4:1) | the .bin belongs to another .param, or was cut`},
		{"huge count", strings.Replace(convs, "6=5", "6=2147483647", 1), whole,
			`m.bin:+4: layer "a": "weight" takes 8589934588 bytes at 4 (2147483647 weights as f32), but the file has 52 (layer at dir/m.param:4:1) | the .bin belongs to another .param, or was cut`},
	} {
		g, _ := parse(t, c.param)
		faults := ReadWeights(g, "m.bin", bytes.NewReader(c.file), int64(len(c.file)))
		if diff := cmp.Diff([]string{c.want}, lines(faults)); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	param, weights := filepath.Join(dir, "net.param"), filepath.Join(dir, "net.bin")
	whole := concat(bin(0), floats(1, 2, 3, 4, 5), floats(10, 11), bin(0), floats(20, 21, 22), floats(30))
	for path, data := range map[string][]byte{param: []byte(convs), weights: whole} {
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	n, err := Open(param, weights)
	if err != nil {
		t.Fatal(err)
	}
	g := n.Graph
	if g.Name != "net" || g.ParamHash != sha256.Sum256([]byte(convs)) || g.BinHash != sha256.Sum256(whole) {
		t.Errorf("%q %x %x", g.Name, g.ParamHash, g.BinHash)
	}
	if v, err := g.Layers[2].Weight("bias").Float32s(); err != nil || v[0] != 30 {
		t.Errorf("bias %v %v", v, err)
	}
	if err := n.Close(); err != nil {
		t.Error(err)
	}
	if err := n.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
	if n, err = Open(param, ""); err != nil || n.Graph.BinHash != [32]byte{} || n.Graph.Layers[1].Weight("weight").Source != nil {
		t.Errorf("without weights: %v", err)
	}
	for _, c := range []struct{ param, bin, want string }{
		{weights, param, "not an ncnn parameter file"},
		{param, param, `the .bin belongs to another .param, or was cut`},
		{dir, weights, "is a folder"},
		{param, dir, "is not a regular file"},
		{filepath.Join(dir, "absent"), weights, "no such file"},
		{param, filepath.Join(dir, "absent"), "no such file"},
	} {
		if _, err := Open(c.param, c.bin); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Open(%s, %s): %v, want %q", filepath.Base(c.param), filepath.Base(c.bin), err, c.want)
		}
	}
	if err := os.WriteFile(param, []byte("7767517\n1 1\nNo n 0 1 x\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = Open(param, weights)
	if e, ok := diag.As(err); !ok || len(e.List.Found) != 1 {
		t.Errorf("faults in a file are %T: %v", err, err)
	}
}
