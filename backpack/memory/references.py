"""`mem://ID#L10-40`: what names an entry, and maybe a slice of it.

named     = reference | "[" reference "]" | marker of an offloaded text | item of `memory_refs`
reference = ["mem://"] id ["#" slice]
id        = a whole one, or at least 8 characters of its beginning
slice     = "L" first ["-" last] | "chunk=" number | "bytes=" offset "," length
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from backpack.errors import EntryNotFoundError, InvalidArgumentError
from backpack.memory.entry import Entry
from backpack.memory.ids import is_id

_REFERENCE: Final = re.compile(
    r"(?:mem://)?(?P<id>[^#/]*)(?:#(?:L(?P<first>[0-9]{1,18})(?:-L?(?P<last>[0-9]{1,18}))?|chunk=(?P<chunk>[0-9]{1,18})"
    r"|bytes=(?P<offset>[0-9]{1,18}),(?P<length>[0-9]{1,18})))?"
)

_WRAPPED: Final = re.compile(r"\[(?:([^\[\]\s]+)|\.\.\. [^\[\]]* (mem://[^\[\]\s]+) \.\.\.)\]")
_BEGINNING: Final = re.compile(r"mem-[0-9]{1,8}(?:-[0-9]{0,6}(?:-[0-9a-f]{0,8})?)?")
_BEGINNING_MIN: Final = 8


@dataclass(frozen=True, slots=True)
class Reference:
    """An entry, and at most one slice of it."""

    id: str
    """The id, or its beginning."""
    lines: tuple[int, int] | None = None
    chunk: int | None = None
    bytes: tuple[int, int] | None = None

    @property
    def is_slice(self) -> bool:
        """Does it name a part only?"""
        return self.lines is not None or self.chunk is not None or self.bytes is not None

    def __str__(self) -> str:
        text = f"mem://{self.id}"
        if self.lines is not None:
            first, last = self.lines
            return f"{text}#L{first}" if first == last else f"{text}#L{first}-{last}"
        if self.chunk is not None:
            return f"{text}#chunk={self.chunk}"
        return text if self.bytes is None else f"{text}#bytes={self.bytes[0]},{self.bytes[1]}"


def reference_of(name: "str | Entry | Reference | Mapping[str, Any]") -> Reference:
    """What a name means. `EntryNotFoundError` when it can't be one, `InvalidArgumentError` when its slice can't.

    >>> reference_of("mem://mem-20261121-151102-0af31c77#L10-40").lines
    (10, 40)
    """
    if isinstance(name, Reference):
        return name
    if isinstance(name, Entry):
        return Reference(name.id)
    given: object = name.get("id") if isinstance(name, Mapping) else name
    if not isinstance(given, str):
        raise InvalidArgumentError(f"an entry is named by its id, not by {type(given).__name__}")
    text = given.strip()
    if wrapped := _WRAPPED.fullmatch(text):
        text = wrapped[1] or wrapped[2]
    found = _REFERENCE.fullmatch(text)
    if found is None and is_id(text.removeprefix("mem://").partition("#")[0]):
        raise InvalidArgumentError(
            f"no such slice: reference={text[:200]!r}; there are #L10-40, #L10, #chunk=3 and #bytes=0,100"
        )
    if found is None or not (is_id(found["id"]) or _is_beginning(found["id"])):
        raise EntryNotFoundError(
            f"no entry has that name: id={text[:200]!r}; ids look like mem-20261121-151102-0af31c77", id=text[:200]
        )
    if found["first"] is not None:
        first = int(found["first"])
        return Reference(found["id"], lines=(first, first if found["last"] is None else int(found["last"])))
    if found["chunk"] is not None:
        return Reference(found["id"], chunk=int(found["chunk"]))
    if found["offset"] is not None:
        return Reference(found["id"], bytes=(int(found["offset"]), int(found["length"])))
    return Reference(found["id"])


def _is_beginning(text: str) -> bool:
    """May it be the beginning of an id?"""
    return len(text) >= _BEGINNING_MIN and _BEGINNING.fullmatch(text) is not None
