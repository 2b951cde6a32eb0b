"""The store that a command works on: which one, opened for reading or for writing."""

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

import backpack
from backpack import Backpack
from backpack.cli.console import Console
from backpack.cli.keys import key_of
from backpack.errors import InvalidArgumentError, StoreLockedError, StoreNotFoundError
from backpack.terminal.words import printable, size_shown

VARIABLE: Final = "BACKPACK_STORE"
DEFAULT: Final = ".backpack"
_WAIT_STEP_S: Final = 0.05
_OF_MEMORY: Final = frozenset(("memory", "checkpoint", "status"))
"""Commands for which logging makes a store."""


def path_of(args: argparse.Namespace) -> str:
    """`--store DIR`, else what the environment says, else `.backpack`."""
    named: str | None = args.store
    if named == "":
        raise InvalidArgumentError("--store names no folder")
    return named or os.environ.get(VARIABLE) or DEFAULT


def opened(
    args: argparse.Namespace,
    mode: Literal["r", "rw"] = "r",
    *,
    may_create: bool = False,
    check: Callable[[], object] = lambda: None,
) -> Backpack:
    """The store, open. Nothing is made unless asked for: `StoreNotFoundError` says how to name one.

    A command with `--wait` waits so long for another writer to close it; then `StoreLockedError` names that one.
    `check` is called again and again meanwhile, and may raise.
    """
    path = path_of(args)
    if not may_create:
        require_store(path, "memory log" if args.command in _OF_MEMORY else "import")
    bp = waited_for(lambda: backpack.open(path, mode, key=key_of(args)), getattr(args, "wait", 0.0), check)
    if bp.recovery is not None:
        _tell_recovery(args.command, bp.recovery)
    return bp


def waited_for(act: Callable[[], Backpack], seconds: float, check: Callable[[], object]) -> Backpack:
    """What the act returns, as soon as nobody else has the store locked; `StoreLockedError` when that takes longer."""
    end = time.monotonic() + seconds
    while True:
        try:
            return act()
        except StoreLockedError:
            if time.monotonic() >= end:
                raise
        check()
        time.sleep(min(_WAIT_STEP_S, max(0.0, end - time.monotonic())))


def require_store(path: str, command: str = "import") -> None:
    """`StoreNotFoundError` when there is nothing at the path, or an empty folder; `command` would make one."""
    if not has_something(path):
        raise StoreNotFoundError(
            f"there is no store: path={path!r}; name one with --store or {VARIABLE}, or make one with "
            f"backpack {command}",
            path=path,
        )


def has_something(path: str) -> bool:
    """Is there a folder that is not empty? `InvalidArgumentError` when it is a file, or can't be read."""
    try:
        with os.scandir(path) as entries:
            return any(True for _ in entries)
    except NotADirectoryError:
        raise InvalidArgumentError(f"a store is a folder, this is a file: path={path!r}") from None
    except (FileNotFoundError, ValueError):
        return False
    except OSError as error:
        raise InvalidArgumentError(f"the store can't be read: path={path!r}: {error.strerror}") from None


def is_store(path: str) -> bool:
    """Is there a store, whole enough to say that it is one?"""
    return os.path.exists(os.path.join(path, "manifest"))


def size_on_disk(path: str) -> int:
    """Bytes of all files in the folder; 0 if there is none."""
    size = 0
    for file in Path(path).rglob("*"):
        try:
            if file.is_file():
                size += file.stat().st_size
        except FileNotFoundError:  # a writer took it away meanwhile
            continue
    return size


def tell_made(args: argparse.Namespace, path: str) -> None:
    """Say that a new store was made: somebody may have meant another folder."""
    tell_note(args, f"a new store was made: {printable(path)}")


def tell_note(args: argparse.Namespace, text: str) -> None:
    """A note on standard error."""
    Console(sys.stderr).line(f"backpack {args.command} {args.verb}: note: {text}")


def _tell_recovery(command: str, recovery: backpack.Recovery) -> None:
    text = f"backpack {command}: note: the store had not been closed; it goes on from commit {recovery.head}"
    if recovery.dropped_bytes:
        text += f"; {size_shown(recovery.dropped_bytes)} that were never synced are in {', '.join(recovery.kept_in)}"
    Console(sys.stderr).line(printable(text))
