"""`backpack context stats`: tokens, compressions, and what it cost."""

import argparse
import sys
from typing import Final

from backpack.cli.codes import FINE
from backpack.cli.console import Console
from backpack.cli.conversations import SETTINGS, add_conversation_options, conversation_opened
from backpack.terminal.values import value_lines

DESCRIPTION: Final = """\
What the conversation is and has cost: the context and its limit, calls, tokens
in and out, and what compressing saved and took. With --log each compression.
The threshold is by the settings of this environment: those that a program gives
in its code are not in the store."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("--log", action="store_true", help="each compression, oldest first")
    add_conversation_options(parser)


def run(args: argparse.Namespace) -> int:
    """Print the figures; the exit code."""
    console = Console(sys.stdout)
    with conversation_opened(args) as conversation:
        stats, log = conversation.stats(), conversation.log if args.log else []
    if args.as_json:
        facts = stats.to_dict()
        if args.log:
            facts["log"] = [{**one.to_dict(), "saved": one.saved} for one in log]
        console.document(facts)
        return FINE
    console.lines(value_lines(stats.text(SETTINGS)))
    if log:
        head = ("what", "cause", "strategy", "before", "after", "kept", "saved", "summarizer", "error")
        rows = [
            (
                one.what,
                one.cause,
                one.strategy,
                *(f"{count:,}" for count in (one.before, one.after, one.kept, one.saved)),
                one.summarizer,
                one.error or "",
            )
            for one in log
        ]
        console.line("")
        console.table(head, rows, right="before after kept saved")
    return FINE
