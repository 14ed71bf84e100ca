package runtime

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"math/rand"
	"sync/atomic"
	"testing"
	"unsafe"
)

// TestPick reads rows of random tables from a file, with ids beyond both ends, on
// several threads; then with a byte of the file damaged, and with the file cut.
func TestPick(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	for range 100 {
		form := r.Intn(3)
		size := formBytes(form)
		words, n, rows, threads := 1+r.Intn(20), 1+r.Intn(30), 1+r.Intn(50), 1+r.Intn(3)
		perChunk := 1 + r.Intn(rows)
		const before = 64 // bytes of the file, another item
		data := make([]byte, before+(size*n*rows+63)&^63)
		for i := range n * rows {
			switch form {
			case formHalf: // 1024 to 2047
				binary.LittleEndian.PutUint16(data[before+2*i:], uint16(25<<10+i%1024))
			case formInt8:
				data[before+i] = byte(i)
			default:
				binary.LittleEndian.PutUint32(data[before+4*i:], math.Float32bits(float32(1024+i%1024)))
			}
		}
		most := size * n * perChunk
		s := pickStep{
			words: words, n: n, rows: rows, form: form,
			table: load{offset: before, firstChunk: 3, chunkBytes: uint32(most)}, bytes: len(data) - before,
		}
		w := &weights{info: &weightsFile{}, src: bytes.NewReader(data), table: make([]uint32, 3)}
		for at := before; at < len(data); at += most {
			w.table = append(w.table, crc32.Checksum(data[at:min(at+most, len(data))], castagnoli))
		}
		room := (most + 63) &^ 63
		arena := make([]float32, words+words*n+threads*room/4)
		s.ids = callTensor{off: 0, dims: [4]int{1, 1, 1, words}, strides: [4]int{0, 0, 0, 4}}
		s.out = callTensor{off: 4 * words, dims: [4]int{1, 1, words, n}, strides: [4]int{0, 0, 4 * n, 4}}
		s.scratch = 4 * (words + words*n)
		ids := make([]int, words)
		for i := range ids {
			ids[i] = r.Intn(rows+4) - 2
			arena[i] = math.Float32frombits(uint32(int32(ids[i])))
			ids[i] = min(max(ids[i], 0), rows-1)
		}
		run := func() error {
			var m team
			var tiles atomic.Int64
			m.threads = make([]thread, threads)
			done := make(chan bool)
			for i := range m.threads {
				m.threads[i] = thread{id: i, arena: unsafe.Pointer(&arena[0]), tiles: &tiles, weights: w}
				go func() {
					runPick(&m.threads[i], &s)
					done <- true
				}()
			}
			for range m.threads {
				<-done
			}
			err := m.failure()
			if m.failure() != nil {
				t.Fatal("a failure stays for the next step")
			}
			return err
		}
		if err := run(); err != nil {
			t.Fatal(err)
		}
		for i, id := range ids {
			for k := range n {
				want := float32(1024 + (id*n+k)%1024)
				if form == formInt8 {
					want = float32(int8(id*n + k))
				}
				if v := arena[words+i*n+k]; v != want {
					t.Fatalf("word %d is row %d: element %d is %v", i, id, k, v)
				}
			}
		}
		at := before + size*(ids[0]*n+r.Intn(n))
		data[at] ^= 4
		var bad *WeightsError
		if err := run(); !errors.As(err, &bad) || bad.Offset > int64(at) || bad.Offset <= int64(at-int(s.table.chunkBytes)) {
			t.Fatalf("byte %d is damaged: %v", at, err)
		}
		w.src = bytes.NewReader(data[:at])
		if err := run(); !errors.As(err, &bad) {
			t.Fatalf("the file ends at byte %d: %v", at, err)
		}
	}
}
