"""A whole history as one sealed segment: of an archive, of an engine, or of an engine that began with an archive.

That is how a store gets to another place: a fork with a path of its own, an export. Values keep their cuts, so
what versions share is stored once there too.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain as chained

from backpack.archive.archive import Archive
from backpack.archive.cache import Cache
from backpack.archive.content import BLOB, OWN, Change, CommitRow, Cut, SourceId, Value
from backpack.archive.contents import Bytes, Contents
from backpack.archive.dormant import Newest, newest_of
from backpack.archive.finding import Replaced
from backpack.archive.gathering import gathered
from backpack.archive.keyframing import made
from backpack.archive.layout import cover_name
from backpack.archive.manifest import CleanMark, Manifest, publish_clean, publish_manifest
from backpack.archive.merging import merged
from backpack.archive.scanning import Log
from backpack.archive.sealing import seal
from backpack.archive.segment import Segment
from backpack.core.authors import facts_of
from backpack.core.chain import PACK, Chain, Entry, Mark, Purged, Setter, form_of, kind_of
from backpack.core.engine import Engine
from backpack.core.payload import Buffer, LargeRef, Pieces, Source, join, slices_of
from backpack.storage.cover import Covers
from backpack.storage.pooling import PooledFile
from backpack.storage.protocol import Folder, publish

PutBlob = Callable[[Iterator[bytes]], bytes]


def copied(
    archive: Archive | None,
    engine: Engine | None,
    seq: int,
    put_blob: PutBlob,
    replaced: Replaced,
) -> Contents:
    """Everything up to a commit: what the archive has, and what only the engine has behind it; of the values in
    `replaced`, by key and commit, those.

    Wants the lock of the store until the contents are sealed, when there is an engine.
    """
    contents = _joined(archive, engine, seq, put_blob)
    return _with_replaced(contents, replaced, put_blob) if replaced else contents


def _joined(archive: Archive | None, engine: Engine | None, seq: int, put_blob: PutBlob) -> Contents:
    parts: list[Contents] = []
    head = 0
    if archive is not None and archive.parts:
        parts += _of_archive(archive, min(seq, archive.head), put_blob)
        head = min(seq, archive.head)
    if engine is not None and (seq > head or not parts):
        origin = parts[-1].origins[1] + 1 if parts else 1
        parts.append(_of_engine(engine, origin, head, seq, put_blob))
    if len(parts) == 1:
        return replace(parts[0], last_seq=max(seq, parts[0].first_seq - 1))
    by_origin = {origin: one for one in parts for origin in range(one.origins[0], one.origins[1] + 1)}
    sources = {source: size for one in parts for source, size in one.sources.items()}
    return Contents(
        (parts[0].origins[0], parts[-1].origins[1]),
        parts[0].first_seq,
        seq,
        chained.from_iterable(one.commits for one in parts),
        sources,
        lambda source: by_origin[source[0]].parts_of(source),
        [change for one in parts for change in one.base_rows],
    )


def _with_replaced(contents: Contents, replaced: Replaced, put_blob: PutBlob) -> Contents:
    def changed(change: Change) -> Change:
        content = replaced.get((change.key, change.seq))
        if content is None:
            return change
        made = change.with_value(join(content), is_large=isinstance(content, Pieces))
        if made.is_large and made.value is not None:
            digest = put_blob(iter((made.value.own,)))
            made.value = Value(((BLOB, 0, 0, made.value.size),), b"", (digest,))
        return made

    def rows() -> Iterator[CommitRow]:
        for row in contents.commits:
            assert isinstance(row, CommitRow)
            row.changes = [changed(change) for change in row.changes]
            yield row

    return replace(contents, commits=rows(), base_rows=[changed(change) for change in contents.base_rows])


def write_store(
    folder: Folder, covers: Covers, manifest: Manifest, contents: Contents, first_seq: int, last_ns: int
) -> None:
    """A store of that one segment in an empty folder whose blobs are there already; closed cleanly."""
    head = contents.last_seq
    newest: dict[str, Newest] = {}
    for change in sorted(contents.base_rows, key=lambda change: change.seq):
        newest[change.key] = newest_of(change)
    recorded = replace(contents, commits=_recorded(contents, newest))
    name = f"{contents.origins[0]:012d}-0.seg"
    cover = covers.fresh(cover_name(contents.origins))
    publish(folder, name, seal(recorded, store_id=manifest.store_id, cover=cover, keyframe=lambda: made(None, newest)))
    segment = Segment(PooledFile(folder, name), Cache(), covers, manifest.store_id)
    manifest.segments = [segment.info(name)]
    manifest.next_segment = segment.origins[1] + 1
    manifest.last_log = segment.origins[1]
    manifest.head, manifest.first_seq, manifest.last_ns = head, first_seq, last_ns
    publish_clean(folder, CleanMark(0, 0, 0, head))
    publish_manifest(folder, manifest, covers)


def _recorded(contents: Contents, newest: dict[str, Newest]) -> Iterator[CommitRow]:
    """The commits, while what they leave behind is written down."""
    for row in contents.commits:
        assert isinstance(row, CommitRow)
        for change in row.changes:
            known = newest.get(change.key)
            if known is None or known.seq < change.seq:
                newest[change.key] = newest_of(change)
        yield row


def _never(_: object) -> bool:
    return False


# -- of an archive ------------------------------------------------------------------------------------------------


def _of_archive(archive: Archive, seq: int, put_blob: PutBlob) -> list[Contents]:
    """What it has up to a commit, as contents that follow each other."""
    blobs: dict[bytes, bytes] = {}

    def moved(change: Change) -> Change:
        if change.value is None or not change.value.blobs:
            return change
        digests = []
        for digest in change.value.blobs:
            if digest not in blobs:
                with archive.blobs.open(digest) as blob:
                    blobs[digest] = put_blob(blob.chunks())
            digests.append(blobs[digest])
        value = Value(change.value.cuts, change.value.own, tuple(digests), change.value.size)
        return Change(
            change.key,
            change.seq,
            change.kind,
            change.version,
            value,
            is_large=change.is_large,
            is_purged=change.is_purged,
            reason=change.reason,
        )

    parts: list[Contents] = []
    needed: set[SourceId] = set()
    present = archive.parts  # once: a log may be sealed meanwhile
    for log in reversed([part for part in present if isinstance(part, Log) and part.first_seq <= seq]):
        index, contents = gathered(log)
        rows = []
        for row in contents.rows():
            if row.seq <= seq:
                row.changes = [moved(archive.as_purged(change)) for change in row.changes]
                rows.append(row)
        for row in rows:
            for change in row.changes:
                if change.value is not None:
                    needed.update((origin, number) for origin, number, _, _ in change.value.cuts if origin > 0)
        sources = {source: size for source, size in contents.sources.items() if source in needed}
        parts.append(replace(contents, commits=rows, sources=sources, last_seq=min(seq, index.last_seq)))
    segments = [part for part in present if isinstance(part, Segment) and part.first_seq <= seq]
    if segments:
        contents = merged(
            segments,
            keep=lambda change: change.seq <= seq,
            keep_commit=lambda one: one <= seq,
            purged=archive.is_erased,
            needed=needed,
        )
        commits = contents.commits

        def rows_moved() -> Iterator[CommitRow]:
            for row in commits:
                assert isinstance(row, CommitRow)
                row.changes = [moved(change) for change in row.changes]
                yield row

        base_rows = [moved(change) for change in contents.base_rows]
        parts.append(replace(contents, commits=rows_moved(), base_rows=base_rows, last_seq=min(seq, contents.last_seq)))
    return parts[::-1]


# -- of an engine -------------------------------------------------------------------------------------------------


class _Sources:
    """Gives numbers to what values in memory are cut from."""

    def __init__(self, origin: int, put_blob: PutBlob) -> None:
        self.origin = origin
        self.sizes: dict[SourceId, int] = {}
        self._put_blob = put_blob
        self._numbers: dict[int, int] = {}
        self._held: list[Source] = []
        self._large: dict[int, Value] = {}

    def value(self, entry: Entry, content: Pieces | None) -> Value | None:
        """Where the bytes of an entry are going to stand."""
        form = form_of(entry)
        if form is None:
            return None
        if isinstance(form, LargeRef):
            if content is None:
                return Value((), size=form.size)
            known = self._large.get(id(form))
            if known is None:
                digest = self._put_blob(iter((join(content),)))
                known = self._large[id(form)] = Value(((BLOB, 0, 0, form.size),), b"", (digest,), form.size)
            return known
        own = form.own if isinstance(form, Pieces) else None
        cuts: list[Cut] = []
        for source, start, stop in slices_of(form):
            cuts.append((OWN, 0, start, stop) if source is own else (self.origin, self._number(source), start, stop))
        return Value(tuple(cuts), own or b"")

    def parts_of(self, source: SourceId) -> list[Bytes]:
        """The bytes of a source."""
        held = self._held[source[1]]
        data = held.data if isinstance(held, Buffer) else held
        return [memoryview(bytes(data))[: self.sizes[source]]]

    def _number(self, source: Source) -> int:
        number = self._numbers.get(id(source))
        if number is None:
            number = self._numbers[id(source)] = len(self._held)
            self._held.append(source)
            self.sizes[self.origin, number] = len(source.data if isinstance(source, Buffer) else source)
        return number


def _of_engine(engine: Engine, origin: int, after: int, upto: int, put_blob: PutBlob) -> Contents:
    """What an engine has behind a commit and up to another one."""
    timeline = engine.timeline
    sources = _Sources(origin, put_blob)
    by_seq: dict[int, dict[Chain, Change]] = {}
    left: dict[int, tuple[Setter, dict[str, Change]]] = {}
    """Commits that have left, with what memory still has of them: so it stays known who set a value."""
    base_rows = []
    for chain in engine.chains.values():
        seqs, forms = chain.columns
        for index, entry in enumerate(forms):
            seq = seqs[index]
            if entry is None or not after < seq <= upto:
                continue
            change = _change(chain, index, entry, sources)
            author = engine.authors.get(seq)
            if timeline.has(seq):
                by_seq.setdefault(seq, {})[chain] = change
            elif author is None:
                base_rows.append(change)
            else:
                left.setdefault(seq, (facts_of(author, chain, seq), {}))[1][chain.key] = change
            if isinstance(entry, Mark | Purged) and entry.setter is not None and entry.setter[0] > after:
                brought = left.setdefault(entry.setter[0], (entry.setter, {}))[1]
                brought.setdefault(chain.key, _brought(change, entry.setter))
    deleted = {key: (version, engine.retired_seqs[key]) for key, version in engine.retired.items()}
    deleted.update((key, chain.former) for key, chain in engine.chains.items() if chain.former[0])
    for key, (version, seq) in deleted.items():
        if after < seq <= upto:
            base_rows.append(Change(key, seq, "delete", version, None))
    rows = [CommitRow(seq, setter[1], setter[2], list(changes.values())) for seq, (setter, changes) in left.items()]
    for seq in timeline.seqs(after):
        if seq > upto:
            break
        time_ns, label, _ = timeline.facts(seq)
        changes = [by_seq[seq][chain] for chain in timeline.changed(seq)]
        rows.append(CommitRow(seq, time_ns, label, changes))
    rows.sort(key=lambda row: row.seq)
    return Contents((origin, origin), after + 1, upto, rows, sources.sizes, sources.parts_of, base_rows)


def _brought(change: Change, setter: Setter) -> Change:
    """The change with which a value came that another one hides or shows again."""
    version = next(raw[2] for raw in setter[3] if raw[0] == change.key)
    return Change(
        change.key, setter[0], PACK, version, change.value, is_large=change.is_large, is_purged=change.is_purged
    )


def _change(chain: Chain, index: int, entry: Entry, sources: _Sources) -> Change:
    seq, version, kind = chain.columns[0][index], chain.version_of(index), kind_of(entry)
    if isinstance(entry, Purged):
        return Change(chain.key, seq, kind, version, Value((), size=entry.size), is_purged=True)
    form = form_of(entry)
    content = None
    if isinstance(form, LargeRef):
        is_last = index == len(chain.columns[1]) - 1
        content = chain.content if is_last and isinstance(chain.content, Pieces) else form.content()
    return Change(
        chain.key,
        seq,
        kind,
        version,
        sources.value(entry, content),
        is_large=isinstance(form, LargeRef),
        is_purged=isinstance(form, LargeRef) and content is None,
        reason=entry.reason if isinstance(entry, Mark) else "",
    )
