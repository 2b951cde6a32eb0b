"""`backpack diff A [B] [KEY]`: which keys differ between two commits, where in their values, and by whose commit."""

import argparse
import sys
from collections.abc import Iterator
from typing import Any, Final

from backpack import Backpack, Diff, DiffEntry
from backpack.cli.addresses import seq_of
from backpack.cli.codes import FINE
from backpack.cli.commits import commit_named
from backpack.cli.console import Console
from backpack.cli.options import AT_HELP, add_json_option, add_store_option
from backpack.cli.places import value_at
from backpack.cli.reading import readable
from backpack.cli.records import in_words, value_named
from backpack.cli.stores import opened
from backpack.errors import CommitNotFoundError, KeyNotFoundError
from backpack.terminal.tables import table
from backpack.terminal.values import as_json
from backpack.terminal.words import count_of, cut, printable, shown

DESCRIPTION: Final = f"""\
Keys that are new (+), gone (-) or different (~) from A to B, where inside the
value, and the commit that changed them last. B is HEAD when it is left out; a
second word that names no commit is taken as KEY. With KEY: that key alone, with
every place and what was and is there. Of LangGraph's threads it is channels
that are compared, called THREAD/CHANNEL, or CHANNEL where that is enough.

Each is {AT_HELP}."""

_PATHS_SHOWN: Final = 3
_PLACES_SHOWN: Final = 50
_PREVIEW: Final = 60


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("a", metavar="A", help="from which commit")
    parser.add_argument("b", metavar="B", nargs="?", help="to which commit (default: HEAD)")
    parser.add_argument("key", metavar="KEY", nargs="?", help="only this key, in detail")
    add_store_option(parser)
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Print the difference; the exit code."""
    console = Console(sys.stdout)
    with opened(args) as bp:
        a, b, key = _asked(bp, args)
        diff = in_words(bp, bp.diff(a, b), a, b)
        if key is not None:
            key = _whole_name(diff, key)
            diff = _only(bp, diff, key, a, b)
        if args.as_json:
            console.document(_document(diff, a, b, key))
        else:
            width = console.width
            console.lines(_lines(diff, a, b, width) if key is None else _key_lines(diff, key, a, b, width))
    return FINE


def _asked(bp: Backpack, args: argparse.Namespace) -> tuple[int, int, str | None]:
    """From, to, and the key."""
    a = seq_of(bp, args.a, with_key="diff HEAD~1 {key}")
    head = seq_of(bp, "HEAD")
    if args.b is None:
        return a, head, None
    try:
        return a, seq_of(bp, args.b), args.key
    except CommitNotFoundError:
        if args.key is not None or not (bp.version(args.b) or _is_named(bp, args.b, a, head)):
            raise
    return a, head, args.b


def _is_named(bp: Backpack, name: str, a: int, b: int) -> bool:
    """Does an integration call something so at either commit?"""
    return any(value_named(bp.snapshot(seq), name)[0] for seq in (b, a))


def _only(bp: Backpack, diff: Diff, key: str, a: int, b: int) -> Diff:
    """The difference in one key, which must be in one of the two snapshots."""
    if key not in bp.snapshot(a) and key not in bp.snapshot(b) and not _is_named(bp, key, a, b):
        raise KeyNotFoundError(f"no value at either commit: key={key!r} a={a} b={b}", key=key)
    added, removed, changed = (
        {name: entry for name, entry in entries.items() if name == key}
        for entries in (diff.added, diff.removed, diff.changed)
    )
    return Diff(added, removed, changed)


def _whole_name(diff: Diff, key: str) -> str:
    """The key, or the one name in the difference that ends with it: `messages` for `rome/messages`."""
    names = [name for entries in (diff.added, diff.removed, diff.changed) for name in entries]
    ending = [name for name in names if name.endswith(f"/{key}")]
    return ending[0] if key not in names and len(ending) == 1 else key


def _entries(diff: Diff) -> Iterator[tuple[str, DiffEntry]]:
    for mark, entries in (("+", diff.added), ("-", diff.removed), ("~", diff.changed)):
        for entry in entries.values():
            yield mark, entry


# -- text ------------------------------------------------------------------------------------------------------


def _lines(diff: Diff, a: int, b: int, width: int) -> list[str]:
    rows = [
        (mark, printable(entry.key), _where(mark, entry), commit_named(entry.commit)) for mark, entry in _entries(diff)
    ]
    if not rows:
        return [f"no difference between commit {a} and commit {b}"]
    return table(("", "key", "where", "by commit"), rows, width, firm="key")


def _where(mark: str, entry: DiffEntry) -> str:
    if mark != "~":
        value, reason = readable(lambda: entry.new if mark == "+" else entry.old)
        return f"({reason})" if reason else shown(value, _PREVIEW)
    paths, reason = readable(lambda: [path for path in entry.paths if path])
    if reason:
        return f"({reason})"
    more = f" and {len(paths) - _PATHS_SHOWN:,} more" if len(paths) > _PATHS_SHOWN else ""
    if paths:
        return "at " + printable(", ".join(paths[:_PATHS_SHOWN])) + more
    return f"{_previewed(lambda: entry.old)} -> {_previewed(lambda: entry.new)}"


def _key_lines(diff: Diff, key: str, a: int, b: int, width: int) -> list[str]:
    found = next(_entries(diff), None)
    if found is None:
        return [f"no difference in {printable(key)} between commit {a} and commit {b}"]
    mark, entry = found
    lines = [f"{mark} {printable(key)}" + (f"  by commit {commit_named(entry.commit)}" if entry.commit else "")]
    if mark == "~":
        return [*lines, *_place_lines(entry, width)]
    return [*lines, f"  {mark} {_previewed(lambda: entry.new if mark == '+' else entry.old)}"]


def _place_lines(entry: DiffEntry, width: int) -> Iterator[str]:
    """Every place that differs, with what was and is there."""
    paths, reason = readable(lambda: entry.paths)
    old, why_old = readable(lambda: entry.old)
    new, why_new = readable(lambda: entry.new)
    if reason or why_old or why_new:
        yield from (f"  {mark} ({why})" for mark, why in (("-", why_old or reason), ("+", why_new or reason)) if why)
        return
    for path in paths[:_PLACES_SHOWN]:
        if path:
            yield f"  {printable(path)}"
        for mark, value in (("-", old), ("+", new)):
            is_there, part = value_at(value, path)
            if is_there:
                yield cut(f"    {mark} {shown(part, width)}", width)
    if len(paths) > _PLACES_SHOWN:
        yield f"  ... and {count_of(len(paths) - _PLACES_SHOWN, 'more place')}"


def _previewed(read: Any) -> str:
    value, reason = readable(read)
    return f"({reason})" if reason else shown(value, _PREVIEW)


# -- JSON ------------------------------------------------------------------------------------------------------


def _document(diff: Diff, a: int, b: int, key: str | None) -> dict[str, Any]:
    return {
        "from": a,
        "to": b,
        "added": {entry.key: _facts(entry, "+", key) for entry in diff.added.values()},
        "removed": {entry.key: _facts(entry, "-", key) for entry in diff.removed.values()},
        "changed": {entry.key: _facts(entry, "~", key) for entry in diff.changed.values()},
    }


def _facts(entry: DiffEntry, mark: str, key: str | None) -> dict[str, Any]:
    commit = entry.commit
    facts: dict[str, Any] = {"commit": None if commit is None else {"seq": commit.seq, "id": commit.id}}
    if mark == "~":
        paths, reason = readable(lambda: list(entry.paths))
        facts["paths"] = None if reason else paths
    if key is not None:
        facts["old"] = None if mark == "+" else as_json(readable(lambda: entry.old)[0])[0]
        facts["new"] = None if mark == "-" else as_json(readable(lambda: entry.new)[0])[0]
    return facts
