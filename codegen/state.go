package codegen

import (
	"fmt"

	"github.com/dave/jennifer/jen"
)

// checkState demands that every pair of State names an input and an output of
// equal shape and type, and that no port is in two pairs.
func (k *pkg) checkState() error {
	used := map[string]bool{}
	for _, s := range k.o.State {
		flag := fmt.Sprintf("--state %s=%s", s.Input, s.Output)
		for _, u := range k.shapes() {
			in, out := portNamed(u.inputs, s.Input), portNamed(u.outputs, s.Output)
			switch {
			case in == nil:
				return fmt.Errorf("%s: the network has no input %q", flag, s.Input)
			case out == nil:
				return fmt.Errorf("%s: the network has no output %q", flag, s.Output)
			case in.shape() != out.shape():
				return fmt.Errorf("%s: the input has shape %v, the output %v", flag, in.shape(), out.shape())
			case in.ints != out.ints:
				return fmt.Errorf("%s: one holds integers, the other floats", flag)
			}
		}
		for _, name := range []string{"input " + s.Input, "output " + s.Output} {
			if used[name] {
				return fmt.Errorf("%s: %s is part of another state", flag, name)
			}
			used[name] = true
		}
	}
	return nil
}

func portNamed(ports []port, blob string) *port {
	for i := range ports {
		if ports[i].op.Port.Blob.Name == blob {
			return &ports[i]
		}
	}
	return nil
}

// carryFunc emits how state goes from a run to the next.
func (k *pkg) carryFunc(f *jen.File) {
	if len(k.o.State) == 0 {
		return
	}
	u := k.units[0]
	f.Comment("Carry makes the state that a run has left in out that of the next run, by exchanging arrays")
	f.Comment("with in. The state of a first run is zero, as NewInputs makes it.")
	f.Func().Params(jen.Id("in").Op("*").Id("Inputs")).Id("Carry").Params(jen.Id("out").Op("*").Id("Outputs")).BlockFunc(func(g *jen.Group) {
		for _, s := range k.o.State {
			i, o := jen.Id("in").Dot(portNamed(u.inputs, s.Input).field), jen.Id("out").Dot(portNamed(u.outputs, s.Output).field)
			g.List(i, o).Op("=").List(jen.Add(o), jen.Add(i))
		}
	})
	f.Line()
}
