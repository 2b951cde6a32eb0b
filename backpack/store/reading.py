"""Reading the present: values, keys, slices; the store as a mapping that is only looked at."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final

from backpack.archive.values import Stored
from backpack.codec import unpack_value
from backpack.core.addresses import At, resolve
from backpack.core.chain import Mark, is_visible, size_of
from backpack.core.commit import Commit
from backpack.core.patterns import Pattern
from backpack.core.payload import Content, LargeRef, Pieces, form_size, join
from backpack.core.shaping import present_content
from backpack.errors import KeyNotFoundError
from backpack.store.archived import Archived
from backpack.store.attribution import attributed_node
from backpack.store.events import Event
from backpack.store.ground import Ground
from backpack.store.records import Item, Lines
from backpack.store.sight import Sight
from backpack.store.slicing import bytes_of, text_of
from backpack.store.snapshot import Snapshot
from backpack.store.state import State

_MISSING: Final = object()
_KEYS_AT_ONCE: Final = 64
_BEHIND: Final = "\U0010ffff"
"""No key of letters, digits and dots comes after it."""


class Reading(Ground, Mapping[str, Any]):
    """What is told of the present."""

    def unpack(self, key: str, default: Any = None) -> Any:
        """A fresh copy of the present value, or `default`. Counts as an access; tells subscribers."""
        content = self._read(key)
        if content is None:
            return default
        return unpack_value(content if type(content) is bytes else join(content))

    def unpack_required(self, key: str) -> Any:
        """A fresh copy of the present value, or `KeyNotFoundError`."""
        value = self.unpack(key, _MISSING)
        if value is _MISSING:
            raise KeyNotFoundError(f"no value: key={key!r}", key=key)
        return value

    def peek(self, key: str, default: Any = None) -> Any:
        """As `unpack`, without an event and without counting as an access."""
        self._require_open()
        content = self._present_content(key)
        return default if content is None else unpack_value(join(content))

    def item(self, key: str) -> Item:
        """The present value with its version, size, commit, node, tags and time."""
        self._require_open()
        with self._lock:
            chain = self._engine.chain_of(key)
            entry = None if chain is None else chain.last
            if chain is None or entry is None or not is_visible(entry):
                raise KeyNotFoundError(f"no value: key={key!r}", key=key)
            commit = self._author(key)
            form = entry.form if isinstance(entry, Mark) else entry
            version, size = chain.version, size_of(entry)
            content = present_content(chain)
        assert content is not None
        return Item(key, version, size, isinstance(form, LargeRef), commit, lambda: unpack_value(join(content)))

    def version(self, key: str) -> int:
        """How many changes the key has had, ever: deletes count, pruning takes nothing away; 0 if never seen."""
        self._require_open()
        with self._lock:
            return self._engine.version(key)

    def select(self, pattern: str) -> dict[str, Any]:
        """The values of the keys that fit: `sales.*` is one level, `sales.**` any depth. Cost: those keys.

        >>> from backpack import Backpack
        >>> Backpack({"a.x": 1, "a.y.z": 2, "b": 3}).select("a.**")
        {'a.x': 1, 'a.y.z': 2}
        """
        compiled = Pattern(pattern)
        self._require_open()
        with self._lock:
            contents = {key: self._present(key) for key in compiled.select(self._engine.visible)}
        return {key: unpack_value(join(content)) for key, content in contents.items() if content is not None}

    def read_text(self, key: str, at: At | None = None, lines: Lines | None = None) -> str:
        """Lines of a text (the first and the last, both included, counted from 1; None: all), exactly as it has them.

        A line ends with its newline, and at nothing else; past the end there is nothing. Cost in an opened store: what
        the slice touches, however long the text is, since blobs know where lines are. In memory, and for what is in no
        blob, newlines are counted up to the last line: 0.1 to 0.6 ms a MB. A missing key raises `KeyNotFoundError`,
        what is no text `NotTextError`, bytes that are not within reach `ValueUnavailableError`. Counts as an access, as
        `unpack` does.

        >>> from backpack import Backpack
        >>> Backpack({"log": "one\\ntwo\\nthree"}).read_text("log", lines=(2, 3))
        'two\\nthree'
        """
        return text_of(self._content_at(key, at), lines, self._archive)

    def read_bytes(self, key: str, at: At | None = None, start: int = 0, length: int | None = None) -> bytes:
        """So many bytes (None: all) from there, of bytes or of the UTF-8 of a text; fewer only at the end.

        Cost: what the slice touches, wherever it stands. Errors are those of `read_text`.

        >>> from backpack import Backpack
        >>> Backpack({"page": b"%PDF-1.7 and more"}).read_bytes("page", start=1, length=3)
        b'PDF'
        """
        return bytes_of(self._content_at(key, at), start, length)

    # -- the mapping -------------------------------------------------------------------------------------------

    __getitem__ = unpack_required

    def get(self, key: str, default: Any = None) -> Any:
        """As `unpack`."""
        return self.unpack(key, default)

    def __contains__(self, key: object) -> bool:
        self._require_open()
        return isinstance(key, str) and self._is_visible(key)

    def __iter__(self) -> Iterator[str]:
        return self._while_open(self._visible_keys())

    def __len__(self) -> int:
        self._require_open()
        return len(self._engine.visible)

    def __bool__(self) -> bool:
        return len(self) > 0

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return self.select("**") == dict(other) if isinstance(other, Mapping) else NotImplemented

    # -- inside ------------------------------------------------------------------------------------------------

    def _read(self, key: str) -> Content | None:
        """The bytes of the present value; counts as an access and tells the subscribers."""
        if self._is_closed:
            raise self._closed_error()
        with self._lock:
            content = self._touched(key)
        if self._events.subscribers and content is not None:
            self._tell_read(key, content)
        return content

    def _touched(self, key: str) -> Content | None:
        """The bytes of the present value; counts as an access. Wants the lock."""
        if not self._is_visible(key):
            return None
        chain = self._engine.chain_of(key)
        assert chain is not None
        self._engine.timeline.touch(chain.last_seq)
        return present_content(chain)

    def _tell_read(self, key: str, content: Content) -> None:
        self._events.publish(Event("unpack", (key,), attributed_node(self), size=form_size(content)))

    def _present_content(self, key: str) -> Content | None:
        with self._lock:
            return self._present(key)

    def _present(self, key: str) -> Content | None:
        """The bytes of the present value. Wants the lock."""
        if not self._is_visible(key):
            return None
        chain = self._engine.chain_of(key)
        return None if chain is None else present_content(chain)

    def _content_at(self, key: str, at: At | None) -> Content:
        """The packed bytes of a value, not joined: of the present one as `unpack` has it, or as of a commit."""
        if at is not None:
            return self._snapshot(at, None)._content(key)
        content = self._read(key)
        if content is None:
            raise KeyNotFoundError(f"no value: key={key!r}", key=key)
        return content

    def _snapshot(self, at: At | None, sight: Sight | None) -> Snapshot:
        if self._is_closed:
            raise self._closed_error()
        with self._lock:
            engine = self._engine
            seq = at if type(at) is int and at > 0 and engine.timeline.has(at) else resolve(engine, at)
            if at is not None:
                engine.timeline.touch(seq)
            state = self._state(seq)
        return Snapshot(self, state, sight)  # type: ignore[arg-type]  # every store is a whole one

    def _state(self, seq: int) -> State:
        """Every key as of a commit that can be read. Wants the lock."""
        engine = self._engine
        if self._archive is None or not seq or engine.timeline.has(seq):
            return self._view(seq)
        return Archived(self._archive, engine, seq, self._require_open)

    def _author(self, key: str) -> Commit | None:
        """Who set the present value: for a released one, who had packed it. Wants the lock."""
        chain = self._engine.chain_of(key)
        assert chain is not None
        return self._engine.setter_of(chain, len(chain.columns[1]) - 1)

    def _wake(self, key: str) -> None:
        with self._lock:
            self._require_open()
            self._engine.chain_of(key)

    def _stored_size(self, key: str) -> int:
        """How many bytes the present value takes: those of its blobs, or packed where it has none; 0 without one."""
        content = self._present_content(key)
        if content is None:
            return 0
        if not isinstance(content, Pieces) or self._archive is None:
            return form_size(content)
        stored = [one for one in content.sources if isinstance(one, Stored)]
        blobs = {digest for one in stored for digest in one.value.blobs}
        return sum(map(self._archive.blobs.size_of, blobs)) if blobs else content.size

    def _is_visible(self, key: str) -> bool:
        try:
            chain = self._engine.chains.get(key)
        except TypeError:
            return False
        if chain is None and self._archive is not None and isinstance(key, str):
            with self._lock:
                return key in self._engine.visible
        return chain is not None and is_visible(chain.last)

    def _visible_keys(self) -> list[str]:
        self._require_open()
        with self._lock:
            return list(self._engine.visible)

    def _keys_below(self, prefix: str, *, backwards: bool = False) -> Iterator[str]:
        """The visible keys that begin so, in order or backwards; a few at a time, so what changes meanwhile may show.

        Cost: O(log keys) and what is taken.
        """
        last = None
        while True:
            self._require_open()
            with self._lock:
                visible = self._engine.visible
                if backwards:
                    found = visible.irange(
                        prefix, prefix + _BEHIND if last is None else last, (True, last is None), True
                    )
                else:
                    found = visible.irange(prefix if last is None else last, prefix + _BEHIND, (last is None, True))
                keys = [key for key in islice(found, _KEYS_AT_ONCE) if key.startswith(prefix)]
            yield from keys
            if len(keys) < _KEYS_AT_ONCE:
                return
            last = keys[-1]

    def _first_key_below(self, prefix: str, start: str = "") -> str | None:
        """The first visible key that begins so, from another one on; None when there is none. O(log keys)."""
        self._require_open()
        with self._lock:
            key = next(self._engine.visible.irange(max(prefix, start)), None)
        return key if key is not None and key.startswith(prefix) else None
