"""`backpack demo [FILE]`: an agent run, replayed node by node into a Backpack, with every snapshot checked."""

import argparse
from typing import Final

from backpack import __version__
from backpack.cli.options import add_json_option, pair_of, size_of

DESCRIPTION: Final = """\
Replays an agent run node by node into a Backpack and shows what that is good
for: the timeline of commits, the state before a node ran, a diff, a large
value, a fork, pruning and the memory report. Every snapshot is compared with
the messages themselves. Without FILE it takes a run that comes with backpack."""

EPILOG: Final = """\
FILE holds OpenAI-style chat messages with tool calls and results, as JSON or
JSON Lines, plain or gzipped: a list of messages, an object with a list called
messages, history or traj, a list of these, or one of these (or one message) a
line. Of many runs the first (or --run) is told in full; all are replayed and
checked.

exit codes: 0 fine, 1 a check failed, 2 bad input or usage, 130 interrupted"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("file", metavar="FILE", nargs="?", help="the runs; - reads standard input")
    parser.add_argument(
        "--with",
        dest="packed",
        metavar="KEY=FILE",
        type=pair_of,
        action="append",
        default=[],
        help="pack the JSON of a file under a key before the first message (repeatable)",
    )
    parser.add_argument("--run", metavar="N|ID", help="which run to tell: its place in the file from 1, or its name")
    parser.add_argument("--budget", metavar="SIZE", type=size_of, help="bytes of history to prune to, such as 16KiB")
    add_json_option(parser)
    parser.add_argument("--version", action="version", version=f"backpack {__version__}")


def run(args: argparse.Namespace) -> int:
    """Perform the demo; the exit code."""
    from backpack.cli.demo_output import perform  # here, so that other commands start without it

    return perform(args.file, args.packed, args.run, args.budget, as_json=args.as_json)
