"""Options that several commands have, and what their texts mean."""

import argparse
from typing import Any

from backpack.cli.keys import place_of_key
from backpack.terminal.words import bytes_of

AT_HELP = "a seq, HEAD~N, a checkpoint, an id or its beginning, or a time"

_DAYS_MAX = 1_000_000


def add_store_option(parser: argparse.ArgumentParser) -> None:
    """`--store DIR`, `--key-from PLACE`."""
    parser.add_argument(
        "--store", metavar="DIR", help="the folder of the store (default: $BACKPACK_STORE, else .backpack)"
    )
    parser.add_argument(
        "--key-from",
        metavar="PLACE",
        type=place_of_key,
        help="where the key of an encrypted store is: env:NAME (64 hex digits) or file:PATH (these, or 32 bytes)",
    )


def add_json_option(parser: argparse.ArgumentParser, what: str = "print one JSON document instead of text") -> None:
    """`--json`."""
    parser.add_argument("--json", dest="as_json", action="store_true", help=what)


def add_label_options(parser: argparse.ArgumentParser) -> None:
    """`--message`, `--node`, `--tag`: what the commit will say."""
    parser.add_argument("-m", "--message", metavar="TEXT", help="what the commit says of itself")
    parser.add_argument("--node", metavar="NODE", help="the node that the commit is by")
    parser.add_argument("--tag", metavar="TAG", dest="tags", action="append", default=[], help="a tag (repeatable)")


def pair_of(text: str) -> tuple[str, str]:
    """`KEY=FILE`."""
    key, equals, name = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"not KEY=FILE: {text!a}")
    return key, name


def size_of(text: str) -> int:
    """A size in bytes: `65536`, `64KiB`."""
    try:
        return bytes_of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def count_above_zero(text: str) -> int:
    """A whole number, 1 or more."""
    count = whole_number(text)
    if count < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more: {text!a}")
    return count


def days_of(text: str) -> float:
    """Days, whole or not, above 0."""
    try:
        days = float(text)
    except ValueError:
        days = 0.0
    if not 0 < days <= _DAYS_MAX:
        raise argparse.ArgumentTypeError(f"not a number of days above 0: {text!a}")
    return days


def whole_number(text: str) -> int:
    """A whole number, 0 or more."""
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise argparse.ArgumentTypeError(f"not a whole number: {text!a}")
    return int(text)


def given(args: argparse.Namespace, *names: str) -> dict[str, Any]:
    """Those of the options that were given, by name."""
    return {name: value for name in names if (value := getattr(args, name)) is not None}
