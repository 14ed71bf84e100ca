//go:build noasm || !(amd64 || arm64)

package kernels

func winogradTables() []*winogradKernels { return []*winogradKernels{&winogradPortable} }
