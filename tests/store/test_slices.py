"""Exact slices of texts and bytes: from wherever they stand, at the cost of the slice."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backpack import Backpack
from backpack.errors import (
    AccessDeniedError,
    ClosedError,
    InvalidArgumentError,
    KeyNotFoundError,
    NotTextError,
    ValueUnavailableError,
)
from backpack.store import slicing

from .recording import RecordingFolder, opened, recording

TRICKY = "one\r\ntwo\x0cstill two\nth\u2028ree\n\nä€\U0001f600\rx\nno newline at the end \u0085"
SURROGATED = "a\ud800\nb\udfff\n\nc"
LINES = ["line", "line \r", "\x0c", "\u2028", "ä€\U0001f600", ""]
MIB = 1024 * 1024


def lines_of(text: str) -> list[str]:
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def places(value: Any) -> Iterator[tuple[str, Backpack, int]]:
    """Stores in which commit 1 has the value at `key`, wherever it can stand, and where."""
    for kind, limit in (("small", 100 * MIB), ("large", 1)):
        bp = Backpack({"key": value}, max_value_size=limit)
        yield f"{kind} in memory", bp, 1
        folder = recording()
        bp = opened(folder, max_value_size=limit)
        bp.pack("key", value)
        yield f"{kind} live", bp, 1
        bp.pack("key", None)
        yield f"{kind} in history", bp, 1
        bp.configure(max_history_size=1)
        bp.pack("other", 1)
        yield f"{kind} archived in a log", bp, 1
        bp.close()
        bp = opened(folder, max_value_size=limit)
        yield f"{kind} reopened", bp, 1
        bp.close()
        bp = opened(RecordingFolder(folder.inner.reader()), mode="r", max_value_size=limit)
        yield f"{kind} in a reader", bp, 1
        bp.close()


@pytest.mark.parametrize("is_indexed", [False, True])
@pytest.mark.parametrize("text", ["", "\n", "x", TRICKY, SURROGATED, TRICKY * 2_000], ids=range(6))
def test_lines_and_bytes_are_exact_wherever_a_text_stands(
    text: str, is_indexed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_indexed:
        monkeypatch.setattr(slicing, "INDEXED_SIZE_MIN", 1)
    lines = lines_of(text)
    data = text.encode("utf-8", "surrogatepass")
    slices = [(1, 1), (1, 3), (2, 2), (len(lines) or 1, len(lines) + 5), (len(lines) + 1, len(lines) + 2)]
    for place, bp, at in places(text):
        snapshot = bp.snapshot(at)
        is_present = bp.peek("key") == text
        for first, last in slices:
            expected = "".join(lines[first - 1 : last])
            assert bp.read_text("key", at, (first, last)) == expected, place
            assert snapshot.read_text("key", (first, last)) == expected, place
            assert not is_present or bp.read_text("key", lines=(first, last)) == expected, place
        assert bp.read_text("key", at) == snapshot.read_text("key") == text, place
        for start, length in ((0, 7), (3, 4), (len(data) - 2, 9), (len(data), 1), (len(data) // 2, 0)):
            expected_bytes = data[max(start, 0) : max(start, 0) + length]
            assert bp.read_bytes("key", at, max(start, 0), length) == expected_bytes, place
            assert snapshot.read_bytes("key", max(start, 0), length) == expected_bytes, place
        assert bp.read_bytes("key", at) == data


@pytest.mark.parametrize("value", [b"", b"\x00\n\xff" * 500, bytearray(b"abc" * 70_000)], ids=range(3))
def test_bytes_are_sliced_and_have_no_lines(value: bytes) -> None:
    for place, bp, at in places(value):
        assert bp.read_bytes("key", at, 1, 4) == bytes(value)[1:5], place
        assert type(bp.read_bytes("key", at, 1, 4)) is bytes
        assert bp.read_bytes("key", at, 5) == bytes(value)[5:], place
        with pytest.raises(NotTextError):
            bp.read_text("key", at, (1, 2))


@given(parts=st.lists(st.lists(st.sampled_from(LINES), min_size=1, max_size=40), min_size=1, max_size=6))
def test_a_text_that_grew_is_as_exact_as_one_that_did_not(parts: list[list[str]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slicing, "INDEXED_SIZE_MIN", 1)
        check_a_text_that_grew(parts)


def check_a_text_that_grew(parts: list[list[str]]) -> None:
    text = "\n".join(LINES) * 20
    folder = recording()
    bp = opened(folder, max_value_size=400)
    texts = []
    for part in parts:
        text += "\n".join(part)
        bp.pack("key", text)
        texts.append(text)
    for _ in range(2):
        for seq, version in enumerate(texts, 1):
            lines = lines_of(version)
            middle = len(lines) // 2
            assert bp.read_text("key", seq, (middle, middle + 3)) == "".join(lines[middle - 1 : middle + 3])
            assert bp.read_text("key", seq, (len(lines), len(lines))) == lines[-1]
        assert bp.read_text("key", lines=(middle, len(lines))) == "".join(lines[middle - 1 :])
        bp.close()
        bp = opened(folder, max_value_size=400)
    bp.close()


def test_one_line_of_100_megabytes_is_read_whole_and_in_slices() -> None:
    text = "x" * (100 * MIB) + "\nend"
    bp = Backpack({"key": text})
    assert bp.read_text("key", lines=(2, 2)) == "end"
    assert len(bp.read_text("key", lines=(1, 1))) == 100 * MIB + 1
    assert bp.read_bytes("key", start=100 * MIB - 1, length=3) == b"x\ne"


def test_a_slice_of_a_blob_costs_the_slice_and_not_the_blob() -> None:
    data = Random(1).randbytes(16 * MIB).hex()  # which doesn't get shorter than half of it
    lines = [data[at : at + 64] + "\n" for at in range(0, len(data), 64)]
    folder = recording()
    bp = opened(folder)
    bp.pack("key", "".join(lines))
    bp.close()
    bp = opened(folder)
    folder.record.forget()
    count = len(lines)
    assert bp.read_text("key", lines=(count - 1, count)) == "".join(lines[-2:])
    assert bp.read_bytes("key", start=count // 2 * 65, length=65) == lines[count // 2].encode()
    assert bp.snapshot(1).read_text("key", (count // 3, count // 3)) == lines[count // 3 - 1]
    bp.delete("key")
    with bp.transaction() as tx:
        tx.pack("key", 1)
        tx.delete("key")
    assert bp.read_text("key", 1, (5, 5)) == lines[4]
    assert 0 < folder.record.read_sizes["blobs"] < 2 * MIB
    assert bp.memory_usage().blob_bytes > 15 * MIB
    bp.close()


def test_a_long_list_on_disk_grows_and_goes_at_the_cost_of_its_header() -> None:
    items = [Random(number).randbytes(200) for number in range(50_000)]
    folder = recording()
    bp = opened(folder)
    bp.pack("list", items)
    bp.close()
    bp = opened(folder)
    folder.record.forget()
    bp.append("list", "one more")
    bp.append("list", "and another")
    with bp.transaction() as tx:
        tx.append("list", "a third")
    assert 0 < folder.record.read_sizes["blobs"] < 4 * MIB  # the blob has 10
    assert bp["list"] == [*items, "one more", "and another", "a third"]
    folder.record.forget()
    with bp.transaction() as tx:
        tx.delete("list")
    assert folder.record.read_sizes["blobs"] < 2 * MIB
    bp.close()


def test_what_is_no_slice_and_what_is_not_there_is_refused() -> None:
    for _, bp, at in places("text"):
        for lines in ((0, 1), (2, 1), (1,), 5, "12", (1.0, 2)):
            with pytest.raises(InvalidArgumentError):
                bp.read_text("key", at, lines)  # type: ignore[arg-type]
        with pytest.raises(InvalidArgumentError):
            bp.read_bytes("key", at, -1, 5)
        with pytest.raises(InvalidArgumentError):
            bp.read_bytes("key", at, 0, -5)
        with pytest.raises(KeyNotFoundError):
            bp.read_text("none")
        with pytest.raises(KeyNotFoundError):
            bp.read_bytes("none", at)
        with pytest.raises(KeyNotFoundError):
            bp.snapshot(0).read_text("key")
    bp = Backpack({"a": [1], "b": None, "c": {"d": 1}, "e": 1.5})
    for key, kind in (("a", "list"), ("b", "None"), ("c", "dict"), ("e", "float")):
        with pytest.raises(NotTextError) as caught:
            bp.read_text(key)
        assert caught.value.kind == kind
        with pytest.raises(NotTextError):
            bp.snapshot().read_bytes(key)


def test_what_is_out_of_reach_is_unavailable() -> None:
    bp = Backpack({"key": "x" * 1_000}, max_value_size=100)
    snapshot = bp.snapshot(1)
    bp.purge("key")
    for call in (snapshot.read_text, snapshot.read_bytes):
        with pytest.raises(ValueUnavailableError) as caught:
            call("key")
        assert (caught.value.key, caught.value.reason) == ("key", "purged")
    with pytest.raises(ValueUnavailableError):
        bp.read_text("key", 1)


def test_a_slice_is_an_access_and_tells_the_subscribers() -> None:
    bp, seen = Backpack({"key": "one\ntwo"}), []
    bp.subscribe(lambda event: seen.append((event.kind, event.key, event.node)))
    with bp.as_node("reader"):
        bp.read_text("key", lines=(1, 1))
    bp.node("n", namespace="").read_bytes("key", length=1)
    assert seen == [("unpack", "key", "reader"), ("unpack", "key", "n")]


def test_a_node_slices_what_it_may_read_below_its_namespace() -> None:
    async def main() -> None:
        bp = Backpack({"sales.log": "one\ntwo\n", "sales.secret": "no", "log": "other"})
        node = bp.node("n", namespace="sales", denies=["sales.secret"])
        assert node.read_text("log", lines=(2, 2)) == await node.aread_text("log", lines=(2, 2)) == "two\n"
        assert node.read_bytes("log", 1, 4, 3) == await node.aread_bytes("log", 1, 4, 3) == b"two"
        assert node.snapshot().read_text("log", (1, 1)) == "one\n"
        for key in ("secret", "none.secret"):
            if key == "secret":
                with pytest.raises(AccessDeniedError):
                    node.read_text(key)
                with pytest.raises(AccessDeniedError):
                    node.snapshot().read_bytes(key)
                with pytest.raises(AccessDeniedError):
                    await node.aread_text(key)
                with pytest.raises(AccessDeniedError):
                    await node.aread_bytes(key, 1)
            else:
                with pytest.raises(KeyNotFoundError):
                    node.read_text(key)

    asyncio.run(main())


def test_the_asynchronous_twins_read_in_another_thread() -> None:
    folder = recording()
    bp = opened(folder, max_value_size=1_000)
    text = "a line\n" * 50_000
    bp.update({"large": text, "small": "one\ntwo"})
    bp.close()
    bp = opened(folder, max_value_size=1_000)
    bp.pack("large", 1)

    async def main() -> None:
        folder.record.forget()
        me = threading.get_ident()
        assert await bp.aread_text("small", lines=(2, 2)) == "two"
        assert await bp.aread_text("large", 1, (7, 8)) == "a line\n" * 2
        assert await bp.aread_bytes("large", 1, 7, 6) == b"a line"
        assert await bp.aread_bytes("small", length=3) == b"one"
        assert folder.record.threads["pread"]
        assert me not in folder.record.threads["pread"]
        with pytest.raises(KeyNotFoundError):
            await bp.aread_text("none")
        await bp.aclose()
        with pytest.raises(ClosedError):
            await bp.aread_text("small")
        with pytest.raises(ClosedError):
            await bp.aread_bytes("large", 1)

    asyncio.run(main())


def test_slices_are_exact_while_a_text_grows_in_another_thread() -> None:
    bp = Backpack({"key": "start\n" * 100})
    stop = threading.Event()

    def grow() -> None:
        text = bp["key"]
        for number in range(300):
            text += f"line {number}\n"
            bp.pack("key", text)
        stop.set()

    thread = threading.Thread(target=grow)
    thread.start()
    while not stop.is_set():
        lines = bp.read_text("key", lines=(101, 10_000)).splitlines()
        assert lines == [f"line {number}" for number in range(len(lines))]
    thread.join()
    assert bp.read_text("key", lines=(400, 400)) == "line 299\n"


def test_lines_of_a_live_text_are_looked_up_in_its_blob() -> None:
    line = "the same line over and over\n"
    text = line * 500_000
    folder = recording()
    bp = opened(folder)
    bp.pack("key", text)
    bp.pack("key", text + line * 2_000)
    seen: list[int] = []

    class Watched(slicing.BytesReader):
        def count_newlines(self, start: int, stop: int) -> int:
            seen.append(stop - start)
            return super().count_newlines(start, stop)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slicing, "BytesReader", Watched)
        for first in (1, 250_000, 499_990, 499_999, 501_990):
            folder.record.forget()
            for store in (bp, bp.snapshot()):
                assert store.read_text("key", lines=(first, first + 10)) == line * 11
            assert 0 < folder.record.read_sizes["blobs"] < MIB, first
    assert sum(seen) < 2 * MIB
    bp.close()


def test_a_live_text_is_read_whatever_has_become_of_its_blob() -> None:
    folder = recording()
    bp = opened(folder)
    text = "a line\n" * 300_000
    bp.pack("key", text)
    snapshot = bp.snapshot()
    bp.flush()
    blobs = folder.folder("blobs")
    for name in blobs.names():
        blobs.remove(name)
    assert bp.read_text("key", lines=(299_999, 300_005)) == "a line\n" * 2
    bp.close()
    assert snapshot.read_text("key", (7, 8)) == "a line\n" * 2


def test_lines_in_memory_are_counted_no_further_than_they_are_wanted() -> None:
    text = "a line\n" * 300_000
    bp = Backpack({"key": text})
    reader = slicing.reader_of(bp._content_at("key", None))
    assert type(reader) is slicing.BytesReader and bp.read_text("key", lines=(7, 8)) == "a line\n" * 2
