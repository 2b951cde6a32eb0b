"""`backpack context show`: the messages that would be sent now."""

import argparse
import sys
from typing import Final

from backpack.cli.codes import FINE
from backpack.cli.console import Console
from backpack.cli.conversations import add_conversation_options, conversation_opened
from backpack.context import view
from backpack.terminal.values import as_json
from backpack.terminal.words import shown

DESCRIPTION: Final = """\
The context as it stands: system messages, the summary of what was compressed,
and all that stays. With --full all messages, as they came. With --json whole
messages."""

_TEXT_MAX: Final = 400


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("--full", action="store_true", help="all messages, whatever was compressed")
    add_conversation_options(parser)


def run(args: argparse.Namespace) -> int:
    """Print the messages; the exit code."""
    console = Console(sys.stdout)
    with conversation_opened(args) as conversation:
        messages = conversation.stored(is_full=args.full)
        counts = [conversation.tracker.count_message(message) for message in messages]
    if args.as_json:
        console.document([as_json(message)[0] for message in messages])
        return FINE
    rows = []
    for number, (message, count) in enumerate(zip(messages, counts, strict=True)):
        one = view(message)
        calls = " ".join(f"{call.name}({call.arguments})" for call in one.calls)
        said = shown(" ".join(filter(None, (one.text[:_TEXT_MAX], calls))), _TEXT_MAX)
        rows.append((str(number), one.role, f"{count:,}", said))
    console.table(("#", "role", "tokens", "says"), rows, right="# tokens", whole="role")
    return FINE
