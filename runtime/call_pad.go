package runtime

// callPad surrounds In[0] with a border. ints: mode (0 constant, 1 replicate, 2
// reflect without repeating the edge), in dims, cells before, cells after per
// axis, axis of per-index values (In[1]) or -1; floats: the constant.
func callPad(t *thread, s *callStep) {
	mode, in, before, axis := s.ints[0], s.ints[1:5], s.ints[5:9], s.ints[13]
	x, y := &s.in[0], &s.out[0]
	for {
		r := t.claim()
		if r >= y.rows() {
			return
		}
		var at, from [4]int
		at[0], at[1], at[2] = y.split(r)
		for l := range y.dims[3] {
			at[3] = l
			outside := false
			for a := range at {
				i := at[a] - before[a]
				if i < 0 || i >= in[a] {
					outside = true
					switch mode {
					case 1:
						i = min(max(i, 0), in[a]-1)
					case 2:
						for i < 0 || i >= in[a] {
							if i < 0 {
								i = -i
							} else {
								i = 2*(in[a]-1) - i
							}
						}
					}
				}
				from[a] = i
			}
			v := s.floats[0]
			switch {
			case !outside || mode != 0:
				v = *x.at(t, from[0], from[1], from[2], from[3])
			case axis >= 0:
				v = *s.in[1].linear(t, at[axis])
			}
			*y.at(t, at[0], at[1], at[2], at[3]) = v
		}
	}
}
