"""`backpack context compress`: compress now, whatever the threshold."""

import argparse
import sys
from typing import Final

from backpack.cli.codes import FINE, FOUND
from backpack.cli.console import Console
from backpack.cli.conversations import SETTINGS, add_conversation_options, conversation_of
from backpack.cli.options import add_json_option, add_store_option, add_wait_option
from backpack.cli.stores import opened
from backpack.terminal.values import json_text

_DESCRIPTION: Final = """\
Old messages become one summary, by the built-in summarizer and the settings of
this environment (those of your program are not in the store), as one commit. No
message is lost: show --full has them all, and restore goes back. Exit code 1
when nothing may go."""

_INDENT: Final = 2


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the verb and add its options."""
    parser.description = _DESCRIPTION
    add_conversation_options(parser)
    add_wait_option(parser)
    add_store_option(parser)
    add_json_option(parser)
    parser.set_defaults(run_command=run)


def run(args: argparse.Namespace) -> int:
    """Compress and print what came of it; the exit code."""
    console = Console(sys.stdout)
    with opened(args, "rw") as bp:
        conversation = conversation_of(bp, args)
        made = conversation.compress()
        why = conversation.preview().why if made is None else ""
    if args.as_json:
        console.line(json_text(None if made is None else {**made.to_dict(), "saved": made.saved}, indent=_INDENT))
    elif made is None:
        console.line(f"nothing to compress: {why or 'nothing would be saved'} ({SETTINGS})")
    else:
        console.line(
            f"{made.before:,} tokens to {made.after:,} ({made.strategy}): {made.messages_summarized:,} messages "
            f"summarized, {made.messages_dropped:,} dropped, {made.messages_kept:,} kept ({SETTINGS})"
        )
    return FINE if made is not None else FOUND
