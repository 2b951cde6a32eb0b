"""`log`, `show`, `keys`, `diff`, `blame`, `usage`: what they say, and that they change nothing."""

import datetime
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import backpack
from backpack.cli.main import main

from .stores import Calls, Captured, files_of, made_trip

READING = [
    "log",
    "show 2",
    "show 2 messages",
    "keys",
    "keys ** --at 2",
    "diff 1",
    "diff 3 4 plan",
    "blame plan",
    "usage",
]


def seqs(trip: Calls, options: str) -> list[int]:
    return [json.loads(line)["seq"] for line in trip(f"log --json {options}").splitlines()]


# -- log -------------------------------------------------------------------------------------------------------


def test_log_is_a_line_a_commit_newest_first(trip: Calls) -> None:
    lines = trip("log").splitlines()
    assert [line.split()[0] for line in lines] == ["6", "5", "4", "3", "2", "1"]
    assert lines[2].endswith("one day more and it is paid")
    assert lines[1].endswith("booking.hotel, request")
    assert "planner" in lines[3]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ("", [6, 5, 4, 3, 2, 1]),
        ("-n 2", [6, 5]),
        ("-n 0", []),
        ("--key messages", [6, 2]),
        ("--key nothing", []),
        ("--node planner", [4, 3]),
        ("--node planner -n 1", [4]),
        ("--tag draft", [3]),
        ("--since 4", [6, 5]),
        ("--since planned", [6, 5, 4]),
        ("--since 0", [6, 5, 4, 3, 2, 1]),
        ("--before HEAD~1", [4, 3, 2, 1]),
        ("--before planned --since 1", [2]),
        ("--since 2000-01-01", [6, 5, 4, 3, 2, 1]),
        ("--before 2000-01-01", []),
        ("--before 2999-01-01", [6, 5, 4, 3, 2, 1]),
        ("--since 2999-01-01", []),
    ],
)
def test_log_shows_those_that_are_asked_for(options: str, found: list[int], trip: Calls) -> None:
    assert seqs(trip, options) == found


def test_log_before_a_time_has_the_commits_up_to_it(trip: Calls) -> None:
    with backpack.open(trip.store, "r") as bp:
        time = bp.commit(3).time.isoformat()
        seq = bp.snapshot(bp.commit(3).time).seq
    assert seqs(trip, f"--before {time}")[0] == seq


def test_log_as_json_is_a_document_a_commit(trip: Calls) -> None:
    with backpack.open(trip.store, "r") as bp:
        commit = bp.commit(5)
    found = json.loads(trip("log --json --before 6 -n 1"))
    assert found == {
        "seq": 5,
        "id": commit.id,
        "parent": commit.parent,
        "time": commit.time.isoformat(),
        "node": "booker",
        "message": None,
        "tags": [],
        "size": commit.size,
        "changes": {
            "booking.hotel": {"kind": "pack", "version": 1, "size": 6, "is_large": False},
            "request": {"kind": "delete", "version": 2, "size": 0, "is_large": False},
        },
    }


# -- show ------------------------------------------------------------------------------------------------------


def addresses(store: Path) -> dict[str, int]:
    with backpack.open(store, "r") as bp:
        commit = bp.commit(4)
        return {
            "4": 4,
            "HEAD": 6,
            "HEAD~2": 4,
            "planned": 3,
            commit.id: 4,
            commit.id[:6]: 4,
            "2999-12-31": 6,
            "2999-12-31T10:00:00Z": 6,
            "2999-12-31 10:00+02:00": 6,
        }


def test_show_finds_a_commit_by_every_kind_of_address(trip: Calls) -> None:
    for at, seq in addresses(trip.store).items():
        assert trip.json(["show", at])["seq"] == seq, at
    assert trip.json("show")["seq"] == 6


def test_a_checkpoint_that_looks_like_a_seq_or_a_time_is_found_where_no_such_seq_is(trip: Calls) -> None:
    with backpack.open(trip.store) as bp:
        bp.checkpoint("2", at=5)
        bp.checkpoint("20261", at=4)
        bp.checkpoint("2000-01-01", at=3)
    assert trip.json("show 2")["seq"] == 2
    assert trip.json("show 20261")["seq"] == 4
    assert trip.json("show 2000-01-01")["seq"] == 3
    assert seqs(trip, "--before 2000-01-01") == [2, 1]


def test_a_time_without_an_offset_is_local(trip: Calls) -> None:
    with backpack.open(trip.store, "r") as bp:
        time = bp.commit(6).time + datetime.timedelta(seconds=1)
    naive = time.astimezone().replace(tzinfo=None)
    assert trip.json(["show", naive.isoformat()])["seq"] == 6
    assert trip.json(["show", naive.isoformat(sep=" ")])["seq"] == 6


@pytest.mark.parametrize("at", ["7", "99999999999999999999", "HEAD~6", "nowhere", "zzzzzz", "-1", "\u0663", "0"])
def test_a_commit_that_is_not_there_is_exit_code_1(at: str, trip: Calls) -> None:
    trip.refused(["show", "--", at], code=1)


@pytest.mark.parametrize("at", ["2026-13-01", "2026-01-01T99:00", "2026-01-01 soon"])
def test_a_time_that_is_none_is_exit_code_2(at: str, trip: Calls) -> None:
    assert trip.refused(["show", at], code=2).startswith("not a time")


def test_show_tells_who_did_what_to_which_keys(trip: Calls) -> None:
    out = trip("show 4")
    with backpack.open(trip.store, "r") as bp:
        assert f"commit 4 {bp.commit(4).id}\nparent 3 {bp.commit(3).id}\n" in out
    assert "node   planner\n\n    one day more\n    and it is paid\n\n" in out
    assert "plan  pack          2  23 B" in out
    assert "tags   first, draft" in trip("show 3")
    assert "2 keys, 6 B" in trip("show 5")


def test_show_of_a_key_is_its_value_as_of_then(trip: Calls) -> None:
    assert json.loads(trip("show 3 plan")) == {"steps": ["find", "book"], "days": 3}
    assert json.loads(trip("show 6 plan")) == {"steps": ["find", "pay"], "days": 4}
    assert trip("show HEAD booking.hotel") == "Bella\n"
    assert json.loads(trip("show 4 request")) == {"city": "Rome", "nights": 3}
    assert "seq=5" in trip.refused("show 5 request", code=1)


def test_show_of_a_key_as_json_has_its_version_and_commit(trip: Calls) -> None:
    found = trip.json("show 5 plan")
    assert found["commit"]["seq"] == 4
    assert {name: found[name] for name in found if name != "commit"} == {
        "key": "plan",
        "seq": 5,
        "version": 2,
        "size": 23,
        "is_large": False,
        "value": {"steps": ["find", "pay"], "days": 4},
        "is_exact": True,
        "unavailable": None,
    }


WITH_A_CLASS = """
import sys, backpack
class Plan: pass
backpack.register(Plan, name="trip.Plan", encode=lambda plan: 1, decode=lambda data: Plan())
with backpack.open(sys.argv[1]) as bp:
    bp.pack("odd", Plan())
    bp.pack("odd", [Plan()])
"""


def test_a_value_of_a_class_that_only_its_program_knows_is_named(trip: Calls) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", WITH_A_CLASS, str(trip.store)], env=environment, check=True)
    assert "trip.Plan" in trip("show HEAD odd", code=1)
    assert "trip.Plan" in trip.json("show HEAD odd", code=1)["unavailable"]
    assert "trip.Plan" in trip("diff HEAD~1")
    assert "trip.Plan" in trip("diff HEAD~1 HEAD odd")
    assert trip.json("diff HEAD~1")["changed"]["odd"]["paths"] is None
    assert trip.json("diff HEAD~1 HEAD odd")["changed"]["odd"]["old"] is None


# -- diff ------------------------------------------------------------------------------------------------------


def test_diff_names_keys_places_and_commits(trip: Calls) -> None:
    lines = trip("diff 2 6").splitlines()[2:]
    assert [line.split()[:2] for line in lines] == [
        ["+", "booking.hotel"],
        ["+", "plan"],
        ["-", "request"],
        ["~", "messages"],
    ]
    assert lines[0].split()[2:] == ["Bella", "5", "booker"]
    assert lines[3].split()[2:] == ["at", "[1]", "6", "chat"]
    assert "at steps[1], days" in trip("diff 3 4")


def test_diff_goes_to_the_newest_commit_unless_told(trip: Calls) -> None:
    assert trip("diff planned") == trip("diff 3 HEAD")
    assert trip("diff HEAD") == "no difference between commit 6 and commit 6\n"


def test_diff_of_a_key_has_what_was_and_is_at_each_place(trip: Calls) -> None:
    assert trip("diff 3 4 plan").splitlines() == [
        "~ plan  by commit 4 planner",
        "  steps[1]",
        "    - book",
        "    + pay",
        "  days",
        "    - 3",
        "    + 4",
    ]
    assert trip("diff 2 6 messages").splitlines()[2] == "    + {role: assistant, content: booked}"
    assert trip("diff 0 5 booking.hotel").splitlines() == ["+ booking.hotel  by commit 5 booker", "  + Bella"]
    assert trip("diff 4 6 plan") == "no difference in plan between commit 4 and commit 6\n"


def test_a_second_word_that_names_no_commit_is_a_key(trip: Calls) -> None:
    assert trip("diff 3 plan") == trip("diff 3 HEAD plan")
    trip.refused("diff 3 nothing", code=1)
    trip.refused("diff 3 nothing plan", code=1)
    trip.refused("diff 3 4 nothing", code=1)
    assert "booking.hotel" in trip.refused("diff 1 2 booking.hotel", code=1)


def test_diff_as_json(trip: Calls) -> None:
    with backpack.open(trip.store, "r") as bp:
        ids = {seq: bp.commit(seq).id for seq in (4, 5, 6)}
    assert trip.json("diff 3") == {
        "from": 3,
        "to": 6,
        "added": {"booking.hotel": {"commit": {"seq": 5, "id": ids[5]}}},
        "removed": {"request": {"commit": {"seq": 5, "id": ids[5]}}},
        "changed": {
            "messages": {"commit": {"seq": 6, "id": ids[6]}, "paths": ["[1]"]},
            "plan": {"commit": {"seq": 4, "id": ids[4]}, "paths": ["steps[1]", "days"]},
        },
    }
    changed = trip.json("diff 3 4 plan")["changed"]["plan"]
    assert changed["old"]["days"] == 3
    assert changed["new"]["days"] == 4


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"a key": {"x": 1}}, {"a key": {"x": 2}}, ["  ['a key'].x", "    - 1", "    + 2"]),
        ({"it's [1]": 1}, {"it's [1]": 2}, ["""  ["it's [1]"]""", "    - 1", "    + 2"]),
        ({(1, 2): 1}, {(1, 2): 2}, ["  [(1, 2)]", "    - 1", "    + 2"]),
        ({3: {"class": 1}}, {3: {"class": 2}}, ["  [3].class", "    - 1", "    + 2"]),
        ({"a": 1}, {"b": 2}, ["  a", "    - 1", "  b", "    + 2"]),
        (1, "x", ["    - 1", "    + x"]),
        ({datetime.date(2026, 1, 1): 1}, {datetime.date(2026, 1, 1): 2}, ["  [datetime.date(2026, 1, 1)]"]),
    ],
)
def test_every_place_is_found_or_named(old: Any, new: Any, expected: list[str], trip: Calls) -> None:
    with backpack.open(trip.store) as bp:
        bp.pack("k", old)
        bp.pack("k", new)
    assert trip("diff HEAD~1 HEAD k").splitlines()[1:] == expected


def test_many_places_are_counted(trip: Calls) -> None:
    with backpack.open(trip.store) as bp:
        bp.pack("k", [0] * 80)
        bp.pack("k", [1] * 80)
    assert trip("diff HEAD~1 HEAD k").endswith("  ... and 30 more places\n")
    assert "at [0], [1], [2] and 77 more" in trip("diff HEAD~1 HEAD")


# -- which commit ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "meant"),
    [
        ("show booking.hotel", "show HEAD booking.hotel"),
        ("diff plan", "diff HEAD~1 plan"),
        ("diff plan 3", "diff HEAD~1 plan"),
        ("restore request", "restore AT request"),
        ("log --since plan", "log --key plan"),
        ("log --before plan", "log --key plan"),
        ("keys --at plan", "keys plan"),
    ],
)
def test_a_key_in_the_place_of_a_commit_is_told_with_the_command_that_was_meant(
    command: str, meant: str, trip: Calls
) -> None:
    assert trip.refused(command, code=1).endswith(f"names no commit, it is a key: backpack {meant}")


def test_a_seq_that_is_too_high_is_told_with_the_newest(trip: Calls) -> None:
    assert trip.refused("show 99999", code=1) == "there is no commit 99999: the newest is 6"
    assert trip.refused("diff 1 77", code=1) == "there is no commit 77: the newest is 6"


# -- keys ------------------------------------------------------------------------------------------------------


def test_keys_are_those_with_a_value_and_who_set_it(trip: Calls) -> None:
    lines = trip("keys").splitlines()
    assert [line.split()[:2] for line in lines[2:]] == [["booking.hotel", "1"], ["messages", "2"], ["plan", "2"]]
    assert [line.split()[-3] for line in lines[2:]] == ["booker", "chat", "planner"]
    assert lines[0].split() == ["key", "version", "size", "node", "time"]
    with backpack.open(trip.store, "r") as bp:
        item, found = bp.item("plan"), trip.json("keys plan")
    assert item.commit is not None
    assert found == {
        "seq": 6,
        "keys": {
            "plan": {
                "version": 2,
                "size": item.size,
                "is_large": False,
                "node": "planner",
                "time": item.commit.time.isoformat(),
                "commit": {"seq": 4, "id": item.commit.id},
            }
        },
    }


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ("--at planned", ["messages", "plan", "request"]),
        ("--at 0", []),
        ("'booking.*'", ["booking.hotel"]),
        ("'*'", ["messages", "plan"]),
        ("'**' --at 4", ["messages", "plan", "request"]),
    ],
)
def test_keys_shows_those_that_are_asked_for(options: str, found: list[str], trip: Calls) -> None:
    assert list(trip.json(f"keys {options}")["keys"]) == found


def test_keys_that_are_not_there_are_exit_code_1(trip: Calls) -> None:
    assert trip("keys 'nothing.*'", code=1) == "no keys\n"
    assert trip("keys --at 0") == "no keys\n"
    trip.refused("keys --at nowhere", code=1)
    trip.refused("keys ''", code=2)


# -- blame, usage ----------------------------------------------------------------------------------------------


def test_blame_names_who_set_the_present_value(trip: Calls) -> None:
    out = trip("blame plan")
    assert out.startswith("plan: version 2, 23 B\ncommit 4 ")
    found = trip.json("blame plan")
    assert (found["version"], found["commit"]["seq"], found["commit"]["node"]) == (2, 4, "planner")
    assert trip.refused("blame request", code=1) == "no value: key='request'"


def test_usage_counts_keys_commits_and_bytes(trip: Calls) -> None:
    found = trip.json("usage")
    assert (found["keys"], found["head"], found["checkpoints"]) == (3, 6, {"planned": 3})
    assert found["disk_bytes"] == sum(len(data) for _, data in files_of(trip.store).values())
    assert found["commits_in_memory"] + found["commits_archived"] == 6
    lines = trip("usage").splitlines()
    assert lines[1].split() == ["commits", "6"]
    assert any(line.startswith("history limit") for line in lines)


# -- all of them -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", READING)
def test_a_reading_command_changes_no_file(command: str, trip: Calls) -> None:
    before = files_of(trip.store)
    trip(command)
    trip(f"{command} --json")
    assert files_of(trip.store) == before


@pytest.mark.parametrize("command", READING)
def test_a_reading_command_reads_beside_a_writer(command: str, trip: Calls) -> None:
    with backpack.open(trip.store) as bp:
        bp.pack("new", 1)
        trip(command)
        assert seqs(trip, "-n 1") == [7]


@pytest.mark.parametrize("command", [*READING, "restore 1", "verify", "recover out", "compact", "export file"])
@pytest.mark.parametrize("place", ["none", "none/deeper", "empty"])
def test_a_store_that_is_not_there_is_exit_code_2_and_is_not_made(
    command: str, place: str, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    calls = Calls(tmp_path / place, capsys)
    assert calls.refused(command, code=2).startswith("there is no store: path=")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["empty"]


def test_a_store_that_is_a_file_or_has_an_odd_name_is_exit_code_2(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "file").write_text("x")
    assert "this is a file" in Calls(tmp_path / "file", capsys).refused("log", code=2)
    assert main(["log", "--store", ""]) == 2
    assert main(["log", "--store", "a\0b"]) == 2
    assert main(["log", "--store", "a\x1b[31m"]) == 2
    assert "\x1b" not in capsys.readouterr().err


def test_a_folder_of_something_else_is_no_store(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "text").write_text("mine")
    Calls(tmp_path / "notes", capsys).refused("log", code=2)
    assert (tmp_path / "notes" / "text").read_text() == "mine"


def test_the_store_is_the_option_or_the_variable_or_the_default(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made_trip(tmp_path / ".backpack")
    assert main(["log", "-n", "1"]) == 0
    monkeypatch.setenv("BACKPACK_STORE", str(tmp_path / "other"))
    assert main(["log"]) == 2
    made_trip(tmp_path / "other")
    assert main(["log"]) == 0
    assert main(["log", "--store", "nowhere"]) == 2
    monkeypatch.setenv("BACKPACK_STORE", "")
    assert main(["log"]) == 0


ROOT = Path(__file__).parents[2]
NASTY = "\x1b[31mred\x07\x9b\u202e\ud800\t\x7f"


def test_no_control_character_reaches_the_terminal(tmp_path: Path, capsys: Captured) -> None:
    key = NASTY.replace("\ud800", "")
    with backpack.open(tmp_path / "nasty") as bp:
        bp.pack(key, {NASTY: [NASTY]}, node=key, message=f"{key}\n{key}", tags=[key])
        bp.pack(key, {NASTY: [NASTY, 2]}, node=key)
        bp.pack("text", f"{NASTY}\r\n{NASTY}\rover")
        bp.checkpoint(key)
    calls = Calls(tmp_path / "nasty", capsys)
    commands = [
        ["log"],
        ["show", "1"],
        ["show", "HEAD", key],
        ["show", "HEAD", "text"],
        ["diff", "1"],
        ["diff", "1", "2", key],
        ["diff", "0"],
        ["blame", key],
        ["keys"],
        ["keys", "--at", "1"],
        ["usage"],
        ["restore", "1", key],
    ]
    for command in commands:
        for options in ([], ["--json"]):
            out = calls([*command, *options])
            assert out.replace("\n", "").isprintable(), command
    assert calls.json(["show", "HEAD", "text"])["value"] == f"{NASTY}\r\n{NASTY}\rover"
    calls.refused(["blame", NASTY], code=1)
    calls.refused(["show", NASTY], code=1)


def test_values_that_json_lacks_are_shown_and_said_to_be_inexact(tmp_path: Path, capsys: Captured) -> None:
    values: list[tuple[Any, Any]] = [
        ((1, (2,)), [1, [2]]),
        ({3, 1}, [1, 3]),
        ({1: "a", "1": "b"}, [[1, "a"], ["1", "b"]]),
        (b"\x00x", "b'\\x00x'"),
        (float("nan"), "nan"),
        (datetime.date(2026, 1, 2), "2026-01-02"),
        ([float("inf")], ["inf"]),
        (10**5000, "(an integer of 16,610 bits)"),
    ]
    calls = Calls(tmp_path / "odd", capsys)
    for value, plain in values:
        with backpack.open(tmp_path / "odd") as bp:
            bp.pack("k", value)
        found = calls.json("show HEAD k")
        assert (found["value"], found["is_exact"]) == (plain, False)
        calls("show HEAD k")
        calls("diff 0")
        calls("diff 0 HEAD k")


def test_lines_fit_the_terminal(trip: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    with backpack.open(trip.store) as bp:
        bp.pack("k" * 300, "v" * 300, node="n" * 300, message="m" * 300)
    for columns in ("80", "100"):
        monkeypatch.setenv("COLUMNS", columns)
        for command in ("log", "show", "keys", "diff 1", "usage"):
            lines = [line for line in trip(command).splitlines() if not line.startswith(("    mmm", "node   "))]
            assert max(map(len, lines)) <= int(columns), command
