"""Key patterns: `sales.*` is one level below `sales`, `sales.**` any depth below it, everything else is literal.

A star is special only where it is a whole segment, so every key without such a segment is a pattern for itself.
A pattern knows the literal prefix it begins with, so in a sorted list of keys it costs its hits, not all keys.
"""

import re
from collections.abc import Iterable, Iterator

from sortedcontainers import SortedList

from backpack.errors import InvalidArgumentError


class Pattern:
    """One compiled pattern."""

    __slots__ = ("_match", "prefix", "text")

    def __init__(self, text: str) -> None:
        if not isinstance(text, str) or not text:
            raise InvalidArgumentError("a pattern must be a non-empty str, such as 'sales.*' or 'sales.**'")
        self.text = text
        segments = text.split(".")
        literal = []
        for segment in segments:
            if segment in ("*", "**"):
                break
            literal.append(segment)
        self._match = None
        if len(literal) == len(segments):
            self.prefix = text
            return
        self.prefix = "".join(f"{segment}." for segment in literal)
        parts = [".*" if segment == "**" else "[^.]*" if segment == "*" else re.escape(segment) for segment in segments]
        self._match = re.compile(r"\.".join(parts), re.DOTALL).fullmatch

    @property
    def is_literal(self) -> bool:
        """Does it stand for one key only?"""
        return self._match is None

    def matches(self, key: str) -> bool:
        """Does the key fit?"""
        return key == self.text if self._match is None else self._match(key) is not None

    def select(self, keys: "SortedList[str]") -> Iterator[str]:
        """The keys that fit, in order. Cost: O(log keys) and the keys with the same prefix."""
        if self._match is None:
            if self.text in keys:
                yield self.text
            return
        for key in keys.irange(self.prefix):
            if not key.startswith(self.prefix):
                return
            if self._match(key) is not None:
                yield key


class Exactly(Pattern):
    """Stands for these keys and no others."""

    __slots__ = ("_keys",)

    def __init__(self, keys: Iterable[str], text: str) -> None:
        """`text`: what is said of them all."""
        self._keys = frozenset(keys)
        self.text = text
        self.prefix = ""
        self._match = None

    def matches(self, key: str) -> bool:
        return key in self._keys

    def select(self, keys: "SortedList[str]") -> Iterator[str]:
        return (key for key in sorted(self._keys) if key in keys)


class Patterns:
    """Several patterns: a key fits when it fits one of them. Copied at creation. `what` they are, errors say."""

    __slots__ = ("_literals", "_wild")

    def __init__(self, texts: Iterable[str], what: str) -> None:
        if isinstance(texts, str) or not isinstance(texts, Iterable):
            given = "one str" if isinstance(texts, str) else type(texts).__name__
            raise InvalidArgumentError(f"{what} must be a list of patterns, not {given}")
        patterns = [Pattern(text) for text in texts]
        self._literals = frozenset(pattern.text for pattern in patterns if pattern.is_literal)
        self._wild = tuple(pattern for pattern in patterns if not pattern.is_literal)

    def __bool__(self) -> bool:
        return bool(self._literals or self._wild)

    def matches(self, key: str) -> bool:
        """Does the key fit any of them?"""
        return key in self._literals or any(pattern.matches(key) for pattern in self._wild)
