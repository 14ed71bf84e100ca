//go:build !linux

package runtime

const coreFolder = ""

func threadCores() (s coreSet, ok bool)     { return s, false }
func setThreadCores(*coreSet)               {}
func largeCores(string, *coreSet) (n []int) { return nil }
