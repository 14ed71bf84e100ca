package arm64

import (
	"errors"
	"math/bits"
	"math/rand/v2"
	"slices"
)

// graph is an interference graph over one register file. Nodes are virtual
// registers in order of creation; colours are register numbers.
type graph struct {
	adj   [][]int  // sorted neighbours of a node
	allow []uint32 // colours a node may take: class and fixed neighbours
	lists [][]int  // nodes that need consecutive colours modulo 32
	same  [][2]int // nodes that need the same colour
}

// The search is bounded in steps, each of which colours one unit: a first
// attempt of firstSteps, then restarts in other orders, each twice as long, until
// searchSteps are spent (about a second). A wrong early choice is undone late by
// plain backtracking; a restart avoids it.
const (
	firstSteps  = 500
	searchSteps = 1_000_000
)

var (
	errNoColouring = errors.New("no colouring found within the search bound")
	errLists       = errors.New("register lists with contradictory orders")
)

// unit is what is coloured at once: a single node, or nodes whose colours are at
// fixed distances, because of register lists or because they must be equal.
type unit struct {
	nodes []int
	dist  []int // colour of nodes[i] = base + dist[i] modulo 32
}

// color assigns a colour to every node: DSATUR (fewest places left first, then
// the most neighbours, then a fixed order) with bounded backtracking and
// restarts. A greedy order alone fails on kernels that keep all 32 vectors alive
// although a colouring exists. The result depends on the graph only.
func (g *graph) color() (colors []int, steps int, err error) {
	units, err := g.units()
	if err != nil {
		return nil, 0, err
	}
	for attempt, budget := 0, firstSteps; steps < searchSteps; attempt, budget = attempt+1, budget*2 {
		s := newSearch(g, units, attempt, min(budget, searchSteps-steps))
		found := s.run()
		steps += s.steps
		if found {
			return s.colors, steps, nil
		}
		if s.steps <= s.budget {
			break // the whole tree was searched
		}
	}
	return nil, steps, errNoColouring
}

// search is one attempt.
type search struct {
	g      *graph
	units  []unit
	degree []int       // neighbours of a unit
	rank   []int       // order of units among equals
	first  int         // colour tried first
	colors []int       // of a node, -1 = none yet
	used   [][32]int16 // of a node: coloured neighbours per colour
	free   []uint32    // of a node: colours left
	todo   []bool
	left   int
	steps  int
	budget int
}

func newSearch(g *graph, units []unit, attempt, budget int) *search {
	s := &search{g: g, units: units, budget: budget, left: len(units),
		degree: make([]int, len(units)), rank: make([]int, len(units)), todo: make([]bool, len(units)),
		colors: make([]int, len(g.adj)), used: make([][32]int16, len(g.adj)), free: append([]uint32(nil), g.allow...)}
	for i := range s.colors {
		s.colors[i] = -1
	}
	r := rand.New(rand.NewPCG(uint64(attempt), 0))
	for u, un := range units {
		s.todo[u], s.rank[u] = true, u
		for _, x := range un.nodes {
			s.degree[u] += len(g.adj[x])
		}
	}
	if attempt > 0 {
		r.Shuffle(len(s.rank), func(i, j int) { s.rank[i], s.rank[j] = s.rank[j], s.rank[i] })
		s.first = r.IntN(32)
	}
	return s
}

// bases has bit b set when the unit may start at colour b.
func (s *search) bases(u int) uint32 {
	m := ^uint32(0)
	for i, x := range s.units[u].nodes {
		m &= bits.RotateLeft32(s.free[x], -s.units[u].dist[i])
	}
	return m
}

// set colours a unit (delta 1) or takes its colours back (delta -1).
func (s *search) set(u, base int, delta int16) {
	for i, x := range s.units[u].nodes {
		c := (base + s.units[u].dist[i]) & 31
		s.colors[x] = c
		if delta < 0 {
			s.colors[x] = -1
		}
		for _, y := range s.g.adj[x] {
			s.used[y][c] += delta
			if s.used[y][c] > 0 {
				s.free[y] &^= 1 << c
			} else {
				s.free[y] |= s.g.allow[y] & (1 << c)
			}
		}
	}
}

func (s *search) run() bool {
	if s.left == 0 {
		return true
	}
	if s.steps++; s.steps > s.budget {
		return false
	}
	best, count, choice := -1, 0, uint32(0)
	for u := range s.units {
		if !s.todo[u] {
			continue
		}
		b := s.bases(u)
		k := bits.OnesCount32(b)
		if best < 0 || k < count || k == count && (s.degree[u] > s.degree[best] || s.degree[u] == s.degree[best] && s.rank[u] < s.rank[best]) {
			best, count, choice = u, k, b
		}
	}
	s.todo[best] = false
	s.left--
	for i := 0; i < 32 && s.steps <= s.budget; i++ {
		b := (s.first + i) & 31
		if choice>>b&1 == 0 {
			continue
		}
		s.set(best, b, 1)
		if s.run() {
			return true
		}
		s.set(best, b, -1)
	}
	s.todo[best] = true
	s.left++
	return false
}

// units joins the nodes of lists that share a register and the nodes of equal
// colour.
func (g *graph) units() ([]unit, error) {
	type link struct{ node, dist int }
	links := make([][]link, len(g.adj))
	for _, l := range g.lists {
		for i := 1; i < len(l); i++ {
			links[l[i-1]] = append(links[l[i-1]], link{l[i], 1})
			links[l[i]] = append(links[l[i]], link{l[i-1], -1})
		}
	}
	for _, s := range g.same {
		links[s[0]] = append(links[s[0]], link{s[1], 0})
		links[s[1]] = append(links[s[1]], link{s[0], 0})
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
		for _, n := range u.nodes {
			for _, m := range g.adj[n] {
				if slices.Contains(u.nodes, m) && dist[n] == dist[m] {
					return nil, errNoColouring
				}
			}
		}
		units = append(units, u)
	}
	return units, nil
}
