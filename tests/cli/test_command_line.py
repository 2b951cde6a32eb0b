"""`backpack` itself: commands, exit codes, and what may go wrong with the output."""

import importlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from backpack import __version__
from backpack.cli import demo
from backpack.cli.console import Console, OutputError
from backpack.cli.main import COMMANDS, main
from backpack.cli.progress import Pace, Progress, Steps

ROOT = Path(__file__).parents[2]


def started(*arguments: str, code: str = "", **options: object) -> "subprocess.Popen[bytes]":
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, *(["-c", code] if code else ["-m", "backpack.cli.main", *arguments])]
    return subprocess.Popen(  # type: ignore[call-overload, no-any-return]
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options
    )


def test_without_a_command_it_shows_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "demo" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--version"], ["demo", "--version"]])
def test_it_knows_its_version(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    assert capsys.readouterr().out == f"backpack {__version__}\n"


@pytest.mark.parametrize("arguments", [["--help"], ["demo", "--help"]])
def test_help_fits_a_terminal(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(arguments) == 0
    assert all(len(line) <= 80 for line in capsys.readouterr().out.splitlines())


@pytest.mark.parametrize(
    "arguments",
    [
        ["nothing"],
        ["demo", "--bogus"],
        ["demo", "a", "b"],
        ["demo", "--budget", "much"],
        ["demo", "--budget", "0"],
        ["demo", "--with", "key"],
        ["demo", "--with", "key="],
        ["demo", "--run"],
        ["demo", "--vers"],
        ["demo", "--odd\nline"],
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.count("\n") == 1
    assert ": error: " in output.err


def test_an_interrupt_is_exit_code_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "run", interrupted)
    assert main(["demo"]) == 130


def test_python_runs_the_package() -> None:
    command = [sys.executable, "-m", "backpack", "--version"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, f"backpack {__version__}\n", "")


@pytest.mark.skipif(sys.platform == "win32", reason="no signals to send")
def test_ctrl_c_ends_without_a_traceback() -> None:
    with started("demo", "-", stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(b" " * 2**20)  # more than a pipe holds: when this returns, the demo is reading
        process.stdin.flush()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert (process.returncode, out, err) == (130, b"", b"")


@pytest.mark.parametrize("arguments", [["demo"], ["demo", "--json"], ["demo", "--help"]])
def test_a_reader_that_goes_away_is_no_failure(arguments: list[str]) -> None:
    with started(*arguments) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full disk at hand")
def test_a_full_disk_is_said_in_one_line() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-m", "backpack.cli.main", "demo"]
        ended = subprocess.run(command, env=environment, stdout=full, stderr=subprocess.PIPE, check=False)
    assert ended.returncode == 2
    assert ended.stderr == b"backpack: error: can't write: No space left on device\n"


def test_no_output_at_all_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert main(["demo"]) == 0


class Stream:
    """A stream that refuses, or remembers."""

    def __init__(self, *, encoding: str = "utf-8", error: Exception | None = None, is_terminal: bool = False) -> None:
        self.encoding = encoding
        self.error = error
        self.is_terminal = is_terminal
        self.text = ""

    def write(self, text: str) -> None:
        if self.error:
            raise self.error
        self.text += text

    def flush(self) -> None: ...

    def isatty(self) -> bool:
        return self.is_terminal


def test_letters_that_the_output_lacks_are_escaped() -> None:
    stream = Stream(encoding="ascii")
    Console(stream).line("caf\u00e9 \ud800")  # type: ignore[arg-type]
    assert stream.text == "caf\\xe9 \\ud800\n"


def test_an_output_that_fails_says_why() -> None:
    with pytest.raises(OutputError, match="can't write: no luck"):
        Console(Stream(error=OSError(5, "no luck"))).line("x")  # type: ignore[arg-type]
    with pytest.raises(BrokenPipeError):
        Console(Stream(error=BrokenPipeError())).line("x")  # type: ignore[arg-type]


def test_progress_on_a_terminal_is_a_bar_that_is_wiped_at_the_end() -> None:
    stream = Stream(is_terminal=True)
    progress = Progress(stream, "runs")  # type: ignore[arg-type]
    for done in (0, 9, 10):
        progress(done, 10)
    bar = "[###########################...] 9 of 10 runs"
    assert bar in stream.text
    assert stream.text.endswith("\r" + " " * len(bar) + "\r")


class Hand:
    """A clock that goes as it is told to."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


def lines_of(seconds_each: float, **options: Any) -> list[str]:
    """The lines of a work of a hundred steps."""
    stream, hand = Stream(), Hand()
    progress = Progress(stream, "runs", pace=Pace(hand), **options)  # type: ignore[arg-type]
    for done in range(101):
        progress(done, 100)
        hand.at += seconds_each
    assert "\r" not in stream.text
    return stream.text.splitlines()


def test_progress_elsewhere_is_nothing_for_two_seconds_and_few_lines_after_that() -> None:
    assert lines_of(0.019) == []
    assert lines_of(0.125) == ["20 of 100 runs", "40 of 100 runs", "80 of 100 runs"]
    assert len(lines_of(100)) == 10
    assert lines_of(100, has_lines=False) == lines_of(100, is_quiet=True) == []


def test_works_that_follow_each_other_have_one_pace() -> None:
    stream, hand = Stream(), Hand()
    steps = Steps(stream, lambda: None, clock=hand)  # type: ignore[arg-type]
    for what in ("read", "put"):
        for done in range(10):
            steps(what, done, 10)
            hand.at += 0.15
    assert stream.text == "4 of 10 put\n"


def test_a_quiet_terminal_has_no_bar_and_one_that_fails_is_left_alone() -> None:
    quiet = Stream(is_terminal=True)
    progress = Progress(quiet, "runs", is_quiet=True)  # type: ignore[arg-type]
    progress(1, 2)
    progress.end()
    assert quiet.text == ""
    failing = Progress(Stream(is_terminal=True, error=OSError(5, "gone")), "runs")  # type: ignore[arg-type]
    failing(1, 2)
    failing(2, 2)


def modules() -> dict[tuple[str, ...], tuple[str, str]]:
    """Every command, and every verb of those that have verbs: its module and its purpose."""
    found: dict[tuple[str, ...], tuple[str, str]] = {}
    for name, (module, purpose) in COMMANDS.items():
        verbs = getattr(importlib.import_module(f"backpack.cli.{module}"), "VERBS", None)
        found.update({(name,): (module, purpose)} if verbs is None else {(name, verb): verbs[verb] for verb in verbs})
    return found


@pytest.mark.parametrize("words", modules(), ids=" ".join)
def test_a_command_is_a_module_with_options_and_help_that_fits(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    module, purpose = modules()[words]
    command = importlib.import_module(f"backpack.cli.{module}")
    assert callable(command.add_options)
    assert callable(command.run)
    assert main([*words, "--help"]) == 0
    shown = capsys.readouterr().out
    assert command.DESCRIPTION in shown
    assert getattr(command, "EPILOG", "") in shown
    assert all(len(line) <= 80 for line in shown.splitlines())
    assert main([*words[:-1], "--help"]) == 0
    assert " ".join(purpose.split()) in " ".join(capsys.readouterr().out.split())


def test_only_the_command_that_is_asked_for_is_imported() -> None:
    code = "import sys; from backpack.cli.main import main; main(['log', '--help']); print(*sys.modules)"
    with started(code=code) as process:
        out, err = process.communicate()
    loaded = out.decode().splitlines()[-1].split()
    assert err == b""
    assert "backpack.cli.log" in loaded
    others = ("backpack.demo", "backpack.runs", "backpack.cli.demo", "backpack.memory", "backpack.cli.memory")
    assert not [name for name in loaded if name.startswith(others)]


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["--store", "a b", "log", "-n", "1"], "log --store ..."),
        (["--json", "show", "3"], "show --json ..."),
        (["--store", "x", "--key-from=0123", "usage"], "usage --store --key-from ..."),
        (["--store", "x"], "COMMAND --store ..."),
        (["-n", "1"], "COMMAND -n ..."),
    ],
)
def test_options_before_the_command_are_told_where_they_belong(
    words: list[str], meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    output = capsys.readouterr()
    assert output.out == "" and output.err == f"backpack: error: options follow the command: backpack {meant}\n"
