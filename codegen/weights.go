package codegen

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"

	"github.com/flexnnc/flexnnc/codegen/pack"
	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// The head of a weights file, as runtime/weights.go reads it.
const (
	weightsMagic   = "flexnncW"
	weightsVersion = 1
	headerBytes    = 128
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// weightsFile is what the emitted package must know of the file that was written.
type weightsFile struct {
	modelHash, layoutHash [32]byte
	dataOffset, dataBytes int64
	chunks                int
	headCRC               uint32
	items                 []fileItem
}

// fileItem is an item with its place in the package's file.
type fileItem struct {
	plan.Item
	firstChunk int
	content    *[32]byte // hash of the packed bytes, where it was asked for
}

// modelHash binds a package to the network it was made from.
func modelHash(g *op.Graph) [32]byte {
	h := sha256.New()
	h.Write(g.Source.ParamHash[:])
	h.Write(g.Source.BinHash[:])
	return [32]byte(h.Sum(nil))
}

// describe lays out the weights file of all plans, everything but the checksums.
// Plans of one lowered network have the same items. Those of another shape of its
// inputs are packed and compared: what has equal bytes is in the file once.
func (k *pkg) describe() (weightsFile, error) {
	f := weightsFile{modelHash: modelHash(k.units[0].p.Graph)}
	panels, consts := map[*op.Panels]int{}, map[*op.Const]int{}
	for _, u := range k.units {
		if modelHash(u.p.Graph) != f.modelHash {
			return f, errors.New("BUG: the plans are of different networks")
		}
		for _, it := range u.p.File.Items {
			at, known := 0, false
			if it.Panels != nil {
				at, known = panels[it.Panels]
			} else {
				at, known = consts[it.Const]
			}
			if !known {
				var err error
				if at, err = f.add(it, u.p.Graph != k.units[0].p.Graph); err != nil {
					return f, fmt.Errorf("packing weights %q: %w", it.Name, err)
				}
				if it.Panels != nil {
					panels[it.Panels] = at
				} else {
					consts[it.Const] = at
				}
			}
			u.items = append(u.items, at)
		}
	}
	h := sha256.New()
	fmt.Fprintf(h, "weights version %d\n", weightsVersion)
	for i := range f.items {
		it := &f.items[i]
		group, _ := groups(it.Item)
		fmt.Fprintf(h, "%q %d %d %d %d\n", it.Name, it.Offset, it.Bytes, group, it.Chunk)
		it.firstChunk = f.chunks
		f.chunks += chunks(it.Item)
	}
	f.layoutHash = [32]byte(h.Sum(nil))
	f.dataOffset = (int64(headerBytes+4*f.chunks) + plan.Align - 1) &^ (plan.Align - 1)
	return f, nil
}

// add gives the index of an item in the file: a new one at its end, or, where the
// file may hold the same bytes already, that one.
func (f *weightsFile) add(it plan.Item, compare bool) (int, error) {
	n := fileItem{Item: it}
	if compare {
		group, _ := groups(it)
		for i := range f.items {
			have := &f.items[i]
			if g, _ := groups(have.Item); have.Bytes != it.Bytes || g != group || have.Chunk != it.Chunk {
				continue
			}
			same, err := equalContent(have, &n)
			if err != nil {
				return 0, err
			}
			if same {
				return i, nil
			}
		}
	}
	n.Offset = plan.Bytes(f.dataBytes)
	f.items = append(f.items, n)
	f.dataBytes += int64((it.Bytes + plan.Align - 1) &^ (plan.Align - 1))
	return len(f.items) - 1, nil
}

// equalContent packs both items, once each, and compares the hashes of their bytes.
func equalContent(a, b *fileItem) (bool, error) {
	for _, it := range []*fileItem{a, b} {
		if it.content != nil {
			continue
		}
		h := sha256.New()
		if err := packItem(it.Item, func(group []byte) error { h.Write(group); return nil }); err != nil {
			return false, err
		}
		it.content = (*[32]byte)(h.Sum(nil))
	}
	return *a.content == *b.content, nil
}

// groups gives the bytes of an item's panels (or of the whole const) and their number.
func groups(it plan.Item) (bytes, count int) {
	if it.Panels != nil {
		return it.Panels.PanelBytes(), it.Panels.Count()
	}
	return int(it.Bytes), 1
}

func chunksPerGroup(it plan.Item) int {
	group, _ := groups(it)
	return (group + int(it.Chunk) - 1) / int(it.Chunk)
}

func chunks(it plan.Item) int {
	_, n := groups(it)
	return n * chunksPerGroup(it)
}

// writeWeights packs all items into a file and completes f.
func writeWeights(path string, f *weightsFile, progress func(done, total int64)) (err error) {
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() {
		if e := out.Close(); err == nil {
			err = e
		}
	}()
	head := make([]byte, f.dataOffset)
	if _, err := out.Write(head); err != nil {
		return err
	}
	w := bufio.NewWriterSize(out, 1<<20)
	sums := head[headerBytes:headerBytes]
	done := int64(0)
	for _, it := range f.items {
		if pad := int64(it.Offset) - done; pad != 0 {
			return fmt.Errorf("BUG: weights item %q leaves a gap of %d bytes", it.Name, pad)
		}
		err := packItem(it.Item, func(group []byte) error {
			for c := 0; c < len(group); c += int(it.Chunk) {
				piece := group[c:min(c+int(it.Chunk), len(group))]
				sums = binary.LittleEndian.AppendUint32(sums, crc32.Checksum(piece, castagnoli))
			}
			done += int64(len(group))
			progress(done, f.dataBytes)
			_, err := w.Write(group)
			return err
		})
		if err != nil {
			return fmt.Errorf("packing weights %q: %w", it.Name, err)
		}
	}
	if done != f.dataBytes || len(sums) != 4*f.chunks {
		return fmt.Errorf("BUG: packed %d bytes in %d chunks, planned %d in %d", done, len(sums)/4, f.dataBytes, f.chunks)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	copy(head, weightsMagic)
	binary.LittleEndian.PutUint32(head[8:], weightsVersion)
	copy(head[16:], f.modelHash[:])
	copy(head[48:], f.layoutHash[:])
	binary.LittleEndian.PutUint64(head[80:], uint64(f.dataOffset))
	binary.LittleEndian.PutUint64(head[88:], uint64(f.dataBytes))
	binary.LittleEndian.PutUint32(head[96:], uint32(f.chunks))
	f.headCRC = crc32.Checksum(head, castagnoli)
	_, err = out.WriteAt(head, 0)
	return err
}

// packItem hands each packed group of an item to emit, in order.
func packItem(it plan.Item, emit func([]byte) error) error {
	size, n := groups(it)
	buf := make([]byte, size)
	if it.Const != nil {
		if err := pack.Const(it.Const, buf); err != nil {
			return err
		}
		return emit(buf)
	}
	k, err := pack.New(it.Panels)
	if err != nil {
		return err
	}
	for i := range n {
		if err := k.Panel(i, buf); err != nil {
			return err
		}
		if err := emit(buf); err != nil {
			return err
		}
	}
	return nil
}
