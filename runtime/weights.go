package runtime

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"unsafe"
)

// A weights file is a header of headerBytes, a table of CRC-32C checksums (one
// little-endian uint32 per chunk), zeros up to dataOffset, then the data. The
// package holds the CRC of header, table and zeros together, so that no byte of
// the file is trusted unchecked.
const (
	weightsMagic   = "flexnncW"
	weightsVersion = 1
	headerBytes    = 128
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// weightsFile is what the package knows about its weights file at compile time.
type weightsFile struct {
	name       string   // as found beside the binary
	modelHash  [32]byte // of the .param and .bin it was packed from
	planHash   [32]byte // of the file's layout and packing
	dataOffset int64
	dataBytes  int64
	chunks     int
	headCRC    uint32 // of the bytes before dataOffset
}

// weights reads and checks pieces of an opened weights file.
type weights struct {
	info   *weightsFile
	name   string
	src    io.ReaderAt
	file   *os.File    // nil unless this package opened it
	base   int64       // where the weights begin in file
	around *directFile // where it is read around the page cache
	table  []uint32
	drop   bool // tell the kernel to forget what was read
}

// WeightsError says that a weights file cannot be used, and why.
type WeightsError struct {
	Name   string
	Offset int64 // in the file, -1 where no byte is to blame
	Reason string
	Err    error
}

func (e *WeightsError) Error() string {
	s := "weights " + e.Name + ": "
	if e.Offset >= 0 {
		s += fmt.Sprintf("at byte %d: ", e.Offset)
	}
	s += e.Reason
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the I/O error behind it, if any.
func (e *WeightsError) Unwrap() error { return e.Err }

// openWeights finds the file (given reader, given path, embedded data, or beside
// the binary, in that order) and checks its header and checksum table.
func openWeights(info *weightsFile, o *Options, embedded string) (*weights, error) {
	// The arena holds the file's bytes as they come.
	if word := uint16(1); *(*byte)(unsafe.Pointer(&word)) != 1 {
		return nil, errors.New("this package needs a little-endian processor")
	}
	w := &weights{info: info, name: info.name, drop: o.DropCache}
	switch {
	case o.Direct && o.WeightsPath == "" && (o.Weights != nil || embedded != ""):
		return nil, errors.New("Options.Direct needs the weights in a file: set Options.WeightsPath")
	case o.Weights != nil:
		w.src, w.name = o.Weights, "(reader)"
	case o.WeightsPath != "":
		w.name = o.WeightsPath
	case embedded != "":
		return openEmbedded(w, embedded)
	default:
		exe, err := os.Executable()
		if err != nil {
			return nil, &WeightsError{w.name, -1, "cannot tell where the binary is; set Options.WeightsPath", err}
		}
		w.name = filepath.Join(filepath.Dir(exe), info.name)
		if _, err := os.Stat(w.name); err != nil {
			return nil, &WeightsError{w.name, -1, "put the package's weights.bin there under this name, or set Options.WeightsPath", err}
		}
	}
	if w.src == nil && o.Direct {
		d, err := openDirect(w.name)
		if err != nil {
			return nil, &WeightsError{w.name, -1, "cannot be opened for direct reading (Options.Direct)", err}
		}
		w.src, w.around = d, d
	}
	if w.src == nil {
		f, err := os.Open(w.name)
		if err != nil {
			return nil, &WeightsError{w.name, -1, "cannot be opened", err}
		}
		w.src, w.file = f, f
	}
	if err := w.checkHead(); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

// openEmbedded reads embedded weights from the binary's file: pages of the binary
// that are touched count as resident, with all that the kernel maps around them.
func openEmbedded(w *weights, embedded string) (*weights, error) {
	w.name = "(embedded)"
	if f, base, ok := mappedFile(embedded); ok {
		w.src, w.file, w.base = io.NewSectionReader(f, base, int64(len(embedded))), f, base
		if w.checkHead() == nil {
			return w, nil
		}
		w.close() // it is not what is mapped
	}
	w.src, w.base = embeddedWeights(embedded), 0
	if err := w.checkHead(); err != nil {
		return nil, err
	}
	return w, nil
}

func (w *weights) checkHead() error {
	i, name := w.info, w.name
	head := make([]byte, i.dataOffset)
	if n, err := w.src.ReadAt(head, 0); n < len(head) {
		if n < 8 || string(head[:8]) == weightsMagic {
			return &WeightsError{name, int64(n), "the file is truncated", noEOF(err)}
		}
		return &WeightsError{name, 0, "not a flexnnc weights file", nil}
	}
	if string(head[:8]) != weightsMagic {
		return &WeightsError{name, 0, "not a flexnnc weights file", nil}
	}
	if v := binary.LittleEndian.Uint32(head[8:]); v != weightsVersion {
		return &WeightsError{name, 8, fmt.Sprintf("format version %d, this package reads %d", v, weightsVersion), nil}
	}
	if [32]byte(head[16:48]) != i.modelHash {
		return &WeightsError{name, 16, "weights of another model (or damaged): its hash differs from the one this package was compiled from", nil}
	}
	if [32]byte(head[48:80]) != i.planHash {
		return &WeightsError{name, 48, "packed for another compilation of this model (or damaged): its layout hash differs", nil}
	}
	if crc32.Checksum(head, castagnoli) != i.headCRC {
		return &WeightsError{name, 80, "header or checksum table is damaged", nil}
	}
	w.table = make([]uint32, i.chunks)
	for k := range w.table {
		w.table[k] = binary.LittleEndian.Uint32(head[headerBytes+4*k:])
	}
	var last [2]byte
	end := i.dataOffset + i.dataBytes
	n, err := w.src.ReadAt(last[:], end-1)
	switch {
	case n == 0:
		return &WeightsError{name, -1, fmt.Sprintf("the file is truncated: %d bytes expected", end), noEOF(err)}
	case n == 2:
		return &WeightsError{name, end, "the file goes on after its end", nil}
	}
	return nil
}

// noEOF drops io.EOF, which says no more than "truncated" does.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// load is one entry of the load table: bytes of the file go to an arena offset
// once `after` steps of the run are complete. A load is a sequence of equal groups
// of groupBytes, each summed in chunks of at most chunkBytes. Entries are small, as
// those of the run table; offsets in an arena are of 32 bits, as in the tables of
// kernels.
type load struct {
	name       string // of the layer, for errors
	offset     int64  // from dataOffset
	bytes      uint32
	arena      uint32
	after      int32
	before     int32 // the first step that reads it, or a later one of the same list
	ahead      int32 // steps complete before it is made for the next run; 0 = only within a run
	firstChunk int32
	groupBytes uint32
	chunkBytes uint32
	expand     *expansion // of residents only; nil = kept as they come
}

// expansion says that weights of a convolution are kept as Winograd's algorithm
// takes them: a panel is [16]bias, then for each position of a tile [chans][16]weight
// and 64 bytes that are not used. Behind the last one is room for a panel as it comes.
type expansion struct {
	side  int // of a tile's output
	chans int // input channels
	half  bool
}

// panelBytes is the size of an expanded panel.
func (x *expansion) panelBytes() int {
	n := x.side + 2
	return 4 * panelWidth * (1 + n*n*(x.chans+1))
}

// size is what the load takes in the arena.
func (l *load) size() int {
	if l.expand == nil {
		return int(l.bytes)
	}
	return int(l.bytes/l.groupBytes)*l.expand.panelBytes() + int(l.groupBytes)
}

// end is where the load ends in the arena.
func (l *load) end() int { return int(l.arena) + l.size() }

// covers reports whether the bytes that l brings, and their place, include those of m.
func (l *load) covers(m *load) bool {
	if l.expand != nil || m.expand != nil {
		return l.expand != nil && m.expand != nil && *l.expand == *m.expand &&
			l.offset == m.offset && l.bytes == m.bytes && l.arena == m.arena
	}
	return l.offset <= m.offset && m.offset+int64(m.bytes) <= l.offset+int64(l.bytes) &&
		int64(m.arena)-m.offset == int64(l.arena)-l.offset
}

// chunk is the length of the chunk that begins at byte p of a load.
func (l *load) chunk(p int) int {
	group := int(l.groupBytes)
	return min(int(l.chunkBytes), group-p%group, int(l.bytes)-p)
}

// pieceBytes is about how much is read at a time: enough for storage to be quick,
// and little enough for the checksum to find it in a core's L2.
const pieceBytes = 512 << 10

// piece is where the piece of a load ends that begins at byte lo: some whole chunks.
func (l *load) piece(lo int) int {
	hi := lo + l.chunk(lo)
	for hi < int(l.bytes) && hi+l.chunk(hi)-lo <= pieceBytes {
		hi += l.chunk(hi)
	}
	return hi
}

// keep brings a resident load into the arena. Panels that are to be expanded pass
// through the room at the end, one after another; tmp is for the kernel.
func (w *weights) keep(l *load, arena []byte, tmp []float32, halt *halt) error {
	if l.expand == nil {
		return w.read(l, arena, halt)
	}
	chunks := (l.groupBytes + l.chunkBytes - 1) / l.chunkBytes
	one := *l
	one.expand, one.bytes = nil, l.groupBytes
	one.arena = uint32(l.end()) - l.groupBytes
	for at := int(l.arena); one.offset < l.offset+int64(l.bytes); at += l.expand.panelBytes() {
		if err := w.read(&one, arena, halt); err != nil {
			return err
		}
		expandPanel(l.expand, unsafe.Pointer(&arena[one.arena]), unsafe.Pointer(&arena[at]), tmp)
		one.offset += int64(l.groupBytes)
		one.firstChunk += int32(chunks)
	}
	return nil
}

// read brings a load into the arena, a piece at a time.
func (w *weights) read(l *load, arena []byte, halt *halt) error {
	for lo := 0; lo < int(l.bytes); {
		p := piece{l, lo, l.piece(lo)}
		if err := w.bring(p, arena, halt); err != nil {
			return err
		}
		lo = p.hi
	}
	return nil
}

// bring brings a piece of a load into the arena, and checks each chunk of it. First
// it asks halt whether to go on.
func (w *weights) bring(p piece, arena []byte, halt *halt) error {
	if err := halt.err(); err != nil {
		return err
	}
	l := p.load
	dst := arena[int(l.arena)+p.lo : int(l.arena)+p.hi]
	at := w.info.dataOffset + l.offset + int64(p.lo)
	if n, err := w.src.ReadAt(dst, at); n < len(dst) {
		return &WeightsError{w.name, at + int64(n), fmt.Sprintf("loading %s: short read: %d of %d bytes", l.name, p.lo+n, l.bytes), noEOF(err)}
	}
	group, most := int(l.groupBytes), int(l.chunkBytes)
	chunk := int(l.firstChunk) + p.lo/group*((group+most-1)/most) + p.lo%group/most
	for lo := p.lo; lo < p.hi; lo += l.chunk(lo) {
		sum := dst[lo-p.lo:][:l.chunk(lo)]
		if crc32.Checksum(sum, castagnoli) != w.table[chunk] {
			return &WeightsError{w.name, at + int64(lo-p.lo), fmt.Sprintf("loading %s: damaged: checksum of %d bytes is wrong", l.name, len(sum)), nil}
		}
		chunk++
	}
	if w.drop && w.file != nil {
		forget(w.file, w.base+at, int64(len(dst)))
	}
	return nil
}

// chunk reads chunk c of a load of one group and checks it.
func (w *weights) chunk(l *load, c int, dst []byte) error {
	at := w.info.dataOffset + l.offset + int64(c)*int64(l.chunkBytes)
	if n, err := w.src.ReadAt(dst, at); n < len(dst) {
		return &WeightsError{w.name, at + int64(n), fmt.Sprintf("short read: %d of %d bytes", n, len(dst)), noEOF(err)}
	}
	if crc32.Checksum(dst, castagnoli) != w.table[int(l.firstChunk)+c] {
		return &WeightsError{w.name, at, fmt.Sprintf("damaged: checksum of %d bytes is wrong", len(dst)), nil}
	}
	if w.drop && w.file != nil {
		forget(w.file, w.base+at, int64(len(dst)))
	}
	return nil
}

func (w *weights) close() {
	if w.file != nil {
		w.file.Close()
		w.file = nil
	}
	if w.around != nil {
		w.around.close()
		w.around = nil
	}
}

// embeddedWeights reads from the binary as it is mapped, where its file cannot be
// read instead. It gives the pages back as it goes: otherwise the whole file would
// stay resident beside the arena.
type embeddedWeights string

const (
	textPiece = 256 << 10
	// textWindow is the most that touching a page maps around it, at addresses that
	// are multiples of it.
	textWindow = 2 << 20
)

// ReadAt implements io.ReaderAt.
func (e embeddedWeights) ReadAt(p []byte, at int64) (int, error) {
	base := uintptr(unsafe.Pointer(unsafe.StringData(string(e))))
	n := 0
	for n < len(p) {
		if at >= int64(len(e)) {
			return n, io.EOF
		}
		left := textPiece - int64((base+uintptr(at))%textPiece)
		src := e[at:min(int64(len(e)), at+left)]
		c := copy(p[n:], src)
		releaseText(string(e), int(at))
		n += c
		at += int64(c)
	}
	return n, nil
}
