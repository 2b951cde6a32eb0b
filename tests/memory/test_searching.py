"""Search finds what is in the store now: whatever became of the file of its index."""

import asyncio
import os
import random
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import backpack
from backpack import Backpack
from backpack.errors import InvalidArgumentError, ReadOnlyError, SearchUnavailableError
from backpack.memory import Memory
from backpack.memory.following import BATCH
from backpack.memory.index_file import file_name
from backpack.memory.search_index import Index
from backpack.memory.searching import Searching
from backpack.memory.values import StoreValues
from tests.interrupting import interrupted_at


def titles(memory: Memory, query: str, limit: int = 10) -> list[str]:
    return [found.entry.title for found in memory.search(query, limit=limit)]


@pytest.fixture
def memory() -> Memory:
    memory = Memory(Backpack())
    memory.log("The quick brown fox\njumps over the lazy dog\n", title="fox", tags=["animals", "old"])
    memory.log("brown bread, quick to bake", title="bread", summary="a recipe of my aunt")
    memory.log("Größe und Straße", title="deutsch")
    memory.log(b"\x00\x01 quick \xff", title="binary dump", mime="application/octet-stream")
    memory.log({"city": "Rome", "days": [3, 4]}, title="value")
    return memory


# -- queries ---------------------------------------------------------------------------------------------------


def test_words_are_all_wanted_in_any_order(memory: Memory) -> None:
    assert titles(memory, "brown quick") == ["bread", "fox"] or titles(memory, "brown quick") == ["fox", "bread"]
    assert titles(memory, "dog quick") == ["fox"]
    assert titles(memory, "dog bread") == []


def test_a_phrase_wants_its_words_in_a_row(memory: Memory) -> None:
    assert titles(memory, '"quick brown"') == ["fox"]
    assert titles(memory, '"brown quick"') == []
    assert titles(memory, '"quick brown" lazy') == ["fox"]


def test_a_star_stands_for_the_rest_of_a_word(memory: Memory) -> None:
    assert titles(memory, "jum*") == ["fox"]
    assert titles(memory, "jum") == []
    assert titles(memory, '"over the la"*') == ["fox"]


def test_case_and_accents_make_no_difference(memory: Memory) -> None:
    assert titles(memory, "GROSSE") == []
    assert titles(memory, "grosse") == [] and titles(memory, "größe") == titles(memory, "GROßE") == ["deutsch"]
    assert titles(memory, "grö*") == titles(memory, "gro*") == ["deutsch"]


@pytest.mark.parametrize(("query", "title"), [("fox", "fox"), ("aunt", "bread"), ("animals", "fox"), ("rome", "value")])
def test_titles_summaries_tags_and_values_are_searched(memory: Memory, query: str, title: str) -> None:
    assert titles(memory, query) == [title]


def test_bytes_are_found_by_their_labels(memory: Memory) -> None:
    assert titles(memory, "dump") == ["binary dump"]


TYPED = ["AND", "quick AND", "NOT fox", "NEAR(", "title:fox", '"', '""', "*", "^", "-", "(", "fox)", "a:b:c", "\0", " "]
TYPED += ["fox\0", "\ud800", "{}", "fox + dog", "';--", '"fox', "…", "", '"*', '"fox"dog', 'fox"dog']


@pytest.mark.parametrize("query", TYPED)
def test_whatever_is_typed_is_a_query(memory: Memory, query: str) -> None:
    assert isinstance(memory.search(query), list)


def test_a_quote_that_is_never_closed_reaches_to_the_end(memory: Memory) -> None:
    assert titles(memory, '"quick brown') == ["fox"]


@given(query=st.text(max_size=60))
@settings(max_examples=200, deadline=None)
def test_no_text_is_an_error(query: str) -> None:
    shared = _shared()
    assert isinstance(shared.search(query), list)


_known: list[Memory] = []


def _shared() -> Memory:
    if not _known:
        _known.append(Memory(Backpack()))
        _known[0].log('he said "yes*" AND (no)')
    return _known[0]


def test_many_thousand_terms_are_a_query(memory: Memory) -> None:
    assert memory.search(" ".join(f"w{number}" for number in range(3_000))) == []


def test_what_is_no_text_is_no_query(memory: Memory) -> None:
    with pytest.raises(InvalidArgumentError):
        memory.search(3)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError):
        memory.search("fox", limit=-1)
    assert memory.search("fox", limit=0) == []


# -- hits ------------------------------------------------------------------------------------------------------


def test_a_snippet_shows_the_words_in_brackets(memory: Memory) -> None:
    (found,) = memory.search("lazy")
    assert found.snippet == "The quick brown fox jumps over the [lazy] dog"
    assert memory.search("animals")[0].snippet == "output [animals] old"


def test_a_snippet_of_one_endless_word_is_short() -> None:
    memory = Memory(Backpack())
    memory.log("x" * 100_000 + " needle " + "y" * 100_000)
    (found,) = memory.search("needle")
    assert len(found.snippet) <= 400 and "[needle]" in found.snippet


def test_a_title_counts_more_than_a_text(memory: Memory) -> None:
    for number in range(30):
        memory.log(f"something else {number}", title=f"other {number}")
    memory.log("a text that names bread once", title="later")
    assert titles(memory, "bread") == ["bread", "later"]


def test_hits_are_grouped_by_entry_and_name_the_best_chunk() -> None:
    memory = Memory(Backpack())
    lines = [f"line {number} of a long log\n" for number in range(5_000)]
    lines[4_000] = "the needle is here\n"
    entry = memory.log("".join(lines), title="report")
    (found,) = memory.search("needle")
    assert found.id == entry.id and 0 < found.chunk < entry.chunk_count
    assert found.line == 4_001 and found.reference == f"mem://{entry.id}#L4001"
    assert memory.fetch(found.reference) == "the needle is here\n"
    (found,) = memory.search("report")
    assert found.line is None and found.reference == f"mem://{entry.id}#chunk=0"
    assert len(memory.search("log")) == 1


def test_a_hit_names_its_line_wherever_it_stands(memory: Memory) -> None:
    for count, place in ((3, 0), (3, 2), (9_000, 8_999), (120_000, 3), (120_000, 77_777)):
        lines = [f"zeile {number} ünd\r\n" for number in range(count)]
        lines[place] = f"[ERROR] … a needle{count}x{place}\n"
        entry = memory.log("".join(lines))
        (found,) = memory.search(f"needle{count}x{place}")
        assert found.reference == f"mem://{entry}#L{place + 1}"
        assert memory.fetch(found.reference) == lines[place]
        assert found.snippet[found.match_at :].startswith("[needle")


def test_a_hit_in_a_line_that_is_too_long_names_the_chunk(memory: Memory) -> None:
    entry = memory.log("short\n" + "x " * 40_000 + "needle" + " y" * 40_000 + "\nshort")
    (found,) = memory.search("needle")
    assert found.line is None and found.reference == f"mem://{entry}#chunk={found.chunk}"
    assert "needle" in str(memory.fetch(found.reference))
    single = memory.log("only one line with a noodle")
    assert [one.reference for one in memory.search("noodle")] == [f"mem://{single}"]


def test_words_in_different_chunks_of_an_entry_are_found_together() -> None:
    memory = Memory(Backpack())
    filler = "nothing of interest in this line\n" * 3_000
    memory.log(f"alpha comes first\n{filler}omega comes last\n", title="greek")
    memory.log("alpha alone", title="half")
    assert titles(memory, "alpha omega") == ["greek"]
    assert titles(memory, "greek omega") == ["greek"]


def test_the_newer_comes_first_among_equals() -> None:
    memory = Memory(Backpack())
    for number in range(5):
        memory.log("the same words", title=f"t{number}")
    assert titles(memory, "same") == ["t4", "t3", "t2", "t1", "t0"]


# -- following the store ---------------------------------------------------------------------------------------


def test_what_was_logged_is_found_at_once_and_what_was_deleted_no_more(memory: Memory) -> None:
    assert titles(memory, "zebra") == []
    entry = memory.log("a zebra", title="stripes")
    assert titles(memory, "zebra") == ["stripes"]
    memory.delete(entry)
    assert titles(memory, "zebra") == []


def test_a_restore_takes_search_along(memory: Memory) -> None:
    before = memory.bp.head
    memory.log("a zebra", title="stripes")
    assert titles(memory, "zebra") == ["stripes"]
    memory.bp.restore(before)
    assert titles(memory, "zebra") == []


def test_another_memory_and_another_namespace_search_their_own(memory: Memory) -> None:
    other = Memory(memory.bp, namespace="agents.two")
    other.log("the fox of the other one", title="theirs")
    assert titles(other, "fox") == ["theirs"] and titles(memory, "fox") == ["fox"]
    assert titles(Memory(memory.bp), "fox") == ["fox"]


def test_pruned_history_between_two_searches_hides_nothing() -> None:
    memory = Memory(Backpack(max_commits=5))
    memory.log("first", title="first")
    assert titles(memory, "first") == ["first"]
    for number in range(50):
        memory.log(f"number {number}", title=f"t{number}")
    assert titles(memory, '"number 3"') == ["t3"] and titles(memory, "first") == ["first"]


def test_purge_takes_words_out_of_an_index_in_memory(memory: Memory) -> None:
    assert titles(memory, "lazy") == ["fox"]
    search = memory.bp._followers["search of memory"]
    memory.bp.purge("memory.**")
    assert search._searching._recent is None  # type: ignore[attr-defined]
    assert titles(memory, "lazy") == []


# -- the file --------------------------------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store"


def filled(path: Path, count: int = BATCH + 50) -> None:
    """A store with an index that was closed."""
    with backpack.open(path) as bp:
        memory = Memory(bp)
        for number in range(count):
            memory.log(f"entry number n{number}, {'odd' if number % 2 else 'even'}", title=f"t{number}")
        assert len(memory.search("odd", limit=1_000)) == count // 2


def reading(path: Path) -> Memory:
    return Memory(backpack.open(path, "r"))


def test_an_opened_store_keeps_its_index_in_a_private_file(path: Path) -> None:
    filled(path)
    assert stat.S_IMODE((path / "search.sqlite").stat().st_mode) == 0o600
    assert stat.S_IMODE((path / "search.sqlite.sum").stat().st_mode) == 0o600
    assert not (path / "search.sqlite-journal").exists()
    with reading(path).bp as bp:
        memory = Memory(bp)
        assert titles(memory, "n7") == ["t7"]
        searching = bp._followers["search of memory"]._searching  # type: ignore[attr-defined]
        assert searching._file is not None and searching._recent is None


def test_a_name_of_a_namespace_never_becomes_a_path() -> None:
    for namespace in ("../../etc", "a/b", "x" * 900, "Ä"):
        assert backpack.archive.derived.is_derived(file_name(namespace))  # type: ignore[attr-defined]


def test_the_file_has_no_text_of_the_entries(path: Path) -> None:
    with backpack.open(path) as bp:
        memory = Memory(bp)
        memory.log("correct horse battery staple", title="secret words")
        assert titles(memory, "horse") == ["secret words"]
    assert b"correct horse" not in (path / "search.sqlite").read_bytes()


@pytest.mark.parametrize("offset", range(0, 40))
def test_a_flipped_byte_of_a_closed_index_is_never_seen_in_an_answer(path: Path, offset: int) -> None:
    filled(path)
    file = path / "search.sqlite"
    data = bytearray(file.read_bytes())
    data[random.Random(offset).randrange(len(data))] ^= 1 << offset % 8
    file.write_bytes(data)
    for memory in (reading(path), Memory(backpack.open(path))):
        with memory.bp:
            assert titles(memory, "n7 odd") == ["t7"] and len(memory.search("even", limit=1_000)) == (BATCH + 50) // 2


def _garbage(file: Path) -> None:
    file.write_bytes(b"garbage" * 1_000)


def _empty(file: Path) -> None:
    file.write_bytes(b"")


def _short(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def _missing(file: Path) -> None:
    file.unlink()


def _folder(file: Path) -> None:
    file.unlink()
    file.symlink_to("/etc/passwd")


def _foreign(file: Path) -> None:
    file.unlink()
    with sqlite3.connect(file) as base:
        base.execute("CREATE TABLE documents(number, id, chunk)")
    base.close()


def _trigger(file: Path) -> None:
    with sqlite3.connect(file) as base:
        base.execute("CREATE VIEW more AS SELECT * FROM documents")
    base.close()


def _journal(file: Path) -> None:
    file.with_name("search.sqlite-journal").write_bytes(os.urandom(5_000))


@pytest.mark.parametrize("with_sum", [True, False])
@pytest.mark.parametrize("harm", [_garbage, _empty, _short, _missing, _folder, _foreign, _trigger, _journal])
def test_a_file_that_is_not_right_is_made_anew_in_silence(
    path: Path, harm: Callable[[Path], None], with_sum: bool
) -> None:
    filled(path)
    if not with_sum:
        (path / "search.sqlite.sum").unlink()
    harm(path / "search.sqlite")
    before = Path("/etc/passwd").read_bytes()
    with reading(path).bp as bp:
        assert titles(Memory(bp), "n7") == ["t7"]
    with backpack.open(path) as bp:
        memory = Memory(bp)
        assert titles(memory, "n7") == ["t7"] and len(memory.search("odd", limit=1_000)) == (BATCH + 50) // 2
    with reading(path).bp as bp:
        memory = Memory(bp)
        assert titles(memory, "n7") == ["t7"]
        assert bp._followers["search of memory"]._searching._file is not None  # type: ignore[attr-defined]
    assert Path("/etc/passwd").read_bytes() == before


def test_the_index_of_another_store_is_not_believed(tmp_path: Path) -> None:
    filled(tmp_path / "one")
    filled(tmp_path / "two", BATCH + 80)
    for name in ("search.sqlite", "search.sqlite.sum"):
        (tmp_path / "one" / name).write_bytes((tmp_path / "two" / name).read_bytes())
    for memory in (reading(tmp_path / "one"), Memory(backpack.open(tmp_path / "one"))):
        with memory.bp:
            assert titles(memory, f"n{BATCH + 60}") == [] and titles(memory, "n7") == ["t7"]


def test_an_index_of_another_past_is_not_believed(path: Path, tmp_path: Path) -> None:
    """A copy of the store went its own way, and its index came back."""
    import shutil

    filled(path)
    copy = tmp_path / "copy"
    shutil.copytree(path, copy)
    for place, word in ((path, "mine"), (copy, "theirs")):
        with backpack.open(place) as bp:
            memory = Memory(bp)
            for number in range(BATCH + 10):
                memory.log(f"{word} {number}", title=f"{word}{number}")
            memory.search("odd")
    for name in ("search.sqlite", "search.sqlite.sum"):
        (path / name).write_bytes((copy / name).read_bytes())
    with backpack.open(path) as bp:
        assert titles(Memory(bp), "theirs") == [] and titles(Memory(bp), '"mine 5"') == ["mine5"]


def test_a_reader_changes_no_file_and_searches_what_came_since(path: Path) -> None:
    filled(path)
    with backpack.open(path) as bp:
        memory = Memory(bp)
        memory.log("a zebra", title="late")
        bp.flush()
        before = {file.name: file.read_bytes() for file in path.iterdir() if file.is_file()}
        with backpack.open(path, "r") as other:
            read = Memory(other)
            assert titles(read, "zebra") == ["late"] and titles(read, "n7") == ["t7"]
            memory.log("a gnu", title="later")
            other.refresh()
            assert titles(read, "gnu") == ["later"]
        after = {file.name: file.read_bytes() for file in path.iterdir() if file.is_file()}
        assert before.keys() == after.keys() and before["search.sqlite"] == after["search.sqlite"]


def test_a_reader_of_a_store_without_an_index_makes_no_file(path: Path) -> None:
    with backpack.open(path) as bp:
        Memory(bp).log("a zebra", title="z")
    with backpack.open(path, "r") as bp:
        assert titles(Memory(bp), "zebra") == ["z"]
    assert not (path / "search.sqlite").exists()


def test_a_reader_goes_on_while_the_writer_brings_the_file_up_to_date(path: Path) -> None:
    filled(path)
    with backpack.open(path) as bp, backpack.open(path, "r") as other:
        memory, read = Memory(bp), Memory(other)
        assert titles(read, "n7") == ["t7"]
        for number in range(BATCH + 1):
            memory.log(f"second wave s{number}", title=f"s{number}")
        assert titles(memory, "s9") == ["s9"]
        memory.delete(memory.search("n7")[0].id)
        assert titles(read, "n8") == ["t8"]
        other.refresh()
        assert titles(read, "s9") == ["s9"] and titles(read, "n7") == []


def test_the_newest_entries_are_ranked_with_the_others(path: Path) -> None:
    filled(path)
    with backpack.open(path) as bp:
        memory = Memory(bp)
        memory.log("n7 n7 n7", title="fresh")
        memory.log("n7 n7 n7", title="fresher")
        assert titles(memory, "n7") == ["fresher", "fresh", "t7"]


def test_an_encrypted_store_has_no_index_on_disk(path: Path) -> None:
    with backpack.open(path, key=b"k" * 32) as bp:
        memory = Memory(bp)
        for number in range(BATCH + 10):
            memory.log(f"secret {number}", title=f"t{number}")
        assert titles(memory, '"secret 7"') == ["t7"]
        assert bp._derived() is None
    assert not [name for name in os.listdir(path) if name.startswith("search")]


def test_a_purge_leaves_no_index(path: Path) -> None:
    filled(path)
    with backpack.open(path) as bp:
        memory = Memory(bp)
        (found,) = memory.search("n7")
        (path / "search-0123456789abcdef.sqlite-journal").write_bytes(b"n7")
        bp.purge(f"memory.entries.{found.id}")
        assert not [name for name in os.listdir(path) if name.startswith("search")]
        assert titles(memory, "n7") == [] and titles(memory, "n8") == ["t8"]
    assert backpack.verify(path).ok


def test_a_dry_purge_leaves_the_index(path: Path) -> None:
    filled(path)
    with backpack.open(path) as bp:
        bp.purge("memory.**", dry_run=True)
    assert (path / "search.sqlite").exists()


def test_a_close_brings_the_file_up_to_date_once_enough_was_logged(path: Path) -> None:
    with backpack.open(path) as bp:
        Memory(bp).log("one", title="one")
    assert not (path / "search.sqlite").exists()
    with backpack.open(path) as bp:
        memory = Memory(bp)
        for number in range(BATCH):
            memory.log(f"entry n{number}", title=f"t{number}")
    assert (path / "search.sqlite").exists()
    with backpack.open(path, "r") as bp:
        assert titles(Memory(bp), "n7") == ["t7"]
        assert bp._followers["search of memory"]._searching._recent is None  # type: ignore[attr-defined]


def test_an_async_close_does_so_too(path: Path) -> None:
    async def work() -> None:
        async with backpack.open(path) as bp:
            memory = Memory(bp)
            for number in range(BATCH + 1):
                memory.log(f"entry n{number}")

    asyncio.run(work())
    assert (path / "search.sqlite.sum").exists()


def test_what_a_close_has_not_indexed_is_found_all_the_same(path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("backpack.memory.following.CLOSE_SIZE_MAX", 100)
    with backpack.open(path) as bp:
        memory = Memory(bp)
        for number in range(3 * BATCH):
            memory.log(f"entry n{number}", title=f"t{number}")
    with backpack.open(path, "r") as bp:
        assert titles(Memory(bp), f"n{3 * BATCH - 1}") == [f"t{3 * BATCH - 1}"]
    with backpack.open(path) as bp:
        memory = Memory(bp)
        assert titles(memory, f"n{3 * BATCH - 1}") == [f"t{3 * BATCH - 1}"]
        assert len(memory.search("entry", limit=10_000)) == 3 * BATCH


def test_a_folder_that_was_moved_away_gets_no_file(path: Path, tmp_path: Path) -> None:
    with backpack.open(path) as bp:
        memory = Memory(bp)
        memory.log("a zebra", title="z")
        path.rename(tmp_path / "elsewhere")
        path.mkdir()
        assert titles(memory, "zebra") == ["z"]
        assert not list(path.iterdir())


def test_verify_says_nothing_of_an_index_and_recover_leaves_it(path: Path, tmp_path: Path) -> None:
    filled(path)
    (path / "search.sqlite-journal").write_bytes(b"")
    found = backpack.verify(path)
    assert found.ok and not [note for note in found.notes if "search" in note]
    backpack.recover(path, tmp_path / "out")
    assert not [name for name in os.listdir(tmp_path / "out") if name.startswith("search")]
    with backpack.open(tmp_path / "out") as bp:
        assert titles(Memory(bp), "n7") == ["t7"]


def test_a_copy_has_an_index_of_its_own(path: Path, tmp_path: Path) -> None:
    filled(path)
    with backpack.open(path) as bp, bp.fork(path=tmp_path / "fork") as fork:
        memory = Memory(fork)
        memory.log("a zebra", title="z")
        assert titles(memory, "zebra") == ["z"] and titles(memory, "n7") == ["t7"]
        assert titles(Memory(bp), "zebra") == []


def test_after_the_close_there_is_no_search(path: Path) -> None:
    bp = backpack.open(path)
    memory = Memory(bp)
    bp.close()
    with pytest.raises(backpack.ClosedError):
        memory.search("x")


def test_without_fts5_the_error_says_what_is_missing() -> None:
    class Without:
        def __init__(self, *arguments: Any, **named: Any) -> None:
            self._base = sqlite3.connect(*arguments, **named)

        def execute(self, statement: str, *parameters: Any) -> Any:
            if "fts5" in statement:
                raise sqlite3.OperationalError("no such module: fts5")
            return self._base.execute(statement, *parameters)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._base, name)

    memory = Memory(Backpack())
    memory.log("x")
    with pytest.raises(SearchUnavailableError, match="FTS5"):
        Searching(memory, connect=Without).search(memory, "x", 10)  # type: ignore[arg-type]


def test_a_reader_can_not_log(path: Path) -> None:
    filled(path, 3)
    with backpack.open(path, "r") as bp, pytest.raises(ReadOnlyError):
        Memory(bp).log("x")


@pytest.mark.parametrize("mode", ["rw", "r"])
def test_an_index_that_somebody_changed_since_it_was_closed_is_not_believed(path: Path, mode: Any) -> None:
    filled(path)
    with sqlite3.connect(path / "search.sqlite") as base:
        base.execute("DELETE FROM documents WHERE number = 8")
    base.close()
    with backpack.open(path, mode) as bp:
        assert titles(Memory(bp), "n7") == ["t7"]


def test_what_stands_in_the_inbox_only_is_found() -> None:
    """As a reader has it: letters count as if they were adopted."""

    class Posted(StoreValues):
        letters: dict[str, object] = {}  # noqa: RUF012

        def get(self, key: str) -> object | None:
            return self.letters.get(key, super().get(key))

        def posted(self, prefix: str) -> list[str]:
            return [key for key in self.letters if key.startswith(prefix)]

    source, bp = Memory(Backpack()), Backpack()
    values = Posted(bp)
    memory = Memory(bp, values=values)
    assert titles(memory, "zebra") == []
    entry = source.log("a zebra", title="posted")
    values.letters = dict(source.bp.select("memory.entries.*")) | dict(source.bp.select("memory.content.*"))
    assert titles(memory, "zebra") == ["posted"]
    bp.update(values.letters)
    values.letters = {}
    assert titles(memory, "zebra") == ["posted"] and len(memory.search("zebra")) == 1
    assert memory.search("zebra")[0].id == entry.id


def test_a_file_with_more_in_it_than_was_made_here_is_refused(path: Path) -> None:
    filled(path)
    Index(str(path / "search.sqlite")).close()
    _trigger(path / "search.sqlite")
    with pytest.raises(sqlite3.DatabaseError, match="no index"):
        Index(str(path / "search.sqlite"))


def test_without_a_limit_a_search_gives_all() -> None:
    memory = Memory(Backpack())
    for number in range(40):
        memory.log(f"needle {number}")
    assert len(memory.search("needle", None)) == 40 and len(memory.search("needle")) == 10


@pytest.mark.parametrize("query", ["needle", "needle haystack"])
def test_of_equal_hits_the_newer_comes_first_whether_one_chunk_has_all_words_or_several(query: str) -> None:
    memory = Memory(Backpack())
    for number in range(4):
        text = f"needle {'lorem ipsum ' * 4000} haystack {'dolor sit ' * 4000} n{number:03d}"
        assert memory.log(text, title=str(number)).chunk_count > 1
    assert titles(memory, query) == ["3", "2", "1", "0"]


@pytest.mark.parametrize("traced", ["snippets.py", "search_index.py"])
def test_a_search_that_was_interrupted_at_any_line_leaves_the_next_one_as_it_was(path: Path, traced: str) -> None:
    with backpack.open(path) as bp:
        memory = Memory(bp)
        for number in range(3):
            memory.log(f"quick {number}", title=str(number))
        memory.search("quick")
        file = bp._derived()
        assert file is not None
        place = os.stat(os.path.join(file.path, file_name("memory"))).st_ino
        step = 1
        while interrupted_at(
            step, lambda: memory.search("quick"), lambda name: name.endswith(f"/memory/{traced}"), passing=("with ",)
        ):
            assert titles(memory, "quick") == ["2", "1", "0"]
            step += 1
        assert step > 10
        assert os.stat(os.path.join(file.path, file_name("memory"))).st_ino == place, "the index was made anew"
