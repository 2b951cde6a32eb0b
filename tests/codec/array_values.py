"""Numpy arrays and scalars of every kind that can be stored."""

from typing import Any

import numpy as np

RECORD = np.dtype(
    {"names": ["a", "t", "s"], "formats": ["<i4", "<M8[ns]", ("<U3", (2,))], "offsets": [0, 8, 16], "itemsize": 48}
)
ARRAYS: list[Any] = [
    np.arange(6),
    np.arange(6).reshape(2, 3),
    np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    np.array(5),
    np.zeros((0, 3)),
    np.zeros((2, 0, 4), dtype="S0"),
    np.arange(10)[::2],
    np.arange(24).reshape(2, 3, 4).transpose(1, 0, 2),
    np.array([1.5, np.nan], ">f4"),
    np.array([True, False]),
    np.array(["a", "ää"]),
    np.array([b"x", b"yy"]),
    np.array(["2020-01-01", "NaT"], "M8[D]"),
    np.array([3], "m8[25s]"),
    np.array([1 + 2j], "c8"),
    np.zeros(3, RECORD),
    np.array([(1, 2)], [("x", "i2"), ("y", [("z", ">f8")])]),
    np.array([b"abcd"], "V4"),
    np.zeros(2, np.dtype([("a", "i1"), ("b", "i8")], align=True)),
    np.array([1], np.longlong),
    np.array([1], np.longdouble),
    np.float16([1]),
    np.zeros(1, [(("title", "n"), "i4")]),
]
SCALARS: list[Any] = [
    np.int8(-1),
    np.uint64(2**64 - 1),
    np.longlong(3),
    np.float16(1.5),
    np.float32("nan"),
    np.float64(-0.0),
    np.longdouble(1) / 3,
    np.complex64(1j),
    np.bool_(True),
    np.str_("a\x00"),
    np.str_("\ud800"),
    np.bytes_(b"a\x00"),
    np.datetime64("2020-01-01T01"),
    np.frombuffer(b"\0\0\0\0\0\0\0\x80", "<M8")[0],  # not a time, and no unit: newer numpy warns of writing that down
    np.timedelta64(5, "ms"),
    np.zeros(1, RECORD)[0],
    np.void(b"abc"),
]
