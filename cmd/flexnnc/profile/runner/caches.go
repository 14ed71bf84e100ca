package runner

import (
	"os"
	"strings"
)

// cachesApart says whether each core has a second-level cache of its own, as Linux
// tells it. Where it tells nothing they count as one.
func cachesApart(cpus string) bool {
	level, err := os.ReadFile(cpus + "/cpu0/cache/index2/level")
	if err != nil || strings.TrimSpace(string(level)) != "2" {
		return false
	}
	sharing, err := os.ReadFile(cpus + "/cpu0/cache/index2/shared_cpu_list")
	return err == nil && strings.TrimSpace(string(sharing)) == "0"
}
