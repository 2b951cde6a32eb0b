"""What a store asks of an archive, and what it hands out of one, by the names that `store.py` uses."""

from backpack.archive.archive import Stored, engine_over
from backpack.archive.compacting import first_kept, keys_of, size_before, versions_of
from backpack.archive.holding import held_by_forks
from backpack.archive.opened import Health
from backpack.archive.visiting import look_again
from backpack.store.archived import Archived

__all__ = [
    "Archived",
    "Health",
    "Stored",
    "engine_over",
    "first_kept",
    "held_by_forks",
    "keys_of",
    "look_again",
    "size_before",
    "versions_of",
]
