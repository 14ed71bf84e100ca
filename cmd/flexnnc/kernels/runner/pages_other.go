//go:build !linux

package runner

// pages is memory as the system gives it.
func pages(bytes int) []byte { return make([]byte, bytes) }
