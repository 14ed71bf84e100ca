package arm64

import (
	"errors"
	"math/bits"
)

// graph is an interference graph over one register file. Nodes are virtual
// registers in order of creation; colours are register numbers.
type graph struct {
	adj   [][]int  // sorted neighbours of a node
	allow []uint32 // colours a node may take: class and fixed neighbours
	lists [][]int  // nodes that need consecutive colours modulo 32
}

// searchSteps bounds the backtracking: a step colours one unit. The kernels of
// this project need fewer steps than they have registers times two.
const searchSteps = 100_000

var (
	errNoColouring = errors.New("no colouring found within the search bound")
	errLists       = errors.New("register lists with contradictory orders")
)

// unit is what is coloured at once: a single node, or the nodes of joined
// register lists at fixed distances from each other.
type unit struct {
	nodes []int
	dist  []int // colour of nodes[i] = base + dist[i] modulo 32
}

// color assigns a colour to every node: DSATUR (fewest bases left first, then
// the most neighbours, then the lowest number) with bounded backtracking.
// A greedy order alone fails on kernels that keep all 32 vectors alive although
// a colouring exists.
func (g *graph) color() (colors []int, steps int, err error) {
	units, err := g.units()
	if err != nil {
		return nil, 0, err
	}
	n := len(g.adj)
	colors = make([]int, n)
	used := make([][32]int16, n) // coloured neighbours per colour
	free := append([]uint32(nil), g.allow...)
	for i := range colors {
		colors[i] = -1
	}
	degree := make([]int, len(units))
	for u, un := range units {
		for _, x := range un.nodes {
			degree[u] += len(g.adj[x])
		}
	}
	bases := func(u int) uint32 { // bit b: the unit may start at colour b
		m := ^uint32(0)
		for i, x := range units[u].nodes {
			d := units[u].dist[i]
			m &= free[x]>>d | free[x]<<(32-d)
		}
		return m
	}
	set := func(u, base, delta int) {
		for i, x := range units[u].nodes {
			c := (base + units[u].dist[i]) & 31
			if colors[x] = -1; delta > 0 {
				colors[x] = c
			}
			for _, y := range g.adj[x] {
				used[y][c] += int16(delta)
				if used[y][c] > 0 {
					free[y] &^= 1 << c
				} else {
					free[y] |= g.allow[y] & (1 << c)
				}
			}
		}
	}
	todo := make([]bool, len(units))
	left := len(units)
	for i := range todo {
		todo[i] = true
	}
	var search func() bool
	search = func() bool {
		if left == 0 {
			return true
		}
		if steps++; steps > searchSteps {
			return false
		}
		best, count, choice := -1, 0, uint32(0)
		for u := range units {
			if !todo[u] {
				continue
			}
			b := bases(u)
			k := bits.OnesCount32(b)
			if best < 0 || k < count || k == count && degree[u] > degree[best] {
				best, count, choice = u, k, b
			}
		}
		todo[best] = false
		left--
		for b := 0; b < 32 && steps <= searchSteps; b++ {
			if choice>>b&1 == 0 {
				continue
			}
			set(best, b, 1)
			if search() {
				return true
			}
			set(best, b, -1)
		}
		todo[best] = true
		left++
		return false
	}
	if !search() {
		return nil, steps, errNoColouring
	}
	return colors, steps, nil
}

// units joins the nodes of lists that share a register.
func (g *graph) units() ([]unit, error) {
	type link struct{ node, dist int }
	links := make([][]link, len(g.adj))
	for _, l := range g.lists {
		for i := 1; i < len(l); i++ {
			links[l[i-1]] = append(links[l[i-1]], link{l[i], 1})
			links[l[i]] = append(links[l[i]], link{l[i-1], -1})
		}
	}
	dist := make([]int, len(g.adj))
	seen := make([]bool, len(g.adj))
	var units []unit
	for x := range g.adj {
		if seen[x] {
			continue
		}
		seen[x] = true
		u := unit{nodes: []int{x}, dist: []int{0}}
		for i := 0; i < len(u.nodes); i++ {
			for _, l := range links[u.nodes[i]] {
				d := (u.dist[i] + l.dist) & 31
				if seen[l.node] {
					if dist[l.node] != d {
						return nil, errLists
					}
					continue
				}
				seen[l.node], dist[l.node] = true, d
				u.nodes, u.dist = append(u.nodes, l.node), append(u.dist, d)
			}
		}
		units = append(units, u)
	}
	return units, nil
}
