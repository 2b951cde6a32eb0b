"""An engine as a plain structure that can be written down, and an engine made of one again. No disk, no format.

`freeze` copies the columns of an engine and no payload: the store's lock is needed for no longer than that. `describe`
makes fields of the copy: texts, numbers and columns. `rebuild` makes an engine of fields, and proves each of them.

    data        bytes of the payloads that stand by themselves, each once, then of the buffers, up to what is used
    composites  `Pieces` and `LargeRef`s: a size, bytes of its own and a *layout* (sources and cuts). Versions of a list
                that grew have one layout, so a list of a thousand versions takes what its last one takes
    chains      the columns of all keys, one behind the other; entries are numbers of forms, marks stand aside
    timeline    runs of seqs in memory, then times and labels of these commits

A column is the bytes of an array, little-endian: there are a few dozen objects and one for each text, whatever the
number of commits, so whoever decodes fields can refuse more of them than there are bytes for.

What follows from the rest is not written but worked out again: counters, indexes, which commit changed which key, what
is carried over gaps. So it can't contradict the rest. Snapshots that are open, and what only they can read, don't go
along: a large value of the past stays readable exactly when its buffers are shared with something that does.

`rebuild` costs O(bytes + changes) and never joins a value. Its memory is in proportion to the fields: 30 KB a commit in
the worst case, when each stands in a block of its own.
"""

import sys
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate, pairwise
from operator import lt
from typing import Any, Final

from backpack.core.chain import DELETED, PACK, Chain, Entry, Mark, Purged, form_of, is_visible, kind_of
from backpack.core.commit import Label, RawChange
from backpack.core.dropping import Author
from backpack.core.engine import Engine
from backpack.core.ids import Epoch
from backpack.core.limits import Limits
from backpack.core.payload import CUTS_MAX, Buffer, LargeRef, Links, Pieces, Source, make_cuts, slices_of
from backpack.core.timeline import BLOCK_BITS, BLOCK_MASK, BLOCK_SIZE, RUN_SIZE, Block, Gap, Timeline
from backpack.errors import CorruptionError
from backpack.limits import KEY_SIZE_MAX, NAME_SIZE_MAX, TAG_COUNT_MAX

SEQ_MAX: Final = 1 << 40
"""A million commits a second for twelve days: beyond it, looking up an id would take seconds."""

EPOCHS_MAX: Final = 10_000
"""Lives of a store: forks of forks, loads of exports of loads."""

HITS_MAX: Final = 1 << 30
"""Accesses of one commit: far from where its counter of 32 bits ends, and as cold or hot as any number above."""

_SECRET_SIZE_MAX: Final = 64
_NUMBER_MAX: Final = 2**63 - 1

_KINDS: Final = (PACK, "delete", "quarantine", "release")
_PURGED: Final = 8
"""Added to the number of a kind: the value was erased."""
_PIECES: Final = 0
_LARGE: Final = 1
"""A large value within reach."""
_LOST: Final = 2
"""A large value whose bytes are gone."""

Fields = dict[str, Any]
"""By name: int, float, bool, None, str, bytes, and lists of these."""

FrozenAuthor = tuple[int, Label, tuple[RawChange, ...]]
"""`(time, label, changes)`; no changes when there was one and its entry tells it."""


class FrozenChain:
    """The columns of a key without holes, as they were."""

    __slots__ = ("content", "former", "forms", "gone", "key", "seqs", "versions")

    def __init__(self, chain: Chain) -> None:
        self.key = chain.key
        self.content = chain.content
        self.former = chain.former
        self.gone = chain.gone + chain.holes
        seqs, forms = chain.columns
        self.seqs = seqs[:]
        self.forms: list[Entry] = forms[:]  # type: ignore[assignment]
        self.versions = None if chain.versions is None else chain.versions[:]
        if chain.holes:
            kept = [index for index, entry in enumerate(forms) if entry is not None]
            if self.versions is not None or chain.is_ragged:
                self.versions = array("q", [chain.version_of(index) for index in kept])
            self.seqs = array("q", [seqs[index] for index in kept])
            self.forms = [entry for entry in forms if entry is not None]


class Image:
    """A copy of all columns of an engine; what they hold is immutable, or only grows at its end."""

    __slots__ = (
        "authors",
        "blocks",
        "chains",
        "checkpoints",
        "epochs",
        "front_time",
        "gap_times",
        "head",
        "last_ns",
        "limits",
        "pruned",
        "retired",
    )

    def __init__(self, engine: Engine, last_ns: int) -> None:
        timeline = engine.timeline
        self.last_ns = last_ns
        self.head = timeline.head
        self.chains = [FrozenChain(chain) for chain in engine.chains.values()]
        self.blocks = [(number, _copied(timeline.blocks[number])) for number in timeline.numbers]
        self.front_time = timeline.front_time
        self.gap_times = {seq: gap.first_time for seq, gap in timeline.gaps.items()}
        self.authors: dict[int, FrozenAuthor] = {
            seq: (author.time_ns, author.label, author.changes) if isinstance(author, Author) else (*author, ())
            for seq, author in engine.authors.items()
        }
        self.checkpoints = [(name, seq, notes) for name, (seq, notes) in engine.checkpoints.items()]
        self.retired = {key: (version, engine.retired_seqs.get(key, 0)) for key, version in engine.retired.items()}
        """By key: its version, and the commit that deleted it."""
        self.limits = engine.limits
        self.pruned = engine.pruned
        self.epochs: list[tuple[bytes, int]] = []
        """`(secret, first_seq)` of those that have made commits, oldest first."""
        epoch: Epoch | None = engine.epoch
        stop = self.head + 1
        while epoch is not None:
            if epoch.first_seq < stop:
                self.epochs.insert(0, (epoch.secret, epoch.first_seq))
                stop = epoch.first_seq
            epoch = epoch.parent


def freeze(engine: Engine, last_ns: int) -> Image:
    """A copy of the engine that later commits don't change; `last_ns` is the time that no later commit may precede.

    Wants the store's lock. Cost: O(changes in memory), no payload is copied.
    """
    return Image(engine, last_ns)


def _copied(block: Block) -> Block:
    twin = Block(0)
    twin.times, twin.labels, twin.changed = block.times[:], block.labels[:], block.changed[:]
    twin.dead, twin.hits = block.dead[:], block.hits[:]
    return twin


# -- writing -----------------------------------------------------------------------------------------------------


def describe(image: Image) -> tuple[Fields, Iterator[bytes]]:
    """The fields, and the data in order, made as it is asked for. Needs no lock. Cost: O(changes + buffers)."""
    return _Writer(image).fields()


class _Writer:
    """Numbers for texts, labels, sources, layouts and forms, given as they are met."""

    def __init__(self, image: Image) -> None:
        self.image = image
        self.texts: dict[str, int] = {}
        self.labels: dict[Label, int] = {}
        self.payloads: dict[bytes, int] = {}
        self.buffers: dict[int, int] = {}
        """By identity."""
        self.buffer_list: list[Buffer] = []
        self.extents: list[int] = []
        """How much of each buffer is used."""
        self.layouts: dict[tuple[tuple[int, ...], bytes], int] = {}
        self.composites: dict[int, int] = {}
        """By identity; all stand in the image, which outlives this."""
        self.kinds = bytearray()
        self.sizes = array("q")
        self.composite_layouts = array("I")
        self.owns: list[bytes] = []
        self.live: dict[int, Pieces] = {}
        """The bytes of the large values that are present, by the identity of the reference."""

    def fields(self) -> tuple[Fields, Iterator[bytes]]:
        image = self.image
        for chain in image.chains:
            self._find_buffers(chain)
        fields: Fields = {
            "head": image.head,
            "last_ns": image.last_ns,
            "pruned": image.pruned,
            "limits": _limits_of(image.limits),
            "epochs": [[secret, first_seq] for secret, first_seq in image.epochs],
            "checkpoints": [[str.__str__(name), seq, str.__str__(notes)] for name, seq, notes in image.checkpoints],
            "retired_keys": _bytes_of("I", [self._text(key) for key in image.retired]),
            "retired_versions": _bytes_of("q", [version for version, _ in image.retired.values()]),
            "retired_seqs": _bytes_of("q", [seq for _, seq in image.retired.values()]),
        }
        fields |= self._chains()
        fields |= self._timeline()
        fields |= self._authors()
        fields |= self._labels()
        fields |= self._forms()
        fields["texts"] = list(self.texts)
        return fields, self._data()

    def _data(self) -> Iterator[bytes]:
        yield from self.payloads
        for buffer, extent in zip(self.buffer_list, self.extents, strict=True):
            yield bytes(buffer.data[:extent])

    # -- numbers -------------------------------------------------------------------------------------------------

    def _text(self, text: str) -> int:
        return self.texts.setdefault(str.__str__(text), len(self.texts))

    def _label(self, label: Label) -> int:
        return self.labels.setdefault(label, len(self.labels))

    def _find_buffers(self, chain: FrozenChain) -> None:
        """The buffers that something other than a weak link keeps."""
        last = form_of(chain.forms[-1]) if chain.forms else None
        if isinstance(last, LargeRef) and isinstance(chain.content, Pieces):
            self.live[id(last)] = chain.content
            self._number_buffers(chain.content.sources)
        for entry in chain.forms:
            if type(entry) is not bytes:
                form = form_of(entry)
                if isinstance(form, Pieces):
                    self._number_buffers(form.sources)

    def _number_buffers(self, sources: tuple[Source, ...]) -> None:
        for source in sources:
            if isinstance(source, Buffer) and id(source) not in self.buffers:
                self.buffers[id(source)] = len(self.buffer_list)
                self.buffer_list.append(source)
                self.extents.append(0)

    def _source(self, source: Source) -> int:
        """Twice its place, one more for a buffer."""
        if isinstance(source, Buffer):
            return self.buffers[id(source)] << 1 | 1
        return self.payloads.setdefault(source, len(self.payloads)) << 1

    def _form(self, entry: Entry) -> int:
        """0 for none, else 1 more than twice the place of the form, 1 more yet for a composite."""
        if type(entry) is bytes:
            return (self.payloads.setdefault(entry, len(self.payloads)) << 1) + 1
        form = form_of(entry)
        if form is None:
            return 0
        if isinstance(form, bytes):
            return (self.payloads.setdefault(form, len(self.payloads)) << 1) + 1
        place = self.composites.get(id(form))
        if place is None:
            place = self.composites[id(form)] = len(self.kinds)
            self._add_composite(form)
        return (place << 1) + 2

    def _add_composite(self, form: Pieces | LargeRef) -> None:
        kind, content = _PIECES, form
        if isinstance(form, LargeRef):
            reached = self.live.get(id(form)) or form.content()
            is_held = reached is not None and all(id(source) in self.buffers for source in reached.sources)
            kind = _LARGE if is_held else _LOST
            content = reached if is_held and reached is not None else form
        self.kinds.append(kind)
        self.sizes.append(form.size)
        if isinstance(content, LargeRef):
            self.composite_layouts.append(0)
            self.owns.append(b"")
            return
        sources = tuple([self._source(source) for source in content.sources])
        layout = (sources, array("q", content.cuts).tobytes())
        self.composite_layouts.append(self.layouts.setdefault(layout, len(self.layouts)))
        self.owns.append(content.own)
        for source, _, stop in slices_of(content):
            if isinstance(source, Buffer):
                place = self.buffers[id(source)]
                self.extents[place] = max(self.extents[place], stop)

    # -- columns -------------------------------------------------------------------------------------------------

    def _chains(self) -> Fields:
        chains = self.image.chains
        entries = array("I")
        mark_places, mark_kinds, mark_facts = array("q"), bytearray(), array("q")
        for chain in chains:
            for entry in chain.forms:
                if isinstance(entry, Mark | Purged):
                    mark_places.append(len(entries))
                    is_purged = isinstance(entry, Purged)
                    mark_kinds.append(_KINDS.index(kind_of(entry)) + (_PURGED if is_purged else 0))
                    mark_facts.append(entry.size if isinstance(entry, Purged) else self._text(entry.reason))
                entries.append(self._form(entry))
        return {
            "chain_keys": _bytes_of("I", [self._text(chain.key) for chain in chains]),
            "chain_counts": _bytes_of("q", [len(chain.forms) for chain in chains]),
            "chain_gone": _bytes_of("q", [chain.gone for chain in chains]),
            "chain_former_versions": _bytes_of("q", [chain.former[0] for chain in chains]),
            "chain_former_seqs": _bytes_of("q", [chain.former[1] for chain in chains]),
            "chain_has_versions": bytes([chain.versions is not None for chain in chains]),
            "chain_versions": b"".join([_bytes_of("q", chain.versions) for chain in chains if chain.versions]),
            "entry_seqs": b"".join([_bytes_of("q", chain.seqs) for chain in chains]),
            "entry_forms": _bytes_of("I", entries),
            "mark_places": _bytes_of("q", mark_places),
            "mark_kinds": bytes(mark_kinds),
            "mark_facts": _bytes_of("q", mark_facts),
        }

    def _timeline(self) -> Fields:
        image = self.image
        places = {chain.key: place for place, chain in enumerate(image.chains)}
        starts, lengths, gap_times = array("q"), array("q"), array("q")
        times, labels, hits, several = array("q"), array("I"), array("I"), array("I")
        last = 0
        for number, block in image.blocks:
            base = number << BLOCK_BITS
            for position in range(min(len(block.times), image.head - base + 1)):
                if block.dead[position]:
                    continue
                seq = base | position
                if starts and seq == last + 1:
                    lengths[-1] += 1
                else:
                    if starts:
                        gap_times.append(image.gap_times.get(seq, block.times[position]))
                    starts.append(seq)
                    lengths.append(1)
                last = seq
                times.append(block.times[position])
                labels.append(self._label(block.labels[position]))
                hits.append(min(block.hits[position], HITS_MAX))
                changed = block.changed[position]
                if type(changed) is tuple and len(changed) > 1:
                    several.extend([places[chain.key] for chain in changed])
        return {
            "run_starts": _bytes_of("q", starts),
            "run_lengths": _bytes_of("q", lengths),
            "front_time": image.front_time,
            "gap_times": _bytes_of("q", gap_times),
            "times": _bytes_of("q", times),
            "commit_labels": _bytes_of("I", labels),
            "hits": _bytes_of("I", hits) if any(hits) else b"",
            "several": _bytes_of("I", several),
        }

    def _authors(self) -> Fields:
        entries = {seq for chain in self.image.chains for seq in chain.seqs}
        authors = sorted((seq, author) for seq, author in self.image.authors.items() if seq in entries)
        changes = [change for _, (_, _, raw) in authors for change in raw]
        return {
            "author_seqs": _bytes_of("q", [seq for seq, _ in authors]),
            "author_times": _bytes_of("q", [author[0] for _, author in authors]),
            "author_labels": _bytes_of("I", [self._label(author[1]) for _, author in authors]),
            "author_counts": _bytes_of("q", [len(author[2]) for _, author in authors]),
            "change_keys": _bytes_of("I", [self._text(change[0]) for change in changes]),
            "change_kinds": bytes([_KINDS.index(change[1]) for change in changes]),
            "change_versions": _bytes_of("q", [change[2] for change in changes]),
            "change_sizes": _bytes_of("q", [change[3] for change in changes]),
            "change_is_large": bytes([change[4] for change in changes]),
        }

    def _labels(self) -> Fields:
        return {
            "label_nodes": _bytes_of("I", [0 if one[0] is None else self._text(one[0]) + 1 for one in self.labels]),
            "label_messages": _bytes_of("I", [0 if one[1] is None else self._text(one[1]) + 1 for one in self.labels]),
            "label_counts": _bytes_of("q", [len(one[2]) for one in self.labels]),
            "label_tags": _bytes_of("I", [self._text(tag) for one in self.labels for tag in one[2]]),
        }

    def _forms(self) -> Fields:
        return {
            "payload_sizes": _bytes_of("q", map(len, self.payloads)),
            "buffer_sizes": _bytes_of("q", self.extents),
            "buffer_is_sealed": bytes([one.is_sealed or type(one.data) is bytes for one in self.buffer_list]),
            "layout_source_counts": _bytes_of("q", [len(sources) for sources, _ in self.layouts]),
            "layout_sources": _bytes_of("I", [source for sources, _ in self.layouts for source in sources]),
            "layout_cut_counts": _bytes_of("q", [len(cuts) // 24 for _, cuts in self.layouts]),
            "layout_cuts": b"".join([_swapped(array("q", cuts)).tobytes() for _, cuts in self.layouts]),
            "composite_kinds": bytes(self.kinds),
            "composite_sizes": _bytes_of("q", self.sizes),
            "composite_layouts": _bytes_of("I", self.composite_layouts),
            "own_sizes": _bytes_of("q", map(len, self.owns)),
            "own": b"".join(self.owns),
        }


def _limits_of(limits: Limits) -> list[Any]:
    commits = limits.max_commits
    return [
        int(limits.max_value_size),
        int(limits.max_history_size),
        None if commits is None else int(commits),
        str.__str__(limits.prune_strategy),
        float(limits.prune_percentage),
        limits.hard_limit,
    ]


def _bytes_of(typecode: str, numbers: Iterable[int]) -> bytes:
    return _swapped(array(typecode, numbers)).tobytes()


def _swapped(column: "array[int]") -> "array[int]":
    """Little-endian from the order of this machine, or back."""
    if sys.byteorder == "big":
        column.byteswap()
    return column


# -- reading -----------------------------------------------------------------------------------------------------


def rebuild(fields: Fields, data: Iterable[bytes], secret: bytes) -> tuple[Engine, int]:
    """An engine and its `last_ns`. Its next commits get ids of a new epoch with that secret.

    `data` may be cut anywhere. Fields that don't fit together raise `CorruptionError`, and as what Python raises on
    nonsense: KeyError, IndexError, TypeError, ValueError, OverflowError. No memory is made that the fields don't fill.
    """
    return _Reader(fields).engine(data, secret)


def joined_size(engine: Engine) -> int:
    """How many bytes `Engine.check` copies to see whether values are as long as they say."""
    total = 0
    for chain in engine.chains.values():
        for entry in chain.columns[1]:
            if type(entry) is not bytes and entry is not None:
                form = form_of(entry)
                if isinstance(form, Pieces):
                    total += form.size
        if chain.content is not None:
            total += chain.content.size if isinstance(chain.content, Pieces) else len(chain.content)
    return total


class _Layout:
    """Sources and cuts that several forms share, and what they want of the size and the own bytes of a form."""

    __slots__ = ("before", "cuts", "last_start", "last_stop_max", "links", "own_size_min", "sources")

    def __init__(self, sources: tuple[Source, ...], flat: "array[int]") -> None:
        _require(len(sources) <= CUTS_MAX and 0 < len(flat) <= 3 * CUTS_MAX, "a layout is empty or too long")
        self.sources = sources
        self.cuts = make_cuts(flat.tolist())
        self.links: Links | None = None
        self.before = self.own_size_min = 0
        sizes = [len(source.data) if isinstance(source, Buffer) else len(source) for source in sources]
        for at in range(0, len(flat) - 3, 3):
            number, start, stop = flat[at : at + 3]
            _require(0 <= number <= len(sizes) and 0 <= start < stop, "a cut of a layout is none")
            if number:
                _require(stop <= sizes[number - 1], "a cut reaches beyond its source")
            else:
                self.own_size_min = max(self.own_size_min, stop)
            self.before += stop - start
        number, self.last_start, stop = flat[-3:]
        _require(0 <= number <= len(sizes) and 0 <= self.last_start < stop, "a cut of a layout is none")
        self.last_stop_max = sizes[number - 1] if number else None
        """How far the last slice may reach; None: to the end of what is the form's own."""

    def content(self, size: int, own: bytes) -> Pieces:
        stop = self.last_start + size - self.before
        stop_max = len(own) if self.last_stop_max is None else self.last_stop_max
        _require(self.last_start < stop <= stop_max and self.own_size_min <= len(own), "a value misses bytes")
        return Pieces(size, own, self.sources, self.cuts)


class _Reader:
    """Makes the parts of an engine of the fields, in the order in which they need each other."""

    def __init__(self, fields: Fields) -> None:
        self.fields = fields
        self.texts: list[str] = []
        self.labels: list[Label] = []
        self.payloads: list[bytes] = []
        self.composites: list[Pieces | LargeRef] = []
        self.contents: dict[int, Pieces] = {}
        """The bytes of the large values within reach, by the identity of the reference."""
        self.head = 0

    def engine(self, data: Iterable[bytes], secret: bytes) -> tuple[Engine, int]:
        head = self.head = self._number("head", SEQ_MAX)
        self.texts = self._list("texts", str)
        self._read_labels()
        self._read_forms(data)
        engine = Engine(self._limits(), Epoch(secret, head + 1, self._epochs()))
        chains = self._chains()
        timeline = engine.timeline = self._timeline()
        engine.chains = {chain.key: chain for chain in chains}
        _require(len(engine.chains) == len(chains), "a key stands twice")
        self._connect(engine, chains)
        engine.names.update(engine.chains)
        engine.visible.update(chain.key for chain in chains if is_visible(chain.last))
        self._read_retired(engine)
        engine.ledger.rebuild(chains)
        engine.take_ledger()
        engine.large = {chain for chain in chains if chain.content is not None}
        engine.entry_offset = sum(len(chain.columns[1]) for chain in chains) - head
        engine.pruned = engine.pruned_told = self._number("pruned", SEQ_MAX)
        for name, seq, notes in self._list("checkpoints", list):
            is_name = type(name) is str and _is_name(name) and type(notes) is str and name not in engine.checkpoints
            _require(is_name and type(seq) is int and timeline.has(seq), "a checkpoint is none")
            engine.add_checkpoint(name, seq, notes)
        last_ns = self._number("last_ns", _NUMBER_MAX)
        return engine, max(last_ns, timeline.tail.times[-1] if timeline.numbers else 0)

    # -- fields ----------------------------------------------------------------------------------------------------

    def _number(self, name: str, number_max: int) -> int:
        number = self.fields[name]
        if type(number) is not int or not 0 <= number <= number_max:
            raise CorruptionError(f"a field is no number within its bounds: {name}")
        return number

    def _list(self, name: str, item_type: type) -> list[Any]:
        items = self.fields[name]
        if type(items) is not list or any(type(item) is not item_type for item in items):
            raise CorruptionError(f"a field is no list of what it should hold: {name}")
        return items

    def _bytes(self, name: str, count: int | None = None, stop: int = 256) -> bytes:
        column = self.fields[name]
        if type(column) is not bytes or (count is not None and len(column) != count):
            raise CorruptionError(f"a column does not have the size it should have: {name}")
        if stop < 256 and max(column, default=0) >= stop:
            raise CorruptionError(f"a column holds a number out of its bounds: {name}")
        return column

    def _column(
        self, name: str, typecode: str, count: int | None = None, *, start: int = 0, stop: int = 1 << 63
    ) -> "array[int]":
        column = array(typecode)
        raw = self._bytes(name)
        if len(raw) % column.itemsize or (count is not None and len(raw) != count * column.itemsize):
            raise CorruptionError(f"a column does not have the size it should have: {name}")
        column.frombytes(raw)
        if column and not (start <= min(_swapped(column)) and max(column) < stop):
            raise CorruptionError(f"a column holds a number out of its bounds: {name}")
        return column

    def _limits(self) -> Limits:
        value_size, history_size, commits, strategy, share, hard_limit = self.fields["limits"]
        for limit in (value_size, history_size, commits):
            _require(limit is None or (type(limit) is int and limit <= _NUMBER_MAX), "a limit is no number")
        return Limits(value_size, history_size, commits, strategy, share, hard_limit)

    def _epochs(self) -> Epoch | None:
        epoch: Epoch | None = None
        epochs = self._list("epochs", list)
        _require(len(epochs) <= EPOCHS_MAX and (len(epochs) > 0 or not self.head), "there are too many epochs or none")
        last = 0
        for secret, first_seq in epochs:
            _require(type(secret) is bytes and 0 < len(secret) <= _SECRET_SIZE_MAX, "the secret of an epoch is none")
            _require(type(first_seq) is int and last < first_seq <= self.head, "the epochs do not follow one another")
            epoch, last = Epoch(secret, first_seq, epoch), first_seq
        return epoch

    def _read_retired(self, engine: Engine) -> None:
        keys = [self._key(place) for place in self._column("retired_keys", "I", stop=len(self.texts))]
        versions = self._column("retired_versions", "q", len(keys), start=1, stop=SEQ_MAX)
        seqs = self._column("retired_seqs", "q", len(keys), stop=self.head + 1)
        engine.retired = dict(zip(keys, versions, strict=True))
        engine.retired_seqs = dict(zip(keys, seqs, strict=True))
        is_whole = len(engine.retired) == len(keys) and engine.retired.keys().isdisjoint(engine.chains)
        _require(is_whole, "a retired key is none")

    def _key(self, place: int) -> str:
        key = self.texts[place]
        _require(_is_name(key, KEY_SIZE_MAX), "a key is none")
        return key

    def _read_labels(self) -> None:
        texts = self.texts
        nodes = self._column("label_nodes", "I", stop=len(texts) + 1)
        messages = self._column("label_messages", "I", len(nodes), stop=len(texts) + 1)
        counts = self._column("label_counts", "q", len(nodes), stop=TAG_COUNT_MAX + 1)
        tags = self._column("label_tags", "I", sum(counts), stop=len(texts))
        _require(all(_is_name(texts[tag]) for tag in set(tags)), "a tag is none")
        _require(all(_is_name(texts[node - 1]) for node in set(nodes) if node), "a node is none")
        position = 0
        for node, message, count in zip(nodes, messages, counts, strict=True):
            named = tuple([texts[tag] for tag in tags[position : position + count]])
            position += count
            self.labels.append((texts[node - 1] if node else None, texts[message - 1] if message else None, named))

    # -- forms -----------------------------------------------------------------------------------------------------

    def _read_forms(self, data: Iterable[bytes]) -> None:
        payload_sizes = self._column("payload_sizes", "q", start=1)
        buffer_sizes = self._column("buffer_sizes", "q")
        sealed = self._bytes("buffer_is_sealed", len(buffer_sizes), 2)
        parts = _parts(data, [*payload_sizes, *buffer_sizes])
        self.payloads = [next(parts) for _ in payload_sizes]
        buffers: list[Source] = []
        for is_sealed in sealed:
            part = next(parts)
            buffers.append(Buffer(part if is_sealed else bytearray(part), is_sealed=bool(is_sealed)))
        layouts = self._layouts(buffers)
        kinds = self._bytes("composite_kinds", stop=3)
        sizes = self._column("composite_sizes", "q", len(kinds), start=1)
        places = self._column("composite_layouts", "I", len(kinds))
        own_sizes = self._column("own_sizes", "q", len(kinds))
        own = self._bytes("own", sum(own_sizes))
        lost = Pieces(1, b"", (Buffer(b""),), make_cuts([1, 0, 1]))
        lost_links = LargeRef(lost).links
        own_stops = accumulate(own_sizes)
        for kind, size, place, own_size, own_stop in zip(kinds, sizes, places, own_sizes, own_stops, strict=True):
            if kind == _LOST:
                form = LargeRef(lost, lost_links)
                form.size = size
                self.composites.append(form)
                continue
            layout = layouts[place]
            content = layout.content(size, own[own_stop - own_size : own_stop])
            if kind == _PIECES:
                self.composites.append(content)
                continue
            _require(all(isinstance(source, Buffer) for source in content.sources), "a large value is cut from others")
            form = LargeRef(content, layout.links)
            layout.links = form.links
            self.contents[id(form)] = content
            self.composites.append(form)

    def _layouts(self, buffers: list[Source]) -> list[_Layout]:
        source_counts = self._column("layout_source_counts", "q", stop=CUTS_MAX + 1)
        sources = self._column("layout_sources", "I", sum(source_counts))
        cut_counts = self._column("layout_cut_counts", "q", len(source_counts), stop=CUTS_MAX + 1)
        cuts = self._column("layout_cuts", "q", 3 * sum(cut_counts))
        layouts = []
        source_at = cut_at = 0
        for source_count, cut_count in zip(source_counts, cut_counts, strict=True):
            numbers = sources[source_at : source_at + source_count]
            found = tuple([(buffers if number & 1 else self.payloads)[number >> 1] for number in numbers])
            layouts.append(_Layout(found, cuts[cut_at : cut_at + 3 * cut_count]))
            source_at += source_count
            cut_at += 3 * cut_count
        return layouts

    # -- chains ----------------------------------------------------------------------------------------------------

    def _chains(self) -> list[Chain]:
        keys = [self._key(place) for place in self._column("chain_keys", "I", stop=len(self.texts))]
        counts = self._column("chain_counts", "q", len(keys), start=1)
        gone = self._column("chain_gone", "q", len(keys), stop=SEQ_MAX)
        former_versions = self._column("chain_former_versions", "q", len(keys), stop=SEQ_MAX)
        former_seqs = self._column("chain_former_seqs", "q", len(keys), stop=self.head + 1)
        has_versions = self._bytes("chain_has_versions", len(keys), 2)
        versioned = sum(count for count, has in zip(counts, has_versions, strict=True) if has)
        versions = self._column("chain_versions", "q", versioned, start=1)
        entries = self._entries(sum(counts))
        seqs = self._column("entry_seqs", "q", len(entries), start=1, stop=self.head + 1)
        chains = []
        at = version_at = 0
        columns = zip(keys, counts, gone, former_versions, former_seqs, has_versions, strict=True)
        for key, count, gone_count, former_version, former_seq, has in columns:
            chain = Chain(key, gone_count)
            chain.former = (former_version, former_seq)
            column = seqs[at : at + count]
            _require(_is_rising(column), "the changes of a key are out of order")
            forms: list[Entry | None] = list(entries[at : at + count])
            chain.columns = (column, forms)
            at += count
            if has:
                chain.versions = versions[version_at : version_at + count]
                version_at += count
                is_last = chain.versions[-1] == chain.version
                _require(is_last and _is_rising(chain.versions), "the versions of a key are out of order")
            last = chain.last
            form = None if last is None else form_of(last)
            if isinstance(form, LargeRef):
                chain.content = self.contents.get(id(form))
                _require(chain.content is not None, "the bytes of a present value are missing")
            chains.append(chain)
        return chains

    def _entries(self, count: int) -> list[Entry]:
        payloads, composites = self.payloads, self.composites
        numbers = self._column("entry_forms", "I", count)
        entries: list[Entry | None] = [
            None if not number else payloads[number >> 1] if number & 1 else composites[(number >> 1) - 1]
            for number in numbers
        ]
        places = self._column("mark_places", "q", stop=count)
        kinds = self._bytes("mark_kinds", len(places))
        facts = self._column("mark_facts", "q", len(places))
        _require(_is_rising(places), "the marks are out of order")
        for place, kind, fact in zip(places, kinds, facts, strict=True):
            form = entries[place]
            assert not isinstance(form, Mark | Purged)
            entries[place] = self._mark(form, kind, fact)
        whole = [entry for entry in entries if entry is not None]
        _require(len(whole) == count, "a change without a value has no mark")
        return whole

    def _mark(self, form: bytes | Pieces | LargeRef | None, kind: int, fact: int) -> Entry:
        if kind >= _PURGED:
            _require(form is None, "a purged value is there")
            return Purged(_KINDS[kind - _PURGED], fact)
        name = _KINDS[kind]
        if name == "delete":
            _require(form is None, "a deleted value is there")
            return DELETED
        _require(name != PACK and form is not None, "a mark has no value, or a pack has a mark")
        return Mark(name, form, self.texts[fact])

    # -- the timeline ----------------------------------------------------------------------------------------------

    def _timeline(self) -> Timeline:
        head = self.head
        timeline = Timeline(head)
        starts = self._column("run_starts", "q", start=1)
        lengths = self._column("run_lengths", "q", len(starts), start=1, stop=SEQ_MAX)
        runs = list(zip(starts, lengths, strict=True))
        times = self._column("times", "q", sum(lengths))
        numbers = self._column("commit_labels", "I", len(times))
        labels = [self.labels[number] for number in numbers]
        hits = array("I", bytes(4 * len(times)))
        if self._bytes("hits"):
            hits = self._column("hits", "I", len(times), stop=HITS_MAX + 1)
        gap_times = self._column("gap_times", "q", max(len(runs) - 1, 0))
        for (start, length), (following, _) in pairwise(runs):
            _require(start + length < following, "the commits are out of order")
        _require(not runs or sum(runs[-1]) == head + 1, "the newest commit is missing")
        at = 0
        for start, length in runs:
            while length:
                number, position = start >> BLOCK_BITS, start & BLOCK_MASK
                count = min(length, BLOCK_SIZE - position)
                stop = at + count
                block = timeline.blocks.get(number)
                if block is None:
                    block = timeline.blocks[number] = Block(position)
                    block.dead = bytearray(b"\1" * BLOCK_SIZE)
                    timeline.numbers.append(number)
                _pad(block, position)
                block.times.extend(times[at:stop])
                block.labels.extend(labels[at:stop])
                block.changed.extend([()] * count)
                block.dead[position : position + count] = bytes(count)
                block.hits[position : position + count] = hits[at:stop]
                at, start, length = stop, start + count, length - count
        for number, block in timeline.blocks.items():
            if number == head >> BLOCK_BITS:
                timeline.tail = block
                block.dead[(head & BLOCK_MASK) + 1 :] = bytes(BLOCK_MASK - (head & BLOCK_MASK))
            else:
                _pad(block, BLOCK_SIZE)
            block.gone = block.dead.count(1)
            runs_of_64 = range(0, BLOCK_SIZE, RUN_SIZE)
            block.run_hits = array("Q", [sum(block.hits[run : run + RUN_SIZE]) for run in runs_of_64])
        timeline.gone = head - len(times)
        timeline.first = runs[0][0] if runs else head + 1
        front_time = self.fields["front_time"]
        _require(front_time is None or (type(front_time) is int and 0 <= front_time <= _NUMBER_MAX), "a time is none")
        _require((front_time is None) == (timeline.first == 1), "the time of the first commit is missing")
        timeline.front_time = front_time
        earliest = array("q", [front_time or 0]) + times
        _require(all(one <= other for one, other in pairwise(earliest)), "time decreases")
        timeline.gaps = {start: Gap(time) for (start, _), time in zip(runs[1:], gap_times, strict=True)}
        return timeline

    def _connect(self, engine: Engine, chains: list[Chain]) -> None:
        """Which commit changed which chains; which entries have outlived their commit, and who made them."""
        timeline, head = engine.timeline, self.head
        shared: dict[int, list[int]] = {}
        """Commits of several changes: the places of the chains."""
        outlived: dict[int, list[Chain]] = {}
        places = {chain: place for place, chain in enumerate(chains)}
        for place, chain in enumerate(chains):
            seqs = chain.columns[0]
            for index, seq in enumerate(seqs):
                if timeline.has(seq):
                    changed = timeline.blocks[seq >> BLOCK_BITS].changed
                    first = changed[seq & BLOCK_MASK]
                    if isinstance(first, Chain):
                        shared.setdefault(seq, [places[first]]).append(place)
                    else:
                        changed[seq & BLOCK_MASK] = chain
                    continue
                seen_by = timeline.next_after(seq)
                is_last = index == len(seqs) - 1
                _require(0 < seen_by < (head + 1 if is_last else seqs[index + 1]), "a change serves no commit")
                outlived.setdefault(seq, []).append(chain)
                if seen_by in timeline.gaps:
                    timeline.gaps[seen_by].carried.add(chain)
            chain.is_settled = not timeline.has(seqs[-1])
        order = self._column("several", "I", sum(map(len, shared.values())), stop=len(chains))
        at = 0
        for seq in sorted(shared):
            numbers = order[at : at + len(shared[seq])].tolist()
            at += len(numbers)
            _require(sorted(numbers) == shared[seq], "the changes of a commit are not those of the keys")
            timeline.blocks[seq >> BLOCK_BITS].changed[seq & BLOCK_MASK] = tuple([chains[place] for place in numbers])
        self._read_authors(engine, outlived)

    def _read_authors(self, engine: Engine, outlived: dict[int, list[Chain]]) -> None:
        seqs = self._column("author_seqs", "q", len(outlived))
        times = self._column("author_times", "q", len(seqs))
        labels = self._column("author_labels", "I", len(seqs))
        counts = self._column("author_counts", "q", len(seqs))
        keys = self._column("change_keys", "I", sum(counts))
        kinds = self._bytes("change_kinds", len(keys), len(_KINDS))
        versions = self._column("change_versions", "q", len(keys))
        sizes = self._column("change_sizes", "q", len(keys))
        is_large = self._bytes("change_is_large", len(keys), 2)
        _require(_is_rising(seqs), "the authors are out of order")
        at = 0
        for seq, time, number, count in zip(seqs, times, labels, counts, strict=True):
            label, left = self.labels[number], outlived[seq]
            if not count:
                _require(len(left) == 1, "the changes of a commit are missing")
                engine.authors[seq] = (time, label)
                continue
            changes = tuple(
                [
                    (self._key(keys[one]), _KINDS[kinds[one]], versions[one], sizes[one], bool(is_large[one]))
                    for one in range(at, at + count)
                ]
            )
            at += count
            named = {change[0] for change in changes}
            is_whole = len(named) == count and all(chain.key in named for chain in left)
            _require(is_whole, "the changes of a commit are not those of the keys")
            engine.authors[seq] = Author(time, label, changes, len(left))


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise CorruptionError(what)


def _is_rising(column: "array[int]") -> bool:
    return all(map(lt, column, column[1:]))


def _is_name(text: str, size_max: int = NAME_SIZE_MAX) -> bool:
    """A text of some bytes of UTF-8, but not too many; a lone surrogate raises ValueError."""
    return 0 < len(text.encode()) <= size_max


def _pad(block: Block, size: int) -> None:
    """Nobody's positions up to there, with the time of the last commit before, so that times stay sorted."""
    count = size - len(block.times)
    if count > 0:
        block.times.extend([block.times[-1] if block.times else 0] * count)
        block.labels.extend([(None, None, ())] * count)
        block.changed.extend([()] * count)


def _parts(data: Iterable[bytes], sizes: list[int]) -> Iterator[bytes]:
    """The data cut into these sizes, however it is cut now."""
    chunks = list(data)
    starts = [0, *accumulate(map(len, chunks))]
    if any(type(chunk) is not bytes for chunk in chunks) or sum(sizes) != starts[-1]:
        raise CorruptionError("the data does not have the size it should have")
    position = 0
    for size in sizes:
        stop = position + size
        index = bisect_right(starts, position, 0, len(chunks)) - 1
        if not size:
            yield b""
        elif stop <= starts[index + 1]:
            yield chunks[index][position - starts[index] : stop - starts[index]]
        else:
            pieces = []
            while position < stop:
                piece = chunks[index][position - starts[index] : stop - starts[index]]
                pieces.append(piece)
                position += len(piece)
                index += 1
            yield b"".join(pieces)
        position = stop
