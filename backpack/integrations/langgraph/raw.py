"""Values as a serializer wrote them: a type tag and bytes, carried from one place to another without being decoded.

`Untouched` stands in the place of a saver's serializer while checkpoints move: what it is handed as a `Raw` goes into
the store as it is, and what is read comes out as a `Raw`. No class is imported and no object made.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Raw:
    """A value in its serialized form."""

    type: str
    data: bytes
