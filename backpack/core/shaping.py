"""Which form a new payload takes: the bytes themselves, pieces of what the key has already, or a large reference."""

from typing import Final
from weakref import WeakValueDictionary

from backpack.core.chain import Chain, form_of
from backpack.core.headers import header_size
from backpack.core.payload import Buffer, Content, Form, LargeRef, Pieces, as_content, head_of, join
from backpack.core.sharing import (
    EDIT_SIZE_MIN,
    GROWTH_SIZE_MIN,
    Undo,
    edit,
    grow,
    grown_from,
    is_worth_sharing,
    undo_growth,
)

LargeIndex = WeakValueDictionary[tuple[int, int], LargeRef]
"""Large values by size and a hash of three samples: equal ones are found, and compared in full."""

_APPEND_WHOLE_MAX: Final = 64
_SAMPLE_SIZE: Final = 64

Grown = tuple[Content, int] | None
"""`(what was compared with, where the appended part begins)`: a comparison that was made already."""

Shaped = tuple[Form, Content | None, bool]
"""`(form, bytes of a large value, is the form new)`."""


def present_content(chain: Chain) -> Content | None:
    """The bytes of the newest value of a key, hidden by quarantine or not; None when there is none."""
    last = chain.last
    form = None if last is None else form_of(last)
    return chain.content if isinstance(form, LargeRef) else form


def shape(chain: Chain, payload: bytes, grown: Grown, large_size: int, index: LargeIndex, undo: Undo) -> Shaped:
    """The form for a whole payload. Cost: comparing it with the one before, unless `grown` tells the outcome."""
    content = present_content(chain)
    size = len(payload)
    is_large = size > large_size
    if content is not None:
        last = chain.last
        form = None if last is None else form_of(last)
        assert form is not None
        if content == payload if type(content) is bytes else _is_equal(content, payload):
            if isinstance(form, LargeRef) == is_large:
                return form, chain.content, False
            return _shape_large(payload, index) if is_large else as_small(content)  # the limit is another one now
        pieces = None
        if size >= GROWTH_SIZE_MIN:
            stop = grown[1] if grown is not None and grown[0] is content else grown_from(content, payload)
            if stop:
                header = payload[: header_size(payload)]
                pieces = _if_worth(grow(content, header, payload[stop:], undo, is_large=is_large), undo)
            elif size >= EDIT_SIZE_MIN and _size(content) >= EDIT_SIZE_MIN:
                pieces = edit(chain, content, payload, undo, is_large=is_large)
        if pieces is not None:
            return _finished(pieces, is_large, content, form)
    if not is_large:
        return payload, None, True
    return _shape_large(payload, index)


def shape_append(
    chain: Chain, header: bytes, appended: bytes, large_size: int, index: LargeIndex, undo: Undo
) -> Shaped:
    """The form of the present list under a new header with more items at its end. Cost: that of the items."""
    content = present_content(chain)
    last = chain.last
    assert content is not None and last is not None
    old_header = header_size(head_of(content))
    is_large = _size(content) - old_header + len(header) + len(appended) > large_size
    pieces = grow(content, header, appended, undo, is_large=is_large)
    if pieces.size > _APPEND_WHOLE_MAX and is_worth_sharing(pieces):
        return _finished(pieces, is_large, content, form_of(last))
    payload = join(pieces)
    undo_growth(undo)
    undo.clear()
    return _shape_large(payload, index) if is_large else (payload, None, True)


def as_large(form: Content, index: LargeIndex) -> Shaped:
    """A value that was small under an earlier limit, as a large one."""
    return _shape_large(join(form), index)


def as_small(content: Content) -> Shaped:
    """A value that was large under an earlier limit, in the same bytes, so that its old versions stay readable.

    What stands on disk comes into memory, and is readable there whatever memory has.
    """
    if isinstance(content, Pieces):
        buffers = [source for source in content.sources if isinstance(source, Buffer)]
        if any(type(buffer) is not Buffer for buffer in buffers):
            return join(content), None, True
        for buffer in buffers:
            buffer.is_sealed = True  # a buffer never grows for large values and for others
        content = Pieces(content.size, content.own, content.sources, content.cuts)  # another key may have that one
    return content, None, True


def _finished(pieces: Pieces, is_large: bool, old: Content, old_form: Form | None) -> Shaped:
    if not is_large:
        return pieces, None, True
    if isinstance(old, Pieces) and pieces.sources is old.sources and isinstance(old_form, LargeRef):
        return LargeRef(pieces, old_form.links), pieces, True
    buffers = tuple(
        source if isinstance(source, Buffer) else Buffer(source, is_sealed=True) for source in pieces.sources
    )
    content = Pieces(pieces.size, pieces.own, buffers, pieces.cuts)
    return LargeRef(content), content, True


def _shape_large(payload: bytes, index: LargeIndex) -> Shaped:
    middle = len(payload) // 2
    samples = payload[:_SAMPLE_SIZE] + payload[middle : middle + _SAMPLE_SIZE] + payload[-_SAMPLE_SIZE:]
    fingerprint = (len(payload), hash(samples))
    known = index.get(fingerprint)
    if known is not None:
        content = known.content()
        if content is not None and _is_equal(content, payload):
            return known, content, False
    content = as_content(payload)
    large = index[fingerprint] = LargeRef(content)
    large.is_filed = True
    return large, content, True


def _if_worth(pieces: Pieces, undo: Undo) -> Pieces | None:
    if is_worth_sharing(pieces):
        return pieces
    undo_growth(undo)
    undo.clear()
    return None


def _size(content: Content) -> int:
    return len(content) if type(content) is bytes else content.size  # type: ignore[union-attr]


def _is_equal(content: Content, payload: bytes) -> bool:
    return _size(content) == len(payload) and join(content) == payload
