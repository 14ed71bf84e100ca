#!/usr/bin/python3
"""Checks the committed files with a second implementation.

    ./check.py          pictures against labels, outputs against reference/
    ./check.py DIR      also counts right answers over DIR/held.bin, unseen.bin

Parses glyphs.param and glyphs.bin from their bytes and runs them in plain
numpy (float64): no code is shared with train.py but the readers of pictures
and sets. Exits with an error when anything disagrees.
"""

import json
import os
import struct
import sys

import numpy as np

from files import HERE, normalise, read_labels, read_png, read_set


def parse_param(path):
    """Returns (type, name, inputs, outputs, {id: number}) per layer."""
    with open(path, encoding="ascii") as f:
        lines = f.read().splitlines()
    if lines[0] != "7767517":
        raise SystemExit("not an ncnn .param")
    layer_count, blob_count = map(int, lines[1].split())
    layers, made, used = [], [], []
    for line in lines[2:]:
        words = line.split()
        i, o = int(words[2]), int(words[3])
        ins, outs = words[4 : 4 + i], words[4 + i : 4 + i + o]
        params = {int(k): float(v) for k, v in (w.split("=") for w in words[4 + i + o :])}
        layers.append((words[0], words[1], ins, outs, params))
        if not set(ins) <= set(made):
            raise SystemExit(f"{words[1]} reads a blob that does not exist yet")
        made, used = made + outs, used + ins
    if (len(layers), len(made)) != (layer_count, blob_count) or len(set(made)) != len(made):
        raise SystemExit("the counts of layers and blobs are wrong")
    if len(set(used)) != len(used):
        raise SystemExit("a blob is consumed twice without a Split")
    return layers


class Weights:
    def __init__(self, path):
        with open(path, "rb") as f:
            self.data, self.at = f.read(), 0

    def plain(self, n):
        out = np.frombuffer(self.data, "<f4", n, self.at).astype(np.float64)
        self.at += 4 * n
        return out

    def tagged(self, n):
        (tag,) = struct.unpack_from("<I", self.data, self.at)
        if tag != 0:
            raise SystemExit(f"tag {tag:#x} is not float32")
        self.at += 4
        return self.plain(n)


def windows(x, kernel, stride, pad, fill):
    """[n, c, h, w] to [n, c, oh, ow, kernel, kernel]."""
    x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)), constant_values=fill)
    view = np.lib.stride_tricks.sliding_window_view(x, (kernel, kernel), (2, 3))
    return view[:, :, ::stride, ::stride]


def load(layers, weights):
    """Binds each layer's weights: a list of functions on [n, ...] arrays."""
    steps, channels = [], {}
    for kind, name, ins, outs, p, in layers:
        get = lambda i, default=0: int(p.get(i, default))
        cin = channels.get(ins[0]) if ins else None
        cout = cin
        if kind == "Input":
            cout, step = get(2), None
        elif kind in ("Convolution", "ConvolutionDepthWise"):
            cout, k, stride, pad, size, groups = get(0), get(1), get(3, 1), get(4), get(6), get(7, 1)
            if size != cout * (cin // groups) * k * k:
                raise SystemExit(f"{name}: {size} weights do not fit its shape")
            w = weights.tagged(size).reshape(groups, cout // groups, cin // groups, k, k)
            bias = weights.plain(cout) if get(5) else np.zeros(cout)

            def step(x, w=w, bias=bias, k=k, stride=stride, pad=pad, groups=groups, relu=get(9)):
                v = windows(x, k, stride, pad, 0)
                v = v.reshape(v.shape[0], groups, -1, *v.shape[2:])
                y = np.einsum("ngihwkl,goikl->ngohw", v, w, optimize=True)
                y = y.reshape(y.shape[0], -1, *y.shape[3:]) + bias[:, None, None]
                return np.maximum(y, 0) if relu else y
        elif kind == "BatchNorm":
            slope, mean, var, bias = (weights.plain(get(0))[:, None, None] for _ in range(4))
            eps = p[1]
            step = lambda x, s=slope, m=mean, v=var, b=bias, e=eps: (x - m) / np.sqrt(v + e) * s + b
        elif kind == "ReLU":
            step = lambda x: np.maximum(x, 0)
        elif kind == "Split":
            step = lambda x: x
        elif kind == "BinaryOp" and get(0) == 0:
            step = lambda a, b: a + b
        elif kind == "Concat" and get(0) == 0:
            cout = sum(channels[b] for b in ins)
            step = lambda *parts: np.concatenate(parts, 1)
        elif kind == "Pooling" and get(4) == 1 and get(0) == 1:
            step = lambda x: x.mean((2, 3))
        elif kind == "Pooling" and get(0) == 0 and get(3) == 0:
            step = lambda x, k=get(1), s=get(2, 1): windows(x, k, s, 0, -np.inf).max((4, 5))
        elif kind == "InnerProduct":
            cout = get(0)
            w = weights.tagged(get(2)).reshape(cout, cin)
            bias = weights.plain(cout) if get(1) else 0
            step = lambda x, w=w, bias=bias: x @ w.T + bias
        elif kind == "Softmax" and get(0) == 0:
            def step(x):
                e = np.exp(x - x.max(1, keepdims=True))
                return e / e.sum(1, keepdims=True)
        else:
            raise SystemExit(f"{name}: no {kind} of this kind here")
        channels.update((b, cout) for b in outs)
        steps.append((step, ins, outs))
    if weights.at != len(weights.data):
        raise SystemExit("glyphs.bin is longer than the layers need")
    return steps


def run(steps, x):
    blobs = {}
    for step, ins, outs in steps:
        y = x if step is None else step(*(blobs[b] for b in ins))
        blobs.update((b, y) for b in outs)
    return blobs


def distance(a, reference):
    return np.abs(a - reference).max() / np.abs(reference).max()


def main():
    with open(os.path.join(HERE, "case.json"), encoding="ascii") as f:
        document = json.load(f)
    labels = read_labels()
    steps = load(parse_param(os.path.join(HERE, document["param"])),
                 Weights(os.path.join(HERE, document["weights"]["bin"])))
    failed = False
    for case in document["cases"]:
        gray = read_png(os.path.join(HERE, case["inputs"][0]["png"]))
        prob = run(steps, normalise(gray).astype(np.float64)[None, None])["prob"][0]
        want = np.fromfile(os.path.join(HERE, case["outputs"][0]["file"]), "<f4").astype(np.float64)
        away, answer = distance(prob, want), labels[prob.argmax()]
        fine = away < 1e-5 and answer == case["name"][0]
        failed |= not fine
        print(f"{case['name']:<24}{answer}  {prob.max():.4f}  distance {away:.1e}  {'ok' if fine else 'WRONG'}")
    for name in ("held", "unseen") if len(sys.argv) > 1 else ():
        pictures, classes, _ = read_set(os.path.join(sys.argv[1], name + ".bin"))
        right = 0
        for i in range(0, len(pictures), 500):
            x = normalise(pictures[i : i + 500]).astype(np.float64)[:, None]
            right += int((run(steps, x)["prob"].argmax(1) == classes[i : i + 500]).sum())
        share = right / len(pictures)
        failed |= share <= 0.99
        print(f"{name}: {right} of {len(pictures)} right, {100 * share:.3f} %")
    if failed:
        raise SystemExit("check failed")


if __name__ == "__main__":
    main()
