"""Options that several commands have, and what their texts mean."""

import argparse
from typing import Any

from backpack.cli.keys import place_of_key
from backpack.limits import KEEP_DAYS_MAX
from backpack.terminal.words import bytes_of

AT_HELP = "a seq, HEAD~N, a checkpoint, ckpt-latest, an id, its beginning, a time"

WAIT_DEFAULT_S = 10.0
"""What a command that must write waits for another writer, unless told."""

_SECONDS_MAX = 86_400.0


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


def add_wait_option(parser: argparse.ArgumentParser) -> None:
    """`--wait SECONDS`."""
    parser.add_argument(
        "--wait",
        metavar="SECONDS",
        type=seconds_of,
        default=WAIT_DEFAULT_S,
        help=f"how long to wait for another writer to close the store (default: {WAIT_DEFAULT_S:g})",
    )


def add_quiet_option(parser: argparse.ArgumentParser) -> None:
    """`-q`: ids only."""
    parser.add_argument("-q", "--quiet", dest="ids_only", action="store_true", help="print ids only, one a line")


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


def variable_of(text: str) -> tuple[str, str]:
    """`K=V`."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"not NAME=VALUE: {text!a}")
    return name, value


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
    days = days_from_zero(text)
    if not days:
        raise argparse.ArgumentTypeError(f"not a number of days above 0: {text!a}")
    return days


def days_from_zero(text: str) -> float:
    """Days, whole or not, 0 or more."""
    try:
        days = float(text)
    except ValueError:
        days = -1.0
    if not 0 <= days <= KEEP_DAYS_MAX:
        raise argparse.ArgumentTypeError(f"not a number of days, 0 or more: {text!a}")
    return days


def seconds_of(text: str) -> float:
    """Seconds, whole or not, 0 or more."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= _SECONDS_MAX:
        raise argparse.ArgumentTypeError(f"not a number of seconds, 0 or more: {text!a}")
    return seconds


def whole_number(text: str) -> int:
    """A whole number, 0 or more."""
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise argparse.ArgumentTypeError(f"not a whole number: {text!a}")
    return int(text)


def given(args: argparse.Namespace, *names: str) -> dict[str, Any]:
    """Those of the options that were given, by name."""
    return {name: value for name in names if (value := getattr(args, name)) is not None}
