//go:build !noasm

package kernels

func winogradTables() []*winogradKernels {
	return []*winogradKernels{&winogradPortable, &winogradNEON}
}
