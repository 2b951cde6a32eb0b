"""`backpack COMMAND ...`: finds the command, and turns what can go wrong around it into exit codes.

0 fine, 1 a check failed, 2 bad input or usage, 130 interrupted. A reader that goes away (`backpack demo | head`) is no
failure: the command ends in silence.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Final, NoReturn

from backpack import __version__
from backpack.cli import demo
from backpack.cli.console import OutputError

FINE: Final = 0
CHECK_FAILED: Final = 1
BAD_INPUT: Final = 2
INTERRUPTED: Final = 130

_COMMANDS: Final = (demo,)


class _Parser(argparse.ArgumentParser):
    """Complains in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_INPUT, f"{self.prog}: error: {message} (try {self.prog} --help)\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that the arguments ask for; the exit code."""
    try:
        code = _main(argv)
        if sys.stdout is not None:
            sys.stdout.flush()
        return code
    except BrokenPipeError:
        _silence()
        return FINE
    except OSError as error:
        _silence()
        return _complain(f"can't write: {error.strerror or error}")
    except OutputError as error:
        _silence()
        return _complain(str(error))
    except KeyboardInterrupt:
        return INTERRUPTED


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
    print(f"backpack: error: {reason}", file=sys.stderr)
    return BAD_INPUT


def _silence() -> None:
    """What is still in the buffer of standard output has nowhere to go: let Python's own last flush succeed."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError, AttributeError):
        pass


if __name__ == "__main__":
    sys.exit(main())
