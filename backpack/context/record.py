"""What is noted beside each message, and of each compression: small lists of numbers, checked when they are read.

    record     [tokens, size, check, role, kind, spent]     without what is nothing at its end
    check      xxh32 of the packed message
    spent      [input, output, cached, cache_written, reasoning, picodollars, flags, model, expected]
    flags      1 estimated, 2 default price

A record says how long its message is, packed, and has a check of it. So messages that others have appended or changed
are told from ours, and are counted instead of believed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from decimal import Decimal
from typing import Any, Final, TypeGuard

import xxhash

from backpack.context.cost import Cost, usd_of
from backpack.context.storable import LANGCHAIN, PLAIN, ROLES
from backpack.context.usage import TOKENS_MAX, Usage
from backpack.errors import BackpackError, CorruptionError

_ESTIMATED, _DEFAULT_PRICE = 1, 2
_DEFAULTS: Final[list[Any]] = [PLAIN, None]
"""What a short record leaves out."""

_SPENT_LENGTH: Final = 9
_CHECK_MAX: Final = (1 << 32) - 1
_PICODOLLARS_MAX: Final = 10**24


@dataclass(frozen=True, slots=True)
class Spent:
    """What one call took."""

    usage: Usage
    picodollars: int
    model: str
    is_estimated: bool = False
    """By what was sent and what came back, because nobody has said it."""
    is_default_price: bool = False
    expected: int = 0
    """The input that was counted here before the call said what it really was."""

    def packed(self) -> list[Any]:
        """As it is stored."""
        flags = _ESTIMATED * self.is_estimated + _DEFAULT_PRICE * self.is_default_price
        usage = self.usage
        counts = [usage.input, usage.output, usage.cached, usage.cache_written, usage.reasoning]
        return [*counts, self.picodollars, flags, self.model, self.expected]


def spent_of(cost: Cost, *, is_estimated: bool = False, expected: int = 0) -> Spent:
    """What a call took, with its price."""
    return Spent(cost.usage, cost.picodollars, cost.model, is_estimated, cost.is_default_price, expected)


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of one message."""

    tokens: int
    size: int
    """Bytes that it has, packed."""
    check: int
    """Of these bytes: `check_of`."""
    role: int
    kind: int = PLAIN
    spent: Spent | None = None

    def packed(self) -> list[Any]:
        """As it is stored."""
        found: list[Any] = [self.tokens, self.size, self.check, self.role]
        if self.spent is not None:
            return [*found, self.kind, self.spent.packed()]
        return [*found, self.kind] if self.kind else found


def check_of(packed: bytes) -> int:
    """A short check of a packed message: chance, not malice, is what it finds. O(its size)."""
    return xxhash.xxh32_intdigest(packed)


def record_of(stored: Any) -> Record:
    """A record that was read; `CorruptionError` when it is none."""
    if type(stored) is list and 4 <= len(stored) <= 6:
        tokens, size, check, role, kind, spent = stored + _DEFAULTS[len(stored) - 4 :]
        if (
            _is_count(tokens, TOKENS_MAX)
            and _is_count(size, 1 << 40)
            and _is_count(check, _CHECK_MAX)
            and _is_count(role, len(ROLES) - 1)
            and _is_count(kind, LANGCHAIN)
        ):
            return Record(tokens, size, check, role, kind, None if spent is None else spent_in(spent))
    raise CorruptionError("stored bytes are no record of a message")


def spent_in(stored: Any) -> Spent:
    """What a call took, as it was read; `CorruptionError` when it is none."""
    if type(stored) is list and len(stored) == _SPENT_LENGTH:
        *counts, picodollars, flags, model, expected = stored
        is_whole = (
            _is_count(picodollars, _PICODOLLARS_MAX)
            and _is_count(flags, _ESTIMATED | _DEFAULT_PRICE)
            and _is_count(expected, TOKENS_MAX)
        )
        if is_whole and type(model) is str:
            try:
                usage = Usage(*counts)
            except BackpackError:
                usage = None
            if usage is not None:
                return Spent(
                    usage,
                    picodollars,
                    model,
                    bool(flags & _ESTIMATED),
                    bool(flags & _DEFAULT_PRICE),
                    expected,
                )
    raise CorruptionError("stored bytes are no account of a call")


@dataclass(frozen=True, slots=True)
class Compression:
    """The figures of one compression, in tokens. `saved` is before less after.

    `what` is `compression`; or `results` and `offload`, where contents were shortened and nothing was summarized; or
    `failed`, where a summarizer was asked and nothing came of it but what it took.
    """

    what: str
    cause: str
    """`threshold`, `limit`, `governor`, `asked`, `results` (of a turn), `size` (of a message)."""
    strategy: str
    before: int
    after: int
    kept: int
    """What stays as it was."""
    original: int = 0
    """What the summary stands for, the summary before it included."""
    summary: int = 0
    target: int = 0
    messages_kept: int = 0
    messages_summarized: int = 0
    messages_dropped: int = 0
    summarizer: str = ""
    """`extractive`, or the name of the caller's."""
    input_tokens: int = 0
    """What asking the summarizer took."""
    output_tokens: int = 0
    picodollars: int = 0
    error: str | None = None
    """Why the summarizer's answer was of no use, if it wasn't."""
    reference: str | None = None
    """Names the whole text of what was compressed now."""
    model: str = ""
    """By whose price what the summarizer took is counted."""
    is_default_price: bool = False
    """Is that price a guess?"""

    @property
    def saved(self) -> int:
        """Tokens that later calls don't send."""
        return self.before - self.after

    @property
    def cost(self) -> Decimal:
        """In USD."""
        return usd_of(self.picodollars)

    def to_dict(self) -> dict[str, Any]:
        """Its fields by name."""
        return asdict(self)


def compression_of(stored: Any) -> Compression:
    """The figures of a compression that were read, what is missing as it is by default; `CorruptionError` when they are
    none."""
    if isinstance(stored, Mapping):
        found: dict[str, Any] = {}
        for field in fields(Compression):
            value = stored.get(field.name, field.default)
            if not _fits(value, field.type):
                break
            found[field.name] = value
        else:
            return Compression(**found)
    raise CorruptionError("stored bytes are no figures of a compression")


def _fits(value: Any, kind: Any) -> bool:
    if kind is int:
        return _is_count(value, _PICODOLLARS_MAX)
    if kind is bool:
        return type(value) is bool
    return type(value) is str or (value is None and kind is not str)


@dataclass(frozen=True, slots=True)
class InForce:
    """The compression that the context shows: which of the first `covers` messages stay, and the summary of others."""

    covers: int
    digest: str
    """Of the messages that it covers: a list in which others stand now has no such compression."""
    kept: tuple[int, ...]
    summary: str
    """What the message says that stands for the others; empty: there is none."""
    tokens: int
    """Of that message."""
    kind: int
    """Its shape: that of most messages."""
    summarized: int
    """How many messages it stands for, in all."""
    reference: str = ""
    """What names their whole text, in which the summary before this one stands with its own reference."""

    def packed(self) -> dict[str, Any]:
        """As it is stored: places as ranges."""
        return {
            "covers": self.covers,
            "digest": self.digest,
            "kept": [list(one) for one in _ranges(self.kept)],
            "summary": self.summary,
            "tokens": self.tokens,
            "kind": self.kind,
            "summarized": self.summarized,
            "reference": self.reference,
        }


def in_force_of(stored: Any, count: int) -> InForce:
    """The compression of so many messages or fewer that was read; `CorruptionError` when it is none."""
    if type(stored) is dict:
        covers, kept, reference = stored.get("covers"), stored.get("kept"), stored.get("reference")
        digest, summary, summarized = stored.get("digest"), stored.get("summary"), stored.get("summarized")
        tokens, kind = stored.get("tokens"), stored.get("kind")
        if (
            _is_count(covers, count)
            and type(digest) is str
            and type(summary) is str
            and _is_count(tokens, TOKENS_MAX)
            and _is_count(kind, LANGCHAIN)
            and _is_count(summarized, count)
            and type(reference) is str
            and type(kept) is list
            and _are_ranges(kept, covers)
        ):
            places = tuple(place for start, stop in kept for place in range(start, stop))
            return InForce(covers, digest, places, summary, tokens, kind, summarized, reference)
    raise CorruptionError("stored bytes are no compression of a conversation")


def _are_ranges(kept: list[Any], covers: int) -> bool:
    """Ascending ranges within what is covered: so they never stand for more places than there are messages."""
    last = 0
    for one in kept:
        if type(one) is not list or len(one) != 2 or not all(_is_count(part, covers) for part in one):
            return False
        if not last <= one[0] < one[1]:
            return False
        last = one[1]
    return True


def _ranges(places: Sequence[int]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for place in places:
        if found and found[-1][1] == place:
            found[-1] = (found[-1][0], place + 1)
        else:
            found.append((place, place + 1))
    return found


def _is_count(value: Any, most: int) -> TypeGuard[int]:
    return type(value) is int and 0 <= value <= most
