"""`backpack COMMAND ...`: finds the command, and turns what can go wrong into one line and an exit code.

0 fine, 1 found a problem or found nothing, 2 bad input or usage, 3 the store failed, 130 interrupted. A reader that
goes away (`backpack log | head`) is no failure: the command ends in silence. The module of a command is imported when
that command is asked for.
"""

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn

from backpack import __version__
from backpack.cli.codes import BAD_INPUT, FINE, INTERRUPTED, STORE_FAILED, code_of
from backpack.cli.commands import add_command
from backpack.cli.console import Console, OutputError
from backpack.cli.saying import in_shell_words
from backpack.errors import BackpackError
from backpack.terminal.words import printable

COMMANDS: Final = {
    "demo": ("demo", "replay an agent run and see what a Backpack does with it"),
    "import": ("import_runs", "agent runs from a file into a store"),
    "log": ("log", "the commits, newest first"),
    "show": ("show", "a commit and its changes, or a value as of then"),
    "keys": ("list_keys", "the keys that have a value, and who set it"),
    "diff": ("diff", "what differs between two commits"),
    "blame": ("blame", "who set the present value of a key"),
    "restore": ("restore", "make the present equal an earlier state"),
    "usage": ("usage", "what memory and disk are spent on"),
    "verify": ("verify", "look for damage, changing nothing"),
    "recover": ("recover", "a new store of all that is whole in a damaged one"),
    "compact": ("compact", "give back disk space that nothing needs"),
    "export": ("export", "the whole store as one file"),
    "load": ("load", "a store of such a file"),
    "memory": ("memory", "what was logged: put in, slices taken out, found again"),
    "checkpoint": ("checkpoint", "where the work stands, for who goes on from there"),
    "context": ("context", "what is sent to a model: tokens, compressions, cost"),
    "status": ("status", "what is being worked on in a directory, in its STATUS.md"),
}
"""By name: the module in `backpack.cli` (`commands.py` says what it has), and what it is for."""

_OWN_OPTIONS: Final = ("-h", "--help", "--version")


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
        return _guarded(sys.argv[1:] if argv is None else argv)


def _guarded(argv: Sequence[str]) -> int:
    try:
        code = _main(argv)
        sys.stdout.flush()
    except BrokenPipeError:
        _silence()
        code = FINE
    except OutputError as error:
        _silence()
        code = _complain("backpack", str(error), BAD_INPUT)
    except OSError as error:  # what argparse wrote, or the last flush
        _silence()
        code = _complain("backpack", f"can't write: {error.strerror or error}", BAD_INPUT)
    except KeyboardInterrupt:
        code = INTERRUPTED
    return code


def _main(argv: Sequence[str]) -> int:
    parser = _Parser(prog="backpack", description="Git for an agent's state, inside the process.", allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"backpack {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command")
    asked = next((word for word in argv if not word.startswith("-")), None)
    if argv and argv[0].startswith("-") and argv[0] not in _OWN_OPTIONS:
        return _complain("backpack", _misplaced(argv), BAD_INPUT)
    for name, (module, purpose) in COMMANDS.items():
        form = argparse.RawDescriptionHelpFormatter
        subparser = subparsers.add_parser(name, help=purpose, formatter_class=form, allow_abbrev=False)
        if name == asked:
            add_command(subparser, module, argv)
    try:
        args = parser.parse_args(argv)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else FINE
    if args.command is None:
        parser.print_help(sys.stderr)
        return BAD_INPUT
    who = " ".join(["backpack", args.command, *filter(None, [getattr(args, "verb", None)])])
    try:
        code: int = args.run_command(args)
    except BackpackError as error:
        return _complain(who, in_shell_words(str(error)), code_of(error))
    except BrokenPipeError:
        raise
    except OSError as error:  # not of the output: `Console` has an error of its own
        where = "" if error.filename is None else f": {error.filename}"
        return _complain(who, f"{error.strerror or error}{where}", STORE_FAILED)
    return code


def _misplaced(argv: Sequence[str]) -> str:
    """What to do where options stand before the command. Their values are not repeated: one may be a key."""
    at = next((at for at, word in enumerate(argv) if word in COMMANDS), len(argv))
    names = " ".join(word.partition("=")[0] for word in argv[:at] if word.startswith("-"))
    return f"options follow the command: backpack {[*argv, 'COMMAND'][at]} {names} ..."


def _complain(who: str, reason: str, code: int) -> int:
    with contextlib.suppress(OSError, OutputError):
        Console(sys.stderr).line(f"{who}: error: {printable(reason)}")
    return code


def _silence() -> None:
    """What is still in the buffer of standard output has nowhere to go: let Python's own last flush succeed."""
    with contextlib.suppress(OSError, ValueError, AttributeError), open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
