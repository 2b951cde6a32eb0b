"""The keys of one memory, all below its namespace."""

from backpack.store.names import checked_key


class Keys:
    """What stands where."""

    __slots__ = ("checkpoints", "content", "entries", "namespace", "operations", "parts", "pruned", "reports")

    def __init__(self, namespace: str) -> None:
        namespace = checked_key(namespace)
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
