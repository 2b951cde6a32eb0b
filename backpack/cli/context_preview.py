"""`backpack context preview`: what a compression would take and save."""

import argparse
import sys
from typing import Final

from backpack.cli.codes import FINE
from backpack.cli.console import Console
from backpack.cli.conversations import SETTINGS, add_conversation_options, conversation_opened
from backpack.terminal.values import value_lines

DESCRIPTION: Final = """\
What a compression would take and save if it ran now, by the
settings of this environment: those that a program gives in its code are not in
the store. Nothing is changed."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    add_conversation_options(parser)


def run(args: argparse.Namespace) -> int:
    """Print the figures; the exit code."""
    console = Console(sys.stdout)
    with conversation_opened(args) as conversation:
        found = conversation.preview()
    if args.as_json:
        console.document(found.to_dict())
    else:
        console.lines(value_lines(found.text(SETTINGS)))
    return FINE
