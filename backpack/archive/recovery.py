"""What to believe of the logs that a store was left with: a plan, before anything is done.

The logs are one sequence of frames. At the first frame that is not right, with commit s expected there:

1. The store was closed cleanly: nothing may differ, so this is damage.
2. A frame behind it, in this log or a later one, says that commit s or a later one was on disk already: it had been
   acknowledged, so this is damage.
3. The machine has not been restarted since the log was begun, so no write was lost, and a frame with commit s or a
   later one follows: damage.
4. The manifest knew of the log and it is not there: damage.
5. Else it lies in the window that was not synced yet, where a power loss may keep a later write and lose an earlier
   one. Everything from there on is cut off, kept aside, and reported.

After a restart "a valid frame follows, so it is damage" would be wrong, and so would "it runs past the end, so it is
torn": a flipped length looks the same.
"""

from dataclasses import dataclass

from backpack.archive.frames import damaged
from backpack.archive.manifest import CleanMark, Manifest
from backpack.archive.scanning import Fault, Log
from backpack.archive.writing import log_name
from backpack.errors import CorruptionError


@dataclass(slots=True)
class Plan:
    """What stays of the logs."""

    logs: list[Log]
    """Those that stay, each up to its `stop`."""
    cut: list[tuple[str, int]]
    """`(file, offset)`: what is cut off, from there to the end of the file."""
    synced_upto: int
    """The newest commit that is on disk for good."""
    is_clean: bool
    head: int


@dataclass(slots=True)
class Damage:
    """Where acknowledged data is not what was written."""

    error: CorruptionError
    plan: Plan
    """What can be read all the same: everything before it."""


def planned(
    manifest: Manifest,
    logs: list[Log],
    faults: list[Fault | None],
    torn: list[tuple[str, int]],
    mark: CleanMark | None,
    boot: int,
) -> Plan | Damage:
    """`logs`: those whose head could be read, in order, scanned as far as they are right; `faults`: where each ends
    early. `torn`: files behind them whose head is not right, each with the highest `synced_upto` that was found in it.
    `boot`: when the machine began to run, as `Folder.boot` says it.
    """
    kept: list[Log] = []
    cut: list[tuple[str, int]] = []
    head, previous, segment = manifest.head, manifest.previous, manifest.next_segment
    synced_upto = manifest.head
    damage: CorruptionError | None = None
    broken: tuple[str, int, int, str] | None = None
    for log, fault in zip(logs, faults, strict=True):
        name = log_name(log.head.segment)
        if broken is not None:
            cut.append((name, 0))
            if max(log.synced_upto, log.kept_behind(0, boot)) >= broken[2]:
                damage = damage or _acknowledged(broken)
            continue
        if log.head.segment != segment or log.first_seq != head + 1 or log.head.previous != previous & 0xFFFFFFFF:
            missing = log_name(segment) if log.head.segment > segment else name
            broken = (missing, 0, head + 1, "the log does not go on where the one before it ends")
            cut.append((name, 0))
            if max(log.synced_upto, log.kept_behind(0, boot)) >= head + 1 or log.head.segment <= manifest.last_log:
                damage = _acknowledged(broken)
            continue
        kept.append(log)
        head, previous, segment = log.last_seq, log.head_sum, segment + 1
        synced_upto = max(synced_upto, min(log.synced_upto, head))
        if fault is not None:
            broken = (name, fault.offset, fault.seq, fault.reason)
            cut.append((name, fault.offset))
            if log.kept_behind(fault.offset, boot) >= fault.seq:
                damage = _acknowledged(broken)
    for name, acknowledged in torn:
        broken = broken or (name, 0, head + 1, "the head of the log is not what was written")
        cut.append((name, 0))
        if acknowledged >= broken[2]:
            damage = damage or _acknowledged(broken)
    if damage is None and segment <= manifest.last_log and not cut:
        damage = damaged(log_name(segment), 0, "a log that the manifest knows of is not there")
    elif damage is None and broken is not None and segment <= manifest.last_log and broken[1] == 0:
        damage = damaged(broken[0], 0, "a log that the manifest knows of is not what was written")
    if mark is not None and damage is None and not _agrees(mark, kept, head, bool(cut)):
        where = broken or (log_name(mark.segment), mark.size, head + 1, "the log does not end as it did at closing")
        damage = damaged(where[0], where[1], f"{where[3]}, in a store that was closed")
    plan = Plan(kept, cut, synced_upto if mark is None else head, mark is not None, head)
    return plan if damage is None else Damage(damage, plan)


def _agrees(mark: CleanMark, logs: list[Log], head: int, has_cut: bool) -> bool:
    if has_cut or mark.head != head or bool(mark.segment) != bool(logs):
        return False
    if not logs:
        return True
    last = logs[-1]
    return (mark.segment, mark.size, mark.head_sum) == (last.head.segment, last.stop, last.head_sum)


def _acknowledged(broken: tuple[str, int, int, str]) -> CorruptionError:
    name, offset, seq, reason = broken
    return damaged(name, offset, f"{reason}, where commit {seq} had been acknowledged")
