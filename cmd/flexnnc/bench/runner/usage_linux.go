package runner

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
	"time"
)

// cpuTime is what all threads of the process have used, in user and system mode.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peakRSS is the largest resident set so far, in bytes; -1 where the system does
// not say.
func peakRSS() int64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return -1
	}
	_, b, found := bytes.Cut(b, []byte("VmHWM:"))
	words := bytes.Fields(b)
	if !found || len(words) == 0 {
		return -1
	}
	n, err := strconv.ParseInt(string(words[0]), 10, 64)
	if err != nil {
		return -1
	}
	return n << 10
}
