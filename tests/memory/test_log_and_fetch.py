"""What is logged comes back: whole, in slices, by reference; and the same content is stored once."""

import pickle
from pathlib import Path

import pytest

import backpack
from backpack import Backpack, CorruptionError
from backpack.errors import ChunkNotFoundError, EntryNotFoundError, FetchLimitError, InvalidArgumentError
from backpack.memory import Memory


@pytest.fixture(params=["in memory", "opened"])
def bp(request: pytest.FixtureRequest, tmp_path: Path) -> Backpack:
    return Backpack() if request.param == "in memory" else backpack.open(tmp_path / "store")


def test_a_text_comes_back_exactly_with_every_kind_of_newline(bp: Backpack) -> None:
    memory = Memory(bp)
    for text in ("", "a", "a\n", "a\r\nb\r\n", "a\rb", "a\n\n\nb", "\n", "\ud800 lone", "é\u2028x\x85y\n"):
        entry = memory.log(text)
        assert memory.fetch(entry) == memory.read(entry.id) == memory.value(entry) == text
        assert "".join(str(memory.fetch(entry, lines=(n, n))) for n in range(1, entry.lines + 2)) == text
        assert b"".join(bytes(memory.iterate(entry).__next__()[n : n + 1]) for n in range(entry.size)) == (
            text.encode("utf-8", "surrogatepass")
        )


def test_bytes_are_bytes_and_values_are_what_they_were(bp: Backpack) -> None:
    memory = Memory(bp)
    data = bytes(range(256))
    assert memory.fetch(memory.log(data)) == data
    value = {"rows": [(1, 2.5), {"deep": {1, 2}}]}
    entry = memory.log(value)
    assert memory.value(entry) == value
    assert '"rows"' in str(memory.fetch(entry))


def test_the_same_content_twice_is_stored_once_and_each_entry_keeps_its_labels(bp: Backpack) -> None:
    memory = Memory(bp)
    first = memory.log("x" * 5_000, title="first", tags=["a"])
    second = memory.log("x" * 5_000, title="second", tags=["b"])
    assert first.digest == second.digest
    assert len(bp.select("memory.content.*")) == 1
    assert [entry.title for entry in memory.list()] == ["second", "first"]
    assert memory.list(tag="a") == [first]


def test_deleting_one_of_two_leaves_the_other_and_deleting_both_takes_the_content(bp: Backpack) -> None:
    memory = Memory(bp)
    first, second = memory.log("same"), memory.log("same")
    memory.delete(first)
    assert memory.fetch(second) == "same"
    with pytest.raises(EntryNotFoundError):
        memory.fetch(first)
    memory.delete(second)
    assert not bp.select("memory.content.*")
    assert memory.list() == []


def test_repetitive_bytes_take_almost_nothing(bp: Backpack) -> None:
    assert Memory(bp).log(b"0123456789abcdef" * 626 + b"01234567").stored_size < 100


@pytest.mark.parametrize(
    ("tokens", "tier", "chunks"), [(499, "inline", 1), (500, "whole", 1), (4_000, "whole", 1), (4_001, "chunks", 2)]
)
def test_tiers_begin_where_they_should(tokens: int, tier: str, chunks: int) -> None:
    entry = Memory(Backpack()).log("a" * (4 * tokens))
    assert (entry.tokens, entry.tier, entry.chunk_count) == (tokens, tier, chunks)


def test_the_chunks_joined_are_the_text(bp: Backpack) -> None:
    memory = Memory(bp)
    text = "".join(f"line {number} é\r\n" for number in range(9_000)) + "long" * 20_000
    entry = memory.log(text)
    chunks = [str(memory.fetch(entry, chunk=number)) for number in range(entry.chunk_count)]
    assert "".join(chunks) == text
    assert all(len(chunk) <= 16_000 for chunk in chunks)
    assert all(chunk.endswith("\n") for chunk in chunks[:5])
    with pytest.raises(ChunkNotFoundError, match=f"they are 0 to {entry.chunk_count - 1}"):
        memory.fetch(entry, chunk=entry.chunk_count)


def test_references_are_understood_wherever_an_id_is() -> None:
    memory = Memory(Backpack())
    entry = memory.log("".join(f"{number}\n" for number in range(1, 51)))
    assert memory.fetch(f"mem://{entry}#L10-12") == "10\n11\n12\n"
    assert memory.fetch(f"{entry}#L10") == "10\n"
    assert memory.fetch(f"mem://{entry}#bytes=0,3") == b"1\n2"
    assert memory.fetch(f"mem://{entry}#chunk=0") == memory.read(f"mem://{entry}")
    assert memory.entry(f"mem://{entry}") == entry
    with pytest.raises(InvalidArgumentError):
        memory.fetch(f"mem://{entry}#X")


def test_a_pattern_gives_the_lines_that_have_it_and_those_around() -> None:
    memory = Memory(Backpack())
    entry = memory.log("a\nb error\nc\nd\ne error\n")
    assert memory.fetch(entry, pattern="error") == "b error\ne error\n"
    assert memory.fetch(entry, pattern="^b", context_lines=1) == "a\nb error\nc\n"


@pytest.mark.parametrize(("lines", "is_fine"), [(2_000, True), (2_001, False)])
def test_two_thousand_lines_may_be_fetched(lines: int, is_fine: bool) -> None:
    memory = Memory(Backpack())
    entry = memory.log("x\n" * 3_000)
    if is_fine:
        assert memory.fetch(entry, lines=(1, lines)) == "x\n" * lines
    else:
        with pytest.raises(FetchLimitError, match="lines=2001 limit=2000"):
            memory.fetch(entry, lines=(1, lines))


@pytest.mark.parametrize(("size", "is_fine"), [(65_536, True), (65_537, False)])
def test_64_kib_may_be_fetched(size: int, is_fine: bool) -> None:
    memory = Memory(Backpack())
    whole, long = memory.log("x" * size), memory.log("y" * 200_000)
    if is_fine:
        assert memory.fetch(whole) == "x" * size
        assert memory.fetch(long, bytes=(7, size)) == b"y" * size
    else:
        for ask in (lambda: memory.fetch(whole), lambda: memory.fetch(long, bytes=(7, size))):
            with pytest.raises(FetchLimitError, match=f"bytes={size} limit=65536"):
                ask()


def test_one_line_that_is_too_long_is_refused_too() -> None:
    memory = Memory(Backpack())
    entry = memory.log("short\n" + "x" * 100_000 + "\n")
    with pytest.raises(FetchLimitError, match="bytes=100001"):
        memory.fetch(entry, lines=(2, 2))


def test_both_limits_hold_for_every_kind_of_slice_and_are_configurable() -> None:
    memory = Memory(Backpack())
    entry = memory.log("\n" * 5_000)
    with pytest.raises(FetchLimitError, match="lines=2001 limit=2000"):
        memory.fetch(entry, bytes=(0, 2_001))
    small = Memory(memory.bp, max_fetch_lines=3, max_fetch_bytes=10)
    with pytest.raises(FetchLimitError, match="bytes=2000 limit=10"):
        small.fetch(entry, chunk=0)
    other = small.log("12345\n12345\n")
    assert small.fetch(other, lines=(1, 1)) == "12345\n"
    with pytest.raises(FetchLimitError, match="bytes=12 limit=10"):
        small.fetch(other, lines=(1, 2))
    with pytest.raises(FetchLimitError, match="lines=4 limit=3"):
        small.fetch(entry, lines=(7, 10))


def test_a_content_that_is_another_one_is_never_given() -> None:
    bp = Backpack()
    memory = Memory(bp)
    entry, other = memory.log("the right text"), memory.log("the false text")
    bp.pack(f"memory.content.{entry.digest}", bp[f"memory.content.{other.digest}"])
    with pytest.raises(CorruptionError):
        memory.fetch(entry)


def test_past_the_end_is_empty() -> None:
    memory = Memory(Backpack())
    entry = memory.log("one\ntwo")
    assert memory.fetch(entry, lines=(3, 9)) == "" and memory.fetch(entry, bytes=(7, 5)) == b""


def test_lines_that_end_before_they_begin_are_refused_with_what_was_meant() -> None:
    memory = Memory(Backpack())
    entry = memory.log("one\ntwo\nthree")
    for lines, meant in (((3, 1), "1-3"), ((9, 3), "3-9"), ((2, 0), "1-2"), ((2, -5), "1-2")):
        with pytest.raises(InvalidArgumentError, match=f"end before they begin: .*: {meant}$"):
            memory.fetch(entry, lines=lines)
    with pytest.raises(InvalidArgumentError, match="end before they begin: first=40 last=10"):
        memory.fetch(f"mem://{entry}#L40-10")


def test_what_is_no_directory_is_refused_as_any_argument() -> None:
    memory = Memory(Backpack())
    for bad in (5, b"src", ["src"]):
        with pytest.raises(InvalidArgumentError, match="a directory is a str or a path"):
            memory.log("text", directory=bad)  # type: ignore[arg-type]
        with pytest.raises(InvalidArgumentError, match="a directory is a str or a path"):
            memory.list(directory=bad)  # type: ignore[arg-type]


def test_unknown_and_corrupt_are_different_errors() -> None:
    bp = Backpack()
    memory = Memory(bp)
    entry = memory.log("text")
    for unknown in ("mem-20200101-000000-00000000", "nonsense", "mem-20209901-000000-00000000"):
        with pytest.raises(EntryNotFoundError) as caught:
            memory.fetch(unknown)
        assert pickle.loads(pickle.dumps(caught.value)).id == unknown
    assert memory.fetch(entry) == "text"
    bp.pack(f"memory.content.{entry.digest}", ["nonsense"])
    with pytest.raises(CorruptionError):
        memory.fetch(entry)
    bp.pack(f"memory.entries.{entry}", {"format": 1})
    with pytest.raises(CorruptionError):
        memory.entry(entry)


def test_ids_ascend_whatever_the_clock_does() -> None:
    times = iter([1_700_000_000.5, 1_700_000_000.5, 0.0, -5.0, float("nan"), 1e300, 1_700_000_001.0, float("inf")])
    bp = Backpack()
    memory = Memory(bp, clock=lambda: next(times))
    ids = [memory.log(str(number)).id for number in range(8)]
    assert ids == sorted(set(ids))
    assert ids[0].startswith("mem-20231114-221320-800")
    assert [entry.id for entry in memory.list()] == ids[::-1]


def test_entries_stay_over_closing_and_opening(tmp_path: Path) -> None:
    with backpack.open(tmp_path / "store") as bp:
        entry = Memory(bp).log("kept\n" * 9, title="t", summary="s", directory="/d/", checkpoint="c")
    with backpack.open(tmp_path / "store", mode="r") as bp:
        memory = Memory(bp)
        assert memory.list(directory="/d", checkpoint="c", type="output") == [entry]
        assert memory.fetch(entry, summary_only=True) == "s"
        assert memory.refs() == [f"[{entry}] s (12 tokens)"]
        assert memory.read(entry) == "kept\n" * 9


def test_an_entry_is_named_by_what_shows_it(bp: Backpack) -> None:
    memory = Memory(bp)
    kept = memory.offload({"role": "tool", "content": "a line\n" * 2_000})
    (ref,) = kept["memory_refs"]
    marker = kept["content"].splitlines()[-1]
    for name in (ref, marker, f"[{ref['id']}]", ref["id"][:-1], ref["id"][:8]):
        assert memory.entry(name).id == ref["id"]
        assert memory.fetch(name, lines=(1, 1)) == "a line\n"
    with pytest.raises(InvalidArgumentError, match="NoneType"):
        memory.entry({"title": "x"})


def test_a_memory_of_a_path_is_refused_with_what_to_do(tmp_path: Path) -> None:
    for path in (tmp_path, str(tmp_path)):
        with pytest.raises(InvalidArgumentError, match=r"Memory\(backpack.open\(path\)\)"):
            Memory(path)  # type: ignore[arg-type]


def test_an_integer_that_python_does_not_write_out_is_logged_and_found() -> None:
    long = 10**5_000
    memory = Memory(Backpack())
    value = {"fox": long, long: [-long, {long}, (long,), {(long,): 1}], "edge": [10**4300 - 1, 10**4300]}
    entry = memory.log(value, title="long")
    assert memory.value(entry) == value
    assert hex(long) in str(memory.read(entry)) and hex(-long) in str(memory.read(entry))
    assert [found.id for found in memory.search("fox")] == [entry.id]
