package arena

// table is a hash set of refuted states with a bounded size; an old entry gives
// way to a new one. A key is 128 bits, so a false hit is not a practical concern.
type table struct {
	keys [][2]uint64
	used int
}

const (
	tableFirst = 1 << 12
	tableLast  = 1 << 19
	tableWays  = 4
)

func (t *table) slot(k [2]uint64) int { return int(k[0]) & (len(t.keys) - 1) &^ (tableWays - 1) }

func (t *table) has(k [2]uint64) bool {
	if t.used == 0 {
		return false
	}
	b := t.slot(k)
	for w := range tableWays {
		if t.keys[b+w] == k {
			return true
		}
	}
	return false
}

func (t *table) add(k [2]uint64) {
	if len(t.keys) == 0 {
		t.keys = make([][2]uint64, tableFirst)
	}
	if t.used*2 > len(t.keys) && len(t.keys) < tableLast {
		old := t.keys
		t.keys, t.used = make([][2]uint64, 4*len(old)), 0
		for _, k := range old {
			if k != [2]uint64{} {
				t.put(k)
			}
		}
	}
	t.put(k)
}

func (t *table) put(k [2]uint64) {
	b := t.slot(k)
	for w := range tableWays {
		if t.keys[b+w] == [2]uint64{} {
			t.keys[b+w] = k
			t.used++
			return
		}
	}
	t.keys[b+int(k[1]>>62)] = k
}

func (t *table) clear() {
	clear(t.keys)
	t.used = 0
}
