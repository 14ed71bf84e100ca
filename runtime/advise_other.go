//go:build !(linux && (amd64 || arm64))

package runtime

import "os"

func mappedFile(string) (*os.File, int64, bool) { return nil, 0, false }

func releaseText(string, int)       {}
func forget(*os.File, int64, int64) {}
