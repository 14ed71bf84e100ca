package main

import (
	"fmt"
	"html"
	"strings"

	"github.com/flexnnc/flexnnc/cmd/flexnnc/kernels/runner"
)

// Sizes of the picture, in pixels.
const (
	rowHeight = 15
	headRoom  = 26 // of a group's name
	labels    = 270
	bars      = 230 // 100 %
	beyond    = 40  // what is drawn above that
	gap       = 24
	top       = 58
)

var colours = map[string]string{"compute": "#3b6fb6", "memory": "#d0812f"}

// picture draws the share of the limit that each shape reaches on the best instruction
// set as a bar, and on the others as marks.
func picture(r *runner.Report) string {
	var parts []string // groups
	for _, g := range groups(r) {
		if !isTile(g) && len(r.ISAs) > 0 {
			parts = append(parts, g)
		}
	}
	size := func(list []string) (n int) {
		for _, g := range list {
			n += headRoom + rowHeight*len(names(r, g))
		}
		return n
	}
	cut, each := 0, size(parts)
	for i := range parts {
		if n := max(size(parts[:i]), size(parts[i:])); n < each {
			cut, each = i, n
		}
	}
	const width = labels + bars + beyond
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="11">`+"\n", 2*(width+gap), top+each+gap)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="#fff"/>`+"\n")
	var marks []string
	for i := 1; i < len(r.ISAs); i++ {
		marks = append(marks, isaName(r.ISAs[i].Name))
	}
	title := "share of the limit"
	if len(r.ISAs) > 0 {
		title = "bars: " + isaName(r.ISAs[0].Name)
		if marks != nil {
			title += "; marks: " + strings.Join(marks, ", ")
		}
	}
	fmt.Fprintf(&b, `<text x="12" y="20" font-size="14" font-weight="bold">Share of the limit that kernels reach</text><text x="12" y="38">%s.</text>`+"\n", html.EscapeString(title))
	x := 330
	for _, c := range []string{"compute", "memory"} {
		fmt.Fprintf(&b, `<rect x="%d" y="29" width="11" height="11" fill="%s"/><text x="%d" y="38">%s</text>`+"\n", x, colours[c], x+16, map[string]string{"compute": "FMAs on registers are the limit", "memory": "a copy and a read are"}[c])
		x += 210
	}
	column, y, y0 := 0, top, top
	left := func() int { return 12 + column*(width+gap) }
	at := func(share float64) float64 {
		return float64(left()+labels) + min(share*bars, bars+beyond-4)
	}
	grid := func() {
		for _, p := range []float64{0, 0.25, 0.5, 0.75, 1} {
			fmt.Fprintf(&b, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#999" stroke-width="%g"/><text x="%.1f" y="%d" text-anchor="middle" fill="#666" font-size="9">%.0f %%</text>`+"\n",
				at(p), y0-2, at(p), y, map[bool]float64{true: 1.2, false: 0.4}[p == 1], at(p), y0-5, 100*p)
		}
	}
	for i, g := range parts {
		if i == cut && i > 0 {
			grid()
			column, y = 1, y0
		}
		y += headRoom
		fmt.Fprintf(&b, `<text x="%d" y="%d" font-weight="bold">%s</text>`+"\n", left(), y-8, html.EscapeString(g))
		for _, name := range names(r, g) {
			label := html.EscapeString(name)
			fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end" fill="#222">%s</text>`+"\n", left()+labels-6, y+rowHeight-4, label)
			for i := range r.ISAs {
				k := find(&r.ISAs[i], g, name)
				switch {
				case k == nil:
				case i == 0:
					fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"><title>%s: %.0f %% of %s</title></rect>`+"\n", left()+labels, y+2, at(k.ShareOfLimit)-at(0), rowHeight-5,
						colours[k.Limit], label, 100*k.ShareOfLimit, k.Limit)
				default:
					fmt.Fprintf(&b, `<rect x="%.1f" y="%d" width="2.5" height="%d" fill="#111"/>`+"\n", at(k.ShareOfLimit)-1, y+1, rowHeight-3)
				}
			}
			y += rowHeight
		}
	}
	grid()
	b.WriteString("</svg>\n")
	return b.String()
}
