//go:build !unix

package runtime

import "unsafe"

// arena is a net's memory, here from Go's heap.
type arena struct{ mem []byte }

// openArena takes size zeroed bytes, aligned to 64.
func openArena(_, size int, _ bool) (*arena, error) {
	a := new(arena)
	_, err := a.resize(size)
	return a, err
}

// resize takes memory of another size in place of what there is, which is lost
// and left to the collector. It returns how many bytes kept their content.
func (a *arena) resize(size int) (kept int, err error) {
	b := make([]byte, size+64)
	skip := -int(uintptr(unsafe.Pointer(&b[0]))) & 63
	a.mem = b[skip : skip+size : skip+size]
	return 0, nil
}

func (a *arena) close() error { return nil }
