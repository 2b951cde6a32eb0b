"""What a conversation is at present, in memory: figures of every message, and the parts of its context as bytes.

    system   the system messages, identical ones once
    summary  what stands for the messages that were compressed
    rest     what a compression kept, and everything since

A part is one message, packed as the store has it, so that handing the context out costs decoding it and nothing more.
Of messages that are no longer in the context there are figures only: 17 bytes each. Adding one message is O(1).
"""

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import xxhash

from backpack.codec import pack_value, unpack_value
from backpack.context.record import InForce, Record
from backpack.context.storable import LANGCHAIN, PLAIN, SYSTEM, TOOL, USER, restored
from backpack.core.headers import array_header

GROWTHS_KEPT: Final = 16
"""Turns whose growth is remembered for the adaptive threshold."""

_DEPTH: Final = 1


@dataclass(frozen=True, slots=True)
class Part:
    """One message of the context: which of all it is (-1: none, it was made here), its bytes, and what it comes to."""

    place: int
    packed: bytes
    tokens: int
    kind: int = PLAIN
    stands_for: int | None = None
    """The check of the message in whose place it stands; None where it is that message itself."""

    @property
    def is_short(self) -> bool:
        """Does it stand in the place of a longer one?"""
        return self.stands_for is not None


class Present:
    """The messages of one conversation as of a moment. Not for several threads at a time."""

    __slots__ = (
        "_digest",
        "_seen",
        "context_tokens",
        "full_tokens",
        "growths",
        "in_force",
        "is_sorting",
        "kinds",
        "rest",
        "roles",
        "sizes",
        "summary",
        "system",
        "tokens",
        "turn_tokens",
    )

    def __init__(self, *, is_sorting: bool) -> None:
        """`is_sorting`: system messages go first, identical ones once."""
        self.is_sorting = is_sorting
        self.tokens: array[int] = array("Q")
        """Of each message, as it was counted once."""
        self.sizes: array[int] = array("Q")
        """Of each message, packed."""
        self.roles = bytearray()
        self.kinds: dict[int, int] = {}
        """Of the messages that are no dicts."""
        self.full_tokens = 0
        self.system: list[Part] = []
        self.rest: list[Part] = []
        self.summary: Part | None = None
        self.in_force: InForce | None = None
        """The compression that the context shows."""
        self.context_tokens = 0
        """What all parts come to."""
        self.turn_tokens = 0
        """Added since the last message of the user, it included."""
        self.growths: list[int] = []
        self._seen: set[bytes] = set()
        self._digest = xxhash.xxh3_64()

    @property
    def count(self) -> int:
        """How many messages there are."""
        return len(self.tokens)

    @property
    def digest(self) -> str:
        """Of all messages, in order."""
        return self._digest.hexdigest()

    @property
    def summary_tokens(self) -> int:
        """What the summary comes to; 0 where there is none."""
        return 0 if self.summary is None else self.summary.tokens

    def add(self, packed: bytes, record: Record, *, is_in_context: bool = True) -> None:
        """One more message."""
        place = len(self.tokens)
        self.tokens.append(record.tokens)
        self.sizes.append(record.size)
        self.roles.append(record.role)
        self.full_tokens += record.tokens
        self._digest.update(packed)
        if record.kind != PLAIN:
            self.kinds[place] = record.kind
        if record.role == USER:
            if self.turn_tokens:
                self.growths = [*self.growths[1 - GROWTHS_KEPT :], self.turn_tokens]
            self.turn_tokens = 0
        self.turn_tokens += record.tokens
        if is_in_context:
            self._show(Part(place, packed, record.tokens, record.kind))

    def _show(self, part: Part) -> None:
        if self.is_sorting and part.place >= 0 and self.roles[part.place] == SYSTEM:
            if part.packed in self._seen:
                return
            self._seen.add(part.packed)
            self.system.append(part)
        else:
            self.rest.append(part)
        self.context_tokens += part.tokens

    def show(self, in_force: InForce, kept: Sequence[Part]) -> None:
        """Show these of the messages that a compression covers, and its summary of the others. O(the context)."""
        since = [part for part in (*self.system, *self.rest) if part.place >= in_force.covers]
        self.in_force = in_force
        self.summary = summary_part(in_force)
        self.system, self.rest, self._seen = [], [], set()
        self.context_tokens = self.summary_tokens
        for part in sorted((*kept, *since), key=_place):
            self._show(part)

    def replace(self, parts: Mapping[int, Part]) -> None:
        """Show these instead of the parts of their places; what is not shown stays so. O(the context)."""
        for shown in (self.system, self.rest):
            for at, part in enumerate(shown):
                other = parts.get(part.place)
                if other is not None and part.place >= 0:
                    self.context_tokens += other.tokens - part.tokens
                    shown[at] = other

    def parts(self) -> Iterator[Part]:
        """All parts of the context, in the order in which they are sent."""
        yield from self.system
        if self.summary is not None:
            yield self.summary
        yield from self.rest

    def messages(self) -> list[Part]:
        """The context without its summary, by place."""
        return sorted((*self.system, *self.rest), key=_place)

    def turn_results(self) -> list[Part]:
        """The results of tools in the turn under way. O(the context)."""
        start = self.last_user()
        return [part for part in self.rest if part.place > start and self.roles[part.place] == TOOL]

    def shown(self) -> frozenset[int]:
        """The places of the messages that the context has."""
        return frozenset(part.place for part in self.parts() if part.place >= 0 and not part.is_short)

    def last_user(self) -> int:
        """The place of the latest question of the user; -1 when there is none. O(messages since)."""
        return self.roles.rfind(USER)


def messages_of(parts: Sequence[Part]) -> list[Any]:
    """The messages of parts, as fresh objects, in the shapes in which they came. Cost: decoding them."""
    values = unpack_value(b"".join((array_header(len(parts)), *[part.packed for part in parts])))
    for at, part in enumerate(parts):
        if part.kind != PLAIN:
            values[at] = restored(values[at], part.kind)
    found: list[Any] = values
    return found


def values_of(parts: Sequence[Part]) -> list[Any]:
    """The same as they are stored: dicts."""
    found: list[Any] = unpack_value(b"".join((array_header(len(parts)), *[part.packed for part in parts])))
    return found


def _place(part: Part) -> int:
    return part.place


def summary_part(in_force: InForce) -> Part | None:
    """The message that says the summary, as a user's, which every API takes; None where there is none to say."""
    if not in_force.summary:
        return None
    value: dict[str, Any] = {"content": in_force.summary}
    value |= {"type": "human"} if in_force.kind == LANGCHAIN else {"role": "user"}
    return Part(-1, pack_value(value, _DEPTH), in_force.tokens, in_force.kind)
