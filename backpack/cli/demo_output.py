"""What `backpack demo` prints: text as it happens, or one JSON document at the end."""

import json
import sys
from collections.abc import Sequence
from typing import Final

from backpack.cli.console import Console
from backpack.cli.progress import Progress
from backpack.demo.performing import Outcome, Program, check_runs, prepare, tell_run
from backpack.demo.report import closing_lines, document, opening_lines
from backpack.demo.summary import summary_lines
from backpack.errors import InvalidArgumentError
from backpack.runs import RunFileError
from backpack.terminal.tables import WIDTH_MIN, terminal_width

_CHECKING: Final = "runs replayed and checked"


def perform(
    file: str | None, packed: Sequence[tuple[str, str]], run: str | None, budget: int | None, *, as_json: bool
) -> int:
    """The whole demo; 0 fine, 1 a check failed, 2 something is wrong with what was asked for."""
    outcome = Outcome()
    try:
        program = prepare(file, packed, run, budget)
        (_print_json if as_json else _print_text)(program, outcome)
    except (RunFileError, InvalidArgumentError) as error:
        Console(sys.stderr).line(f"backpack demo: error: {error}")
        return 2
    return 1 if outcome.problems else 0


def _print_text(program: Program, outcome: Outcome) -> None:
    console, width = Console(sys.stdout), terminal_width()
    console.lines(opening_lines(program))
    number = 0
    for number, scene in enumerate(tell_run(program, outcome, width), start=1):
        console.lines(scene.text(number, width))
    check_runs(program, outcome, Progress(sys.stderr, _CHECKING, has_lines=False))
    if outcome.summaries:
        title = f"{number + 1}. All {len(program.runs):,} runs"
        console.lines([title, "=" * len(title), *summary_lines(outcome.summaries, width), ""])
    console.lines(closing_lines(program, outcome, width))


def _print_json(program: Program, outcome: Outcome) -> None:
    scenes = list(tell_run(program, outcome, WIDTH_MIN))
    check_runs(program, outcome, Progress(sys.stderr, _CHECKING, has_lines=False))
    Console(sys.stdout).line(json.dumps(document(program, outcome, scenes), indent=2))
