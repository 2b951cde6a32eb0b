"""The conversation that a command works on."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal

from backpack import Backpack
from backpack.cli.options import add_json_option, add_store_option, count_above_zero
from backpack.cli.stores import opened
from backpack.context import Conversation
from backpack.context.keys import KEY_DEFAULT, conversations_among
from backpack.context.sessions import Sessions
from backpack.errors import InvalidArgumentError, KeyNotFoundError

SETTINGS: Final = "settings of this environment"
"""Whose settings a command goes by: those that a program gives in its code are not in the store."""

_SHOWN_KEYS: Final = 5


def add_conversation_options(parser: argparse.ArgumentParser) -> None:
    """`--key`, `--session`, `--model`, `--window`; `--store` and `--json`."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--key", metavar="KEY", help=f"where the messages are (default: {KEY_DEFAULT})")
    group.add_argument("--session", metavar="ID", help="a session, by its id or the beginning of it")
    parser.add_argument("--model", metavar="MODEL", help="the model (default: the one that was used last)")
    parser.add_argument(
        "--window", metavar="TOKENS", type=count_above_zero, help="its window (default: what is known of the model)"
    )
    add_store_option(parser)
    add_json_option(parser)


@contextmanager
def conversation_opened(args: argparse.Namespace, mode: Literal["r", "rw"] = "r") -> Iterator[Conversation]:
    """The conversation that is asked for, in its opened store; `KeyNotFoundError` when there is none."""
    with opened(args, mode) as bp, _conversation_of(bp, args) as conversation:
        yield conversation


def _conversation_of(bp: Backpack, args: argparse.Namespace) -> Conversation:
    settings = {"model": args.model, "window": args.window}
    if args.session is not None:
        return Sessions(bp).resume(args.session, **settings)
    if args.key == "":
        raise InvalidArgumentError("--key names no key")
    key = args.key or KEY_DEFAULT
    if key not in bp:
        raise KeyNotFoundError(f"there is no conversation: key={key!r}; {_others(bp)}", key=key)
    return Conversation(bp, key, **settings)


def _others(bp: Backpack) -> str:
    """Which conversations there are, or how to begin one."""
    keys = conversations_among(bp)
    if not keys:
        return "there is none in this store; Conversation(bp).add(message) begins one"
    more = ", ..." if len(keys) > _SHOWN_KEYS else ""
    return (
        f"there are {', '.join(keys[:_SHOWN_KEYS])}{more}; name one with --key, `backpack context sessions` lists them"
    )
