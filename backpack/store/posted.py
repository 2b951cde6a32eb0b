"""What stands in letters that no writer has adopted yet, for those who read the store.

A reader lists the letters first, then looks at the store again (`refresh`), then takes both: what the writer adopted in
between is in the store by then, because a letter is removed after its commit is on disk. Letters are not held open, as
there may be any number of them: who misses one looks again.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from backpack.archive.letters import ADDED, Letter, Piece
from backpack.archive.opened import Opened
from backpack.errors import BackpackError, CorruptionError, MissingFileError
from backpack.store.adopting import check_letter, has_been_adopted

if TYPE_CHECKING:
    from backpack.store.lasting import Lasting


class Posted:
    """The values of letters, by key; of a key that stands in several the oldest letter counts, as in adopting."""

    __slots__ = ("_found",)

    def __init__(self, letters: list[Letter]) -> None:
        self._found: dict[str, tuple[Letter, Piece]] = {}
        for letter in letters:
            for piece in letter.pieces:
                if piece.way != ADDED:
                    self._found.setdefault(piece.key, (letter, piece))

    def __contains__(self, key: str) -> bool:
        return key in self._found

    def __iter__(self) -> Iterator[str]:
        """The keys, sorted."""
        return iter(sorted(self._found))

    def payload(self, key: str) -> bytes | None:
        """The packed value, read and proved; None when no letter has the key. `CorruptionError`, `StorageError`;
        `MissingFileError` when it was adopted meanwhile."""
        found = self._found.get(key)
        return None if found is None else found[0].proved(found[1])


def posted(store: "Lasting", opened: Opened) -> Posted | None:
    """The letters that are there and not adopted; None when there is none. A reader looks at the store again.

    Letters that can't be read, or not be adopted, are told by `health()`. Cost: a look at the folder; a letter is read
    once.
    """
    letters = []
    try:
        names = opened.inbox.names()
    except BackpackError as error:
        opened.refused[""] = error
        names = []
    known, opened.letters = opened.letters, {}
    for name in names:
        letter = known.get(name)
        if letter is None and not isinstance(opened.refused.get(name), CorruptionError):
            try:
                letter = opened.inbox.open(name)
                check_letter(letter)
                letter.let_go()
            except MissingFileError:  # adopted meanwhile
                continue
            except BackpackError as error:
                opened.refused[name] = error
                continue
            opened.refused.pop(name, None)
        if letter is not None:
            opened.letters[name] = letter
            letters.append(letter)
    opened.refused = {name: error for name, error in opened.refused.items() if name in names or not name}
    store.refresh()
    letters = [letter for letter in letters if not has_been_adopted(store, letter)]
    return Posted(letters) if letters else None
