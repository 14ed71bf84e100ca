package codegen

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dave/jennifer/jen"

	"github.com/flexnnc/flexnnc/ir"
)

// side tells inputs from outputs.
type side int

const (
	input side = iota
	output
)

func (u *unit) ports(s side) []port {
	if s == input {
		return u.inputs
	}
	return u.outputs
}

// axisLetters are the axes of a shape, by their number, in the order of --input.
var axisLetters = [...]string{"", "W", "WH", "WHC", "WHDC"}

// axis is one axis of a port, with its size in every shape of the package.
type axis struct {
	letter string // W, H, D, C
	sizes  []int
	varies bool
}

// axes are those of port i in the order W, H, D, C.
func (k *pkg) axes(s side, i int) []axis {
	letters := axisLetters[k.units[0].ports(s)[i].shape().Dims]
	list := make([]axis, len(letters))
	for n := range letters {
		a := axis{letter: letters[n : n+1]}
		for _, u := range k.shapes() {
			a.sizes = append(a.sizes, axisSize(u.ports(s)[i].shape(), letters[n]))
		}
		a.varies = slices.Min(a.sizes) != slices.Max(a.sizes)
		list[n] = a
	}
	return list
}

func axisSize(s ir.Shape, letter byte) int {
	switch letter {
	case 'W':
		return s.W
	case 'H':
		return s.H
	case 'D':
		return s.D
	}
	return s.C
}

// varying are the axes of port i that are not the same in all shapes.
func (k *pkg) varying(s side, i int) []axis {
	return slices.DeleteFunc(k.axes(s, i), func(a axis) bool { return !a.varies })
}

func (k *pkg) varies(s side, i int) bool { return len(k.varying(s, i)) > 0 }

// checkShapes demands that all shapes have the same ports, of the same ranks, and
// that no two are equal.
func (k *pkg) checkShapes() error {
	list := k.shapes()
	for n, u := range list[1:] {
		for s := input; s <= output; s++ {
			first, these := list[0].ports(s), u.ports(s)
			if len(first) != len(these) {
				return fmt.Errorf("BUG: shape %d has %d ports, the first %d", n+1, len(these), len(first))
			}
			for i, p := range these {
				q := first[i]
				if p.field != q.field || p.ints != q.ints {
					return fmt.Errorf("BUG: shape %d has port %s, the first %s", n+1, p.field, q.field)
				}
				if p.shape().Dims != q.shape().Dims {
					return fmt.Errorf("blob %q has %d axes for one of the shapes and %d for another: compile them into packages of their own",
						p.op.Port.Blob.Name, p.shape().Dims, q.shape().Dims)
				}
			}
		}
		for _, v := range list[:n+1] {
			if slices.EqualFunc(u.inputs, v.inputs, func(a, b port) bool { return a.shape() == b.shape() }) {
				return fmt.Errorf("two of the shapes are equal: --input %s", inputText(u.inputs))
			}
		}
	}
	return nil
}

// inputText writes the shapes of inputs as the user does.
func inputText(ports []port) string {
	var list []string
	for _, p := range ports {
		var sizes []string
		for _, c := range []byte(axisLetters[p.shape().Dims]) {
			sizes = append(sizes, fmt.Sprint(axisSize(p.shape(), c)))
		}
		list = append(list, p.op.Port.Blob.Name+"="+strings.Join(sizes, ","))
	}
	return strings.Join(list, " ")
}

// shapeField is an axis of an input that varies: a field of Shape.
type shapeField struct {
	name string
	axis
}

func (k *pkg) shapeFields() []shapeField {
	var list []shapeField
	for i, p := range k.units[0].inputs {
		for _, a := range k.varying(input, i) {
			list = append(list, shapeField{p.field + a.letter, a})
		}
	}
	return list
}

// shapeType emits type Shape and the table of the package's shapes.
func (k *pkg) shapeType(f *jen.File) {
	fields := k.shapeFields()
	f.Comment("Shape says how large the inputs of a run are: those axes that differ between the shapes")
	f.Comment("that the package was compiled for. Shapes lists them.")
	f.Type().Id("Shape").StructFunc(func(g *jen.Group) {
		for _, s := range fields {
			g.Id(s.name).Int()
		}
	})
	f.Line()
	f.Comment("shapes are the shapes of the package, with the lengths of the arrays and the axes of the")
	f.Comment("outputs in each.")
	f.Var().Id("shapes").Op("=").Index(jen.Op("...")).StructFunc(func(g *jen.Group) {
		g.Id("Shape")
		k.eachVarying(func(name string, _ []int) { g.Id(name).Int() })
	}).ValuesFunc(func(g *jen.Group) {
		for n := range k.shapes() {
			g.Line().ValuesFunc(func(g *jen.Group) {
				g.Id("Shape").Op(":").Id("Shape").ValuesFunc(func(g *jen.Group) {
					for _, s := range fields {
						g.Id(s.name).Op(":").Lit(s.sizes[n])
					}
				})
				k.eachVarying(func(name string, v []int) { g.Id(name).Op(":").Lit(v[n]) })
			})
		}
		g.Line()
	})
	f.Line()
	f.Comment("Shapes lists the shapes that the package was compiled for, in the order of the command.")
	f.Func().Id("Shapes").Params().Index().Id("Shape").Block(
		jen.Id("list").Op(":=").Make(jen.Index().Id("Shape"), jen.Len(jen.Id("shapes"))),
		jen.For(jen.Id("i").Op(":=").Range().Id("shapes")).Block(jen.Id("list").Index(jen.Id("i")).Op("=").Id("shapes").Index(jen.Id("i")).Dot("Shape")),
		jen.Return(jen.Id("list")),
	)
	f.Line()
	k.shapeMethods(f, fields)
}

// eachVarying calls f with the columns of the shape table: array lengths and
// output axes that are not the same in all shapes.
func (k *pkg) eachVarying(f func(name string, values []int)) {
	for s, prefix := range [...]string{"in", "out"} {
		for i, p := range k.units[0].ports(side(s)) {
			list := k.varying(side(s), i)
			if len(list) == 0 {
				continue
			}
			var lens []int
			for _, u := range k.shapes() {
				lens = append(lens, u.ports(side(s))[i].shape().Len())
			}
			f(prefix+p.field, lens)
			if side(s) == output {
				for _, a := range list {
					f(prefix+p.field+a.letter, a.sizes)
				}
			}
		}
	}
}

// shapeMethods emits how shapes are found, fitted and printed.
func (k *pkg) shapeMethods(f *jen.File, fields []shapeField) {
	s := func() *jen.Statement { return jen.Id("s").Id("Shape") }
	f.Comment("FitShape is the smallest of the package's shapes that is at least as large as s in every")
	f.Comment("axis, for inputs that are to be padded to it.")
	f.Func().Id("FitShape").Params(s()).Params(jen.Id("fit").Id("Shape"), jen.Err().Error()).BlockFunc(func(g *jen.Group) {
		g.Id("best").Op(":=").Qual("math", "MaxInt")
		g.For(jen.Id("i").Op(":=").Range().Id("shapes")).BlockFunc(func(g *jen.Group) {
			g.Id("t").Op(":=").Op("&").Id("shapes").Index(jen.Id("i"))
			holds, size := jen.Null(), jen.Null()
			for n, c := range fields {
				if n > 0 {
					holds.Op("&&")
					size.Op("*")
				}
				holds.Id("t").Dot(c.name).Op(">=").Id("s").Dot(c.name)
				size.Id("t").Dot(c.name)
			}
			g.If(jen.Id("size").Op(":=").Add(size), jen.Add(holds).Op("&&").Id("size").Op("<").Id("best")).Block(
				jen.List(jen.Id("fit"), jen.Id("best")).Op("=").List(jen.Id("t").Dot("Shape"), jen.Id("size")))
		})
		g.If(jen.Id("best").Op("==").Qual("math", "MaxInt")).Block(jen.Return(jen.Id("fit"), jen.Id("s").Dot("unknown").Call()))
		g.Return(jen.Id("fit"), jen.Nil())
	})
	f.Line()
	f.Comment("String prints the inputs as --input takes them: W,H,C.")
	f.Func().Params(s()).Id("String").Params().String().BlockFunc(func(g *jen.Group) {
		var formats []string
		var args []jen.Code
		for i, p := range k.units[0].inputs {
			var sizes []string
			for _, a := range k.axes(input, i) {
				if a.varies {
					sizes = append(sizes, "%d")
					args = append(args, jen.Id("s").Dot(p.field+a.letter))
				} else {
					sizes = append(sizes, fmt.Sprint(a.sizes[0]))
				}
			}
			formats = append(formats, strings.ReplaceAll(p.op.Port.Blob.Name, "%", "%%")+"="+strings.Join(sizes, ","))
		}
		g.Return(jen.Qual("fmt", "Sprintf").Call(append([]jen.Code{jen.Lit(strings.Join(formats, " "))}, args...)...))
	})
	f.Line()
	f.Comment("index is the position of s among the package's shapes, -1 where it is none of them.")
	f.Func().Params(s()).Id("index").Params().Int().Block(
		jen.For(jen.Id("i").Op(":=").Range().Id("shapes")).Block(
			jen.If(jen.Id("shapes").Index(jen.Id("i")).Dot("Shape").Op("==").Id("s")).Block(jen.Return(jen.Id("i")))),
		jen.Return(jen.Lit(-1)),
	)
	f.Line()
	f.Func().Params(s()).Id("unknown").Params().Error().Block(
		jen.Id("list").Op(":=").Lit(""),
		jen.For(jen.Id("i").Op(":=").Range().Id("shapes")).Block(
			jen.Id("list").Op("+=").Lit("; ").Op("+").Id("shapes").Index(jen.Id("i")).Dot("Shape").Dot("String").Call()),
		jen.Return(jen.Qual("fmt", "Errorf").Call(jen.Lit("there is no plan for inputs of shape %v; this package was compiled for%s"),
			jen.Id("s"), jen.Id("list").Index(jen.Lit(1), jen.Empty()))),
	)
	f.Line()
	f.Func().Id("noRoom").Params(jen.Id("array").String(), jen.List(jen.Id("have"), jen.Id("want")).Int()).Error().Block(
		jen.Return(jen.Qual("fmt", "Errorf").Call(jen.Lit("%s has room for %d values, the shape of the inputs makes %d"),
			jen.Id("array"), jen.Id("have"), jen.Id("want"))))
	f.Line()
}

// portStructs emits Inputs and Outputs, and how to make them.
func (k *pkg) portStructs(f *jen.File) {
	several := len(k.shapes()) > 1
	f.Comment("Inputs are the arrays that a run reads, dense, in ncnn's order: C, D, H, W with W innermost.")
	f.Type().Id("Inputs").StructFunc(func(g *jen.Group) {
		if several {
			g.Id("Shape").Id("Shape").Comment("of the arrays below")
		}
		for i, p := range k.units[0].inputs {
			g.Id(p.field).Index().Add(p.elem()).Comment(k.shapeText(input, i))
		}
	})
	k.newPorts(f, "Inputs", input)
	if several {
		f.Comment("SetShape makes s the shape of the inputs, and gives arrays that have room for it their new")
		f.Comment("lengths; what they hold is not defined then.")
		f.Func().Params(jen.Id("in").Op("*").Id("Inputs")).Id("SetShape").Params(jen.Id("s").Id("Shape")).Error().BlockFunc(func(g *jen.Group) {
			g.Id("i").Op(":=").Id("s").Dot("index").Call()
			g.If(jen.Id("i").Op("<").Lit(0)).Block(jen.Return(jen.Id("s").Dot("unknown").Call()))
			for i, p := range k.units[0].inputs {
				if !k.varies(input, i) {
					continue
				}
				data, length := jen.Id("in").Dot(p.field), jen.Id("shapes").Index(jen.Id("i")).Dot("in"+p.field)
				g.If(jen.Cap(data).Op("<").Add(length)).Block(
					jen.Add(data).Op("=").Make(jen.Index().Add(p.elem()), length))
				g.Add(data).Op("=").Add(data).Index(jen.Empty(), length)
			}
			g.Id("in").Dot("Shape").Op("=").Id("s")
			g.Return(jen.Nil())
		})
		f.Line()
	}
	if several {
		f.Comment("Outputs are the arrays that a run writes, in the same order. A run sets the lengths and the axes")
		f.Comment("that depend on the shape of its inputs. After an error the content is undefined.")
	} else {
		f.Comment("Outputs are the arrays that a run writes, in the same order. After an error their content is undefined.")
	}
	f.Type().Id("Outputs").StructFunc(func(g *jen.Group) {
		for i, p := range k.units[0].outputs {
			if p.count {
				g.Id(p.field).Int32().Comment("rows of " + k.units[0].outputs[i-1].field + " that hold results; the others are zero")
				continue
			}
			g.Id(p.field).Index().Add(p.elem()).Comment(k.shapeText(output, i))
			if list := k.varying(output, i); len(list) > 0 {
				var fields []jen.Code
				for _, a := range list {
					fields = append(fields, jen.Id(p.field+a.letter))
				}
				g.List(fields...).Int()
			}
		}
	})
	k.newPorts(f, "Outputs", output)
}

// newPorts emits NewInputs or NewOutputs: arrays with room for every shape, of the
// lengths of the first.
func (k *pkg) newPorts(f *jen.File, typ string, s side) {
	several := len(k.shapes()) > 1
	if several {
		f.Commentf("New%s allocates arrays with room for every shape; they have the lengths of the first.", typ)
	} else {
		f.Commentf("New%s allocates arrays of the right lengths.", typ)
	}
	f.Func().Id("New" + typ).Params().Op("*").Id(typ).Block(
		jen.Return(jen.Op("&").Id(typ).ValuesFunc(func(g *jen.Group) {
			if several && s == input {
				g.Id("Shape").Op(":").Id("shapes").Index(jen.Lit(0)).Dot("Shape")
			}
			for i, p := range k.units[0].ports(s) {
				if p.count {
					continue
				}
				if !k.varies(s, i) {
					g.Id(p.field).Op(":").Make(jen.Index().Add(p.elem()), jen.Id(typ[:len(typ)-1]+p.field+"Len"))
					continue
				}
				most := 0
				for _, u := range k.shapes() {
					most = max(most, u.ports(s)[i].shape().Len())
				}
				g.Id(p.field).Op(":").Make(jen.Index().Add(p.elem()), jen.Lit(p.shape().Len()), jen.Lit(most))
				if s == output {
					for _, a := range k.varying(s, i) {
						g.Id(p.field + a.letter).Op(":").Lit(a.sizes[0])
					}
				}
			}
		})),
	)
	f.Line()
}

// shapeText prints a port's shape as nested Go array dims, outermost first.
func (k *pkg) shapeText(s side, i int) string {
	var b strings.Builder
	axes := k.axes(s, i)
	field := k.units[0].ports(s)[i].field
	var letters []string
	for _, a := range slices.Backward(axes) {
		switch {
		case !a.varies:
			fmt.Fprintf(&b, "[%d]", a.sizes[0])
		case s == input:
			fmt.Fprintf(&b, "[Shape.%s%s]", field, a.letter)
		default:
			fmt.Fprintf(&b, "[%s%s]", field, a.letter)
		}
		letters = append(letters, a.letter)
	}
	return b.String() + " " + strings.Join(letters, ",")
}
