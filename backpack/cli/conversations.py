"""The conversation that a command works on."""

import argparse

from backpack import Backpack
from backpack.cli.options import count_above_zero
from backpack.context import Conversation
from backpack.context.keys import KEY_DEFAULT
from backpack.context.sessions import Sessions
from backpack.errors import InvalidArgumentError, KeyNotFoundError


def add_conversation_options(parser: argparse.ArgumentParser) -> None:
    """`--key`, `--session`, `--model`, `--window`."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--key", metavar="KEY", help=f"where the messages are (default: {KEY_DEFAULT})")
    group.add_argument("--session", metavar="ID", help="a session, by its id or the beginning of it")
    parser.add_argument("--model", metavar="MODEL", help="the model (default: the one that was used last)")
    parser.add_argument(
        "--window", metavar="TOKENS", type=count_above_zero, help="its window (default: what is known of the model)"
    )


def conversation_of(bp: Backpack, args: argparse.Namespace) -> Conversation:
    """The conversation that is asked for; `KeyNotFoundError` when there is none."""
    settings = {"model": args.model, "window": args.window}
    if args.session is not None:
        return Sessions(bp).resume(args.session, **settings)
    if args.key == "":
        raise InvalidArgumentError("--key names no key")
    key = args.key or KEY_DEFAULT
    if key not in bp:
        raise KeyNotFoundError(f"there is no conversation: key={key!r}; name one with --key or --session", key=key)
    return Conversation(bp, key, **settings)
