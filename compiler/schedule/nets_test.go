package schedule_test

import (
	"github.com/flexnnc/flexnnc/compiler/schedule/sample"
	"github.com/flexnnc/flexnnc/ir/op"
)

func squeezenet() *op.Graph {
	n := sample.New("squeezenet")
	x := n.Input(227, 227, 3)
	x = n.Conv(x, 64, 3, 2, 0, nil)
	x = n.Pool(x)
	x = n.Fire(n.Fire(x, 16, 64), 16, 64)
	x = n.Pool(x)
	x = n.Fire(n.Fire(x, 32, 128), 32, 128)
	x = n.Pool(x)
	x = n.Fire(n.Fire(x, 48, 192), 48, 192)
	x = n.Fire(n.Fire(x, 64, 256), 64, 256)
	n.Output(n.Conv(x, 1000, 1, 1, 1, nil))
	return n.Graph
}

func vgg16() *op.Graph {
	n := sample.New("vgg16")
	x := n.Input(224, 224, 3)
	for _, s := range []struct{ c, n int }{{64, 2}, {128, 2}, {256, 3}, {512, 3}, {512, 3}} {
		for range s.n {
			x = n.Conv(x, s.c, 3, 1, 1, nil)
		}
		x = n.Pool(x)
	}
	n.Output(n.Dense(n.Dense(n.Dense(x, 4096), 4096), 1000))
	return n.Graph
}

func resnet152() *op.Graph {
	n := sample.New("resnet152")
	x := n.Pool(n.Conv(n.Input(224, 224, 3), 64, 7, 2, 3, nil))
	for _, s := range []struct{ c, n, stride int }{{64, 3, 1}, {128, 8, 2}, {256, 36, 2}, {512, 3, 2}} {
		for i := range s.n {
			stride, skip := 1, x
			if i == 0 {
				stride = s.stride
				skip = n.Conv(x, 4*s.c, 1, stride, 0, nil)
			}
			y := n.Conv(x, s.c, 1, 1, 0, nil)
			y = n.Conv(y, s.c, 3, stride, 1, nil)
			y = n.Conv(y, 4*s.c, 1, 1, 0, nil)
			x = n.Map(y, skip)
		}
	}
	n.Output(n.Dense(n.GlobalPool(x), 1000))
	return n.Graph
}
