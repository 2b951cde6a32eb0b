"""`memory`, `checkpoint`, `status`: what they say, alone and beside a process that writes."""

import io
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

import backpack
from backpack.memory import Memory
from backpack.terminal.words import columns_of

from .stores import Calls, Captured, files_of

ROOT: Final = Path(__file__).parents[2]
ID: Final = re.compile(r"mem-\d{8}-\d{6}-[0-9a-f]{8}")
WRITER: Final = "import sys, backpack; bp = backpack.open(sys.argv[1]); print('open', flush=True); sys.stdin.read()"


@pytest.fixture
def calls(tmp_path: Path, capsys: Captured) -> Calls:
    """The command line on a store that is not there yet."""
    return Calls(tmp_path / "store", capsys)


def logged(calls: Calls, *words: str) -> str:
    return calls(["memory", "log", "-q", *words]).strip()


def piped(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


# -- log -----------------------------------------------------------------------------------------------------------


def test_log_prints_one_line_with_id_tokens_and_chunks(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    assert re.fullmatch(rf"{ID.pattern}  3 tokens  1 chunk\n", calls("memory log 'two words'"))
    piped(monkeypatch, b"a line of a log\n" * 2_000)
    assert re.fullmatch(rf"{ID.pattern}  8,000 tokens  2 chunks\n", calls("memory log --stdin --tag pytest"))


def test_log_takes_a_text_a_file_or_what_is_piped_in_and_exactly_one(
    calls: Calls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"from a file\r\n")
    piped(monkeypatch, b"\xff\x00 no text")
    ids = [logged(calls, "a text"), logged(calls, "--file", str(tmp_path / "file")), logged(calls, "--stdin")]
    with backpack.open(calls.store, "r") as bp:
        assert [Memory(bp).read(id) for id in ids] == ["a text", "from a file\r\n", b"\xff\x00 no text"]
        assert bp.head is not None  # nobody else writes, so they are commits already
    assert "say what to log" in calls.refused("memory log", code=2)
    assert "say what to log" in calls.refused("memory log text --stdin", code=2)
    assert "no such file" in calls.refused("memory log --file nowhere", code=2)


def test_log_keeps_what_is_said_of_it(calls: Calls) -> None:
    words = "memory log text --type tool_output --tag a --tag b --title T --summary S --checkpoint C --directory src"
    facts = calls.json(words)
    assert facts["tags"] == ["a", "b"]
    said = [facts[name] for name in ("type", "title", "summary", "checkpoint", "directory")]
    assert said == ["tool_output", "T", "S", "C", str(Path("src").resolve())]
    assert calls("memory list -q --type tool_output --tag b --directory src --checkpoint C").strip() == facts["id"]
    assert calls("memory list -q --tag c") == ""


def test_log_beside_a_writer_is_seen_at_once_and_adopted(calls: Calls) -> None:
    with backpack.open(calls.store) as bp:
        id = logged(calls, "beside")
        assert calls("memory list -q").strip() == id
        assert calls(["memory", "fetch", id]) == "beside"
        assert calls("memory search beside -q").strip() == id
        assert list((calls.store / "inbox").glob("*.letter"))
        assert Memory(bp).read(id) == "beside"
        assert not list((calls.store / "inbox").glob("*.letter"))
        assert calls("memory list -q").strip() == id


# -- fetch ---------------------------------------------------------------------------------------------------------


def test_fetch_gives_the_entry_as_it_is_and_slices_of_it(calls: Calls, tmp_path: Path) -> None:
    text = "".join(f"line {number}\n" for number in range(1, 5_001))
    (tmp_path / "file").write_text(text)
    id = logged(calls, "--file", str(tmp_path / "file"), "--summary", "five thousand lines")
    assert calls(["memory", "fetch", id]) == text
    assert calls(["memory", "fetch", id, "--lines", "2:3"]) == "line 2\nline 3\n"
    assert calls(["memory", "fetch", id, "--lines", "5000:"]) == "line 5000\n"
    assert calls(["memory", "fetch", f"mem://{id}#L7"]) == "line 7\n"
    assert calls(["memory", "fetch", id, "--bytes", "5:3"]) == "1\nl"
    assert calls(["memory", "fetch", id, "--summary-only"]) == "five thousand lines\n"
    chunks = [calls(["memory", "fetch", id, "--chunk", str(number)]) for number in range(4)]
    assert "".join(chunks) == text
    assert "4999:line 4999\n" in calls(["memory", "fetch", id, "--grep", "49{3}$"])
    assert calls.json(["memory", "fetch", id, "--lines", "1:1"])["content"] == "line 1\n"
    assert "limit=2000" in calls.refused(["memory", "fetch", id, "--lines", "1:2001"], code=2)
    assert "they are 0 to" in calls.refused(["memory", "fetch", id, "--chunk", "9"], code=1)
    assert "no such entry" in calls.refused("memory fetch mem-20200101-000000-00000000", code=1)
    assert "not lines" in calls("memory fetch x --lines 3:1", code=2) + calls.err


def test_fetch_into_a_file_is_whole_or_not_at_all(calls: Calls, tmp_path: Path) -> None:
    id, out = logged(calls, "some text"), tmp_path / "out"
    assert calls(["memory", "fetch", id, "--output", str(out)]) == ""
    assert out.read_text() == "some text"
    assert "the file exists" in calls.refused(["memory", "fetch", id, "--output", str(out)], code=2)
    assert calls(["memory", "fetch", id, "--bytes", "0:4", "--output", str(out), "--force"]) == ""
    assert out.read_text() == "some"
    calls.refused(["memory", "fetch", id[:-1] + "x", "--output", str(tmp_path / "none")], code=1)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["out", "store"]
    os.mkfifo(tmp_path / "pipe")
    assert "is no file" in calls.refused(["memory", "fetch", id, "--output", str(tmp_path / "pipe"), "--force"], code=2)


def test_a_file_of_somebody_else_beside_the_output_is_left_alone(calls: Calls, tmp_path: Path) -> None:
    id = calls("memory log text -q").strip()
    other = tmp_path / f"out.{os.getpid()}.tmp"
    other.write_text("mine")
    assert calls(["memory", "fetch", id, "--output", str(tmp_path / "out")]) == ""
    assert other.read_text() == "mine" and (tmp_path / "out").read_text() == "text"


# -- list, refs, search, stats, prune ------------------------------------------------------------------------------


def test_lists_are_newest_first_for_people_for_programs_and_for_scripts(calls: Calls) -> None:
    ids = [logged(calls, f"text {number}", "--directory", "src") for number in range(3)][::-1]
    assert calls("memory list -q").split() == ids
    assert [entry["id"] for entry in calls.json("memory list")] == ids
    lines = calls("memory list").splitlines()
    assert lines[0].split() == ["id", "logged", "type", "tokens", "size", "tags", "title"]
    assert [line.split()[0] for line in lines[2:]] == ids
    assert calls("memory list -q -n 2").split() == ids[:2] and "--all" in calls.err
    assert calls("memory refs --directory src").splitlines()[0] == f"[{ids[0]}] text 2 (2 tokens)"
    assert calls("memory refs -q").split() == ids
    assert calls("memory search 'text 1' -q").split() == [ids[1]]
    assert calls.json("memory search text 1")[0]["reference"] == f"mem://{ids[1]}"
    assert calls.json("memory stats")["entries"] == 3


def test_reading_changes_no_file(calls: Calls) -> None:
    id = logged(calls, "text")
    calls("checkpoint now")
    with backpack.open(calls.store):
        logged(calls, "beside")
        before = files_of(calls.store)
        for words in ("memory list", "memory refs", "memory stats", f"memory fetch {id}", "memory search text"):
            calls(words)
        for words in ("checkpoint list", "checkpoint load", "checkpoint report", "checkpoint summary"):
            calls(words)
        calls("memory prune --dry-run")
        assert files_of(calls.store) == before


def test_prune_takes_what_is_old_and_not_among_the_newest(calls: Calls) -> None:
    with backpack.open(calls.store) as bp:
        old = Memory(bp, clock=lambda: 1_600_000_000.0).log("an old text")
    new = logged(calls, "a new text")
    assert f"{old.id}  removed" in calls("memory prune --keep-entries 1 --dry-run")
    assert len(calls("memory list -q").split()) == 2
    assert calls("memory prune --keep-entries 1 -q").split() == [old.id]
    assert calls("memory list -q").split() == [new]


@pytest.mark.parametrize("days", ["0", "0.0"])
def test_prune_takes_all_when_nothing_is_to_be_kept(calls: Calls, days: str) -> None:
    ids = [logged(calls, "one"), logged(calls, "two")]
    calls.refused("memory prune --keep-days -1", code=2)
    assert calls(f"memory prune -q --keep-days {days} --keep-entries 0").split() == ids
    assert calls("memory list -q") == ""


# -- checkpoints and status ----------------------------------------------------------------------------------------


def test_checkpoints_are_kept_shown_compared_and_pruned(calls: Calls) -> None:
    entry = logged(calls, "text")
    first = calls(
        "checkpoint now -q --notes 'so far' --phase build --var city=Rome --task pay --dependency bank"
    ).strip()
    facts = calls.json("checkpoint load")
    assert facts["references"] == [entry]
    assert (facts["variables"], facts["tasks"], facts["dependencies"]) == ({"city": "Rome"}, ["pay"], ["bank"])
    second = calls("checkpoint now --phase done --name release -q").strip()
    assert second == "release"
    assert calls("checkpoint list -q").split() == [second, first]
    difference = calls.json(f"checkpoint diff {first} release")
    assert difference["phase"] == ["build", "done"]
    assert difference["tasks"]["removed"] == ["pay"]
    assert "so far" in calls(f"checkpoint load {first}")
    assert first in calls("checkpoint report")
    assert calls.json(f"checkpoint summary {first} --level minimal")["tokens"] <= 500
    assert calls(f"memory refs -q --checkpoint {first}").split() == [entry]
    assert f"memory.entries.{entry}" in calls.json(f"diff 0 {first}")["added"]
    assert "release" in calls("checkpoint prune --keep 0")
    assert calls("checkpoint list -q") == ""
    assert "no checkpoint yet" in calls.refused("checkpoint load", code=1)


def test_checkpoints_of_the_store_alone_are_listed_loaded_and_compared(calls: Calls) -> None:
    entry = logged(calls, "text")
    first = calls("checkpoint now -q --phase build").strip()
    with backpack.open(calls.store) as bp:
        bp.pack("plan", [1])
        bp.checkpoint("corecp", notes="by a program")
        bp.pack("plan", [2])
    assert calls("checkpoint list -q").split() == ["corecp", first]
    assert "by a program" in calls("checkpoint list") and "by a program" in calls("checkpoint load corecp")
    assert calls("checkpoint load -q").strip() == calls("checkpoint load ckpt-latest -q").strip() == "corecp"
    assert calls.json("checkpoint load corecp")["number"] == 0
    assert calls.json("checkpoint summary corecp")["id"] == "corecp"
    assert calls.json(f"checkpoint diff {first} corecp")["phase"] == ["build", None]
    report = calls.json("checkpoint report")
    assert [one["id"] for one in report["checkpoints"]] == [first, "corecp"]
    assert (report["entries"], report["tokens"]) == (1, 1)
    assert calls("memory refs -q --checkpoint corecp") == "" and calls("memory list -q").strip() == entry
    assert calls.json("checkpoint prune --keep 0")["removed"] == [first]
    assert calls("checkpoint list -q").split() == ["corecp"]


def test_ckpt_latest_is_the_newest_checkpoint_wherever_a_commit_is_named(calls: Calls) -> None:
    logged(calls, "text")
    assert "there is no checkpoint yet" in calls.refused("show ckpt-latest", code=1)
    with backpack.open(calls.store) as bp:
        bp.pack("plan", "first")
        bp.checkpoint("corecp")
        seq = bp.pack("plan", "second").seq - 1
    assert calls("show ckpt-latest plan") == "first\n"
    assert calls.json("diff ckpt-latest")["from"] == seq and set(calls.json("diff ckpt-latest")["changed"]) == {"plan"}
    assert calls.json("keys --at ckpt-latest")["seq"] == seq
    assert calls("log --since ckpt-latest").count("\n") == 1
    calls("restore ckpt-latest plan")
    assert calls("show HEAD plan") == "first\n"


def test_status_is_kept_in_a_file_beside_what_people_wrote(calls: Calls, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (work / "STATUS.md").write_text("# Mine\n")
    logged(calls, "text", "--directory", str(work))
    assert calls(["status", "show", str(work)], code=1) == ""
    assert "there is no task" in calls.refused(["status", "update", str(work)], code=2)
    calls(["status", "update", str(work), "--task", "pay", "--phase", "build", "--done", "search"])
    shown = calls(["status", "show", str(work)])
    assert shown.splitlines()[:3] == ["task   pay", "phase  build", "done   search"]
    assert "ref    [mem-" in shown
    assert calls.json(["status", "show", str(work)])["task"] == "pay"
    assert (work / "STATUS.md").read_text().startswith("# Mine\n")


def test_a_status_needs_no_store_and_keeps_the_references_that_are_there(calls: Calls, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    assert calls(["status", "update", str(work), "--task", "pay"]) == "task   pay\n"
    assert "note: there is no store" in calls.err and not calls.store.exists()
    for number in range(52):
        logged(calls, f"text {number}", "--directory", str(work))
    calls(["status", "update", str(work)])
    assert calls.err == ""
    before = (work / "STATUS.md").read_text()
    assert "- and 2 more\n" in before
    calls.store = tmp_path / "elsewhere"
    calls(["status", "update", str(work), "--phase", "search"])
    kept = [line for line in before.splitlines() if "Updated" not in line]
    after = (work / "STATUS.md").read_text().splitlines()
    assert [line for line in after if "Updated" not in line and "Phase" not in line] == kept


def test_a_checkpoint_makes_the_store_that_is_not_there_and_says_so(calls: Calls) -> None:
    made = calls("checkpoint now -q --notes 'a beginning'").strip()
    assert "note: a new store was made" in calls.err
    assert calls("checkpoint list -q").strip() == made
    calls("checkpoint now -q")
    assert calls.err == ""


# -- real processes ------------------------------------------------------------------------------------------------


def shell(line: str, folder: Path, *, code: int = 0) -> str:
    """What a line of shell says."""
    command = f'backpack() {{ "{sys.executable}" -m backpack.cli.main "$@"; }}; {line}'
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "BACKPACK_STORE": str(folder / "store")}
    done = subprocess.run(["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


def test_a_new_agent_recovers_from_the_shell(tmp_path: Path) -> None:
    """Load the checkpoint, list its references, fetch a summary, fetch one chunk, go on."""
    shell("seq 1 20000 | backpack memory log --stdin --tag build --summary 'numbers to 20,000'", tmp_path)
    shell("backpack checkpoint now --notes 'numbers are there' --phase count --var last=20000", tmp_path)
    loaded = shell("backpack checkpoint load", tmp_path)
    assert "numbers are there" in loaded and "count" in loaded
    refs = shell("backpack memory refs --checkpoint ckpt-latest", tmp_path)
    found = ID.search(refs)
    assert found is not None and "numbers to 20,000" in refs
    assert shell(f"backpack memory fetch {found[0]} --summary-only", tmp_path) == "numbers to 20,000\n"
    assert shell(f"backpack memory fetch {found[0]} --chunk 0 | head -3", tmp_path) == "1\n2\n3\n"
    assert shell(f"backpack memory fetch {found[0]} | head -1", tmp_path) == "1\n"
    line = shell("echo went on | backpack memory log --stdin --checkpoint ckpt-next", tmp_path)
    assert ID.match(line) and line.count("\n") == 1


def test_beside_a_live_writer_logs_go_to_the_inbox_and_others_say_who_it_is(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path / "store")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None and writer.stdout.readline() == "open\n"
        lines = shell(
            "for n in 1 2 3 4 5 6 7 8; do (seq $n 1000 | backpack memory log --stdin --tag n$n) & done; wait", tmp_path
        )
        ids = set(ID.findall(lines))
        assert len(ids) == 8
        assert set(shell("backpack memory list -q", tmp_path).split()) == ids
        for words in ("checkpoint now", "memory prune", "checkpoint prune"):
            assert f"pid={writer.pid}" in shell(f"backpack {words} --wait 0.2", tmp_path, code=3)
        writer.send_signal(signal.SIGKILL)
    assert set(shell("backpack memory list -q", tmp_path).split()) == ids
    with backpack.open(tmp_path / "store") as bp:
        assert {key.rpartition(".")[2] for key in bp if ".entries." in key} == ids


def test_eight_processes_that_make_the_store_together_lose_nothing(tmp_path: Path) -> None:
    lines = shell("for n in 1 2 3 4 5 6 7 8; do backpack memory log text-$n & done; wait", tmp_path)
    assert set(shell("backpack memory list -q", tmp_path).split()) == set(ID.findall(lines))
    assert len(ID.findall(lines)) == 8


def test_an_interrupted_log_leaves_nothing(tmp_path: Path) -> None:
    backpack.open(tmp_path / "store").close()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "BACKPACK_STORE": str(tmp_path / "store")}
    command = [sys.executable, "-m", "backpack.cli.main", "memory", "log", "--stdin"]
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(b"x" * 3_000_000)  # more than a pipe holds: it is being read
        process.stdin.flush()
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
    assert [file.name for file in (tmp_path / "store" / "inbox").iterdir()] == ["posters"]


# -- search --------------------------------------------------------------------------------------------------------


def test_search_shows_what_was_found_whole_where_it_is_piped(calls: Calls) -> None:
    text = "".join(f"line {number} of what came before\n" for number in range(3)) + "the needle" + " and so on" * 9
    id = logged(calls, text, "--title", "a title of some length, " * 4)
    head, rule, line = calls("memory search needle").splitlines()
    assert head.startswith("reference  ") and rule.startswith("-" * len(f"mem://{id}#L4"))
    assert (
        line.startswith(f"mem://{id}#L4  a title of some length") and "..." not in line and "the [needle] and" in line
    )
    assert calls.json("memory search needle")[0]["line"] == 4


@pytest.mark.parametrize("columns", [80, 100, 160])
def test_search_shows_the_hit_on_a_terminal(calls: Calls, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    ids = [
        logged(calls, "word " * 30 + "needle" + " word" * 30, "--title", "title " * 20),
        logged(calls, "needle" + " word" * 30),
        logged(calls, "[x] " * 9 + "日本語 " * 9 + " needle"),
    ]
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    lines = calls("memory search needle").splitlines()[2:]
    assert sorted(line.split()[0] for line in lines) == sorted(f"mem://{id}" for id in ids)
    assert all("[needle]" in line and columns_of(line) <= columns for line in lines)


# -- what is easily got wrong --------------------------------------------------------------------------------------


def test_delete_takes_all_that_are_named_or_none(calls: Calls) -> None:
    one, two, three, four = (logged(calls, f"text {number}") for number in range(4))
    assert "no such entry" in calls.refused(f"memory delete {one} mem-20200101-000000-00000000", code=1)
    assert "as a whole" in calls.refused(f"memory delete {one}#L1", code=2)
    assert len(calls("memory list -q").split()) == 4
    assert calls(f"memory delete {one}") == f"{one}  deleted  text 0\n"
    assert calls(f"memory delete -q mem://{two} {two}") == f"{two}\n"
    assert calls.json(f"memory delete {three}") == {"deleted": [three]}
    assert calls("memory list -q").split() == [four]
    with backpack.open(calls.store):
        assert f"pid={os.getpid()}" in calls.refused(f"memory delete {four} --wait 0", code=3)


def test_log_takes_a_dash_for_what_is_piped_in_and_refuses_nothing(
    calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    for words in (["-"], ["--stdin"], ["--file", "-"]):
        piped(monkeypatch, b"")
        assert "nothing was piped in" in calls.refused(["memory", "log", *words], code=2)
        assert not calls.store.exists()
    piped(monkeypatch, b"piped " * 50_000)
    id = logged(calls, "-")
    assert calls(["memory", "fetch", id]) == "piped " * 50_000


def test_log_tells_of_a_new_store_and_of_a_text_that_names_a_file(calls: Calls, tmp_path: Path) -> None:
    logged(calls, "text")
    assert calls.err == f"backpack memory log: note: a new store was made: {calls.store}\n"
    logged(calls, "text")
    assert calls.err == ""
    (tmp_path / "out.log").write_text("much")
    id = logged(calls, str(tmp_path / "out.log"))
    assert calls.err.count("\n") == 1 and f"--file {tmp_path / 'out.log'}" in calls.err
    assert calls(["memory", "fetch", id]) == str(tmp_path / "out.log")


def test_a_directory_is_the_same_however_it_is_named(
    calls: Calls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work" / "src").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "work")
    monkeypatch.chdir(tmp_path / "work")
    id = logged(calls, "text", "--directory", ".")
    for name in (".", str(tmp_path / "work"), "src/..", "../work/", str(tmp_path / "link")):
        assert calls(["memory", "list", "-q", "--directory", name]).strip() == id
        assert id in calls(["status", "update", name, "--task", "t"])
    monkeypatch.chdir(tmp_path)
    assert calls("memory list -q --directory .") == ""


def test_fetch_takes_lines_and_ids_as_they_are_shown(calls: Calls) -> None:
    id = logged(calls, "1\n2\n3\n4\n5\n")
    other = logged(calls, "other")
    assert (
        calls(["memory", "fetch", id, "--lines", "2-3"]) == calls(["memory", "fetch", id, "--lines", "2:3"]) == "2\n3\n"
    )
    assert calls(["memory", "fetch", id, "--lines", "4-"]) == "4\n5\n"
    for name in (f"[{id}]", f"[... 12 characters, 3 lines more: mem://{id} ...]", f"[mem://{id}]", id[:-1]):
        assert calls(["memory", "fetch", name]) == "1\n2\n3\n4\n5\n"
    assert calls(["memory", "fetch", f"{id[:-2]}#L2"]) == "2\n"
    reason = calls.refused(["memory", "fetch", id[:12]], code=1)
    assert "several entries begin so" in reason and id in reason and other in reason
    assert "no entry has that name" in calls.refused(["memory", "fetch", id[:7]], code=1)
    assert "no entry has an id that begins so" in calls.refused(["memory", "fetch", "mem-19700101"], code=1)


def test_errors_speak_of_options_and_commands(calls: Calls, tmp_path: Path) -> None:
    for words in ("memory list", "memory search x", "checkpoint load", "checkpoint prune"):
        assert "make one with backpack memory log" in calls.refused(words, code=2)
    assert "make one with backpack import" in calls.refused("log", code=2)
    with backpack.open(calls.store) as bp:
        memory = Memory(bp, clock=lambda: 1_600_000_000.0)
        old = memory.log("x\n" * 9_000)
        new = Memory(bp).log("y\n" * 3_000).id
    calls("memory prune --keep-entries 0 --keep-days 1")
    for words, code, said in (
        (
            f"memory fetch {new} --lines 1:2500",
            2,
            "--lines A:B of up to 2000 lines, --bytes O:L of up to 65536, or --chunk",
        ),
        (f"memory fetch {new}#L1 --chunk 0", 2, "one slice, by an option or in the reference"),
        (f"memory fetch {new} --grep y --context 9999", 2, "--context is a whole number"),
        (f"memory fetch {old}", 1, "its summary is there: --summary-only"),
        ("memory fetch mem-20200101-000000-00000000", 1, "backpack memory list shows what there is"),
        ("memory log text --type tset", 2, "there are: chunk"),
        ("checkpoint load", 1, "make one with backpack checkpoint now"),
        (f"status update {tmp_path}", 2, "name it with --task"),
    ):
        reason = calls.refused(words, code=code)
        assert said in reason
        assert not re.search(r"register_type|task=|lines=\(|bytes=\(|chunk=n|\w\(\)|summary_only|context_lines", reason)


def test_a_status_of_a_directory_that_is_missing_is_bad_input(calls: Calls, tmp_path: Path) -> None:
    logged(calls, "text")
    for words in ("show", "update"):
        assert "no such directory" in calls.refused(["status", words, str(tmp_path / "none")], code=2)


def test_checkpoint_now_beside_a_writer_names_the_way_out(calls: Calls) -> None:
    with backpack.open(calls.store):
        reason = calls.refused("checkpoint now --wait 0", code=3)
        assert f"pid={os.getpid()}" in reason and "make it in that process: memory.checkpoint(notes=...)" in reason
