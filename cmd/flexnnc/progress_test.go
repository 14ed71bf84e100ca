package main

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// lines is a writer that many may use.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestProgress: nothing in the first second, then a line, though the work reports
// nothing itself.
func TestProgress(t *testing.T) { synctest.Test(t, progressLines) }

func progressLines(t *testing.T) {
	var out lines
	p := newProgress(&out)
	stop := p.ticking("working on %s", "it")
	p.say("too early")
	time.Sleep(progressAfter / 2)
	if out.String() != "" {
		t.Errorf("after half a second: %q", out.String())
	}
	time.Sleep(progressAfter)
	stop()
	stop()
	p.done()
	if got := out.String(); !strings.HasPrefix(got, "flexnnc: working on it, 1 s\n") || strings.Count(got, "\n") != 1 {
		t.Errorf("%q", got)
	}
}
