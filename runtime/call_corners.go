package runtime

// corners are the four cells around a position in a plane, with their weights; a
// cell outside the plane has none.
type corners struct {
	y0, x0       int
	inY, inX     [2]bool // whether rows y0, y0+1 and columns x0, x0+1 are inside
	lowY, lowX   float32 // weights of the cells at y0 and x0
	highY, highX float32
	inside       bool
}

// cornersOf finds the cells around (y,x) of a plane of h rows of w.
func cornersOf(y, x float32, h, w int) corners {
	var c corners
	// Positions far outside, or NaN, touch no cell.
	if !(y > -1 && x > -1 && y < float32(h) && x < float32(w)) {
		return c
	}
	fy, fx := floor32(y), floor32(x)
	c.y0, c.x0 = int(fy), int(fx)
	c.highY, c.highX = y-fy, x-fx
	c.lowY, c.lowX = 1-c.highY, 1-c.highX
	for i := range 2 {
		c.inY[i] = c.y0+i >= 0 && c.y0+i < h
		c.inX[i] = c.x0+i >= 0 && c.x0+i < w
	}
	c.inside = true
	return c
}

// read interpolates channel q of x [H,W,C].
func (c *corners) read(t *thread, x *callTensor, q int) float32 {
	if !c.inside {
		return 0
	}
	var rows [2]float32
	for i := range rows {
		if !c.inY[i] {
			continue
		}
		var left, right float32
		if c.inX[0] {
			left = *x.at(t, 0, c.y0+i, c.x0, q)
		}
		if c.inX[1] {
			right = *x.at(t, 0, c.y0+i, c.x0+1, q)
		}
		rows[i] = fma32(c.highX, right, float32(c.lowX*left))
	}
	return fma32(c.highY, rows[1], float32(c.lowY*rows[0]))
}
