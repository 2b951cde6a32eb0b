"""`backpack context preview`: what a compression would take and save."""

import argparse
import sys
from typing import Final

from backpack.cli.codes import FINE
from backpack.cli.console import Console
from backpack.cli.conversations import SETTINGS, add_conversation_options, conversation_of
from backpack.cli.options import add_json_option, add_store_option
from backpack.cli.stores import opened
from backpack.terminal.values import json_text, value_lines

_DESCRIPTION: Final = """\
What a compression would take and save if it ran now, by the
settings of this environment: those that a program gives in its code are not in
the store. Nothing is changed."""

_INDENT: Final = 2


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the verb and add its options."""
    parser.description = _DESCRIPTION
    add_conversation_options(parser)
    add_store_option(parser)
    add_json_option(parser)
    parser.set_defaults(run_command=run)


def run(args: argparse.Namespace) -> int:
    """Print the figures; the exit code."""
    console = Console(sys.stdout)
    with opened(args) as bp:
        found = conversation_of(bp, args).preview()
    if args.as_json:
        console.line(json_text(found.to_dict(), indent=_INDENT))
    else:
        console.lines(value_lines(found.text(SETTINGS)))
    return FINE
