"""`backpack context show`: the messages that would be sent now."""

import argparse
import sys
from typing import Final

from backpack.cli.codes import FINE
from backpack.cli.console import Console
from backpack.cli.conversations import add_conversation_options, conversation_of
from backpack.cli.options import add_json_option, add_store_option
from backpack.cli.stores import opened
from backpack.context import view
from backpack.terminal.tables import WIDTH_MAX, table, terminal_width
from backpack.terminal.values import as_json, json_text
from backpack.terminal.words import shown

_DESCRIPTION: Final = """\
The context as it stands: system messages, the summary of what was compressed,
and all that stays. With --full all messages, as they came. With --json whole
messages."""

_INDENT: Final = 2
_TEXT_MAX: Final = 400


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the verb and add its options."""
    parser.description = _DESCRIPTION
    parser.add_argument("--full", action="store_true", help="all messages, whatever was compressed")
    add_conversation_options(parser)
    add_store_option(parser)
    add_json_option(parser)
    parser.set_defaults(run_command=run)


def run(args: argparse.Namespace) -> int:
    """Print the messages; the exit code."""
    console = Console(sys.stdout)
    with opened(args) as bp:
        conversation = conversation_of(bp, args)
        messages = conversation.stored(is_full=args.full)
        counts = [conversation.tracker.count_message(message) for message in messages]
    if args.as_json:
        console.line(json_text([as_json(message)[0] for message in messages], indent=_INDENT))
        return FINE
    rows = []
    for number, (message, count) in enumerate(zip(messages, counts, strict=True)):
        one = view(message)
        calls = " ".join(f"{call.name}({call.arguments})" for call in one.calls)
        said = shown(" ".join(filter(None, (one.text[:_TEXT_MAX], calls))), _TEXT_MAX)
        rows.append((str(number), one.role, f"{count:,}", said))
    width = terminal_width(elsewhere=WIDTH_MAX)
    console.lines(table(("#", "role", "tokens", "says"), rows, width, right="# tokens", whole="role"))
    return FINE
