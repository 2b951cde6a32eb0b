"""The keys of one memory, all below its namespace."""

from typing import Final

from backpack.errors import InvalidArgumentError
from backpack.store.names import checked_key

_RANGES: Final = ("entries", "content", "parts", "checkpoints")
"""Whatever is in one of these below a namespace belongs to its memory: pruning takes what it doesn't know of."""


class Keys:
    """What stands where. Memories at `a` and at `a.b` share no key."""

    __slots__ = ("checkpoints", "content", "entries", "namespace", "operations", "parts", "pruned", "reports")

    def __init__(self, namespace: str) -> None:
        """`InvalidArgumentError` for a namespace that lies among the keys of the memory at another one."""
        namespace = checked_key(namespace)
        labels = namespace.split(".")
        inside = next((at for at, label in enumerate(labels) if at and label in _RANGES), None)
        if inside is not None:
            raise InvalidArgumentError(
                f"what is below {'.'.join(labels[: inside + 1])} belongs to a memory at {'.'.join(labels[:inside])}: "
                f"namespace={namespace!r}; no label of it but the first may be one of {', '.join(_RANGES)}"
            )
        self.namespace = namespace
        self.entries = f"{namespace}.entries."
        """Before an id: the record of an entry."""
        self.content = f"{namespace}.content."
        """Before a digest: a content, shared by all entries that have it."""
        self.parts = f"{namespace}.parts."
        """Before a digest: 1 MiB of a long content, shared likewise."""
        self.checkpoints = f"{namespace}.checkpoints."
        """Before an id: what a checkpoint of the memory keeps."""
        self.operations = f"{namespace}.operations"
        """The operations log."""
        self.pruned = f"{namespace}.pruned"
        """The titles of entries that were pruned as a whole."""
        self.reports = f"{namespace}.reports"
        """Compression reports, one a pruning."""
