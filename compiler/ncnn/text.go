package ncnn

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/flexnnc/flexnnc/compiler/layer"
	"github.com/flexnnc/flexnnc/ir"
)

// The text form is a stream of words, in which ncnn gives line ends no meaning:
//
//	7767517
//	LAYERS BLOBS
//	TYPE NAME INPUTS OUTPUTS input.. output.. id=value..
//
// Every writer puts a layer on a line, and so does this reader expect it, since
// that is what makes a fault in one layer stay there. A layer may still go on in
// the next line, unless that line reads as the begin of a layer itself.

// longestName is the size of ncnn's buffers for types and names, longestNumber
// that for a number and longestString that for a string.
const (
	longestName   = 255
	longestNumber = 15
	longestString = 255
)

// scanner walks over a text with positions.
type scanner struct {
	file      string
	src       string
	at        int
	line      int
	lineStart int
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f' }

func (s *scanner) pos() ir.Pos {
	return ir.Pos{File: s.file, Line: s.line, Col: s.at - s.lineStart + 1, Offset: int64(s.at)}
}

func (s *scanner) end() bool { return s.at >= len(s.src) }

func (s *scanner) lineEnd() bool { return s.end() || s.src[s.at] == '\n' }

// blanks skips white space within the line, space also line ends.
func (s *scanner) blanks() {
	for !s.end() && isBlank(s.src[s.at]) {
		s.at++
	}
}

func (s *scanner) space() {
	for s.blanks(); !s.end() && s.src[s.at] == '\n'; s.blanks() {
		s.at++
		s.line++
		s.lineStart = s.at
	}
}

func (s *scanner) skipLine() {
	for !s.lineEnd() {
		s.at++
	}
}

// word takes everything up to white space.
func (s *scanner) word() string {
	from := s.at
	for !s.end() && !isBlank(s.src[s.at]) && s.src[s.at] != '\n' {
		s.at++
	}
	return s.src[from:s.at]
}

// rest is a view of the words that follow in the line; the scanner stays.
func (s *scanner) peekWords(n int) []string {
	p := *s
	var words []string
	for len(words) < n {
		p.blanks()
		if p.lineEnd() {
			break
		}
		words = append(words, p.word())
	}
	return words
}

// paramID splits "12=..." into 12 and the length of "12=".
func paramID(s string) (id, n int, ok bool) {
	i := 0
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		i++
	}
	digits := i
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	if i == digits || i >= len(s) || s[i] != '=' {
		return 0, 0, false
	}
	id, err := strconv.Atoi(s[:i])
	if err != nil {
		id = maxParams // digits without end: no such id
	}
	return id, i + 1, true
}

// beginsLayer reports whether the line ahead reads TYPE NAME INTEGER INTEGER.
func (s *scanner) beginsLayer() bool {
	w := s.peekWords(4)
	if len(w) < 4 {
		return false
	}
	_, _, param := paramID(w[0])
	_, err2 := strconv.Atoi(w[2])
	_, err3 := strconv.Atoi(w[3])
	return !param && err2 == nil && err3 == nil
}

// more moves to the next word of the layer, if there is one.
func (s *scanner) more() bool {
	s.blanks()
	if !s.lineEnd() {
		return true
	}
	ahead := *s
	ahead.space()
	if ahead.end() || ahead.beginsLayer() {
		return false
	}
	*s = ahead
	return true
}

func (b *builder) readText(src string) {
	if !checkTextMagic(b.file, []byte(src[:min(len(src), 64)]), &b.faults) {
		b.broken = true
		return
	}
	s := &scanner{file: b.file, src: src, line: 1}
	s.space()
	if pos, w := s.pos(), s.word(); w != "7767517" {
		b.fault(pos, "", "the magic number is %q and not 7767517", clip(w))
		b.broken = true
		return
	}
	layers, layersPos, ok1 := b.headerCount(s, "layer")
	blobs, blobsPos, ok2 := b.headerCount(s, "blob")
	if !ok1 || !ok2 {
		b.broken = true
		return
	}
	for len(b.records) < layers {
		s.space()
		if s.end() {
			b.fault(layersPos, fmt.Sprintf("the file was cut, or the count should be %d", len(b.records)),
				"the file has %d %s and not %d", len(b.records), plural(len(b.records), "layer"), layers)
			b.broken = true
			break
		}
		r := &record{layer: &ir.Layer{Pos: s.pos()}}
		if b.textLayer(s, r) {
			b.define(r)
			continue
		}
		b.broken = true
		b.records = append(b.records, r) // it counts as a layer
		s.skipLine()
	}
	if b.ownOfPNNX() {
		b.broken = true
		return
	}
	s.space()
	if !s.end() && !b.broken {
		b.warnings.Posf(s.pos(), "what follows the %d layers that line 2 counts is ignored, as ncnn does", layers)
	}
	b.checkBlobCount(blobs, blobsPos)
}

func (b *builder) headerCount(s *scanner, what string) (int, ir.Pos, bool) {
	s.space()
	pos, w := s.pos(), s.word()
	n, err := strconv.ParseInt(w, 10, 32)
	if err != nil || n <= 0 {
		b.fault(pos, "the second line is the number of layers and the number of blobs", "the number of %ss is %q", what, clip(w))
		return 0, pos, false
	}
	return int(n), pos, true
}

// checkBlobCount holds the header's number of blobs against the names that occur.
func (b *builder) checkBlobCount(want int, pos ir.Pos) {
	if b.broken {
		return
	}
	names := map[string]bool{}
	for _, r := range b.records {
		for _, list := range [][]blobName{r.ins, r.outs} {
			for _, n := range list {
				names[n.name] = true
			}
		}
	}
	switch n := len(names); {
	case n > want:
		b.fault(pos, fmt.Sprintf("write %d here", n), "the layers have %d blobs and not %d", n, want)
	case n < want:
		b.warnings.Posf(pos, "the layers have %d %s and not %d", n, plural(n, "blob"), want)
	}
}

// textLayer reads one layer; false where the rest of its line means nothing.
func (b *builder) textLayer(s *scanner, r *record) bool {
	l := r.layer
	l.Type = s.word()
	if _, _, ok := paramID(l.Type); ok {
		b.fault(l.Pos, "", "a layer begins with its type, not with the parameter %q", clip(l.Type))
		return false
	}
	if len(l.Type) > longestName {
		b.fault(l.Pos, "", "a layer type has %d characters; ncnn's limit is %d", len(l.Type), longestName)
		return false
	}
	if !s.more() {
		b.fault(l.Pos, "a layer is TYPE NAME INPUTS OUTPUTS, then blobs, then parameters", "the layer %q ends after its type", clip(l.Type))
		return false
	}
	namePos := s.pos()
	l.Name = s.word()
	if len(l.Name) > longestName {
		b.fault(namePos, "", "a layer name has %d characters; ncnn's limit is %d", len(l.Name), longestName)
		return false
	}
	for _, c := range b.custom {
		if c.Type == l.Type {
			l.Custom = c
		}
	}
	if r.def = layer.Of(l); r.def == nil {
		b.unsupported(r, "")
	}
	ins, ok := b.blobCount(s, r, "input")
	if !ok {
		return false
	}
	outs, ok := b.blobCount(s, r, "output")
	if !ok {
		return false
	}
	if r.ins, ok = b.blobNames(s, r, "input", ins); !ok {
		return false
	}
	if r.outs, ok = b.blobNames(s, r, "output", outs); !ok {
		return false
	}
	b.textParams(s, r)
	return true
}

func (b *builder) blobCount(s *scanner, r *record, what string) (int, bool) {
	if !s.more() {
		b.layerFault(r.layer, s.pos(), "a layer is TYPE NAME INPUTS OUTPUTS, then blobs, then parameters", "the line ends before the number of %ss", what)
		return 0, false
	}
	pos, w := s.pos(), s.word()
	n, err := strconv.ParseInt(w, 10, 32)
	if err != nil || n < 0 {
		b.layerFault(r.layer, pos, "", "the number of %ss is %q", what, clip(w))
		return 0, false
	}
	return int(n), true
}

func (b *builder) blobNames(s *scanner, r *record, what string, n int) ([]blobName, bool) {
	var names []blobName // grows with what is read: n is only a claim
	for i := range n {
		ahead := *s
		if !ahead.more() {
			b.layerFault(r.layer, s.pos(), "", "the layer counts %d %s but names %d", n, plural(n, what), i)
			return nil, false
		}
		pos, w := ahead.pos(), ahead.word()
		if _, _, ok := paramID(w); ok {
			b.layerFault(r.layer, pos, "", "the layer counts %d %s but names %d before the parameter %q", n, plural(n, what), i, clip(w))
			return nil, false
		}
		if len(w) > longestName {
			b.layerFault(r.layer, pos, "", "a blob name has %d characters; ncnn's limit is %d", len(w), longestName)
			return nil, false
		}
		*s = ahead
		names = append(names, blobName{w, pos})
	}
	return names, true
}

// textParams reads the parameters. A fault in one leaves the others readable.
func (b *builder) textParams(s *scanner, r *record) {
	for {
		ahead := *s
		ahead.blanks()
		onLine := !ahead.lineEnd()
		ahead.space()
		if ahead.end() {
			*s = ahead
			return
		}
		w := ahead.peekWords(1)[0]
		id, n, ok := paramID(w)
		if !ok {
			if onLine {
				b.layerFault(r.layer, ahead.pos(), fmt.Sprintf("the layer counts %d %s and %d %s", len(r.ins), plural(len(r.ins), "input"), len(r.outs), plural(len(r.outs), "output")),
					"%q is neither a blob that the layer counts nor a parameter", clip(w))
				s.skipLine()
			}
			return
		}
		*s = ahead
		p := ir.Param{ID: id, Pos: s.pos()}
		s.at += n
		b.textParam(s, r, p)
	}
}

func (b *builder) textParam(s *scanner, r *record, p ir.Param) {
	v, ok := b.value(s, r, p.ID <= -23300)
	written := p.ID
	if p.ID <= -23300 {
		p.ID = -p.ID - 23300
	}
	if p.ID < 0 || p.ID >= maxParams {
		b.layerFault(r.layer, p.Pos, "ids are 0 to 31, and -23300 to -23331 for arrays", "there is no parameter id %d", written)
		return
	}
	if !ok {
		return
	}
	v.ID, v.Pos = p.ID, p.Pos
	b.addParam(r, v)
}

// addParam keeps the last value of an id, as ncnn does.
func (b *builder) addParam(r *record, p ir.Param) {
	if old := r.layer.Params.Get(p.ID); old != nil {
		b.layerWarning(r.layer, p.Pos, "", "parameter %d is given a second time; the last one counts", p.ID)
		*old = p
		return
	}
	r.layer.Params = append(r.layer.Params, p)
}

// clip shortens a word for a message.
func clip(s string) string {
	const most = 40
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}
