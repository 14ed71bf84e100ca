package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// progress tells what long work is at: nothing in the first second, then one line
// that changes in place on a terminal, and a line now and then elsewhere.
type progress struct {
	mu    sync.Mutex
	w     io.Writer
	tty   bool
	start time.Time
	shown time.Time
	open  bool // a line on the terminal waits to be cleared
}

const (
	progressAfter  = time.Second
	progressTTY    = 100 * time.Millisecond
	progressPlain  = 10 * time.Second
	clearLine      = "\r\x1b[K"
	progressPrefix = "flexnnc: "
)

func newProgress(w io.Writer) *progress {
	p := &progress{w: w, start: time.Now()}
	if f, ok := w.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			p.tty = os.Getenv("TERM") != "dumb"
		}
	}
	return p
}

// say shows what is being done, if it is time to.
func (p *progress) say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	wait := progressPlain
	if p.tty {
		wait = progressTTY
	}
	if now.Sub(p.start) < progressAfter || now.Sub(p.shown) < wait {
		return
	}
	p.shown = now
	text := progressPrefix + fmt.Sprintf(format, args...)
	if !p.tty {
		fmt.Fprintln(p.w, text)
		return
	}
	fmt.Fprint(p.w, clearLine+text)
	p.open = true
}

// ticking says the same again and again, with the time that has passed, until it is
// stopped: for work that reports nothing itself.
func (p *progress) ticking(format string, args ...any) (stop func()) {
	text := fmt.Sprintf(format, args...)
	end := make(chan struct{})
	var once sync.Once
	go func() {
		tick := time.NewTicker(progressTTY)
		defer tick.Stop()
		for {
			select {
			case <-end:
				return
			case <-tick.C:
				p.say("%s, %d s", text, int(time.Since(p.start).Seconds()))
			}
		}
	}()
	return func() { once.Do(func() { close(end) }) }
}

// done clears the line.
func (p *progress) done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open {
		fmt.Fprint(p.w, clearLine)
		p.open = false
	}
}
