"""Which patterns may make `re` backtrack for ever: told from their syntax, and rather one too many.

`re` tries every way in which a pattern may fit, and can't be interrupted. The ways are few, at most as many as the line
is long, where it can be told by one character which way to go. So these are refused:

- A repeat that may run more than once of something that may fit in several lengths, or of choices that may begin alike:
  `(a+)+`, `(a|aa)*`, `(.*a){12}`. Fine is one in which the next character always says how to go on: where a repeat in
  it ends, as in `(\\w+\\.)+`, and which choice it is, as in `(foo|bar)+`.
- Two long repeats that take some characters both, with nothing in between and something behind: `.*.*x`.
- Above three long repeats of most characters, whatever is in between: `.*a.*a.*a.*a.*b`.

What is atomic or possessive, `(?>...)` and `a++`, is never tried again, so it counts as fixed. The characters are those
of Latin-1, some of other scripts, and those that the pattern names.
"""

import re
from collections.abc import Iterator, Sequence
from importlib import import_module
from itertools import combinations
from typing import Any, Final

LONG: Final = 32
"""A repeat that may run more often is a long one."""

WIDE_MAX: Final = 3
"""Long repeats of most characters in one pattern."""

_WIDE: Final = 128
_SAMPLES: Final = frozenset((*range(256), *map(ord, "\u0436\u0416\u0660\u2003\u2026\u4e2d")))
_REPEATS: Final = ("MAX_REPEAT", "MIN_REPEAT")
_SINGLE: Final = ("LITERAL", "NOT_LITERAL", "ANY", "IN")
_EMPTY: Final = ("AT", "ASSERT", "ASSERT_NOT")

_Item = tuple[Any, Any]
_Chars = frozenset[int]


def fault_of(pattern: str, flags: int = 0) -> str | None:
    """What may take for ever in a pattern, and what to write instead; None when nothing may.

    Raises what parsing raises: `re.error`, RecursionError, OverflowError.
    """
    tree: Any = import_module("re._parser").parse(pattern, flags)
    known = _SAMPLES | {code for one in pattern for code in _cases(ord(one))}
    return _Checking(known).fault(_items(tree))


class _Checking:
    """The check of one pattern, over the characters that tell its parts apart."""

    def __init__(self, known: _Chars) -> None:
        self._known = known
        self._wide = 0

    def fault(self, items: list[_Item]) -> str | None:
        """What is wrong with a sequence, and with all that is in it."""
        for name, argument in items:
            if name in _REPEATS and int(argument[1]) > 1:
                body = _items(argument[2])
                if not self._is_plain(body) and not self._is_clear(body, self._next(body)):
                    return (
                        "a repeat of something that may fit in several ways, so it may take for ever; write a+ for "
                        "(a+)+, end what is in it with a character that it can't take, (a+,)+, or make it possessive: "
                        "(a++)+"
                    )
                if int(argument[1]) > LONG and len(self._chars(body)) > _WIDE:
                    self._wide += 1
            for body in _bodies(name, argument):
                found = self.fault(_items(body))
                if found is not None:
                    return found
        if self._wide > WIDE_MAX:
            return f"more than {WIDE_MAX} repeats such as .* may take for ever; look for less at once"
        return self._fault_in_a_row(items)

    def _fault_in_a_row(self, items: list[_Item]) -> str | None:
        before: list[_Chars] = []
        together = False
        for item in items:
            name, argument = item
            if name in _EMPTY and name != "AT":
                continue
            if together and (name == "AT" or not self._may_be_empty(item)):
                return "two repeats in a row that take the same characters may take for ever; leave one of them out"
            if name in _REPEATS and int(argument[1]) > LONG:
                chars = self._chars([item])
                together = together or any(chars & other for other in before)
                before = [*before, chars] if int(argument[0]) == 0 else [chars]
            elif not self._may_be_empty(item):
                before = []
        return None

    def _is_plain(self, items: list[_Item]) -> bool:
        """Is there at most one way in which this fits at a place?"""
        for name, argument in items:
            if name in _REPEATS:
                least, most, body = argument
                if int(least) != int(most) or not self._is_plain(_items(body)):
                    return False
            elif name == "SUBPATTERN":
                if not self._is_plain(_items(argument[3])):
                    return False
            elif name == "BRANCH":
                ways = [_items(one) for one in argument[1]]
                if not all(map(self._is_plain, ways)) or not self._are_apart(ways):
                    return False
            elif name == "GROUPREF_EXISTS":
                return False
        return True

    def _is_clear(self, items: list[_Item], after: _Chars) -> bool:
        """Does the next character always tell where a repeat in this ends, and which choice it is? `after`: what may
        come behind."""
        items = list(_flat(items))
        for number, (name, argument) in enumerate(items):
            behind = self._next(items[number + 1 :], after)
            if name == "BRANCH":
                ways = [_items(one) for one in argument[1]]
                if not self._are_apart(ways) or not all(self._is_clear(way, behind) for way in ways):
                    return False
            elif name == "GROUPREF_EXISTS":
                return False
            elif name in _REPEATS:
                body = _items(argument[2])
                first = self._next(body)
                if int(argument[0]) != int(argument[1]) and (first & behind or all(map(self._may_be_empty, body))):
                    return False
                if not self._is_plain(body) and not self._is_clear(body, first | behind):
                    return False
        return True

    def _are_apart(self, ways: list[list[_Item]]) -> bool:
        """Do choices begin with different characters?"""
        firsts = [self._first(way) for way in ways]
        return not any(one is None or other is None or one & other for one, other in combinations(firsts, 2))

    def _next(self, items: list[_Item], after: _Chars = frozenset()) -> _Chars:
        """What a sequence may begin with, or what comes behind it where it may be empty; rather too much."""
        found: _Chars = frozenset()
        for item in _flat(items):
            first = None if self._may_be_empty(item) else self._first([item])
            found |= self._chars([item]) if first is None else first
            if not self._may_be_empty(item):
                return found
        return found | after

    def _first(self, items: list[_Item]) -> _Chars | None:
        """What a sequence begins with; None where that isn't one character at a known place."""
        for name, argument in _flat(items):
            if name in _SINGLE:
                return self._chars([(name, argument)])
            if name in _REPEATS and int(argument[0]) > 0:
                return self._first(_items(argument[2]))
            if name not in _EMPTY:
                return None
        return None

    def _may_be_empty(self, item: _Item) -> bool:
        name, argument = item
        if name in (*_REPEATS, "POSSESSIVE_REPEAT"):
            return int(argument[0]) == 0 or all(map(self._may_be_empty, _items(argument[2])))
        if name == "BRANCH":
            return any(all(map(self._may_be_empty, _items(one))) for one in argument[1])
        if name in ("SUBPATTERN", "ATOMIC_GROUP"):
            return all(map(self._may_be_empty, _items(argument[3] if name == "SUBPATTERN" else argument)))
        return name not in _SINGLE

    def _chars(self, items: Sequence[_Item]) -> _Chars:
        """All characters that may stand in what this takes."""
        found: set[int] = set()
        for name, argument in items:
            if name == "LITERAL":
                found |= _cases(argument)
            elif name == "NOT_LITERAL":
                found |= self._known - {argument}
            elif name == "IN":
                found |= self._set(argument)
            elif name in _EMPTY:
                continue
            elif bodies := list(_bodies(name, argument)):
                for body in bodies:
                    found |= self._chars(_items(body))
            else:  # any character, what a group has taken
                found |= self._known
        return frozenset(found)

    def _set(self, members: Sequence[_Item]) -> _Chars:
        found: set[int] = set()
        is_negated = False
        for operator, argument in members:
            name = str(operator)
            if name == "NEGATE":
                is_negated = True
            elif name == "LITERAL":
                found |= {argument} if is_negated else _cases(argument)
            elif name == "RANGE":
                low, high = argument
                inside = {code for code in self._known if low <= code <= high}
                found |= inside if is_negated else {case for code in inside for case in _cases(code)}
            elif name == "CATEGORY":
                found |= self._category(str(argument))
        return frozenset(self._known - found if is_negated else found)

    def _category(self, name: str) -> set[int]:
        letter = {"DIGIT": "d", "SPACE": "s", "WORD": "w"}[name.rpartition("_")[2]]
        matches = re.compile("\\" + (letter.upper() if "_NOT_" in name else letter)).match
        return {code for code in self._known if matches(chr(code))}


def _items(tree: Any) -> list[_Item]:
    return [(str(operator), argument) for operator, argument in tree]


def _flat(items: Sequence[_Item]) -> Iterator[_Item]:
    """With what stands in groups in their place."""
    for name, argument in items:
        if name == "SUBPATTERN":
            yield from _flat(_items(argument[3]))
        else:
            yield name, argument


def _bodies(name: str, argument: Any) -> Iterator[Any]:
    """What stands inside a repeat, a group, a choice or an assertion."""
    if name in (*_REPEATS, "POSSESSIVE_REPEAT"):
        yield argument[2]
    elif name == "SUBPATTERN":
        yield argument[3]
    elif name == "BRANCH":
        yield from argument[1]
    elif name in ("ASSERT", "ASSERT_NOT"):
        yield argument[1]
    elif name == "ATOMIC_GROUP":
        yield argument
    elif name == "GROUPREF_EXISTS":
        yield from (one for one in argument[1:] if one is not None)


def _cases(code: int) -> set[int]:
    one = chr(code)
    return {code, *(ord(case) for case in (one.lower(), one.upper()) if len(case) == 1)}
