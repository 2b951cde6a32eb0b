"""A text cut into chunks of bounded tokens, at line ends where there are some.

A chunk is also at most 2,000 lines and 64 KiB, so that any chunk can be fetched at once. A line that is longer than a
chunk is cut inside, between characters and never between the two of a CRLF. The chunks joined are the text.

Cost: O(text) for the estimate of tokens; with another counter it is asked some ten times a chunk, for a text no longer
than a chunk.
"""

from typing import Final

from backpack.limits import KIB
from backpack.memory.tokens import CHARACTERS_PER_TOKEN, CHUNK_TOKENS_MAX, CountTokens, estimate_tokens

CHUNK_LINES_MAX: Final = 2_000
CHUNK_SIZE_MAX: Final = 64 * KIB
_CHARACTERS_MAX: Final = CHUNK_TOKENS_MAX * CHARACTERS_PER_TOKEN


class Chunker:
    """Cuts a text that comes bit by bit. What it holds is shorter than a chunk and a bit."""

    __slots__ = ("_count_tokens", "_has_many_lines", "_held", "_is_text", "sizes", "tokens")

    def __init__(
        self, count_tokens: CountTokens = estimate_tokens, *, is_text: bool = True, has_many_lines: bool = True
    ) -> None:
        """`is_text` not: the characters stand for bytes, one each. `has_many_lines` not: all of it has no more lines
        than a chunk may have, so that nobody has to count them."""
        self._count_tokens = count_tokens
        self._has_many_lines = has_many_lines
        self._is_text = is_text
        self._held = ""
        self.sizes: list[int] = []
        """Bytes of UTF-8 of the chunks so far."""
        self.tokens = 0
        """Of the chunks so far, each counted by itself."""

    def add(self, text: str) -> None:
        """More text."""
        self._cut(self._held + text, is_last=False)

    def finish(self) -> None:
        """There is no more."""
        self._cut(self._held, is_last=True)

    def table(self) -> tuple[int, ...]:
        """The sizes as a content has them: none where there is one chunk only."""
        return tuple(self.sizes) if len(self.sizes) > 1 else ()

    def _cut(self, text: str, *, is_last: bool) -> None:
        at, size = 0, len(text)
        is_narrow = not self._is_text or text.isascii()
        while at < size and (is_last or size - at > CHUNK_SIZE_MAX):
            stop = chunk_end(text, at, self._count_tokens)
            if self._has_many_lines:
                stop = _within_lines(text, at, stop)
            self.sizes.append(stop - at if is_narrow else len(text[at:stop].encode("utf-8", "surrogatepass")))
            if self._count_tokens is not estimate_tokens:
                self.tokens += self._count_tokens(text[at:stop])
            at = stop
        self._held = text[at:]


def has_chunks(tokens: int, lines: int, size: int) -> bool:
    """Is a content more than one chunk may be? By lines or bytes also one that is not by its tokens."""
    return tokens > CHUNK_TOKENS_MAX or lines > CHUNK_LINES_MAX or size > CHUNK_SIZE_MAX


def chunk_end(text: str, start: int, count_tokens: CountTokens = estimate_tokens) -> int:
    """Where the chunk that begins there ends, by its tokens and bytes."""
    limit = (
        min(len(text), start + _CHARACTERS_MAX)
        if count_tokens is estimate_tokens
        else _fitting(text, start, count_tokens)
    )
    return _cut_at(text, start, limit)


def _within_lines(text: str, start: int, stop: int) -> int:
    """The end of a chunk, or of the last line that it may have. Cost: counting its lines."""
    if stop - start > CHUNK_LINES_MAX and text.count("\n", start, stop - 1) >= CHUNK_LINES_MAX:
        stop = start
        for _ in range(CHUNK_LINES_MAX):
            stop = text.index("\n", stop) + 1
    return stop


def _cut_at(text: str, start: int, limit: int) -> int:
    """The end of the last line before a limit; the limit itself inside a line that is longer."""
    if limit >= len(text):
        return len(text)
    stop = text.rfind("\n", start, limit) + 1
    if stop:
        return stop
    return limit - 1 if limit - start > 1 and text[limit - 1] == "\r" and text[limit] == "\n" else limit


def _fitting(text: str, start: int, count_tokens: CountTokens) -> int:
    """How far a chunk may go by a counter of somebody's: the most that fits, found by halving; at least one character.

    Counters are asked about what would be a chunk, so that they may count a line end as they like.
    """
    most = min(len(text), start + CHUNK_SIZE_MAX)
    if not text.isascii():
        size = 0
        for at in range(start, most):
            code = ord(text[at])
            size += 1 if code < 0x80 else 2 if code < 0x800 else 3 if code < 0x10000 else 4
            if size > CHUNK_SIZE_MAX:
                most = at
                break
    low, high = start + 1, most
    if count_tokens(text[start : _cut_at(text, start, high)]) <= CHUNK_TOKENS_MAX:
        return high
    while low < high:
        middle = (low + high + 1) // 2
        if count_tokens(text[start : _cut_at(text, start, middle)]) <= CHUNK_TOKENS_MAX:
            low = middle
        else:
            high = middle - 1
    return low
