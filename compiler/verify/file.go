package verify

import (
	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// file checks that the weights file holds the panels and consts of every op once,
// aligned, and one after another.
func (c *checker) file() {
	consts := map[*op.Const]int{}
	panels := map[*op.Panels]int{}
	at := plan.Bytes(0)
	for i, it := range c.p.File.Items {
		var want, sum plan.Bytes
		switch {
		case it.Panels != nil && it.Const == nil:
			panels[it.Panels]++
			sum = plan.Bytes(it.Panels.PanelBytes())
			want = sum * plan.Bytes(it.Panels.Count())
		case it.Const != nil && it.Panels == nil:
			consts[it.Const]++
			want = plan.Bytes(it.Const.Bytes())
			sum = want
		default:
			c.fault("file item %d (%s) must be either panels or a const", i, it.Name)
			continue
		}
		if it.Bytes != want {
			c.fault("file item %d (%s) has %d bytes, want %d", i, it.Name, it.Bytes, want)
		}
		switch row := rowBytes(it.Const); {
		case row > 0: // some whole rows
			if it.Chunk < row || it.Chunk%row != 0 || it.Chunk > max(row, plan.MaxChunk) || int(it.Chunk) != it.Const.PickBytes() {
				c.fault("file item %d (%s) is summed in chunks of %d bytes, its rows have %d", i, it.Name, it.Chunk, row)
			}
		case it.Chunk != min(sum, plan.MaxChunk):
			c.fault("file item %d (%s) is summed in chunks of %d bytes", i, it.Name, it.Chunk)
		}
		if it.Offset%plan.Align != 0 || it.Offset < at {
			c.fault("file item %d (%s) lies at %d, the one before ends at %d", i, it.Name, it.Offset, at)
		}
		at = it.Offset + it.Bytes
	}
	if c.p.File.Bytes < at || c.p.File.Bytes >= at+plan.Align {
		c.fault("the file has %d bytes, its items end at %d", c.p.File.Bytes, at)
	}
	for _, o := range c.p.Graph.Ops {
		if o.Panels != nil && panels[o.Panels] != 1 {
			c.fault("panels of %s are in the file %d times", o.Name, panels[o.Panels])
		}
		for _, k := range constsOf(o) {
			if consts[k] != 1 {
				c.fault("const %s of %s is in the file %d times", k.Name, o.Name, consts[k])
			}
		}
	}
}

// rowBytes is the size of a row of a const whose rows may be picked, else 0.
func rowBytes(k *op.Const) plan.Bytes {
	if k == nil {
		return 0
	}
	return plan.Bytes(k.RowLen * k.Type.Bytes())
}

// loads checks each load against its file item and its buffer, and their order.
func (c *checker) loads() {
	p := c.p
	c.loadOf = make([]int, len(p.Buffers))
	for i := range c.loadOf {
		c.loadOf[i] = -1
	}
	c.position = make([]int, len(p.Loads))
	c.begin = make([]int, len(p.Loads))
	streamed, latest, ahead := 0, 0, 0
	for i := range p.Loads {
		l := &p.Loads[i]
		b, it := &p.Buffers[l.Buffer], &p.File.Items[l.Item]
		if c.loadOf[l.Buffer] >= 0 {
			c.fault("%s is filled by loads %d and %d", c.name(l.Buffer), c.loadOf[l.Buffer], i)
		}
		c.loadOf[l.Buffer] = i
		from, bytes := it.Offset, it.Bytes
		if it.Panels != nil {
			if l.Panels.Lo < 0 || l.Panels.Lo >= l.Panels.Hi || l.Panels.Hi > it.Panels.Count() {
				c.fault("load %d brings panels %v of %d", i, l.Panels, it.Panels.Count())
			}
			each := plan.Bytes(it.Panels.PanelBytes())
			from += plan.Bytes(l.Panels.Lo) * each
			bytes = plan.Bytes(l.Panels.Hi-l.Panels.Lo) * each
		} else if l.Panels != (plan.Range{}) {
			c.fault("load %d brings panels %v of a const", i, l.Panels)
		}
		if l.FileOffset != from || l.Bytes != bytes {
			c.fault("load %d reads %d bytes at %d, panels %v of %s are %d at %d", i, l.Bytes, l.FileOffset, l.Panels, it.Name, bytes, from)
		}
		if b.Kind != plan.Weights {
			c.fault("load %d fills %s", i, c.name(l.Buffer))
		}
		// What an expanded buffer must hold depends on the op that reads it: see timing.
		if l.Arena != b.Offset || l.Bytes > b.Size || l.Bytes+plan.Align <= b.Size && !b.Expanded {
			c.fault("load %d writes %d bytes at %d, %s has %d at %d", i, l.Bytes, l.Arena, c.name(l.Buffer), b.Size, b.Offset)
		}
		if l.Resident != b.Resident {
			c.fault("load %d and %s disagree on being resident", i, c.name(l.Buffer))
		}
		if l.Ahead != b.Ahead {
			c.fault("load %d is made ahead from step %d on, %s from %d on", i, l.Ahead, c.name(l.Buffer), b.Ahead)
		}
		if l.Resident {
			c.position[i] = -1
			if l.After != 0 || streamed > 0 {
				c.fault("load %d is resident, and waits for %d steps and %d other loads", i, l.After, streamed)
			}
			continue
		}
		// The head of the next run: the loads that come first, in their order.
		if l.Ahead < ahead && l.Ahead != 0 || l.Ahead > 0 && (l.After != 0 || streamed > 0 && ahead == 0) {
			c.fault("load %d is made ahead from step %d on, the one before it from %d on", i, l.Ahead, ahead)
		}
		ahead = l.Ahead
		c.position[i] = streamed
		streamed++
		if l.After < latest {
			c.fault("load %d waits for %d steps, the one before it for %d", i, l.After, latest)
		}
		latest = max(latest, l.After)
		c.begin[i] = latest
	}
}
