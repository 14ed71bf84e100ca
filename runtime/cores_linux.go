package runtime

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
	"unsafe"
)

const coreFolder = "/sys/devices/system/cpu"

// threadCores is where the calling thread may run.
func threadCores() (s coreSet, ok bool) {
	_, _, e := syscall.RawSyscall(syscall.SYS_SCHED_GETAFFINITY, 0, unsafe.Sizeof(s), uintptr(unsafe.Pointer(&s)))
	return s, e == 0
}

func setThreadCores(s *coreSet) {
	syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, 0, unsafe.Sizeof(*s), uintptr(unsafe.Pointer(s)))
}

// largeCores are those of a machine with cores of clearly different capacity that
// have at least two thirds of the largest one's; nil on any other machine.
func largeCores(folder string, allowed *coreSet) []int {
	capacity := map[int]int{}
	least, most := 0, 0
	for n := range 64 * len(allowed) {
		if !allowed.has(n) {
			continue
		}
		b, err := os.ReadFile(folder + "/cpu" + strconv.Itoa(n) + "/cpu_capacity")
		if err != nil {
			return nil
		}
		c, err := strconv.Atoi(string(bytes.TrimSpace(b)))
		if err != nil || c <= 0 {
			return nil
		}
		capacity[n] = c
		if least == 0 || c < least {
			least = c
		}
		most = max(most, c)
	}
	if 3*least >= 2*most {
		return nil
	}
	var large []int
	for n := range 64 * len(allowed) {
		if 3*capacity[n] >= 2*most {
			large = append(large, n)
		}
	}
	return large
}
