"""Numpy arrays and scalars; the only file that touches numpy, and only once one of its types is met.

    body   = header, data
    header = msgpack [dtype, shape, order]     order: C or F
    dtype  = text such as "<f8"                simple
           | [text, char]                      simple, one of several types of the same layout (long long)
           | [base, shape]                     a sub-array, base being a list or a text and shape a list
           | {fields, size, aligned}           structured; field: [name, dtype, offset, title]
    data   = the elements as they lie in memory, in `order`

Object arrays are refused: their elements are addresses. So are dtypes that do not come back equal from their text.
A stored dtype is matched against a pattern before numpy sees it, and sizes are compared before memory is made.
"""

import math
import re
from typing import Any, Final

from msgpack import Unpacker, packb

from backpack.codec.extensions import NUMPY_ARRAY, NUMPY_SCALAR, Refusal
from backpack.errors import CorruptionError, UnknownTypeError

CODES: Final = frozenset({NUMPY_ARRAY, NUMPY_SCALAR})

_SIMPLE = re.compile(r"[<>|=]?(?:[biufcSUV]\d{1,10}|[mM]8(?:\[\d{0,10}[A-Za-z]{1,7}\])?)", re.ASCII)
_DTYPE_DEPTH_MAX = 32
_LONG_DOUBLES: Final = ("g", "G")
_SIZE_OF_80_BITS: Final = 10


def encode(value: Any) -> tuple[int, bytes] | None:
    """Code and body of an array or scalar of numpy's own; None for any other object, subclasses included."""
    cls = type(value)
    if cls.__module__.partition(".")[0] != "numpy":
        return None
    import numpy as np

    if cls is np.ndarray:
        order = "F" if value.flags.f_contiguous and not value.flags.c_contiguous else "C"
        return NUMPY_ARRAY, _header(value.dtype, list(value.shape), order) + _data(value, order)
    if not issubclass(cls, np.generic) or np.dtype(cls).type is not cls:
        return None
    if cls is np.str_:
        return NUMPY_SCALAR, _pack("U") + str.encode(value, "utf-8", "surrogatepass")
    if cls is np.bytes_:
        return NUMPY_SCALAR, _pack("S") + bytes(value)
    return NUMPY_SCALAR, _header(value.dtype, [], "C") + _data(np.asarray(value), "C")


def decode(code: int, body: bytes) -> Any:
    """A new array that owns its memory, or a scalar of the type that was stored."""
    try:
        import numpy as np
    except ImportError:
        np = None  # type: ignore[assignment]
    if np is None:
        raise UnknownTypeError(
            "a stored value needs the package numpy: pip install 'backpack-state[numpy]'", name="numpy"
        )
    header, data = _split(body)
    if code == NUMPY_SCALAR and header == "U":
        return np.str_(data.decode("utf-8", "surrogatepass"))
    if code == NUMPY_SCALAR and header == "S":
        return np.bytes_(data)
    described, shape, order = header
    dtype = _dtype(described, _DTYPE_DEPTH_MAX)
    if order not in ("C", "F") or any(type(n) is not int or n < 0 for n in shape):
        raise ValueError
    if dtype.hasobject or dtype.subdtype is not None or math.prod(shape) * dtype.itemsize != len(data):
        raise CorruptionError("an array does not have the size that its header says")
    if 0 in shape or not dtype.itemsize:
        if math.prod(n for n in shape if n) > max(len(data), 1 << 32):
            raise CorruptionError("an array has a shape out of all proportion")
        array = np.zeros(shape, dtype, order)
    else:
        array = np.zeros(shape, dtype, order)
        array[...] = np.ndarray(tuple(shape), dtype, data, order=order)
    _check_texts(array)
    if code == NUMPY_ARRAY:
        return array
    if shape:
        raise ValueError
    return array[()].copy() if dtype.names else array[()]


def _data(array: Any, order: Any) -> bytes:
    """The elements. What lies between the fields of a structure or fills up a long double is chance, and zeros here:
    equal gives equal."""
    import numpy as np

    if array.dtype.names is not None or array.dtype.char in _LONG_DOUBLES:
        clean = np.zeros(array.shape, array.dtype, order)
        clean[...] = array
        _blank(clean)
        array = clean
    data: bytes = array.tobytes(order)
    return data


def _blank(array: Any) -> None:
    """Zeros instead of the bytes that fill up a long double of 80 bits, as those of x86 are, wherever there is one."""
    import numpy as np

    if array.dtype.names is not None:
        for name in array.dtype.names:
            _blank(array[name])
    elif array.dtype.char in _LONG_DOUBLES and np.finfo(np.longdouble).nmant == 63:
        itemsize, size = array.dtype.itemsize, np.dtype(np.longdouble).itemsize
        for start in range(_SIZE_OF_80_BITS if array.dtype.isnative else 0, itemsize, size):
            field = {"names": ["x"], "formats": [f"V{size - _SIZE_OF_80_BITS}"], "offsets": [start]}
            array.view({**field, "itemsize": itemsize})["x"] = b""


def _pack(header: Any) -> bytes:
    packed: bytes = packb(header, unicode_errors="surrogatepass")
    return packed


def _split(body: bytes) -> tuple[Any, bytes]:
    unpacker = Unpacker(max_buffer_size=len(body), unicode_errors="surrogatepass", strict_map_key=True)
    unpacker.feed(body)
    header = unpacker.unpack()
    return header, body[unpacker.tell() :]


# -- dtypes ------------------------------------------------------------------------------------------------


def _header(dtype: Any, shape: list[int], order: str) -> bytes:
    described = _describe(dtype, _DTYPE_DEPTH_MAX)
    if _dtype(described, _DTYPE_DEPTH_MAX) != dtype:
        raise _refusal()
    return _pack([described, shape, order])


def _describe(dtype: Any, room: int) -> Any:
    import numpy as np

    if dtype.hasobject:
        raise Refusal("an array of objects cannot be stored", "pack its tolist(), or give it another dtype")
    if not room:
        raise Refusal(f"a dtype that nests more than {_DTYPE_DEPTH_MAX} deep cannot be stored", "use a flatter one")
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return [_describe(base, room - 1), list(shape)]
    if dtype.names is not None:
        if dtype.type is not np.void:
            raise Refusal("an array of records cannot be stored", "pack its view as a plain structured array")
        fields = []
        for name in dtype.names:
            inner, offset, *title = dtype.fields[name]
            fields.append([name, _describe(inner, room - 1), offset, title[0] if title else None])
        return {"fields": fields, "size": dtype.itemsize, "aligned": bool(dtype.isalignedstruct)}
    text = dtype.str
    if not _SIMPLE.fullmatch(text) or not issubclass(dtype.type, np.generic) or dtype.metadata:
        raise _refusal()
    plain = np.dtype(text)
    if plain.type is dtype.type:
        return text
    if dtype.isnative and np.dtype(dtype.char).type is dtype.type:
        return [text, dtype.char]
    raise _refusal()


def _refusal() -> Refusal:
    return Refusal("an array of this dtype cannot be stored", "convert it with astype() or tolist()")


def _dtype(described: Any, room: int) -> Any:
    import numpy as np

    if not room:
        raise ValueError
    if type(described) is str:
        if not _SIMPLE.fullmatch(described):
            raise ValueError
        return np.dtype(described)
    if type(described) is dict:
        fields = [(name, _dtype(inner, room - 1), offset, title) for name, inner, offset, title in described["fields"]]
        return np.dtype(
            {
                "names": [field[0] for field in fields],
                "formats": [field[1] for field in fields],
                "offsets": [field[2] for field in fields],
                "titles": [field[3] for field in fields],
                "itemsize": described["size"],
            },
            align=described["aligned"] is True,
        )
    first, second = described
    if type(second) is str:
        plain = _dtype(first, 1)
        if second not in tuple("bBhHiIlLqQfdgFDG"):
            raise ValueError
        exact = np.dtype(second)
        return exact if exact.str == plain.str else plain
    if any(type(n) is not int or n < 0 for n in second):
        raise ValueError
    return np.dtype((_dtype(first, room - 1), tuple(second)))


def _check_texts(array: Any) -> None:
    """Code points beyond Unicode would raise later, at some innocent access."""
    if array.dtype.names:
        for name in array.dtype.names:
            _check_texts(array[name])
    elif array.dtype.kind == "U" and array.size and array.dtype.itemsize:
        flat = array.ravel()
        if flat.view(flat.dtype.str[0] + "u4").max() > 0x10FFFF:
            raise CorruptionError("an array holds text that is not Unicode")
