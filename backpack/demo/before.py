"""The scene of the state before a node ran."""

from backpack.demo.checking import THOROUGH, Checker
from backpack.demo.expected import seq_before
from backpack.demo.stage import Scene, Stage
from backpack.terminal.tables import table
from backpack.terminal.words import count_of, printable, shown, size_shown

_KEYS_MAX = 24
_PREVIEW = 120


def before(stage: Stage) -> Scene:
    """What the node could know: every key as it was then, with the node that set it."""
    bp, node, node_run = stage.bp, stage.showcase.node, stage.showcase.node_run
    call = f"bp.snapshot_before({node!r})" if node_run == -1 else f"bp.snapshot_before({node!r}, run={node_run})"
    about = f"What did {printable(node)} know when it began? A snapshot shows every key as of one commit, read-only."
    snapshot = bp.snapshot_before(node, run=node_run)
    seq = seq_before(stage.run, stage.packed, node, node_run)
    facts = {"node": node, "run": node_run, "seq": seq}
    if snapshot is None:
        stage.checked.expect(False, f"run {stage.run.name}: snapshot_before({node!r}) finds no run of that node")
        return Scene("before", f"The state before {printable(node)} ran", about, (call,), (), facts)
    commit = snapshot.commit
    found = commit.seq if commit else 0
    stage.checked.expect(found == seq, f"run {stage.run.name}: before {node} is commit {seq}, the store says {found}")
    if seq:
        stage.checked.add(Checker(bp, stage.run, stage.packed, THOROUGH).snapshot(snapshot, seq))
    rows, keys = [], []
    for key in snapshot:
        item = snapshot.item(key)
        set_by = f"{item.commit.seq} {item.commit.node}" if item.commit else ""
        value = "(large)" if item.is_large else shown(item.value, _PREVIEW)
        rows.append((printable(key), value, size_shown(item.size), printable(set_by)))
        keys.append({"key": key, "size": item.size, "version": item.version, "set_by": item.node})
    more = len(rows) - _KEYS_MAX
    head = ("key", "value", "size", "set by commit")
    lines = table(head, rows[:_KEYS_MAX], stage.width, right="size", firm="key")
    if more > 0:
        lines.append(f"... and {count_of(more, 'more key')}")
    if not rows:
        lines = ["(nothing yet: it was the first)"]
    return Scene(
        "before",
        f"The state before {printable(node)} ran: as of commit {found}",
        about,
        (f"before = {call}",),
        tuple(lines),
        {**facts, "keys": keys},
    )
