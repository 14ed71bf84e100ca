#!/usr/bin/python3
"""Trains the glyph network and writes it as an ncnn graph.

    (cd synth && go run . -out DIR)     draws the samples
    ./train.py train DIR                trains; leaves DIR/net.pt
    ./train.py export DIR               measures, writes glyphs.param, glyphs.bin,
                                        case.json, reference/, blobs.tsv

Needs PyTorch (Debian: python3-torch). Nothing that builds or tests the
compiler runs this.
"""

import json
import os
import struct
import sys
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

from files import HERE, normalise, read_labels, read_png, read_set

CLASSES = len(read_labels())
EPS = 1e-5


def conv(cin, cout, kernel, stride=1, groups=1):
    """Every convolution is followed by a batch norm, which takes the place of
    the bias. Export folds it into the weights, except the one of pw5."""
    return nn.Sequential(
        nn.Conv2d(cin, cout, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(cout, eps=EPS),
    )


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = conv(1, 16, 3, 2)
        self.dw2, self.pw2 = conv(16, 16, 3, groups=16), conv(16, 48, 1)
        self.dw3, self.pw3 = conv(48, 48, 3, groups=48), conv(48, 48, 1)
        self.pw4a = conv(48, 32, 1)
        self.dw4b, self.pw4b = conv(48, 48, 3, groups=48), conv(48, 64, 1)
        self.dw5, self.pw5 = conv(96, 96, 3, 2, groups=96), conv(96, 160, 1)
        self.fc = nn.Linear(160, CLASSES)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.relu(self.pw2(F.relu(self.dw2(x))))
        x = F.max_pool2d(x, 2)
        x = F.relu(x + self.pw3(F.relu(self.dw3(x))))
        a = F.relu(self.pw4a(x))
        b = F.relu(self.pw4b(F.relu(self.dw4b(x))))
        x = torch.cat([a, b], 1)
        x = F.relu(self.pw5(F.relu(self.dw5(x))))
        return self.fc(x.mean((2, 3)))


def batch(pictures):
    return torch.from_numpy(normalise(pictures)).unsqueeze(1)


def measure(forward, pictures, classes):
    """Returns the matrix of counts [true class, answer]."""
    counts = np.zeros((CLASSES, CLASSES), np.int64)
    with torch.no_grad():
        for i in range(0, len(pictures), 1000):
            answer = forward(batch(pictures[i : i + 1000])).argmax(1).numpy()
            np.add.at(counts, (classes[i : i + 1000], answer), 1)
    return counts


def report(name, counts):
    right, total = int(counts.trace()), int(counts.sum())
    labels = read_labels()
    print(f"{name}: {right} of {total} right, {100 * right / total:.3f} %")
    wrong = counts - np.diag(counts.diagonal())
    for at in np.argsort(-wrong, axis=None, kind="stable")[:8]:
        true, answer = divmod(int(at), CLASSES)
        if wrong[true, answer]:
            print(f"  {labels[true]} read as {labels[answer]}: {wrong[true, answer]}")
    worst = counts.diagonal() / counts.sum(1)
    print(f"  worst class {labels[worst.argmin()]}: {100 * worst.min():.2f} %", flush=True)


def train(folder, epochs=10, size=256, peak=6e-3):
    torch.manual_seed(7)
    pictures, classes, _ = read_set(os.path.join(folder, "train.bin"))
    target = torch.from_numpy(classes)
    net = Net().to(memory_format=torch.channels_last)  # near twice as fast on a CPU
    optimiser = torch.optim.AdamW(net.parameters(), weight_decay=1e-2)
    steps = epochs * (len(pictures) // size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, peak, total_steps=steps)
    begin = time.time()
    for epoch in range(epochs):
        net.train()
        order, total = torch.randperm(len(pictures)), 0.0
        for i in range(0, len(pictures) - size + 1, size):
            pick = order[i : i + size]
            # Smoothed targets keep the softmax away from 0 and 1, so that the
            # reference outputs say something about every class.
            x = batch(pictures[pick.numpy()]).to(memory_format=torch.channels_last)
            loss = F.cross_entropy(net(x), target[pick], label_smoothing=0.05)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.item()
        print(f"epoch {epoch + 1}: loss {total / (len(pictures) // size):.4f}, {time.time() - begin:.0f} s", flush=True)
        torch.save(net.state_dict(), os.path.join(folder, "net.pt"))


class Graph:
    """The network as ncnn layers: text, weights and a float32 torch forward
    of the very numbers that are written."""

    def __init__(self):
        self.layers, self.weights = [], []

    def add(self, kind, name, ins, outs, params="", weights=(), run=None):
        self.layers.append((kind, name, ins.split(), outs.split(), params, run))
        self.weights += weights

    def convolution(self, name, module, src, dst, relu, fold=True):
        c, bn = module
        w, bias = c.weight.double(), None
        if fold:
            gain = bn.weight.double() / (bn.running_var.double() + bn.eps).sqrt()
            w = w * gain[:, None, None, None]
            bias = (bn.bias.double() - bn.running_mean.double() * gain).float()
        w = w.float()
        params = f"0={c.out_channels} 1={c.kernel_size[0]}"
        if c.stride[0] != 1:
            params += f" 3={c.stride[0]}"
        if c.padding[0] != 0:
            params += f" 4={c.padding[0]}"
        if bias is not None:
            params += " 5=1"
        params += f" 6={w.numel()}"
        if c.groups != 1:
            params += f" 7={c.groups}"
        if relu:
            params += " 9=1"

        def run(x):
            y = F.conv2d(x, w, bias, c.stride, c.padding, 1, c.groups)
            return F.relu(y) if relu else y

        kind = "Convolution" if c.groups == 1 else "ConvolutionDepthWise"
        blobs = [("tagged", w)] + ([("plain", bias)] if bias is not None else [])
        self.add(kind, name, src, dst, params, blobs, run)

    def run(self, x):
        blobs = {}
        for kind, name, ins, outs, _, run in self.layers:
            result = x if kind == "Input" else run(*[blobs[b] for b in ins])
            for out in outs:
                blobs[out] = result
        return blobs

    def write(self, stem):
        names = [b for _, _, _, outs, _, _ in self.layers for b in outs]
        with open(stem + ".param", "w", encoding="ascii") as f:
            f.write(f"7767517\n{len(self.layers)} {len(names)}\n")
            for kind, name, ins, outs, params, _ in self.layers:
                line = f"{kind:<22}{name:<10}{len(ins)} {len(outs)} {' '.join(ins + outs + params.split())}"
                f.write(line + "\n")
        with open(stem + ".bin", "wb") as f:
            for kind, blob in self.weights:
                if kind == "tagged":  # the tag 0 says that float32 follows
                    f.write(struct.pack("<I", 0))
                f.write(blob.detach().numpy().astype("<f4").tobytes())


def build(net):
    g = Graph()
    g.add("Input", "data", "", "data", "0=32 1=32 2=1")
    g.convolution("conv1", net.conv1, "data", "conv1", True)
    g.convolution("dw2", net.dw2, "conv1", "dw2", True)
    g.convolution("pw2", net.pw2, "dw2", "pw2", True)
    g.add("Pooling", "pool2", "pw2", "pool2", "0=0 1=2 2=2", run=lambda x: F.max_pool2d(x, 2))
    g.add("Split", "split2", "pool2", "pool2_a pool2_b", run=lambda x: x)
    g.convolution("dw3", net.dw3, "pool2_a", "dw3", True)
    g.convolution("pw3", net.pw3, "dw3", "pw3", False)
    g.add("BinaryOp", "add3", "pool2_b pw3", "add3", "0=0", run=lambda a, b: a + b)
    g.add("ReLU", "relu3", "add3", "relu3", run=F.relu)
    g.add("Split", "split3", "relu3", "relu3_a relu3_b", run=lambda x: x)
    g.convolution("pw4a", net.pw4a, "relu3_a", "pw4a", True)
    g.convolution("dw4b", net.dw4b, "relu3_b", "dw4b", True)
    g.convolution("pw4b", net.pw4b, "dw4b", "pw4b", True)
    g.add("Concat", "cat4", "pw4a pw4b", "cat4", "0=0", run=lambda a, b: torch.cat([a, b], 1))
    g.convolution("dw5", net.dw5, "cat4", "dw5", True)
    g.convolution("pw5", net.pw5, "dw5", "pw5", False, fold=False)
    bn = net.pw5[1]
    norm = [bn.weight, bn.running_mean, bn.running_var, bn.bias]
    g.add("BatchNorm", "bn5", "pw5", "bn5", f"0={bn.num_features} 1={bn.eps:g}", [("plain", p) for p in norm],
          lambda x: F.batch_norm(x, bn.running_mean, bn.running_var, bn.weight, bn.bias, False, 0, bn.eps))
    g.add("ReLU", "relu5", "bn5", "relu5", run=F.relu)
    g.add("Pooling", "gap5", "relu5", "gap5", "0=1 4=1", run=lambda x: x.mean((2, 3)))
    w, bias = net.fc.weight, net.fc.bias
    g.add("InnerProduct", "fc", "gap5", "fc", f"0={CLASSES} 1=1 2={w.numel()}",
          [("tagged", w), ("plain", bias)], lambda x: F.linear(x, w, bias))
    g.add("Softmax", "prob", "fc", "prob", "0=0", run=lambda x: F.softmax(x, 1))
    return g


def statistics(a):
    return {k: float(f"{float(v):.9g}") for k, v in
            {"min": a.min(), "max": a.max(), "mean": a.mean(dtype=np.float64), "std": a.std(dtype=np.float64)}.items()}


def shape(a):
    """ncnn's dims, w, h, d, c of one sample."""
    if a.ndim == 1:
        return {"dims": 1, "w": a.shape[0], "h": 1, "d": 1, "c": 1}
    return {"dims": 3, "w": a.shape[2], "h": a.shape[1], "d": 1, "c": a.shape[0]}


def write_cases(g):
    labels, cases = read_labels(), []
    os.makedirs(os.path.join(HERE, "reference"), exist_ok=True)
    pictures = sorted(n for n in os.listdir(os.path.join(HERE, "pictures")) if n.endswith(".png"))
    for i, picture in enumerate(pictures):
        name = picture[: -len(".png")]
        blobs = g.run(batch(read_png(os.path.join(HERE, "pictures", picture))[None]))
        prob = blobs["prob"][0].numpy()
        answer, second = np.argsort(-prob)[:2]
        print(f"  {picture}: {labels[answer]} {prob[answer]:.3f}, then {labels[second]} {prob[second]:.3f}")
        if labels[answer] != name[0]:
            raise SystemExit(f"{picture} is misread")
        prob.astype("<f4").tofile(os.path.join(HERE, "reference", name + ".prob.f32"))
        cases.append({
            "name": name,
            "inputs": [{
                "name": "data", "png": f"pictures/{picture}", "shape_whc": [32, 32, 1],
                "pixel": "gray", "mean": [127.5], "norm": [1 / 127.5],
            }],
            "outputs": [{
                "name": "prob", **shape(prob), "type": "Softmax", **statistics(prob),
                "file": f"reference/{name}.prob.f32", "tol": 0.0001,
            }],
        })
        if i == 0:
            with open(os.path.join(HERE, "blobs.tsv"), "w", encoding="ascii") as f:
                f.write("blob\tlayer\ttype\tdims\tw\th\td\tc\tmin\tmax\tmean\tstd\n")
                for kind, layer, _, outs, _, _ in g.layers:
                    for out in outs:
                        a = blobs[out][0].numpy()
                        row = [out, layer, kind, *shape(a).values(), *(f"{v:.9g}" for v in statistics(a).values())]
                        f.write("\t".join(map(str, row)) + "\n")
    document = {
        "name": "glyphs", "param": "glyphs.param", "weights": {"bin": "glyphs.bin"},
        "preprocessing": "32x32 gray, mean 127.5, norm 1/127.5",
        "expected": "argmax of 36 = the line of labels.txt with the first character of the file name",
        "reference": f"PyTorch {torch.__version__}, float32 forward of the exported weights",
        "cases": cases,
    }
    with open(os.path.join(HERE, "case.json"), "w", encoding="ascii") as f:
        json.dump(document, f, indent=1)
        f.write("\n")


def export(folder):
    net = Net()
    net.load_state_dict(torch.load(os.path.join(folder, "net.pt")))
    net.eval()
    with torch.no_grad():
        g = build(net)
        for name in ("held", "unseen"):
            pictures, classes, _ = read_set(os.path.join(folder, name + ".bin"))
            report(name, measure(lambda x: g.run(x)["prob"], pictures, classes))
        g.write(os.path.join(HERE, "glyphs"))
        print("stored numbers:", sum(blob.numel() for _, blob in g.weights))
        write_cases(g)


if __name__ == "__main__":
    torch.set_num_threads(1)
    if len(sys.argv) != 3 or sys.argv[1] not in ("train", "export"):
        raise SystemExit(__doc__)
    {"train": train, "export": export}[sys.argv[1]](sys.argv[2])
