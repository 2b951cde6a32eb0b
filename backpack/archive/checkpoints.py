"""The checkpoints of a store as its files have them: those of the manifest, and what logs have noted since."""

from collections.abc import Iterable, Sequence
from typing import Any

from backpack.archive.manifest import Manifest
from backpack.archive.scanning import Log

Checkpoints = dict[str, tuple[int, str]]
"""By name: the commit, and what its maker noted."""


def checkpoints_in(manifest: Manifest, logs: Iterable[Log] = ()) -> Checkpoints:
    """The checkpoints as of the end of these logs."""
    checkpoints = {name: (seq, notes) for name, seq, notes in manifest.checkpoints}
    for log in logs:
        apply_notes(checkpoints, log.notes)
    return checkpoints


def apply_notes(checkpoints: Checkpoints, notes: Sequence[tuple[int, Any]]) -> None:
    """Checkpoints as they are after what was noted. Notes of another kind are left alone."""
    for _, note in notes:
        if not isinstance(note, dict):
            continue
        name = note.get("checkpoint")
        seq, text = note.get("seq"), note.get("notes")
        if isinstance(name, str) and isinstance(seq, int) and isinstance(text, str):
            checkpoints[name] = (seq, text)
        name = note.get("forget")
        if isinstance(name, str):
            checkpoints.pop(name, None)
