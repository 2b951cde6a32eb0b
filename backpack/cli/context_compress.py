"""`backpack context compress`: compress now, whatever the threshold."""

import argparse
import sys
from typing import Final

from backpack.cli.codes import FINE, FOUND
from backpack.cli.console import Console
from backpack.cli.conversations import SETTINGS, add_conversation_options, conversation_opened
from backpack.cli.options import add_wait_option

DESCRIPTION: Final = """\
Old messages become one summary, by the built-in summarizer and the settings of
this environment (those of your program are not in the store), as one commit. No
message is lost: show --full has them all, and restore goes back. Exit code 1
when nothing may go."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    add_conversation_options(parser)
    add_wait_option(parser)


def run(args: argparse.Namespace) -> int:
    """Compress and print what came of it; the exit code."""
    console = Console(sys.stdout)
    with conversation_opened(args, "rw") as conversation:
        made = conversation.compress()
        why = conversation.preview().why if made is None else ""
    if args.as_json:
        console.document(None if made is None else {**made.to_dict(), "saved": made.saved})
    elif made is None:
        console.line(f"nothing to compress: {why or 'nothing would be saved'} ({SETTINGS})")
    else:
        console.line(
            f"{made.before:,} tokens to {made.after:,} ({made.strategy}): {made.messages_summarized:,} messages "
            f"summarized, {made.messages_dropped:,} dropped, {made.messages_kept:,} kept ({SETTINGS})"
        )
    return FINE if made is not None else FOUND
