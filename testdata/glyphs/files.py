"""Reads this folder's pictures, labels and sample sets. Knows no network."""

import os
import struct
import zlib

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))

# Gray 0..255 becomes (x - MEAN) * NORM, both in float32.
MEAN = np.float32(127.5)
NORM = np.float32(1 / 127.5)


def normalise(gray):
    return (gray.astype(np.float32) - MEAN) * NORM


def read_labels():
    with open(os.path.join(HERE, "labels.txt"), encoding="ascii") as f:
        return f.read().split()


def read_set(path):
    """Returns pictures [n, h, w] uint8, classes [n], faces [n]."""
    with open(path, "rb") as f:
        magic, count, width, height = struct.unpack("<4s3I", f.read(16))
        if magic != b"GLY1":
            raise ValueError(f"{path} is not a sample set")
        rows = np.frombuffer(f.read(), np.uint8).reshape(count, 2 + width * height)
    return rows[:, 2:].reshape(count, height, width), rows[:, 0].astype(np.int64), rows[:, 1]


def read_png(path):
    """Decodes an 8-bit gray PNG that is not interlaced: [h, w] uint8."""
    with open(path, "rb") as f:
        data = f.read()
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        raise ValueError(f"{path} is not a PNG")
    at, packed = 8, b""
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + size]
        if kind == b"IHDR":
            width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", body)
            if (depth, colour, interlace) != (8, 0, 0):
                raise ValueError(f"{path} is not plain 8-bit gray")
        elif kind == b"IDAT":
            packed += body
        at += 12 + size
    raw = zlib.decompress(packed)
    out = np.zeros((height + 1, width + 1), np.int64)  # row and column 0 are the zeros around
    for y in range(height):
        line = raw[y * (width + 1) : (y + 1) * (width + 1)]
        for x in range(width):
            left, up, corner = out[y + 1, x], out[y, x + 1], out[y, x]
            guess = left + up - corner
            near = min((left, up, corner), key=lambda v: abs(guess - v))
            add = (0, left, up, (left + up) // 2, near)[line[0]]
            out[y + 1, x + 1] = (line[x + 1] + add) & 255
    return out[1:, 1:].astype(np.uint8)
