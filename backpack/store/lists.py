"""Adding to a packed list without unpacking it."""

from collections.abc import Sequence

from backpack.core.headers import array_header, read_array_header
from backpack.errors import NotAListError


def packed_list(key: str, payload: bytes | None, items: Sequence[bytes]) -> bytes:
    """The list with packed items at its end. Cost: O(list); the engine has a cheaper way for single appends."""
    count, header_size = 0, 0
    if payload:
        count, header_size = list_header(key, payload)
    return b"".join((array_header(count + len(items)), (payload or b"")[header_size:], *items))


def list_header(key: str, head: bytes) -> tuple[int, int]:
    """`(count of items, size of the header)`, from the first bytes; `NotAListError` when it is none."""
    header = read_array_header(head)
    if header is None:
        raise NotAListError(f"only to a list can be appended: the value at key={key!r} is something else", key=key)
    return header
