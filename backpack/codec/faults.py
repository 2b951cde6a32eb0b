"""What is wrong with a value that cannot be stored, where in it, and what to do: the words of `UnstorableValueError`.

    what is wrong: path=findings[3].handle type=_io.StringIO; what to do

The walk is slow and made only when something is already known to be wrong. Paths show keys, which are part of the
place; no message holds anything else of a value.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from backpack.codec import arrays
from backpack.codec.extensions import (
    CONTAINERS,
    COUNTER,
    CUSTOM,
    DEFAULT_DICT,
    FORGED,
    LEAVES,
    ORDERED_DICT,
    PLAIN,
    RECORD,
    Refusal,
    type_name,
)
from backpack.codec.measure import CHANGED, TOO_DEEP
from backpack.codec.registry import entry_of_class
from backpack.errors import UnstorableValueError
from backpack.limits import VALUE_DEPTH_MAX

_LISTS_AND_DICTS: Final = frozenset({list, dict})
_FLATTER: Final = "pack a flatter value, or its parts under keys of their own"
_QUIET: Final = "pack a copy that nothing changes meanwhile"


@dataclass(frozen=True, slots=True)
class Fault:
    """The first thing in a value that cannot be stored: what is wrong, what to do, where, and of which type it is."""

    what: str
    remedy: str
    path: str = ""
    type: str = ""


def unstorable(value: Any, met: type[Exception] = Refusal, depth: int = 0) -> UnstorableValueError:
    """The error for a value; `met` is the exception that packing met, in case the walk finds nothing any more."""
    fault = find_fault(value, depth)
    if fault is None:
        is_changed = met is Refusal
        what = CHANGED if is_changed else f"packing raised {type_name(met)}"
        fault = Fault(what, _QUIET if is_changed else f"{_QUIET}, or smaller parts of it", "", type_name(type(value)))
    path = f"path={fault.path} " if fault.path else ""
    return UnstorableValueError(f"{fault.what}: {path}type={fault.type}; {fault.remedy}", path=fault.path)


def find_fault(root: Any, depth: int = 0) -> Fault | None:
    """The first thing in `root` that cannot be stored, or None. `depth`: how deep it stands.

    A walk without recursion. It calls encode functions of the user's again, since the state they make is what is
    stored; whatever they raise becomes the fault. What was seen at the same depth or deeper is not seen twice.
    """
    seen: dict[int, int] = {}
    ancestors: set[int] = set()
    kept: list[Any] = []  # states made on the way stay alive, so that no identity is used twice
    stack: list[tuple[Any, Iterator[tuple[str, Any]], str, int]] = []
    value, path, start = root, "", depth
    while True:
        refusal, state, step = _look(value)
        depth = start + step
        if refusal is None and step and depth > VALUE_DEPTH_MAX:
            refusal = Refusal(TOO_DEEP, _FLATTER)
        if refusal is None and state is not None and id(value) in ancestors:
            refusal = Refusal("a value contains itself", "name what it would contain by a key or an id")
        if refusal is not None:
            return Fault(refusal.what, refusal.remedy, path, type_name(type(value)))
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
            except RuntimeError:  # a dict or set got longer or shorter
                return Fault(CHANGED, _QUIET, parent_path, type_name(type(parent)))
            path = (parent_path + part).removeprefix(".")
            break
        else:
            return None


def _look(value: Any) -> tuple[Refusal | None, Any, int]:
    """What is wrong with this object itself, its state when it holds values, and how many levels it adds."""
    cls = type(value)
    if cls in PLAIN or cls is bytes:
        return (None, value, 1) if cls in _LISTS_AND_DICTS else (None, None, 0)
    refusal = None
    try:
        if cls in LEAVES:
            LEAVES[cls][1](value)
            return None, None, 0
        if cls in CONTAINERS:
            return None, CONTAINERS[cls][1](value), 1
        entry = entry_of_class(cls)
        if entry is not None:
            parts = entry.state(value)[1:]
            is_level = entry.code == CUSTOM or not _LISTS_AND_DICTS.isdisjoint(map(type, parts))
            return None, parts, int(is_level)
        if arrays.encode(value) is not None:
            return None, None, 0
    except Refusal as error:
        refusal = Refusal(error.what, error.remedy)
    except Exception as error:
        refusal = Refusal(f"reading a value raised {type_name(type(error))}", _QUIET)
    return refusal or Refusal("a value of this type cannot be stored", _remedy(cls)), None, 0


def _remedy(cls: type) -> str:
    if cls is memoryview:
        return "pack bytes() of it"
    return "convert it" if cls in FORGED else "convert it, or register its class if that is yours"


def _children(value: Any, state: Any) -> Iterator[tuple[str, Any]]:
    """The values inside, each with what it adds to the path."""
    cls = type(value)
    code = CONTAINERS[cls][0] if cls in CONTAINERS else None
    entry = None if code or cls in _LISTS_AND_DICTS else entry_of_class(cls)
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
