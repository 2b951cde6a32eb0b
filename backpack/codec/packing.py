"""Values to bytes. The packer of msgpack does the work; a hook makes extensions of what it does not know.

Each nesting of extensions has its own `Writer`, made once and kept by the one above, because a msgpack packer
cannot be entered twice. Whole chains of writers wait in a pool: taking one and giving it back costs 40 ns.

What msgpack gets wrong by itself, and what is done about it:

- bytearray and memoryview are packed as bytes and never reach the hook. Inside an extension they are looked for
  here, in the value itself by `proving`, which has to walk it anyway.
- lone surrogates raise; both this and a bytearray lead to a second, *careful* pass, which packs a copy of the lists
  and dicts in which those stand as extensions. Writers below a careful one are careful, so no nesting doubles work.
- while a hook runs, another thread can make a list longer or shorter whose length is written already. Where one ran,
  the bytes are gone through once more, and packed from a copy if they do not come out even.
- deep values: one Python frame a nesting of extensions, so 256 fit on the stack. Lists in lists recurse in C, up to
  511 within one extension; a value at the third nesting is walked first, so that the C stack stays small.
"""

from collections.abc import Callable
from typing import Any, Final

from msgpack import ExtType, Packer, Unpacker

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
)
from backpack.codec.faults import find_fault, unstorable
from backpack.codec.measure import CHANGED, TOO_DEEP, survey
from backpack.codec.registry import entry_of_class
from backpack.core.headers import array_header
from backpack.limits import VALUE_DEPTH_MAX

_BUFFER_SIZE: Final = 4096
_KEPT_SIZE_MAX: Final = 1 << 18
_KEPT_LARGE_SIZE_MAX: Final = 1 << 22
_LARGE_COUNT_MAX: Final = 4
"""A buffer never shrinks, so a writer that has packed more than the first is not kept below another writer or in a
pool of this many, and one that has packed more than the second is not kept at all."""

_SETS: Final = frozenset({SET, FROZENSET})

_WALKED_NESTING: Final = 3


class Writer:
    """A packer and the one for extensions inside extensions. Used by one call at a time."""

    __slots__ = ("child", "is_careful", "nesting", "pack", "uses")

    def __init__(self, nesting: int) -> None:
        self.pack = Packer(strict_types=True, default=self.extension, buf_size=_BUFFER_SIZE).pack
        self.nesting = nesting
        self.uses: list[None] = []
        self.is_careful = False
        self.child: Writer | None = None

    def extension(self, value: Any) -> Any:
        """The hook: the extension for a value that msgpack does not know. One frame for a whole level, on purpose."""
        if not self.uses:
            self.uses.append(None)
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
        if nesting == _WALKED_NESTING and find_fault(value) is not None:
            raise Refusal("found by the walk")
        careful = child.is_careful = self.is_careful
        if careful:
            state = disguise(state, VALUE_DEPTH_MAX + 1)
        try:
            body = _packed_set(child, state) if code in _SETS else child.pack(state)
        except UnicodeEncodeError:
            body = None
        if child.uses:
            child.uses.clear()
            if body is not None and not careful and not is_even(body):
                raise Refusal(CHANGED)
        if body is None or not (careful or (type(state) is list and PLAIN_SCALARS.issuperset(map(type, state)))):
            body = _settled(child, state, body, code)
        if len(body) > _KEPT_SIZE_MAX:
            self.child = None
        return ExtType(code, body)


def is_even(payload: bytes) -> bool:
    """Whether each container holds as many elements as it says, but for the bodies of extensions. Cost: 2 us, and
    20 ns an element."""
    unpacker = Unpacker(max_buffer_size=len(payload))
    unpacker.feed(payload)
    try:
        unpacker.skip()
    except Exception:  # it ends too early, or nests too deep
        return False
    end: int = unpacker.tell()
    return end == len(payload)


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

Entry = tuple[Callable[[Any], bytes], list[None], Writer]
"""A writer with its `pack` and its `uses` at hand; reading them off the writer would cost 60 ns."""

_entries: list[Entry] = []
"""Of writers that nobody uses; never more than there were calls at one time. `pop` and `append` are atomic."""

take: Final = _entries.pop
give: Final = _entries.append


def new_entry() -> Entry:
    """For when none is left to take."""
    writer = Writer(0)
    return writer.pack, writer.uses, writer


def put_back(entry: Entry, size: int) -> bool:
    """Return a writer that has packed `size` bytes to the pool; whether it had used the hook."""
    uses = entry[1]
    is_used = bool(uses)
    uses.clear()
    if size <= _KEPT_SIZE_MAX or (size <= _KEPT_LARGE_SIZE_MAX and len(_entries) < _LARGE_COUNT_MAX):
        give(entry)
    return is_used


def pack_carefully(value: Any, fault: type[Exception] = Refusal) -> bytes:
    """The second pass, for what the first got wrong or could not do; `fault` is what the first one met."""
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
