package ncnn

import (
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/diag"
	"github.com/google/go-cmp/cmp"
)

// bin packs ints, float32s and padded strings as words.
func bin(words ...any) []byte {
	var b []byte
	for _, w := range words {
		switch w := w.(type) {
		case int:
			b = binary.LittleEndian.AppendUint32(b, uint32(w))
		case float64:
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(w)))
		case string:
			b = append(b, w...)
			for len(b)%4 != 0 {
				b = append(b, 0)
			}
		}
	}
	return b
}

func TestBinary(t *testing.T) {
	data := bin(magic, 3, 3,
		16, 0, 1, 0, -23330, 4, 3, 5, 4, 3, 0, 5, 1, 4, 2, 3, -233,
		9004, 1, 1, 0, 1, 0, 8, 1, -1.25, -23302, 3, 1, 2, -3, -23303, 2, 0.5, 1.0, -23404, 5, "0w,-1", 6, 216, -233,
		9001, 1, 1, 1, 2, -233)
	text, warnings := parse(t, "7767517\n3 3\n"+
		"Input layer0 0 1 blob0 -23330=4,3,5,4,3 0=5 1=4 2=3\n"+
		"TestConv layer1 1 1 blob0 blob1 0=8 1=-1.25 -23302=3,1,2,-3 -23303=2,0.5,1.0 4=\"0w,-1\" 6=216\n"+
		"TestPass layer2 1 1 blob1 blob2\n")
	if len(warnings) > 0 {
		t.Fatal(warnings)
	}
	var w diag.List
	g, faults := ParseParam("dir/m.param.bin", data, &w)
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	if len(w.Found) > 0 {
		t.Error(w)
	}
	if err := ir.Check(g); err != nil {
		t.Error(err)
	}
	if g.Name != "m" || g.Layers[1].Pos.String() != "dir/m.param.bin:+80" {
		t.Errorf("%q, layer at %s", g.Name, g.Layers[1].Pos)
	}
	strip := func(g *ir.Graph) string {
		for _, l := range g.Layers {
			l.Pos = ir.Pos{}
		}
		return g.String()
	}
	if diff := cmp.Diff(strip(text), strip(g)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(text.Layers[0].Hints, g.Layers[0].Hints); diff != "" {
		t.Error(diff)
	}
}

// The hostile ones are of the kinds that have crashed readers of this format:
// huge and negative counts, blobs out of range, lengths that wrap around.
func TestBinaryFaults(t *testing.T) {
	const huge = math.MaxInt32
	pad := strings.Repeat("\x00", 4*64)
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"nothing after the magic", bin(magic), `m.param.bin:+4: the file ends within its counts of layers and blobs | the file was cut, or a count before this place is wrong`},
		{"no layers", bin(magic, 0, 1, pad), `m.param.bin:+4: the number of layers is 0, where the file has room for 1 to 16`},
		{"huge layer count", bin(magic, huge, 1, pad), `m.param.bin:+4: the number of layers is 2147483647, where the file has room for 1 to 16`},
		{"huge blob count", bin(magic, 1, huge, pad), `m.param.bin:+4: the number of blobs is 2147483647, where the file has room for 1 to 64`},
		{"negative counts", bin(magic, -1, -1, pad), `m.param.bin:+4: the number of layers is -1, where the file has room for 1 to 16`},
		{"negative outputs", bin(magic, 1, 1, 16, 0, -1, -233), `m.param.bin:+16: layer "layer0": the layer counts 0 inputs and -1 outputs, where the file has 1 words left`},
		{"huge inputs", bin(magic, 1, 1, 9002, huge, huge, pad), `m.param.bin:+16: layer "layer0": the layer counts 2147483647 inputs and 2147483647 outputs, where the file has 64 words left`},
		{"blob out of range", bin(magic, 1, 1, 9001, 1, 1, 0x090909, 0, -233), `m.param.bin:+24: layer "layer0": blob 592137, where the file has blobs 0 to 0`},
		{"negative blob", bin(magic, 1, 1, 16, 0, 1, -1, -233), `m.param.bin:+24: layer "layer0": blob -1, where the file has blobs 0 to 0`},
		{"parameter id", bin(magic, 1, 1, 16, 0, 1, 0, 1000, 0, -233), `m.param.bin:+28: layer "layer0": there is no parameter id 1000`},
		{"negative parameter id", bin(magic, 1, 1, 16, 0, 1, 0, -5, 0, -233), `m.param.bin:+28: layer "layer0": there is no parameter id -5`},
		{"least parameter id", bin(magic, 1, 1, 16, 0, 1, 0, math.MinInt32, 0, -233), `m.param.bin:+28: layer "layer0": there is no parameter id -2147483648`},
		{"array length", bin(magic, 1, 1, 16, 0, 1, 0, -23300, huge, -233), `m.param.bin:+32: layer "layer0": array 0 has a length of 2147483647, where the file has 1 words left`},
		{"negative array length", bin(magic, 1, 1, 16, 0, 1, 0, -23300, -1, -233), `m.param.bin:+32: layer "layer0": array 0 has a length of -1, where the file has 1 words left`},
		{"array length that wraps", bin(magic, 1, 1, 16, 0, 1, 0, -23300, 0x40000001, 1, -233), `m.param.bin:+32: layer "layer0": array 0 has a length of 1073741825, where the file has 2 words left`},
		{"string length", bin(magic, 1, 1, 16, 0, 1, 0, -23404, huge, -233), `m.param.bin:+32: layer "layer0": string 4 has a length of 2147483647, where at most 4 is possible`},
		{"string of negative length", bin(magic, 1, 1, 16, 0, 1, 0, -23404, -4, -233), `m.param.bin:+32: layer "layer0": string 4 has a length of -4, where at most 4 is possible`},
		{"no end of parameters", bin(magic, 1, 1, 16, 0, 1, 0, 0, 5), `m.param.bin:+36: the file ends within the parameters of layer "layer0" | the file was cut, or a count before this place is wrong`},
		{"cut value", bin(magic, 1, 1, 16, 0, 1, 0, 0), `m.param.bin:+32: the file ends within parameter 0 of layer "layer0" | the file was cut, or a count before this place is wrong`},
		{"hints without outputs", bin(magic, 1, 1, 9001, 1, 0, 0, -23330, 1, 3, -233), `m.param.bin:+12: layer "layer0": TestPass has 1 output, not 0`},
		{"unknown type", bin(magic, 1, 1, 5120, 0, 1, 0, -233), `m.param.bin:+12: layer "layer0": layer type "type 5120" is not supported | read the text .param, if there is one: it has the type's name`},
		{"custom layer", bin(magic, 1, 1, 1<<8|3, 0, 1, 0, -233), `m.param.bin:+12: layer "layer0": layer type "type 259" is not supported | a layer that a program registered with ncnn: read the text .param, which has the type's name, and give a Go function with --custom`},
		{"negative type", bin(magic, 1, 1, -1, 0, 1, 0, -233), `m.param.bin:+12: layer "layer0": layer type "type -1" is not supported | read the text .param, if there is one: it has the type's name`},
	} {
		g, faults := ParseParam("m.param.bin", c.data, &diag.List{})
		got := lines(faults)
		if g != nil || len(got) == 0 || got[0] != c.want {
			t.Errorf("%s: %d bytes\ngot  %q\nwant %q", c.name, len(c.data), got, c.want)
		}
	}
}

func TestBinaryLeftOver(t *testing.T) {
	var w diag.List
	_, faults := ParseParam("m.param.bin", append(bin(magic, 1, 1, 16, 0, 1, 0, -233), 1, 2, 3), &w)
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"m.param.bin:+32: 3 bytes after the last layer are ignored"}, lines(w)); diff != "" {
		t.Error(diff)
	}
}
