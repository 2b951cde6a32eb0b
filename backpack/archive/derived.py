"""Files in the folder of a store that are made of what the store holds, and can be made again: never the truth.

    search.sqlite                    a full-text index
    search-<16 hex digits>.sqlite    another one
    <those>-journal                  SQLite's own, while it writes or after a crash
    <those>.sum                      what the file was when it was closed

Whoever makes one keeps it in a plain store only: it holds words of values, unencrypted. A purge removes all of them
before it erases the values, so after a crash anywhere in it they are there with the values or not at all. They stand
in no manifest; reading, recovering, exporting and copying a store do not know them.
"""

import re
from dataclasses import dataclass
from typing import Final

from backpack.storage.protocol import Folder

_NAME: Final = re.compile(r"search(-[0-9a-f]{16})?\.sqlite(-journal|\.sum)?")


@dataclass(frozen=True, slots=True)
class Derived:
    """Where files derived from a store may be."""

    folder: Folder
    path: str
    """The absolute path of the folder: SQLite opens files by their paths."""
    store_id: str
    is_writable: bool


def is_derived(name: str) -> bool:
    """Is a file of that name in the folder of a store derived from it?"""
    return _NAME.fullmatch(name) is not None


def remove_derived(folder: Folder) -> None:
    """Take all of them away, for good when this returns. Each before its journal, which would be played into the next.

    `StorageError` when the disk refuses.
    """
    names = [name for name in folder.names() if is_derived(name)]
    for name in sorted(names, key=lambda name: name.endswith("-journal")):
        folder.remove(name)
    if names:
        folder.sync()
