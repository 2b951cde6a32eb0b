"""Three measures of values and payloads that msgpack does not take: depth, strangers, and the place of a fault.

Depth: a scalar is 0 deep, a container one deeper than what it holds, keys included. An extension that holds no
values is a scalar. `survey` looks at a value level by level at the speed of C, 10 to 35 ns an element;
`check_payload` reads bytes without making objects of them; `find_problem` is the slow walk that is made only when
something is already known to be wrong, and says what and where.
"""

from collections.abc import Iterator
from gc import get_referents
from typing import Any, Final

from backpack.codec import arrays
from backpack.codec.extensions import (
    BUILDERS,
    CONTAINERS,
    COUNTER,
    CUSTOM,
    DEFAULT_DICT,
    FORGED,
    LEAF_READERS,
    LEAVES,
    ORDERED_DICT,
    PLAIN,
    RECORD,
    UNCOUNTED_FRAME,
    Refusal,
    type_name,
)
from backpack.codec.registry import entry_of_class
from backpack.errors import CorruptionError
from backpack.limits import VALUE_DEPTH_MAX

_CHUNK: Final = 10_000
"""Arguments of one call to `get_referents`, which all stand in one tuple."""

_CONTAINER_TYPES: Final = frozenset({list, dict})

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
            raise Refusal("the value was changed while it was packed")
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


# -- faults ------------------------------------------------------------------------------------------------


def find_problem(root: Any, depth: int = 0) -> tuple[str, str] | None:
    """Path and reason of the first thing in `root` that cannot be stored, or None. `depth`: how deep it stands.

    A walk without recursion. It calls encode functions of the user's again, since the state they make is what is
    stored; whatever they raise becomes the reason. What was seen at the same depth or deeper is not seen twice.
    """
    seen: dict[int, int] = {}
    ancestors: set[int] = set()
    kept: list[Any] = []  # states made on the way stay alive, so that no identity is used twice
    stack: list[tuple[Any, Iterator[tuple[str, Any]], str, int]] = []
    value, path, start = root, "", depth
    while True:
        reason, state, step = _look(value)
        depth = start + step
        if not reason and step and depth > VALUE_DEPTH_MAX:
            reason = TOO_DEEP
        if not reason and state is not None and id(value) in ancestors:
            reason = "it contains itself"
        if reason:
            return path, f"{reason} (type={type_name(type(value))})"
        if state is not None and seen.get(id(value), -1) < depth:
            seen[id(value)] = depth
            ancestors.add(id(value))
            kept.append((value, state))
            stack.append((value, _children(value, state), path, depth))
        while stack:
            parent, children, parent_path, start = stack[-1]
            try:
                part, value = next(children)
            except StopIteration:
                ancestors.discard(id(parent))
                stack.pop()
                continue
            path = (parent_path + part).removeprefix(".")
            break
        else:
            return None


def _look(value: Any) -> tuple[str, Any, int]:
    """What is wrong with this object itself, its state when it holds values, and how many levels it adds."""
    cls = type(value)
    if cls in PLAIN or cls is bytes:
        return ("", value, 1) if cls in _CONTAINER_TYPES else ("", None, 0)
    reason = ""
    try:
        if cls in LEAVES:
            LEAVES[cls][1](value)
            return "", None, 0
        if cls in CONTAINERS:
            return "", CONTAINERS[cls][1](value), 1
        entry = entry_of_class(cls)
        if entry is not None:
            parts = entry.state(value)[1:]
            is_level = entry.code == CUSTOM or not _CONTAINER_TYPES.isdisjoint(map(type, parts))
            return "", parts, int(is_level)
        if arrays.encode(value) is not None:
            return "", None, 0
        return "a value of this type cannot be stored; register its class if it is yours", None, 0
    except Refusal as error:
        reason = str(error)
    except Exception as error:
        reason = f"reading it raised {type_name(type(error))}"
    return reason, None, 0


def _children(value: Any, state: Any) -> Iterator[tuple[str, Any]]:
    """The values inside, each with what it adds to the path."""
    cls = type(value)
    code = CONTAINERS[cls][0] if cls in CONTAINERS else None
    entry = None if code or cls in _CONTAINER_TYPES else entry_of_class(cls)
    if entry is not None:
        for part in state:
            if type(part) is dict and entry.code == RECORD:
                yield from _items(part)
            elif type(part) is list and entry.code == RECORD:
                yield from (("", item) for item in part)
            else:
                yield "", part
    elif cls is dict or code in (ORDERED_DICT, COUNTER):
        yield from _items(state)
    elif code == DEFAULT_DICT:
        yield from _items(state[1])
    elif cls in (set, frozenset):
        for item in value:
            yield f"[{type_name(type(item))}]", item
    else:
        for index, item in enumerate(value):
            yield f"[{index}]", item


def _items(mapping: dict[Any, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in mapping.items():
        if type(key) is str:
            part = f".{key}" if key.isidentifier() and len(key) <= 64 else f"[{key[:64]!r}]"
        elif type(key) in (int, bool, type(None)) and (type(key) is not int or key.bit_length() <= 64):
            part = f"[{key!r}]"
        else:
            part = f"[{type_name(type(key))}]"
            yield part, key
        yield part, value
