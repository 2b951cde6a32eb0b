"""Chunks: at most so many tokens, lines and bytes, cut at line ends, and joined they are the text."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backpack import Backpack
from backpack.errors import InvalidArgumentError
from backpack.memory import Memory
from backpack.memory.chunking import CHUNK_LINES_MAX, CHUNK_SIZE_MAX, Chunker
from backpack.memory.content import PART_SIZE
from backpack.memory.tokens import CountTokens, estimate_tokens


def words(text: str) -> int:
    """A counter of somebody's."""
    return len(text.split())


def chunks_of(text: str, step: int, count_tokens: CountTokens) -> list[str]:
    """Cut as it comes, `step` characters at a time."""
    chunker = Chunker(count_tokens)
    for at in range(0, len(text), step):
        chunker.add(text[at : at + step])
    chunker.finish()
    raw, at, found = text.encode(), 0, []
    for size in chunker.sizes:
        found.append(raw[at : at + size].decode())
        at += size
    assert at == len(raw)
    return found


_PIECES = st.lists(
    st.tuples(st.sampled_from(["\n", "\r\n", "a\n", "é ", "word ", "\U0001f600", "x"]), st.integers(1, 20_000)),
    max_size=6,
)


@pytest.mark.parametrize("count_tokens", [estimate_tokens, words])
@given(pieces=_PIECES, step=st.sampled_from([1_000, 70_000, 10**9]))
def test_chunks_keep_every_bound_and_join_to_the_text(
    count_tokens: CountTokens, pieces: list[tuple[str, int]], step: int
) -> None:
    text = "".join(piece * count for piece, count in pieces)
    chunks = chunks_of(text, step, count_tokens)
    assert "".join(chunks) == text
    for chunk in chunks:
        assert 0 < count_tokens(chunk) <= 4_000 or count_tokens(chunk) == 0
        assert len(chunk.encode()) <= CHUNK_SIZE_MAX
        assert chunk.count("\n") + (not chunk.endswith("\n")) <= CHUNK_LINES_MAX
    for before, after in pairwise(chunks):
        assert not (before.endswith("\r") and after.startswith("\n"))
    assert chunks == chunks_of(text, 3_333, count_tokens)


def test_lines_stay_whole_where_they_fit() -> None:
    text = ("x" * 99 + "\n") * 1_000
    assert all(chunk.endswith("\n") and len(chunk) == 16_000 for chunk in chunks_of(text, 10**6, estimate_tokens)[:-1])


def test_a_line_longer_than_a_chunk_is_cut_inside() -> None:
    assert [len(chunk) for chunk in chunks_of("a\n" + "x" * 40_000, 10**6, estimate_tokens)] == [
        2,
        16_000,
        16_000,
        8_000,
    ]


def test_a_counter_of_tokens_that_is_given_is_asked() -> None:
    memory = Memory(Backpack(), count_tokens=words)
    entry = memory.log("word " * 9_000)
    assert (entry.tokens, entry.tier, entry.chunk_count) == (9_000, "chunks", 3)
    assert "".join(str(memory.fetch(entry, chunk=number)) for number in range(3)) == "word " * 9_000
    assert memory.log("word " * 499).tier == "inline"


@pytest.mark.parametrize("lines", [1_999, 2_000, 2_001, 4_000, 4_001])
def test_every_chunk_of_many_short_lines_can_be_fetched(lines: int) -> None:
    memory = Memory(Backpack())
    for last in ("noise\n", "no end"):
        for content in ("\n" * (lines - 1) + last, ("\n" * (lines - 1) + last).encode()):
            entry = memory.log(content)
            assert (entry.lines, entry.tier) == (lines, "whole") and entry.chunk_count == -(-lines // 2_000)
            chunks = [memory.fetch(entry, chunk=number) for number in range(entry.chunk_count)]
            assert type(content)().join(chunks) == content  # type: ignore[arg-type]


def test_every_chunk_of_a_few_long_words_can_be_fetched() -> None:
    memory = Memory(Backpack(), count_tokens=words)
    for text in ("x" * 65_536, "x" * 65_537, "é" * 70_000, "x\n" * 3_990, "y" * 400_000):
        entry = memory.log(text)
        assert entry.tier != "chunks"
        assert "".join(str(memory.fetch(entry, chunk=number)) for number in range(entry.chunk_count)) == text


@pytest.mark.parametrize("line_count", [1_999, 2_000, 2_001, 4_000, 4_001])
@pytest.mark.parametrize("line", ["a b c d e f\n", "\u00e9 b c d e f\n"])
def test_a_content_in_memory_is_cut_as_one_that_comes_bit_by_bit(line: str, line_count: int) -> None:
    text = line * line_count
    memory = Memory(Backpack())
    entry = memory.log(text)
    cut = chunks_of(text, 1_000, estimate_tokens)
    assert entry.lines == line_count
    assert [memory.fetch(entry, chunk=number) for number in range(entry.chunk_count)] == cut


@pytest.mark.parametrize("wrong", [-1, 0.25, True, None, 1 << 80])
@pytest.mark.parametrize("size", [10, 3 * PART_SIZE])
def test_a_counter_that_gives_no_count_logs_nothing(wrong: Any, size: int) -> None:
    memory = Memory(Backpack(), count_tokens=lambda _: wrong)
    with pytest.raises(InvalidArgumentError, match="whole number of tokens"):
        memory.log("x" * size)
    assert memory.list() == [] and not list(memory.bp._keys_below("memory.entries."))
    with pytest.raises(InvalidArgumentError, match="called with a text"):
        Memory(Backpack(), count_tokens=wrong)
