//go:build !linux

package runner

import "time"

// The system is not asked for CPU time, which is then 0, nor for the resident set.
func cpuTime() time.Duration { return 0 }

func peakRSS() int64 { return -1 }
