"""Two measures of values and payloads that msgpack does not take: depth, and strangers.

Depth: a scalar is 0 deep, a container one deeper than what it holds, keys included. An extension that holds no
values is a scalar. `survey` looks at a value level by level at the speed of C, 10 to 35 ns an element;
`check_payload` reads bytes without making objects of them.
"""

from gc import get_referents
from typing import Any, Final

from backpack.codec import arrays
from backpack.codec.extensions import (
    BUILDERS,
    CUSTOM,
    FORGED,
    LEAF_READERS,
    PLAIN,
    RECORD,
    UNCOUNTED_FRAME,
    Refusal,
)
from backpack.errors import CorruptionError
from backpack.limits import VALUE_DEPTH_MAX

_CHUNK: Final = 10_000
"""Arguments of one call to `get_referents`, which all stand in one tuple."""

_CONTAINER_TYPES: Final = frozenset({list, dict})

CHANGED: Final = "the value was changed while it was packed"
TOO_DEEP: Final = f"containers nest more than {VALUE_DEPTH_MAX} deep"


def survey(level: list[Any], depth: int, element_count_max: int) -> tuple[int, set[type]]:
    """How deep the exact lists and dicts below `level` go, when its items stand `depth` deep, and which types
    that are not plain stand in them. Strangers are named, not followed.

    `element_count_max` is the size of the payload: each element has taken a byte at least, so more elements than
    that mean that the value has been changed meanwhile. Raises `Refusal` for that, for depth and for a forgery.
    """
    strangers: set[type] = set()
    while level:
        element_count_max -= len(level)
        if element_count_max < 0:
            raise Refusal(CHANGED)
        types = set(map(type, level))
        strange = types - PLAIN
        if strange:
            strangers |= strange
            if not strange.isdisjoint(FORGED):
                raise Refusal("an object that msgpack itself would pack")
        if types.isdisjoint(_CONTAINER_TYPES):
            break
        depth += 1
        if depth > VALUE_DEPTH_MAX:
            raise Refusal(TOO_DEEP)
        if strange:
            level = [item for item in level if type(item) is list or type(item) is dict]
        level = referents(level)
    return depth, strangers


def referents(level: list[Any]) -> list[Any]:
    """All items, keys and values of these exact lists and dicts (keys of a dict of strings are left out)."""
    if len(level) <= _CHUNK:
        return get_referents(*level)
    found: list[Any] = []
    for start in range(0, len(level), _CHUNK):
        found += get_referents(*level[start : start + _CHUNK])
    return found


# -- payloads ----------------------------------------------------------------------------------------------


def _head_sizes() -> list[int]:
    """For each first byte of an element: bytes to skip when it is fixed; -n when n bytes of size or count follow."""
    sizes = [1] * 256
    for size, heads in ((2, (0xCC, 0xD0)), (3, (0xCD, 0xD1)), (5, (0xCA, 0xCE, 0xD2)), (9, (0xCB, 0xCF, 0xD3))):
        for head in heads:
            sizes[head] = size
    for head in range(0xA0, 0xC0):
        sizes[head] = 1 + head - 0xA0
    return sizes


_FIXED = _head_sizes()
_VARIABLE = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4}
_EXTENSION = {0xC7: 1, 0xC8: 2, 0xC9: 4}
_COUNTED = {0xDC: (2, 1), 0xDD: (4, 1), 0xDE: (2, 2), 0xDF: (4, 2)}


def check_payload(payload: bytes, *, depth: int = 0, node_count_max: int | None = None) -> int:
    """The depth of the value in a payload, worked out without making it: for bytes from outside, before they are
    unpacked. Counts, sizes and depth are held against the bytes at hand and the limits; about 120 ns an element.

    `depth` is how deep the value itself stands; `node_count_max` bounds the objects that unpacking would make.
    Raises `CorruptionError`. It reads structure only: what stands inside a text or a leaf is not judged.
    """
    fault = ""
    try:
        return _measure(payload, depth, len(payload) if node_count_max is None else node_count_max)
    except (IndexError, ValueError) as error:
        fault = str(error) if isinstance(error, CorruptionError) else "it ends too early"
    raise CorruptionError(f"not a payload: {fault}")


def _measure(data: bytes, depth: int, nodes_left: int) -> int:
    """Walk the elements with a stack of our own: of each container around us, how many elements it still wants,
    its depth, where its frame ends, and whether leaving it leaves the body of an extension."""
    deepest = depth
    position, end = 0, len(data)
    wanted = 1
    outer: list[tuple[int, int, int, bool]] = []
    while True:
        while not wanted:
            if not outer:
                if position != end:
                    raise CorruptionError("bytes follow the value")
                return deepest
            wanted, depth, outer_end, is_body = outer.pop()
            if is_body and position != end:
                raise CorruptionError("bytes follow the body of an extension")
            end = outer_end
        wanted -= 1
        nodes_left -= 1
        if nodes_left < 0:
            raise CorruptionError("it holds too many objects")
        head = data[position]
        if 0x80 <= head <= 0x9F or 0xDC <= head <= 0xDF:
            count, position = _count(data, position)
            if count > end - position:
                raise CorruptionError("it declares more elements than there are bytes")
            outer.append((wanted, depth, end, False))
            wanted, depth = count, depth + 1
        elif 0xC7 <= head <= 0xC9 or 0xD4 <= head <= 0xD8:
            code, position, body_end = _extension(data, position)
            if body_end > end:
                raise CorruptionError("an extension reaches beyond its frame")
            if code not in BUILDERS and code != RECORD and code != CUSTOM:
                if code not in LEAF_READERS and code not in arrays.CODES:
                    raise CorruptionError("it holds an unknown extension")
                position = body_end
                continue
            outer.append((wanted, depth, end, True))
            wanted, end = 1, body_end
            if code in UNCOUNTED_FRAME:
                wanted, position = _count(data, position)
                depth += code == CUSTOM
        else:
            if head == 0xC1:
                raise CorruptionError("it holds a byte that starts no element")
            width = _VARIABLE.get(head)
            if width is None:
                position += _FIXED[head]
            else:
                position += 1 + width + int.from_bytes(data[position + 1 : position + 1 + width], "big")
            if position > end:
                raise CorruptionError("an element reaches beyond its frame")
        if depth > deepest:
            deepest = depth
            if depth > VALUE_DEPTH_MAX:
                raise CorruptionError(TOO_DEEP)


def _count(data: bytes, position: int) -> tuple[int, int]:
    """The elements of the array or map at `position` (keys and values counted singly), and where they start."""
    head = data[position]
    if head < 0x90:
        return 2 * (head & 0x0F), position + 1
    if head < 0xA0:
        return head & 0x0F, position + 1
    if head not in _COUNTED:
        raise CorruptionError("an extension has a body of the wrong type")
    width, times = _COUNTED[head]
    start = position + 1 + width
    return times * int.from_bytes(data[position + 1 : start], "big"), start


def _extension(data: bytes, position: int) -> tuple[int, int, int]:
    """The code of the extension at `position`, and where its body starts and ends."""
    head = data[position]
    width = _EXTENSION.get(head)
    if width is None:
        size, start = 1 << (head - 0xD4), position + 2
    else:
        size, start = int.from_bytes(data[position + 1 : position + 1 + width], "big"), position + 2 + width
    return data[start - 1], start, start + size
