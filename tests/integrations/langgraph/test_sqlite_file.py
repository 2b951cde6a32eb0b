"""Files of SqliteSaver are read as they are, without changing them, and what is wrong with one is said."""

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver

from backpack.integrations.langgraph.sqlite_file import CheckpointRow, SqliteFile, opened
from backpack.integrations.langgraph.sqlite_opening import SqliteFileError

from .sqlite_files import changed, made, talk

_LEAVE = """
import os, sqlite3, sys
from langgraph.checkpoint.sqlite import SqliteSaver
sys.path.insert(0, {root!r})
from tests.integrations.langgraph.sqlite_files import talk
saver = SqliteSaver(sqlite3.connect({path!r}, check_same_thread=False))
talk(saver)
os._exit(0)
"""


WITHOUT_ROWID = """
CREATE TABLE writes (
    thread_id TEXT, checkpoint_ns TEXT, checkpoint_id TEXT, task_id TEXT, idx INTEGER, channel TEXT, type TEXT,
    value BLOB, PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id, task_id, idx)
) WITHOUT ROWID"""


def entries(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.iterdir()}


def rows_of(file: SqliteFile) -> list[CheckpointRow]:
    return [row for thread in file.threads() for row in file.checkpoints(thread)]


def left_behind(path: Path) -> str:
    """A file whose writer died: nearly everything of it is in the log beside it."""
    script = _LEAVE.format(root=str(Path(__file__).parents[3]), path=str(path))
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
    assert Path(f"{path}-wal").stat().st_size > path.stat().st_size
    return str(path)


def test_every_row_is_there_in_the_order_of_the_puts(tmp_path: Path) -> None:
    path = made(tmp_path / "c.db")
    with opened(path) as file, SqliteSaver.from_conn_string(path) as saver:
        rows = rows_of(file)
        tuples = list(saver.list(None))
        assert file.checkpoint_count == len(rows) == len(tuples) == 14
        assert sum(len(file.writes(row.address)) for row in rows) == file.write_count == 36
        assert [row.address.thread for row in rows] == ["oslo"] * 7 + ["rome"] * 7
        assert [row.parent for row in rows[1:7]] == [row.address.id for row in rows[:6]]
        assert not list(file.strays())


def test_reading_a_closed_file_leaves_its_folder_as_it_was(tmp_path: Path) -> None:
    path = made(tmp_path / "c.db")
    before = entries(tmp_path)
    with opened(path) as file:
        assert len(rows_of(file)) == 14
    assert entries(tmp_path) == before


@pytest.mark.parametrize("has_shared_memory", [True, False])
def test_the_log_of_a_writer_that_died_is_read_too(tmp_path: Path, has_shared_memory: bool) -> None:
    path = left_behind(tmp_path / "c.db")
    if not has_shared_memory:
        os.remove(f"{path}-shm")
    before = entries(tmp_path)
    with opened(path) as file:
        assert len(rows_of(file)) == 14
        assert file.size == sum(len(before[name]) for name in ("c.db", "c.db-wal"))
    after = entries(tmp_path)
    assert after.keys() == before.keys()
    assert all(after[name] == before[name] for name in ("c.db", "c.db-wal"))


def test_a_file_is_read_as_of_when_it_was_opened_while_its_writer_goes_on(tmp_path: Path) -> None:
    path = str(tmp_path / "c.db")
    with SqliteSaver.from_conn_string(path) as saver:
        talk(saver, ("rome",))
        with opened(path) as file:
            first = next(file.checkpoints("rome"))
            talk(saver, ("oslo",))
            assert {row.address.thread for row in (first, *rows_of(file))} == {"rome"}


def test_a_writer_that_nothing_keeps_away_is_noticed(tmp_path: Path) -> None:
    path = made(tmp_path / "c.db")
    with pytest.raises(SqliteFileError, match="somebody wrote to the file"), opened(path) as file:
        rows_of(file)
        made(tmp_path / "c.db", threads=("third",))


def test_a_file_from_before_the_paths_of_tasks_is_read(tmp_path: Path) -> None:
    path = made(tmp_path / "c.db")
    with changed(tmp_path / "c.db") as connection:
        connection.execute("ALTER TABLE writes DROP COLUMN task_path")
    with opened(path) as file:
        assert {write.task_path for row in rows_of(file) for write in file.writes(row.address)} == {""}


def test_writes_without_a_checkpoint_are_found(tmp_path: Path) -> None:
    path = made(tmp_path / "c.db", threads=("rome",))
    with changed(tmp_path / "c.db") as connection:
        connection.execute("DELETE FROM checkpoints WHERE parent_checkpoint_id IS NULL")
    with opened(path) as file:
        (address,) = file.strays()
        assert address.thread == "rome" and file.writes(address)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DROP TABLE writes", "it has no table writes"),
        ("DROP TABLE checkpoints", "it has no table checkpoints"),
        (
            "ALTER TABLE checkpoints RENAME COLUMN checkpoint_ns TO thread_ts",
            "older release .* no column checkpoint_ns",
        ),
        (f"DROP TABLE writes; {WITHOUT_ROWID}", "table writes is WITHOUT ROWID"),
        (
            "ALTER TABLE checkpoints RENAME TO kept; CREATE VIEW checkpoints AS SELECT * FROM kept",
            "checkpoints is a view, not a table",
        ),
        ("UPDATE checkpoints SET checkpoint = 3", "damaged row: int in the place of bytes: thread='rome'"),
        ("UPDATE checkpoints SET metadata = 4.5", "damaged row: float in the place of bytes"),
        ("UPDATE checkpoints SET type = NULL", "damaged row: NoneType in the place of str"),
        ("UPDATE checkpoints SET thread_id = x'ff'", "a thread whose id is no text"),
        ("UPDATE checkpoints SET thread_id = CAST(x'ff' AS TEXT)", "can't be read: text that is not UTF-8"),
        ("UPDATE writes SET idx = 'a' WHERE rowid = 2", "damaged row: str in the place of int"),
        ("UPDATE writes SET value = NULL", "damaged row: NoneType in the place of bytes"),
    ],
)
def test_what_no_saver_of_today_writes_is_refused(tmp_path: Path, statement: str, said: str) -> None:
    path = made(tmp_path / "c.db", threads=("rome",))
    with changed(tmp_path / "c.db") as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.executescript(statement if "SET thread_id" not in statement else f"{statement} WHERE rowid = 2")
    with pytest.raises(SqliteFileError, match=said) as caught, opened(path) as file:
        for row in rows_of(file):
            file.writes(row.address)
    assert caught.value.path == path
    assert str(caught.value).isprintable()


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database")
    (tmp_path / "empty").touch()
    os.mkfifo(tmp_path / "pipe")
    for name, said in (
        ("text", "not a SQLite database"),
        ("empty", "not a SQLite"),
        ("pipe", "not a SQLite"),
        (".", "Is a dir"),
        ("x", "No such"),
    ):
        with pytest.raises(SqliteFileError, match=said), opened(str(tmp_path / name)):
            pass
    with pytest.raises(SqliteFileError, match="null"), opened("a\0b"):
        pass


def test_a_file_damaged_anywhere_is_refused_or_read_and_raises_nothing_else(tmp_path: Path) -> None:
    whole = Path(made(tmp_path / "c.db")).read_bytes()
    refused = 0
    for at in range(0, len(whole), 499):
        (tmp_path / "d.db").write_bytes(whole[:at] + b"\xa5\x5a\xff\x00" + whole[at + 4 :])
        try:
            with opened(str(tmp_path / "d.db")) as file:
                for row in rows_of(file):
                    file.writes(row.address)
                list(file.strays())
        except SqliteFileError:
            refused += 1
    assert refused > 3


def test_a_cut_file_is_refused(tmp_path: Path) -> None:
    whole = Path(made(tmp_path / "c.db")).read_bytes()
    (tmp_path / "d.db").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SqliteFileError), opened(str(tmp_path / "d.db")) as file:
        rows_of(file)


def test_names_that_mean_something_in_an_address_are_only_names(tmp_path: Path) -> None:
    folder = tmp_path / "a?b#c%20d e"
    folder.mkdir()
    shutil.copy(made(tmp_path / "c.db"), folder / "x?mode=rwc&y.db")
    with opened(str(folder / "x?mode=rwc&y.db")) as file:
        assert file.checkpoint_count == 14


def test_nothing_can_be_written_through_it(tmp_path: Path) -> None:
    path = made(tmp_path / "c.db")
    with opened(path) as file, pytest.raises(sqlite3.OperationalError, match="readonly"):
        file._connection.execute("DELETE FROM writes")
