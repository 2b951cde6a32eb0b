"""`backpack COMMAND ...`: finds the command, and turns what can go wrong around it into exit codes.

0 fine, 1 a check failed, 2 bad input or usage, 130 interrupted. A reader that goes away (`backpack demo | head`) is no
failure: the command ends in silence.
"""

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn

from backpack import __version__
from backpack.cli import demo
from backpack.cli.console import Console, OutputError
from backpack.demo.words import printable

FINE: Final = 0
BAD_INPUT: Final = 2
INTERRUPTED: Final = 130

_COMMANDS: Final = (demo,)
"""Modules with `add_parser(subparsers)`, which sets `run_command`."""


class _Parser(argparse.ArgumentParser):
    """Complains in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_INPUT, f"{self.prog}: error: {printable(message)} (try {self.prog} --help)\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that the arguments ask for; the exit code."""
    with contextlib.ExitStack() as stack:
        for stream, redirected in (
            (sys.stdout, contextlib.redirect_stdout),
            (sys.stderr, contextlib.redirect_stderr),
        ):
            if stream is None:  # closed by whoever started us
                stack.enter_context(redirected(stack.enter_context(Path(os.devnull).open("w", encoding="utf-8"))))
        return _guarded(argv)


def _guarded(argv: Sequence[str] | None) -> int:
    try:
        code = _main(argv)
        sys.stdout.flush()
    except BrokenPipeError:
        _silence()
        code = FINE
    except OutputError as error:
        _silence()
        code = _complain(str(error))
    except OSError as error:  # what argparse wrote, or the last flush
        _silence()
        code = _complain(f"can't write: {error.strerror or error}")
    except KeyboardInterrupt:
        code = INTERRUPTED
    return code


def _main(argv: Sequence[str] | None) -> int:
    parser = _Parser(prog="backpack", description="Git for an agent's state, inside the process.", allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"backpack {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND")
    for command in _COMMANDS:
        command.add_parser(subparsers)
    try:
        args = parser.parse_args(argv)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else FINE
    if not hasattr(args, "run_command"):
        parser.print_help(sys.stderr)
        return BAD_INPUT
    code: int = args.run_command(args)
    return code


def _complain(reason: str) -> int:
    with contextlib.suppress(OSError, OutputError):
        Console(sys.stderr).line(f"backpack: error: {reason}")
    return BAD_INPUT


def _silence() -> None:
    """What is still in the buffer of standard output has nowhere to go: let Python's own last flush succeed."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
