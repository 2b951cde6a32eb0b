"""Agent runs into a store, message by message, with a running account of what is in.

Every message is one commit by the node that made it, tagged with the prefix of its run, and is appended to
`PREFIX.messages`. What is there when something goes wrong stays there and is counted.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from backpack import Backpack
from backpack.cli.interruption import Interruption
from backpack.demo.packed import Packed
from backpack.demo.playing import INPUT_NODE, play, summary
from backpack.runs import Run, Step

PACKED_MESSAGE: Final = "packs what the runs work on"


@dataclass(slots=True)
class RunImport:
    """How much of a run is in."""

    name: str
    prefix: str
    messages: int
    """Of the run."""
    imported: int = 0

    @property
    def is_whole(self) -> bool:
        """All of it."""
        return self.imported == self.messages


@dataclass(slots=True)
class Account:
    """What is in, run by run."""

    runs: list[RunImport]
    commits: int = 0
    json_bytes: int = 0
    """Of the messages and values that are in, as compact JSON."""
    packed: list[str] = field(default_factory=list)
    """Keys that were packed first."""

    @property
    def whole(self) -> int:
        """Runs that are in as a whole."""
        return sum(run.is_whole for run in self.runs)

    @property
    def messages(self) -> int:
        """Messages that are in."""
        return sum(run.imported for run in self.runs)

    @property
    def messages_total(self) -> int:
        """Messages that there are."""
        return sum(run.messages for run in self.runs)

    @property
    def is_complete(self) -> bool:
        """Everything is in."""
        return self.whole == len(self.runs)


def account_of(runs: Sequence[Run], prefixes: Sequence[str]) -> Account:
    """Nothing is in yet."""
    return Account([RunImport(run.name, prefix, len(run.steps)) for run, prefix in zip(runs, prefixes, strict=True)])


def import_runs(
    bp: Backpack,
    runs: Sequence[Run],
    packed: Packed,
    account: Account,
    interruption: Interruption,
    progress: Callable[[int, int], None],
    *,
    with_state: bool,
) -> None:
    """Commit everything and account for it. What the store raises ends it between two commits."""
    if packed:
        with bp.transaction(node=INPUT_NODE, message=PACKED_MESSAGE) as tx:
            for key, value in packed.items():
                tx.pack(key, value)
        account.commits += 1
        account.packed += packed
        account.json_bytes += sum(map(_json_size, packed.values()))
    total, done = account.messages_total, 0
    for run, entry in zip(runs, account.runs, strict=True):
        for step in run.steps:
            interruption.check()
            _import_step(bp, step, entry.prefix, with_state=with_state)
            entry.imported += 1
            account.commits += 1
            account.json_bytes += _json_size(step.message)
            done += 1
            progress(done, total)


def _import_step(bp: Backpack, step: Step, prefix: str, *, with_state: bool) -> None:
    if with_state:
        play(bp, step, prefix=f"{prefix}.", tags=(prefix,))
    else:
        bp.append(f"{prefix}.messages", step.message, node=step.node, message=summary(step), tags=(prefix,))


def _json_size(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass"))
