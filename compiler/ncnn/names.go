package ncnn

import (
	"sort"
	"strings"
)

// didYouMean is a hint with the names that are nearest to a mistyped one, or "".
func didYouMean(name string, known []string) string {
	const longest, most = 64, 3 // longer names are not worth the comparison
	if len(name) > longest {
		return ""
	}
	type near struct {
		name string
		dist int
	}
	var found []near
	for _, k := range known {
		if len(k) > longest {
			continue
		}
		d := distance(strings.ToLower(name), strings.ToLower(k))
		if d <= max(1, min(len(name), len(k))/3) {
			found = append(found, near{k, d})
		}
	}
	sort.SliceStable(found, func(i, j int) bool { return found[i].dist < found[j].dist })
	if len(found) == 0 {
		return ""
	}
	var names []string
	for _, f := range found[:min(most, len(found))] {
		names = append(names, f.name)
	}
	return "did you mean " + strings.Join(names, " or ") + "?"
}

// distance is the number of single-byte edits between two strings.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			d := diagonal
			if a[i] != b[j] {
				d++
			}
			diagonal = row[j+1]
			row[j+1] = min(d, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}
