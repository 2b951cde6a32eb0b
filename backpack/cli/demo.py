"""`backpack demo [FILE]`: an agent run, replayed node by node into a Backpack, with every snapshot checked."""

import argparse
import sys
from typing import TYPE_CHECKING, Any

from backpack import __version__

if TYPE_CHECKING:
    from backpack.demo.performing import Outcome, Program

_DESCRIPTION = """\
Replays an agent run node by node into a Backpack and shows what that is good for: the timeline of commits, the state
before a node ran, a diff, a large value, a fork, pruning and the memory report. Every snapshot is compared with the
messages themselves. Without FILE it takes a run that comes with backpack."""

_EPILOG = """\
FILE holds OpenAI-style chat messages with tool calls and results, as JSON or JSON Lines, plain or gzipped: a list of
messages, an object with a list called messages, history or traj, a list of these, or one of these (or one message)
a line. Of many runs the first (or --run) is told in full; all are replayed and checked.

exit codes: 0 fine, 1 a check failed, 2 bad input or usage, 130 interrupted"""


def add_parser(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Add the command and its options."""
    parser = subparsers.add_parser(
        "demo",
        help="replay an agent run and see what a Backpack does with it",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("file", metavar="FILE", nargs="?", help="the runs; - reads standard input")
    parser.add_argument(
        "--with",
        dest="packed",
        metavar="KEY=FILE",
        type=_pair,
        action="append",
        default=[],
        help="pack the JSON of a file under a key before the first message (repeatable)",
    )
    parser.add_argument("--run", metavar="N|ID", help="which run to tell: its place in the file from 1, or its name")
    parser.add_argument("--budget", metavar="SIZE", type=_size, help="what to prune to, such as 16KiB (a third)")
    parser.add_argument("--json", dest="as_json", action="store_true", help="print one JSON document instead of text")
    parser.add_argument("--version", action="version", version=f"backpack {__version__}")
    parser.set_defaults(run_command=run)


def run(args: argparse.Namespace) -> int:
    """Perform the demo; the exit code."""
    from backpack.demo.performing import Outcome, prepare
    from backpack.errors import InvalidArgumentError
    from backpack.runs import RunFileError

    try:
        program = prepare(args.file, args.packed, args.run, args.budget)
        outcome = Outcome()
        if args.as_json:
            _print_json(program, outcome)
        else:
            _print_text(program, outcome)
    except (RunFileError, InvalidArgumentError) as error:
        return _complain(str(error))
    return 1 if outcome.problems else 0


def _print_text(program: "Program", outcome: "Outcome") -> None:
    from backpack.cli.console import Console, Progress
    from backpack.demo.performing import check_runs, tell_run
    from backpack.demo.report import closing_lines, opening_lines
    from backpack.demo.summary import summary_lines
    from backpack.demo.tables import terminal_width

    console, width = Console(sys.stdout), terminal_width()
    for line in opening_lines(program):
        console.line(line)
    number = 0
    for number, scene in enumerate(tell_run(program, outcome, width), start=1):
        for line in scene.text(number):
            console.line(line)
    check_runs(program, outcome, Progress(sys.stderr, "runs replayed and checked"))
    if outcome.summaries:
        title = f"{number + 1}. All {len(program.runs):,} runs"
        for line in (title, "=" * len(title), *summary_lines(outcome.summaries, width), ""):
            console.line(line)
    for line in closing_lines(program, outcome):
        console.line(line)


def _print_json(program: "Program", outcome: "Outcome") -> None:
    import json

    from backpack.cli.console import Console, Progress
    from backpack.demo.performing import check_runs, tell_run
    from backpack.demo.report import document
    from backpack.demo.tables import WIDTH_MIN

    scenes = list(tell_run(program, outcome, WIDTH_MIN))
    check_runs(program, outcome, Progress(sys.stderr, "runs replayed and checked"))
    Console(sys.stdout).line(json.dumps(document(program, outcome, scenes), indent=2))


def _complain(reason: str) -> int:
    from backpack.cli.console import Console

    Console(sys.stderr).line(f"backpack demo: error: {reason}")
    return 2


def _pair(text: str) -> tuple[str, str]:
    key, equals, name = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"not KEY=FILE: {text!a}")
    return key, name


def _size(text: str) -> int:
    from backpack.demo.words import bytes_of

    try:
        return bytes_of(text)
    except (ValueError, OverflowError) as error:
        raise argparse.ArgumentTypeError(str(error)) from None
