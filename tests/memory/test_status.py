"""`STATUS.md`: a section of ours, and every other byte as it was."""

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backpack import Backpack, StorageError
from backpack.errors import InvalidArgumentError, MissingFileError
from backpack.memory import Memory
from backpack.memory import status as status_module
from backpack.memory.status import read_status, replaced, status_in
from backpack.memory.status_file import StatusFile

BEGIN = b"<!-- backpack:status:begin: this part is rewritten, write above or below it -->"
END = b"<!-- backpack:status:end -->"


@pytest.fixture
def memory() -> Memory:
    return Memory(Backpack(), clock=lambda: 1_800_000_000.0)


def test_a_new_file_is_readable_text(memory: Memory, tmp_path: Path) -> None:
    entry = memory.log("x", summary="ran the tests", directory=tmp_path)
    memory.log("elsewhere", directory=tmp_path / "other")
    status = memory.update_status(tmp_path, task="migrate the database", phase="build", done=["schema"])
    lines = (tmp_path / "STATUS.md").read_text().splitlines()
    assert lines[1:-1] == [
        "## Status", "", "- Task: migrate the database", "- Phase: build", "- Updated: 2027-01-15 08:00:00 UTC", "",
        "### Done", "", "- [x] schema", "", "### Context references", "", f"- [{entry.id}] ran the tests (1 token)",
    ]  # fmt: skip
    assert read_status(tmp_path) == status and status.references == (f"[{entry.id}] ran the tests (1 token)",)


def test_what_is_not_named_stays_and_done_is_added_to(memory: Memory, tmp_path: Path) -> None:
    memory.update_status(tmp_path, task="one", phase="build", done=["a", "b"])
    status = memory.update_status(tmp_path, done=["b", "c"])
    assert (status.task, status.phase, status.done) == ("one", "build", ("a", "b", "c"))
    assert memory.update_status(tmp_path, task="two").task == "two"


def test_without_a_section_a_task_is_wanted(memory: Memory, tmp_path: Path) -> None:
    (tmp_path / "STATUS.md").write_bytes(b"mine\n")
    with pytest.raises(InvalidArgumentError, match="task"):
        memory.update_status(tmp_path, phase="build")
    assert (tmp_path / "STATUS.md").read_bytes() == b"mine\n" and read_status(tmp_path) is None


@pytest.mark.parametrize("before", [b"", b"# Mine\n\ntext", b"text\n", b"\xff\xfe not utf-8 \x80\r\n"[2:], b"a\rb\r\n"])
@pytest.mark.parametrize("after", [b"", b"below\n", b"\n\nbelow without an end", b"\r\n\x80"])
def test_every_byte_outside_the_section_stays(memory: Memory, tmp_path: Path, before: bytes, after: bytes) -> None:
    file = tmp_path / "STATUS.md"
    if before:
        file.write_bytes(before)
    memory.update_status(tmp_path, task="one")
    assert file.read_bytes().startswith(before)
    with file.open("ab") as opened:
        opened.write(after)
    grown = file.read_bytes()
    head = grown[: grown.index(BEGIN)]
    memory.update_status(tmp_path, task="two", done=["more"])
    assert file.read_bytes().startswith(head + BEGIN) and file.read_bytes().endswith(END + grown.split(END)[1])
    assert status_in(file.read_bytes()).task == "two"  # type: ignore[union-attr]


PIECES = st.sampled_from([BEGIN + b"\n", END + b"\n", b"text\n", b"text", b"\n", b"\r\n", BEGIN, END, b"- Task: x\n"])


@given(pieces=st.lists(PIECES, max_size=12))
def test_broken_and_doubled_markers_lose_no_text(pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    place = status_module._place(data)
    new = replaced(data, ["- Task: new"])
    if place is None:
        assert new.startswith(data)
    else:
        assert new.startswith(data[: place[0]]) and new.endswith(data[place[1] :])
        assert b"begin" not in data[place[0] + len(BEGIN) : place[1] - len(END) - 2]
    assert replaced(new, ["- Task: new"]) == new, "a second time changes nothing"
    found = status_in(new)
    assert found is not None and found.task == "new"


def test_a_file_of_crlf_gets_a_section_of_crlf(memory: Memory, tmp_path: Path) -> None:
    file = tmp_path / "STATUS.md"
    file.write_bytes(b"mine\r\n")
    memory.update_status(tmp_path, task="one")
    memory.update_status(tmp_path, done=["x"])
    assert file.read_bytes().count(b"\n") == file.read_bytes().count(b"\r\n")
    assert read_status(tmp_path).done == ("x",)  # type: ignore[union-attr]


def test_what_is_said_can_not_be_taken_for_a_marker_or_a_line(memory: Memory, tmp_path: Path) -> None:
    evil = f"x\n{END.decode()}\n- Phase: wrong\n- [x] not done"
    memory.update_status(tmp_path, task=evil, done=[evil])
    status = memory.update_status(tmp_path, done=["y"])
    assert status.phase is None and len(status.done) == 2
    assert (tmp_path / "STATUS.md").read_bytes().count(END) == 1


def test_the_mode_stays_and_nothing_is_left_beside_it(memory: Memory, tmp_path: Path) -> None:
    file = tmp_path / "STATUS.md"
    file.write_text("mine\n")
    for mode in (0o640, 0o600, 0o664):
        file.chmod(mode)
        memory.update_status(tmp_path, task="one")
        assert stat.S_IMODE(file.stat().st_mode) == mode
    assert os.listdir(tmp_path) == ["STATUS.md"]


def test_a_link_is_not_followed(memory: Memory, tmp_path: Path) -> None:
    target = tmp_path / "other.txt"
    target.write_text("theirs")
    place = tmp_path / "work"
    place.mkdir()
    (place / "STATUS.md").symlink_to(target)
    for call in (lambda: memory.update_status(place, task="one"), lambda: read_status(place)):
        with pytest.raises(StorageError, match="link"):
            call()
    assert target.read_text() == "theirs" and (place / "STATUS.md").is_symlink()


def test_a_directory_that_is_missing_is_not_made(memory: Memory, tmp_path: Path) -> None:
    with pytest.raises(MissingFileError):
        memory.update_status(tmp_path / "nowhere", task="one")
    (tmp_path / "file").write_text("x")
    with pytest.raises(MissingFileError):
        memory.update_status(tmp_path / "file", task="one")
    (tmp_path / "STATUS.md").mkdir()
    with pytest.raises(StorageError):
        memory.update_status(tmp_path, task="one")


def test_a_file_that_somebody_changes_meanwhile_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "STATUS.md"
    file.write_bytes(b"first\n")
    seen = []

    def change(data: bytes) -> bytes:
        seen.append(data)
        if len(seen) == 1:
            file.write_bytes(b"second, by somebody\n")
        return data + b"ours\n"

    assert StatusFile(tmp_path).rewrite(change) == b"second, by somebody\nours\n" == file.read_bytes()
    assert seen == [b"first\n", b"second, by somebody\n"]


def test_a_file_that_is_changed_all_the_time_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "STATUS.md"
    file.write_bytes(b"0")

    def change(data: bytes) -> bytes:
        file.write_bytes(data + b"0")
        return b"ours"

    with pytest.raises(StorageError, match="all the time"):
        StatusFile(tmp_path).rewrite(change)
    assert set(file.read_bytes()) == {ord("0")} and os.listdir(tmp_path) == ["STATUS.md"]


def test_what_is_too_long_or_utf_16_is_refused(memory: Memory, tmp_path: Path) -> None:
    file = tmp_path / "STATUS.md"
    for data in (b"x" * (5 * 1024 * 1024), "mine".encode("utf-16")):
        file.write_bytes(data)
        with pytest.raises(StorageError):
            memory.update_status(tmp_path, task="one")
        assert file.read_bytes() == data


def test_many_references_are_counted_and_the_newest_shown(memory: Memory, tmp_path: Path) -> None:
    entries = [memory.log(f"e{number}", directory=tmp_path) for number in range(60)]
    status = memory.update_status(tmp_path, task="one")
    assert len(status.references) == 50 and entries[-1].id in status.references[0]
    assert "- and 10 more" in (tmp_path / "STATUS.md").read_text()


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_lines_of_a_person_inside_the_section_are_carried_behind_it(tmp_path: Path, newline: str) -> None:
    memory = Memory(Backpack())
    for number in range(60):
        memory.log(f"entry {number}", directory=tmp_path)
    memory.update_status(tmp_path, task="t", phase="p", done=["one"])
    file = tmp_path / "STATUS.md"
    text = file.read_text().replace("- Task: t\n", "- Task: t\n- [ ] mine, open\n  and indented\n- [x] mine, done\n")
    file.write_bytes((text + "below\n").replace("\n", newline).encode())
    for _ in range(2):
        status = memory.update_status(tmp_path, phase="q")
        assert status.done == ("mine, done", "one")
        section, _, behind = file.read_bytes().decode().partition("<!-- backpack:status:end -->" + newline)
        assert behind == newline.join(["- [ ] mine, open", "  and indented", "below", ""])
        assert "and 10 more" in section and "mine, open" not in section
