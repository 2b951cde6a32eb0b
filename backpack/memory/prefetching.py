"""Prefetching: the few slices that a query is likely to be about, before a model asks for them.

An entry is named by a query that has a word of its title or tags, in any case. The fewer entries have the word the
more it says, a tag that is named whole says twice as much; the newer comes first among equals. Common words, single
letters and binary content don't count. Only the newest entries are looked at, so the cost is bounded: some tens of µs
each, and at most three small reads.
"""

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from backpack.errors import CorruptionError, EntryNotFoundError, EntryPrunedError, FetchLimitError, InvalidArgumentError
from backpack.memory.entry import Entry
from backpack.memory.references import Reference

if TYPE_CHECKING:
    from backpack.memory.memory import Memory

SLICES_MAX: Final = 3
LINES_MAX: Final = 120
"""Lines of one slice."""

ENTRIES_MAX: Final = 1_000
"""The newest so many entries are looked at."""

_LONG_LINE_SIZE: Final = 4_000
"""Bytes of a slice where even a single line is more than a fetch may give."""

_WORD: Final = re.compile(r"\w+")
_COMMON: Final = re.compile(
    "about|all|also|and|any|are|but|can|could|did|does|for|from|get|give|had|has|have|how|into|its|just|let|not|now|off|"
    "our|out|please|show|tell|that|the|their|them|then|there|these|they|this|those|was|were|what|when|where|which|who|"
    "why|will|with|would|you|your|"
    "ah|am|an|as|at|be|by|do|eh|he|hi|if|in|is|it|ll|me|my|no|of|oh|ok|on|or|re|so|to|uh|up|us|ve|we"
)


@dataclass(frozen=True, slots=True)
class Slice:
    """A piece of an entry: what it is called, where it stands, the text."""

    reference: str
    """`mem://ID#L1-120`: what `fetch` takes."""
    title: str
    text: str


def prefetch(memory: "Memory", query: str) -> list[Slice]:
    """At most three slices of at most 120 lines, the likeliest first; none when the query names nothing."""
    if not isinstance(query, str):
        raise InvalidArgumentError(f"a query is a text, not {type(query).__name__}")
    asked = query.casefold()
    wanted = _words(asked)
    if not wanted:
        return []
    named: list[tuple[Entry, set[str], bool]] = []
    for entry in memory.list(limit=ENTRIES_MAX):
        words = wanted & _words(" ".join((entry.title, *entry.tags)).casefold())
        if words and not entry.is_pruned and entry.kind != "bytes":
            named.append((entry, words, any(_is_named(tag, asked) for tag in entry.tags)))
    counts = Counter(word for _, words, _ in named for word in words)
    ranked = sorted(named, key=lambda one: -sum(1 / counts[word] for word in one[1]) * (2 if one[2] else 1))
    slices: list[Slice] = []
    digests = set()
    for entry, _, _ in ranked:
        if entry.digest not in digests and (found := _slice(memory, entry)) is not None:
            digests.add(entry.digest)
            slices.append(found)
            if len(slices) == SLICES_MAX:
                break
    return slices


def _words(text: str) -> set[str]:
    return {
        word
        for part in _WORD.findall(text)
        for word in {part, *part.split("_")}
        if (len(word) > 1 or any(map(str.isdigit, word))) and not _COMMON.fullmatch(word)
    }


def _is_named(tag: str, asked: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(tag.casefold())}(?!\w)", asked) is not None


def _slice(memory: "Memory", entry: Entry) -> Slice | None:
    """The first lines, as many as fit; None when they went meanwhile, are damaged, or there are none."""
    count = min(LINES_MAX, entry.lines, memory.limits.lines_max)
    try:
        while count > 0:
            try:
                text = memory.fetch(entry, lines=(1, count))
            except FetchLimitError:
                count //= 2
            else:
                return Slice(str(Reference(entry.id, lines=(1, count))), entry.title, str(text))
        size = min(_LONG_LINE_SIZE, memory.limits.size_max, entry.size)
        data = memory.view(entry).read(0, size)
    except (EntryNotFoundError, EntryPrunedError, CorruptionError):
        return None
    return (
        Slice(str(Reference(entry.id, bytes=(0, size))), entry.title, data.decode("utf-8", "ignore")) if data else None
    )
