//go:build !noasm

package kernels

func winogradTables() []*winogradKernels {
	ts := []*winogradKernels{&winogradPortable}
	if hasAVX2 {
		ts = append(ts, &winogradAVX2)
	}
	if hasAVX512 {
		ts = append(ts, &winogradAVX512)
	}
	return ts
}
