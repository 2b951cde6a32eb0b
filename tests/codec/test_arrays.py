import sys
from typing import Any

import numpy as np
import pytest
from msgpack import packb

from backpack import Backpack
from backpack.codec import pack_checked, pack_value, unpack_value
from backpack.codec.extensions import NUMPY_ARRAY
from backpack.errors import CorruptionError, UnknownTypeError, UnstorableValueError
from tests.codec.array_values import ARRAYS, SCALARS


@pytest.mark.parametrize("index", range(len(ARRAYS)))
def test_an_array_comes_back_with_dtype_shape_and_order_and_is_writable(index: int) -> None:
    array = ARRAYS[index]
    for found in (unpack_value(pack_value(array)), unpack_value(pack_value({"a": [(array,)]}))["a"][0][0]):
        assert type(found) is np.ndarray and found.dtype == array.dtype and found.shape == array.shape
        assert pack_value(found) == pack_value(array)
        assert found.tobytes() == array.tobytes() or array.dtype == np.longdouble
        assert found.flags.writeable and found.flags.owndata
        assert found.flags.c_contiguous or not array.flags.c_contiguous
        assert found.flags.f_contiguous or not array.flags.f_contiguous
    assert pack_checked([array]) == (pack_value([array]), False)


@pytest.mark.parametrize("index", range(len(SCALARS)))
def test_a_numpy_scalar_keeps_its_exact_type(index: int) -> None:
    scalar = SCALARS[index]
    found = unpack_value(pack_value((scalar,)))[0]
    assert type(found) is type(scalar) and found.dtype == scalar.dtype
    assert pack_value(found) == pack_value(scalar)
    assert found == scalar or (found != found and scalar != scalar)


@pytest.mark.parametrize("dtype", ["g", ">g", "G", ">G", [("a", "g"), ("b", [("c", "G", (2, 3))])], [("a", "i1")]])
def test_equal_numbers_have_equal_bytes_whatever_fills_them_up(dtype: Any) -> None:
    numbers = np.ones(2, np.dtype(dtype, align=True))
    payload = pack_value(numbers)
    image = bytearray(numbers.tobytes())
    for position in range(len(image)):
        image[position] ^= 0xAA
        with np.errstate(all="ignore"):
            if not (np.frombuffer(image, numbers.dtype) == numbers).all():
                image[position] ^= 0xAA
    filled = np.frombuffer(image, numbers.dtype)
    assert pack_value(filled) == payload and pack_value(filled[0]) == pack_value(numbers[0])
    assert (unpack_value(payload) == numbers).all()


def test_arrays_of_objects_and_subclasses_are_refused() -> None:
    class Mine(np.ndarray):  # type: ignore[type-arg]
        pass

    refused: list[Any] = [
        np.array([object()]),
        np.array([(1, None)], [("a", "i4"), ("b", "O")]),
        np.arange(3).view(Mine),
        np.ma.array([1]),
        np.array([(1,)], [("a", "i4")]).view(np.recarray),
        np.array(["a"], np.dtypes.StringDType()),
        np.float64,
        np.dtype("i4"),
        np.random.default_rng(1),
    ]
    for value in refused:
        with pytest.raises(UnstorableValueError) as caught:
            pack_value({"a": [value]})
        assert caught.value.path == "a[0]"


@pytest.mark.parametrize(
    "header",
    [
        ["|O", [1], "C"],
        ["O", [1], "C"],
        ["f8,O", [1], "C"],
        ["<f8", [2], "C"],
        ["<f8", [-1], "C"],
        ["<f8", [1], "X"],
        ["<f8", 1, "C"],
        5,
        [],
        ["<f8", [2**62, 2**62, 0], "C"],
        ["<U1", [2], "C"],
        [{"fields": [["a", "|O", 0, None]], "size": 8, "aligned": False}, [1], "C"],
        [{"fields": [["a", "<f8", 4, None]], "size": 8, "aligned": False}, [1], "C"],
        [["<i8", "O"], [1], "C"],
        ["<f8", [1] * 100, "C"],
        [["<f8", [1] * 40], [1], "C"],
        "U",
        ["<f8", ["x"], "C"],
        [None, [1], "C"],
        ["<M8[xx]", [1], "C"],
        [{"fields": [["a", "<i4", 0, None], ["b", "<i4", 2**40, None]], "size": 8, "aligned": False}, [1], "C"],
    ],
)
def test_a_hostile_array_is_corruption(header: Any) -> None:
    body = packb(header) + b"\xff\xff\xff\xff\x00\x00\x00\x01"
    with pytest.raises(CorruptionError):
        unpack_value(bytes((0xC7, len(body), NUMPY_ARRAY)) + body)


@pytest.mark.parametrize("value", [np.arange(3), np.float32(3)])
def test_without_numpy_an_array_says_what_to_install_and_all_else_is_read(
    value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bp = Backpack({"array": [value], "text": "plain"})
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(UnknownTypeError, match=r"pip install 'backpack-state\[numpy\]'") as caught:
        bp.unpack("array")
    assert caught.value.name == "numpy"
    assert bp["text"] == "plain"
