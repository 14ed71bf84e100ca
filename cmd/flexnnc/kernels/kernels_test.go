package kernels

import (
	"testing"
)

// TestShapes plans for all shapes: each has steps of its own.
func TestShapes(t *testing.T) {
	shapes := Shapes()
	p, err := Plan(shapes, nil)
	if err != nil {
		t.Fatal(err)
	}
	layers, found, names := map[string]*Shape{}, map[*Shape]int{}, map[string]bool{}
	for i := range shapes {
		layers[layerName(i)] = &shapes[i]
		if name := shapes[i].Group + ": " + shapes[i].Name; names[name] {
			t.Errorf("%s twice", name)
		} else {
			names[name] = true
		}
	}
	for i := range p.Steps {
		found[shapeOf(layers, p.Steps[i].Op)]++
	}
	for i := range shapes {
		if found[&shapes[i]] == 0 {
			t.Errorf("%s: %s has no step", shapes[i].Group, shapes[i].Name)
		}
	}
	t.Logf("%d shapes, %d steps, arena %d bytes", len(shapes), len(p.Steps), p.Arena)
}
