"""Commits of a segment in pages of up to 256: when, who and why, and which rows each of them made.

    page := table: seq  time  label  count  row                                         of commits; rows of all of them
                   node  message  tag_start  tag  text_start  text                      of labels and their texts

`seq` is by how much it is above what commits without a gap would make it; `time` is by how much it is later than the
one before; `row` is in the order of the calls. A label is (node, message, tags), each the number of a text and one
more, 0 for none. Each page has its own labels, so it is read without anything else, and a page whose labels interest
nobody is passed over without looking at its commits.
"""

from collections.abc import Sequence
from itertools import accumulate, islice, pairwise
from operator import sub
from typing import Final

from backpack.archive.columns import Column, Packed, pack_bytes, pack_column, pack_table, read_table
from backpack.archive.layout import PAGE_COUNT, SEQ_MAX
from backpack.core.commit import Label
from backpack.limits import KIB, TAG_COUNT_MAX

PAGE_COLUMNS: Final = 11
TEXT_SIZE: Final = 64 * KIB
"""Characters of labels from which on a page is full, whatever its count."""
ROW_COUNT: Final = 16_384
"""Rows, likewise."""


def page_stop(labels: Sequence[Label], counts: Sequence[int], start: int) -> int:
    """Where the page ends that begins with the commit at `start`: behind the last that it has room for."""
    stop = min(start + PAGE_COUNT, len(labels))
    while stop - start > 1 and (sum(counts[start:stop]) > ROW_COUNT or _text_size(labels[start:stop]) > TEXT_SIZE):
        stop = (start + stop) // 2
    return stop


def _text_size(labels: Sequence[Label]) -> int:
    distinct = labels[:1] if _are_alike(labels) else set(labels)
    return sum(len(node or "") + len(message or "") + sum(map(len, tags)) for node, message, tags in distinct)


def _are_alike(labels: Sequence[Label]) -> bool:
    """Is there one label only? So it is where one node commits, and there is nothing to sort out."""
    return labels.count(labels[0]) == len(labels)


def pack_page(
    seqs: Sequence[int], times: Sequence[int], labels: Sequence[Label], counts: Sequence[int], rows: Sequence[int]
) -> bytes:
    """The table of a page: columns of commits, and the rows of all of them."""
    first = seqs[0]
    deltas = [0, *map(sub, islice(times, 1, None), times)]
    gaps: Sequence[int] = bytes(len(seqs))
    if seqs[-1] - first >= len(seqs):
        gaps = [seq - first - index for index, seq in enumerate(seqs)]
    label_numbers = {labels[0]: 0}
    numbers: Sequence[int] = bytes(len(labels))
    if not _are_alike(labels):
        numbers = [label_numbers.setdefault(label, len(label_numbers)) for label in labels]
    texts: dict[str, int] = {}
    for node, message, tags in label_numbers:
        for text in (node, message, *tags):
            if text is not None:
                texts.setdefault(text, len(texts))
    encoded = [text.encode() for text in texts]
    columns: list[Packed] = [
        pack_column(gaps),
        pack_column(deltas),
        pack_column(numbers),
        pack_column(counts),
        pack_column(rows),
        pack_column([_number(texts, label[0]) for label in label_numbers]),
        pack_column([_number(texts, label[1]) for label in label_numbers]),
        pack_column([0, *accumulate(len(label[2]) for label in label_numbers)]),
        pack_column([texts[tag] for label in label_numbers for tag in label[2]]),
        pack_column([0, *accumulate(map(len, encoded))]),
        pack_bytes(b"".join(encoded)),
    ]
    return pack_table(columns)


def _number(texts: dict[str, int], text: str | None) -> int:
    return 0 if text is None else texts[text] + 1


class Page:
    """A page that was read: columns."""

    __slots__ = ("labels", "numbers", "row_starts", "rows", "seqs", "size", "times")

    def __init__(self, data: bytes, first_seq: int, first_time: int) -> None:
        """ValueError when it isn't one. Cost: O(commits)."""
        gaps, deltas, numbers, counts, rows, *texts = read_table(data, PAGE_COLUMNS)
        count = len(gaps)
        if not 0 < count <= PAGE_COUNT or not count == len(deltas) == len(numbers) == len(counts):
            raise ValueError("a page of commits without their columns")
        self.seqs = [first_seq + gap + index for index, gap in enumerate(gaps.list())]
        self.times = list(accumulate(deltas.list(), initial=first_time))[1:]
        self.numbers = numbers.list()
        self.row_starts = list(accumulate(counts.list(), initial=0))
        self.rows = rows
        self.labels = _labels(*texts)
        if self.row_starts[-1] != len(rows) or min(counts.list()) < 0:
            raise ValueError("a page whose commits have other rows")
        if min(self.numbers) < 0 or max(self.numbers) >= len(self.labels):
            raise ValueError("a page whose commits have no labels")
        seqs = self.seqs
        if seqs[0] != first_seq or not all(0 < seq < later for seq, later in pairwise(seqs)):
            raise ValueError("a page whose commits are not in order")
        if deltas[0] or seqs[-1] >= SEQ_MAX or not -SEQ_MAX < min(self.times) <= max(self.times) < 2 * SEQ_MAX:
            raise ValueError("a page whose commits are none")
        self.size = len(data) + 200 * count
        """What it takes in memory, about."""

    def rows_at(self, at: int) -> list[int]:
        """The rows that a commit made, in the order of the calls."""
        base = self.rows.base
        return [base + row for row in self.rows.data[self.row_starts[at] : self.row_starts[at + 1]].tolist()]


def _labels(
    nodes: Column, messages: Column, tag_starts: Column, tags: Column, text_starts: Column, text: Column
) -> list[Label]:
    count = len(nodes)
    if (
        count > PAGE_COUNT
        or len(messages) != count
        or len(tag_starts) != count + 1
        or len(tags) > count * TAG_COUNT_MAX
    ):
        raise ValueError("labels without their columns")
    texts: list[str | None] = [None, *read_texts(text_starts, text)]
    starts, all_tags = tag_starts.list(), tags.list()
    labels: list[Label] = []
    for node, message, start, stop in zip(nodes.list(), messages.list(), starts, starts[1:], strict=False):
        if not 0 <= start <= stop <= len(all_tags) or stop - start > TAG_COUNT_MAX:
            raise ValueError("a label without its tags")
        if not (0 <= node < len(texts) and 0 <= message < len(texts)):
            raise ValueError("a label without its texts")
        tagged = all_tags[start:stop]
        if tagged and not 0 <= min(tagged) <= max(tagged) < len(texts) - 1:
            raise ValueError("a label without its tags")
        labels.append((texts[node], texts[message], tuple([texts[tag + 1] for tag in tagged])))  # type: ignore[misc]
    return labels


def read_texts(starts: Column, data: Column) -> list[str]:
    """The texts of a column of bytes; ValueError when they are none."""
    if not 0 < len(starts) <= len(data) + 2:
        raise ValueError("more texts than characters")
    ends = starts.list()
    if ends[0] or ends[-1] != len(data) or any(start > stop for start, stop in pairwise(ends)):
        raise ValueError("texts that are not where they should be")
    whole = bytes(data.data)
    if whole.isascii():
        text = whole.decode("ascii")
        return [text[start:stop] for start, stop in pairwise(ends)]
    return [str(whole[start:stop], "utf-8") for start, stop in pairwise(ends)]
