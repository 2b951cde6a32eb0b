"""Values to bytes. The packer of msgpack does the work; a hook makes extensions of what it does not know.

Each nesting of extensions has its own `Writer`, made once and kept by the one above, because a msgpack packer
cannot be entered twice. Whole chains of writers wait in a pool: taking one and giving it back costs 60 ns.

What msgpack gets wrong by itself, and what is done about it:

- bytearray and memoryview are packed as bytes and never reach the hook. Bytes have a marker (c4, c5, c6); only a
  payload with such a byte, 50 ns to find out, can hold one, and then the value is surveyed.
- lone surrogates raise; both this and a bytearray lead to a second, *careful* pass, which packs a copy of the lists
  and dicts in which those stand as extensions. Writers below a careful one are careful, so no nesting doubles work.
- deep values: one Python frame a nesting of extensions, so 256 fit on the stack. Lists in lists recurse in C, up to
  511 within one extension; a value at the third nesting is walked first, so that the C stack stays small.

The last payload that needed neither hook nor bytes is remembered in `last_clean`, by identity: that spares `verify`
the search for the marks of extensions. It is one slot; when threads take it from each other, `verify` looks itself.
"""

from typing import Any, Final

from msgpack import ExtType, Packer

from backpack.codec import arrays
from backpack.codec.extensions import (
    BYTEARRAY,
    CONTAINERS,
    FORGED,
    FROZENSET,
    LEAVES,
    PLAIN_SCALARS,
    SET,
    SURROGATES,
    RawExtension,
    Refusal,
    surrogate_bytes,
    type_name,
)
from backpack.codec.measure import TOO_DEEP, find_problem, survey
from backpack.codec.registry import entry_of_class
from backpack.errors import UnstorableValueError
from backpack.limits import VALUE_DEPTH_MAX

_BUFFER_SIZE: Final = 4096
_KEPT_SIZE_MAX: Final = 1 << 18
"""A writer that has packed more than this is not kept, its buffer never shrinks; a larger payload not remembered."""

_SETS: Final = frozenset({SET, FROZENSET})

_WALKED_NESTING: Final = 3

last_clean: bytes = b""
"""The last payload without extensions, bytes, bytearrays and memoryviews. Compared by identity only."""


class Writer:
    """A packer and the one for extensions inside extensions. Used by one call at a time."""

    __slots__ = ("child", "is_careful", "is_used", "nesting", "pack")

    def __init__(self, nesting: int) -> None:
        self.pack = Packer(strict_types=True, default=self.extension, buf_size=_BUFFER_SIZE).pack
        self.nesting = nesting
        self.is_used = False
        self.is_careful = False
        self.child: Writer | None = None

    def extension(self, value: Any) -> Any:
        """The hook: the extension for a value that msgpack does not know. One frame for a whole level, on purpose."""
        self.is_used = True
        cls = type(value)
        leaf = LEAVES.get(cls)
        if leaf is not None:
            return ExtType(leaf[0], leaf[1](value))
        container = CONTAINERS.get(cls)
        if container is not None:
            code: int = container[0]
            state: Any = container[1](value)
        elif cls is RawExtension:
            return ExtType(value.code, value.body)
        else:
            entry = entry_of_class(cls)
            if entry is None:
                packed = arrays.encode(value)
                if packed is None:
                    raise Refusal("a value of this type cannot be stored")
                return ExtType(*packed)
            code, state = entry.code, entry.state(value)
        nesting = self.nesting + 1
        child = self.child
        if child is None:
            if nesting > VALUE_DEPTH_MAX:
                raise Refusal(TOO_DEEP)
            child = self.child = Writer(nesting)
        if nesting == _WALKED_NESTING and find_problem(value) is not None:
            raise Refusal("found by the walk")
        careful = child.is_careful = self.is_careful
        if careful:
            state = disguise(state, VALUE_DEPTH_MAX + 1)
        try:
            body = _packed_set(child, state) if code in _SETS else child.pack(state)
        except UnicodeEncodeError:
            body = None
        if body is None or not (careful or (type(state) is list and PLAIN_SCALARS.issuperset(map(type, state)))):
            body = _settled(child, state, body, code)
        if len(body) > _KEPT_SIZE_MAX:
            self.child = None
        return ExtType(code, body)


def _packed_set(writer: Writer, members: list[Any]) -> bytes:
    return b"".join((array_header(len(members)), *sorted(map(writer.pack, members))))


def _settled(writer: Writer, state: Any, body: bytes | None, code: int) -> bytes:
    """The body, once it is known that the state holds no forgery; packed again when msgpack got something wrong."""
    if body is not None:
        _, strangers = survey([state], 0, len(body) + 1)
        if bytearray not in strangers:
            return body
    writer.is_careful = True
    state = disguise(state, VALUE_DEPTH_MAX + 1)
    packed: bytes = _packed_set(writer, state) if code in _SETS else writer.pack(state)
    return packed


def disguise(value: Any, room: int) -> Any:
    """A copy of the lists and dicts of a value in which bytearrays and lone surrogates stand as extensions."""
    cls = type(value)
    if cls is str:
        try:
            value.encode()
        except UnicodeEncodeError:
            return RawExtension(SURROGATES, surrogate_bytes(value))
        return value
    if cls is bytearray:
        return RawExtension(BYTEARRAY, bytes(value))
    if cls in FORGED:
        raise Refusal("an object that msgpack itself would pack")
    if cls is not list and cls is not dict:
        return value
    if not room:
        raise Refusal(TOO_DEEP)
    if cls is list:
        items = []
        for item in value:
            items.append(disguise(item, room - 1))  # a comprehension would double the frames
        return items
    pairs = {}
    for key, item in value.items():
        pairs[disguise(key, room - 1)] = disguise(item, room - 1)
    return pairs


# -- the whole value ---------------------------------------------------------------------------------------

_writers: list[Writer] = []
"""Writers that nobody uses; never more than there were calls at one time. `pop` and `append` are atomic."""


def encode(value: Any) -> bytes:
    """The payload of a value. It is right for every value that `verify` accepts; only then may it be kept.

    Costs the packer and about 180 ns (a flat dict of 500 bytes), plus about 1 µs for each extension. Raises
    `UnstorableValueError` for what cannot be packed; depth and forged extensions are found by `verify`.
    """
    global last_clean
    try:
        writer = _writers.pop()
    except IndexError:
        writer = Writer(0)
    try:
        payload: bytes = writer.pack(value)
    except MemoryError:
        raise
    except Exception as error:
        fault = type(error)
    else:
        if writer.is_used or len(payload) > _KEPT_SIZE_MAX or 0xC4 in payload or 0xC5 in payload or 0xC6 in payload:
            return _settled_root(writer, value, payload)
        _writers.append(writer)
        last_clean = payload
        return payload
    return _encode_carefully(value, fault)


def _settled_root(writer: Writer, value: Any, payload: bytes) -> bytes:
    """The payload, once it is known whether a mark of bytes in it is one, and is not that of a bytearray."""
    global last_clean
    is_used, writer.is_used = writer.is_used, False
    if len(payload) <= _KEPT_SIZE_MAX:
        _writers.append(writer)
    if not (0xC4 in payload or 0xC5 in payload or 0xC6 in payload):
        return payload
    try:
        _, strangers = survey([value], 0, len(payload) + 1)
    except Refusal:
        strangers = {bytearray}
    if bytearray in strangers:
        return _encode_carefully(value, Refusal)
    if not strangers and not is_used and len(payload) <= _KEPT_SIZE_MAX:
        last_clean = payload
    return payload


def _encode_carefully(value: Any, fault: type[Exception]) -> bytes:
    """The second pass, for what the first got wrong or could not do."""
    if fault is UnicodeEncodeError or fault is Refusal:
        writer = Writer(0)
        writer.is_careful = True
        try:
            packed: bytes = writer.pack(disguise(value, VALUE_DEPTH_MAX))
            return packed
        except MemoryError:
            raise
        except Exception as error:
            fault = type(error)
    raise unstorable(value, fault)


def unstorable(value: Any, fault: type[Exception] = Refusal, depth: int = 0) -> UnstorableValueError:
    """The error that says where and why; `fault` is what was met, in case the walk does not meet it again."""
    path, reason = find_problem(value, depth) or ("", f"packing it raised {type_name(fault)}")
    where = f"; path={path}" if path else ""
    return UnstorableValueError(f"cannot be stored: {reason}{where}", path=path)


def array_header(count: int) -> bytes:
    """The bytes that stand before the `count` items of a packed list."""
    if count < 16:
        return bytes((0x90 | count,))
    if count < 1 << 16:
        return b"\xdc" + count.to_bytes(2, "big")
    return b"\xdd" + count.to_bytes(4, "big")
