"""`backpack checkpoint now`: keep where the work stands."""

import argparse
import sys
from typing import Final

from backpack import Backpack
from backpack.cli.checkpoints import checkpoint_facts, checkpoint_line
from backpack.cli.codes import FINE
from backpack.cli.console import Console
from backpack.cli.options import add_json_option, add_quiet_option, add_store_option, add_wait_option, variable_of
from backpack.cli.stores import is_store, opened, path_of, tell_made
from backpack.errors import StoreLockedError
from backpack.memory import Memory

DESCRIPTION: Final = """\
Keeps notes, phase, tasks, dependencies and variables, with references to the
entries that were logged since the checkpoint before, and their counts and
tokens; no content. The whole store can be looked at as of then by the same
name: backpack show ID KEY. Waits for another writer, and then says who that is.
A store that is not there is made, which is told on standard error."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("--notes", metavar="TEXT", default="", help="what to tell who goes on from here")
    parser.add_argument("--phase", metavar="PHASE", help="which phase the work is in")
    for option, variable, kind in (
        ("--var", "K=V", variable_of),
        ("--task", "TASK", str),
        ("--dependency", "NAME", str),
    ):
        parser.add_argument(option, metavar=variable, type=kind, action="append", default=[], help="any number of them")
    parser.add_argument("--name", metavar="ID", help="its id (default: ckpt- and the time)")
    add_store_option(parser)
    add_wait_option(parser)
    add_quiet_option(parser)
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Make the checkpoint and say what it is; the exit code."""
    with _opened(args) as bp:
        made = Memory(bp).checkpoint(
            notes=args.notes,
            phase=args.phase,
            variables=dict(args.var),
            tasks=args.task,
            dependencies=args.dependency,
            name=args.name,
        )
    console = Console(sys.stdout)
    if args.as_json:
        console.document(checkpoint_facts(made))
    else:
        console.line(made.id if args.ids_only else checkpoint_line(made))
    return FINE


def _opened(args: argparse.Namespace) -> Backpack:
    path = path_of(args)
    was_there = is_store(path)
    try:
        bp = opened(args, "rw", may_create=True)
    except StoreLockedError as error:
        message, facts = str(error), {"path": error.path, "pid": error.pid}
    else:
        if not was_there:
            tell_made(args, path)
        return bp
    raise StoreLockedError(f"{message}, or make it in that process: memory.checkpoint(notes=...)", **facts)
