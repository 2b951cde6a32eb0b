"""Changing a value at one place, as a tool would: a price by one, a text by a word."""

from typing import Any

from backpack.terminal.words import shown

_SHOWN = 24


def edited(value: Any) -> tuple[Any, str, str, str]:
    """A changed copy, the path of the change, and old and new in few characters.

    The first number inside changes by one; where there is none, the longest text gets a word more. Cost: a walk over
    the value, and a copy of the containers on the way.
    """
    steps = _place(value)
    if steps is None:
        return {"was": value}, "the top", shown(value, _SHOWN), "another value"
    old = value
    for step in steps:
        old = old[step]
    new = _word_more(old) if isinstance(old, str) else old + 1
    is_long = isinstance(old, str) and len(old) > _SHOWN
    return (
        _replaced(value, steps, new),
        _path(steps),
        shown(old, _SHOWN),
        "a word more" if is_long else shown(new, _SHOWN),
    )


def _place(value: Any) -> list[Any] | None:
    """The steps to the first number, depth first, or to the longest text; no recursion."""
    stack: list[tuple[Any, tuple[Any, ...]]] = [(value, ())]
    longest: tuple[int, list[Any] | None] = (-1, None)
    while stack:
        item, steps = stack.pop()
        if isinstance(item, (int, float)) and not isinstance(item, bool) and repr(item) != "nan":
            return list(steps)
        if isinstance(item, str) and len(item) > longest[0]:
            longest = (len(item), list(steps))
        elif isinstance(item, dict):
            stack += [(inner, (*steps, name)) for name, inner in reversed(item.items())]
        elif isinstance(item, list):
            stack += [(item[index], (*steps, index)) for index in reversed(range(len(item)))]
    return longest[1]


def _word_more(text: str) -> str:
    middle = len(text) // 2
    return f"{text[:middle]} [changed] {text[middle:]}"


def _replaced(value: Any, steps: list[Any], new: Any) -> Any:
    if not steps:
        return new
    copy = list(value) if isinstance(value, list) else dict(value)
    copy[steps[0]] = _replaced(value[steps[0]], steps[1:], new)
    return copy


def _path(steps: list[Any]) -> str:
    path = ""
    for step in steps:
        if isinstance(step, int):
            path += f"[{step}]"
        else:
            path += ("." if path else "") + (step if step.isidentifier() else repr(step))
    return shown(path, 60) or "the middle"
