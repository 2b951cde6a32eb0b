"""Logging a content that is not taken into memory: part by part.

A part is put into the store as soon as it is there, under its own digest, unless an equal one is there already; the
commit that makes the entry comes at the end, with the table of the parts. A log that never comes so far leaves parts
that nothing points to, which `prune` takes away. Memory: a few parts, whatever the size.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from backpack.memory.chunking import Chunker, has_chunks
from backpack.memory.content import PART_SIZE, PARTS, Content, Digest, Parts, digest_of
from backpack.memory.entry import Kind
from backpack.memory.extract import Extract
from backpack.memory.sharing import Use
from backpack.memory.sources import decoded, decoded_or_none
from backpack.memory.tokens import CountTokens, estimate_tokens, tokens_of_length

if TYPE_CHECKING:
    from backpack.memory.memory import Memory

_CR, _LF = 13, 10


class Streaming:
    """A long content on its way into the store."""

    __slots__ = (
        "_bytes_chunker", "_characters", "_count_tokens", "_digest", "_digests", "_is_text", "_kind", "_last",
        "_memory", "_newlines", "_sizes", "_stored", "_text_chunker", "_use", "extract", "head", "tail",
    )  # fmt: skip

    def __init__(self, memory: "Memory", kind: Kind | None, use: Use) -> None:
        """`kind` None: text if all of it is valid UTF-8, else bytes."""
        self._memory = memory
        self._count_tokens: CountTokens = memory.count_tokens
        self._use = use
        self._kind = kind
        self._is_text = kind != "bytes"
        self._text_chunker = Chunker(memory.count_tokens)
        self._bytes_chunker = Chunker(is_text=False)
        self._digest = Digest()
        self._digests: list[str] = []
        self._sizes: list[int] = []
        self._newlines: list[int] = []
        self._characters: list[int] = []
        self._stored = 0
        self._last = 0
        self.extract = Extract()
        self.head = b""
        self.tail = b""
        """The first part, and the last when there are several."""

    def add(self, chunks: Iterable[bytes]) -> tuple[Content, int]:
        """All of it: the content, and how many bytes its parts take."""
        for part in cut(chunks):
            self._add(part)
        return self._content(), self._stored

    def _add(self, part: bytes) -> None:
        if self._sizes:
            self.tail = part
        else:
            self.head = part
        self._digest.update(part)
        self.extract.add(part)
        self._last = part[-1]
        text = None
        if self._is_text:
            text = decoded(part) if self._kind is not None else decoded_or_none(part)
            if text is None:
                self._is_text = False
            else:
                self._text_chunker.add(text)
        if self._kind is None or self._kind == "bytes":
            self._bytes_chunker.add(part.decode("latin-1"))
        self._sizes.append(len(part))
        self._newlines.append(part.count(b"\n"))
        self._characters.append(len(part) if text is None else len(text))
        digest = digest_of("bytes", part)
        self._digests.append(digest)
        self._use.add(digest)
        self._stored += self._memory.sink.put(self._memory.keys.parts + digest, part)

    def _content(self) -> Content:
        kind: Kind = self._kind or ("text" if self._is_text else "bytes")
        size = sum(self._sizes)
        characters = self._characters if kind != "bytes" else self._sizes
        chunker = self._text_chunker if kind != "bytes" else self._bytes_chunker
        chunker.finish()
        is_estimate = kind == "bytes" or self._count_tokens is estimate_tokens
        tokens = tokens_of_length(sum(characters)) if is_estimate else chunker.tokens
        lines = sum(self._newlines) + (self._last != _LF)
        chunk_sizes = chunker.table() if has_chunks(tokens, lines, size) else ()
        parts = Parts(tuple(self._digests), tuple(self._sizes), tuple(self._newlines), tuple(characters))
        return Content(
            self._digest.of(kind), kind, size, size, lines, sum(characters), tokens, chunk_sizes, PARTS, b"", parts
        )


def cut(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Parts of at most `PART_SIZE`, cut neither inside a character of UTF-8 nor inside a CRLF."""
    held = bytearray()
    for chunk in chunks:
        held += chunk
        while len(held) > PART_SIZE:
            stop = _cut_at(held)
            yield bytes(held[:stop])
            del held[:stop]
    if held:
        yield bytes(held)


def _cut_at(data: bytearray) -> int:
    """Where the first part ends. In what is no UTF-8 anywhere is right."""
    stop = PART_SIZE
    while stop > PART_SIZE - 3 and data[stop] & 0xC0 == 0x80:
        stop -= 1
    return stop - 1 if data[stop - 1] == _CR and data[stop] == _LF else stop
