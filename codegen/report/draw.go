package report

import (
	"fmt"
	"math"
	"time"

	"github.com/flexnnc/flexnnc/ir/plan"
)

// Sizes of the drawings, in SVG units.
const (
	left, right = 64.0, 1136.0 // of the time axis
	curveHeight = 280.0
	arenaHeight = 420.0
	laneHeight  = 34.0
	top         = 10.0
	thin        = 0.35 // a step narrower than this is drawn with its neighbours
)

// rect is a rectangle with what is said about it.
type rect struct {
	X, Y, W, H float64
	Class      string
	Tip        string
}

// tick is a mark of an axis.
type tick struct {
	At    float64
	Label string
}

// curve is latency over memory.
type curve struct {
	Height  float64
	Line    string // points of the predicted times
	Bound   string // and of the bounds
	Points  []mark
	XTicks  []tick
	YTicks  []tick
	Current *mark
}

type mark struct {
	X, Y float64
	Tip  string
}

// drawCurve has the budget on a logarithmic axis and time on one from 0.
func (r *Report) drawCurve() *curve {
	if len(r.Curve) < 2 {
		return nil
	}
	c := &curve{Height: curveHeight}
	low, high := float64(r.Curve[0].Arena), float64(r.Curve[len(r.Curve)-1].Arena)
	most := time.Duration(1)
	for _, p := range r.Curve {
		most = max(most, p.Predicted)
	}
	limit := float64(most) * 1.08
	x := func(b plan.Bytes) float64 {
		return left + (right-left)*(math.Log(float64(b))-math.Log(low))/max(1e-9, math.Log(high)-math.Log(low))
	}
	y := func(d time.Duration) float64 { return top + curveHeight*(1-float64(d)/limit) }
	for _, p := range r.Curve {
		m := mark{x(p.Arena), y(p.Predicted), fmt.Sprintf("%s: %s predicted, at least %s; %s read in each run",
			Bytes(p.Arena), Time(p.Predicted), Time(p.Bound), Bytes(p.Streamed))}
		c.Line += fmt.Sprintf("%.1f,%.1f ", m.X, m.Y)
		c.Bound += fmt.Sprintf("%.1f,%.1f ", m.X, y(p.Bound))
		c.Points = append(c.Points, m)
	}
	if a := r.Plan.Arena; float64(a) >= low && float64(a) <= high {
		c.Current = &mark{x(a), y(r.Plan.Forecast.Run), fmt.Sprintf("this plan: %s, %s", Bytes(a), Time(r.Plan.Forecast.Run))}
	}
	for _, v := range logTicks(low, high) {
		c.XTicks = append(c.XTicks, tick{x(plan.Bytes(v)), Bytes(plan.Bytes(v))})
	}
	for _, v := range ticks(limit, 5) {
		c.YTicks = append(c.YTicks, tick{y(time.Duration(v)), Time(time.Duration(v))})
	}
	return c
}

// arena is bytes over time.
type arena struct {
	Height float64
	Rects  []rect
	XTicks []tick
	YTicks []tick
}

func (r *Report) drawArena(end time.Duration) *arena {
	p := r.Plan
	a := &arena{Height: arenaHeight, XTicks: timeTicks(end)}
	x := timeScale(end)
	y := func(b plan.Bytes) float64 { return top + arenaHeight*(1-float64(b)/float64(max(1, p.Arena))) }
	load := make(map[int]*plan.Load, len(p.Loads))
	for i := range p.Loads {
		load[p.Loads[i].Buffer] = &p.Loads[i]
	}
	users := uses(p)
	hues := 0
	for i := range p.Buffers {
		b := &p.Buffers[i]
		add := func(class string, from, to time.Duration, what string) {
			a.Rects = append(a.Rects, rect{
				X: x(from), W: max(0.2, x(to)-x(from)), Y: y(b.Offset + b.Size), H: max(0.3, y(b.Offset)-y(b.Offset+b.Size)),
				Class: class, Tip: fmt.Sprintf("%s: %s, %s at %d%s", b.Name, what, Bytes(b.Size), b.Offset, r.when(from, to)),
			})
		}
		begin, finish := r.from(b.First), r.until(b.Last)
		switch {
		case b.Kind == plan.Weights && b.Resident:
			add("resident", 0, end, "weights that stay between runs")
		case b.Kind == plan.Weights:
			if l := load[i]; l != nil {
				used := finish
				if u, ok := users[i]; ok {
					used = r.from(u[0])
				}
				if l.Ahead > 0 {
					if used > 0 {
						add("waiting", 0, used, "weights, loaded by the run before and waiting for their step")
					}
					add("weights", used, r.until(users[i][1]), "weights in use")
					add("loading", r.Loads[l.Index].Begin, r.Loads[l.Index].End, "weights, being loaded for the next run")
					break
				}
				add("loading", r.Loads[l.Index].Begin, r.Loads[l.Index].End, "weights, being loaded")
				if used > r.Loads[l.Index].End {
					add("waiting", r.Loads[l.Index].End, used, "weights, loaded and waiting for their step")
				}
				begin = used
			}
			add("weights", begin, finish, "weights in use")
		case b.Kind == plan.Activation:
			what := "activation"
			if b.RingRows > 0 {
				what = fmt.Sprintf("%d rows of an activation", b.RingRows)
			}
			add(fmt.Sprintf("a%d", hues%4), begin, finish, what)
			hues++
		default:
			add("scratch", begin, finish, b.Kind.String())
		}
	}
	for _, v := range ticks(float64(p.Arena), 5) {
		a.YTicks = append(a.YTicks, tick{y(plan.Bytes(v)), Bytes(plan.Bytes(v))})
	}
	return a
}

// uses are the first and the last step that reads each weights buffer.
func uses(p *plan.Plan) map[int][2]int {
	found := map[int][2]int{}
	for i := range p.Steps {
		for _, b := range append([]int{p.Steps[i].Weights}, p.Steps[i].Consts...) {
			if b < 0 {
				continue
			}
			u, ok := found[b]
			if !ok {
				u[0] = i
			}
			u[1] = i
			found[b] = u
		}
	}
	return found
}

func (r *Report) from(step int) time.Duration {
	if step < 0 || len(r.Steps) == 0 {
		return 0
	}
	return r.Steps[min(step, len(r.Steps)-1)].Begin
}

func (r *Report) until(step int) time.Duration {
	if step < 0 || len(r.Steps) == 0 {
		return 0
	}
	return r.Steps[min(step, len(r.Steps)-1)].End
}

func (r *Report) when(from, to time.Duration) string {
	return fmt.Sprintf(", %s to %s", Time(from), Time(to))
}

// gantt is the two lanes of a run.
type gantt struct {
	Height     float64
	Loads      float64 // top of the lanes
	Steps      float64
	LaneHeight float64
	Rects      []rect
	XTicks     []tick
}

func (r *Report) drawGantt(end time.Duration) *gantt {
	g := &gantt{Loads: top, Steps: top + laneHeight + 8, LaneHeight: laneHeight, XTicks: timeTicks(end)}
	g.Height = g.Steps + laneHeight
	x := timeScale(end)
	for i := range r.Plan.Loads {
		l := &r.Plan.Loads[i]
		if l.Resident {
			continue
		}
		s := r.Loads[i]
		g.Rects = append(g.Rects, rect{
			X: x(s.Begin), W: max(0.2, x(s.End)-x(s.Begin)), Y: g.Loads, H: laneHeight, Class: "loading",
			Tip: fmt.Sprintf("load %d: %s of %s%s", i, Bytes(l.Bytes), r.Plan.File.Items[l.Item].Name, r.when(s.Begin, s.End)),
		})
	}
	for i := 0; i < len(r.Steps); i++ {
		o := r.Plan.Steps[i].Op
		s, wait := r.Steps[i], r.Waits[i]
		if wait > 0 {
			g.Rects = append(g.Rects, rect{
				X: x(s.Begin - wait), W: max(0.2, x(s.Begin)-x(s.Begin-wait)), Y: g.Steps, H: laneHeight, Class: "stall",
				Tip: fmt.Sprintf("%s waits %s for its weights", o.Name, Time(wait)),
			})
		}
		n := 1
		for i+1 < len(r.Steps) && r.Plan.Steps[i+1].Op == o && r.Waits[i+1] == 0 && x(r.Steps[i+1].End)-x(r.Steps[i+1].Begin) < thin {
			i++
			n++
			s.End = r.Steps[i].End
		}
		what := fmt.Sprintf("step %d", i-n+1)
		if n > 1 {
			what = fmt.Sprintf("steps %d to %d", i-n+1, i)
		}
		g.Rects = append(g.Rects, rect{
			X: x(s.Begin), W: max(0.2, x(s.End)-x(s.Begin)), Y: g.Steps, H: laneHeight, Class: "k-" + o.Kind.String(),
			Tip: fmt.Sprintf("%s: %s, %v, %s%s", what, o.Name, o.Kind, Time(s.Len()), r.when(s.Begin, s.End)),
		})
	}
	return g
}

func timeScale(end time.Duration) func(time.Duration) float64 {
	return func(d time.Duration) float64 { return left + (right-left)*float64(d)/float64(max(1, end)) }
}

func timeTicks(end time.Duration) []tick {
	x := timeScale(end)
	var list []tick
	for _, v := range ticks(float64(end), 8) {
		list = append(list, tick{x(time.Duration(v)), Time(time.Duration(v))})
	}
	return list
}

// ticks are about n round numbers from 0 to limit.
func ticks(limit float64, n int) []float64 {
	if limit <= 0 {
		return nil
	}
	step := math.Pow(10, math.Floor(math.Log10(limit/float64(n))))
	for _, k := range []float64{1, 2, 5, 10} {
		if limit/(step*k) <= float64(n) {
			step *= k
			break
		}
	}
	var list []float64
	for v := 0.0; v <= limit; v += step {
		list = append(list, v)
	}
	return list
}

// logTicks are 1, 2 and 5 times powers of ten, or the ends where none lies between.
func logTicks(low, high float64) []float64 {
	var list []float64
	for e := math.Floor(math.Log10(low)); e <= math.Log10(high); e++ {
		for _, k := range []float64{1, 2, 5} {
			if v := k * math.Pow(10, e); v >= low && v <= high {
				list = append(list, v)
			}
		}
	}
	if len(list) < 2 {
		list = []float64{low, high}
	}
	return list
}
