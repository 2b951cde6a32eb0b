"""The fields and the data of a frozen engine: what `core.fields` says, written.

Texts, labels, sources, layouts and forms get their numbers as they are met, so each stands once however many changes
have it. Buffers are written as far as something uses them; a large value is within reach when all its buffers are kept
by something else that goes along, and lost else.
"""

from array import array
from collections.abc import Iterator, Sequence
from typing import Any

from backpack.core.chain import Entry, Mark, Purged, Setter, form_of, kind_of
from backpack.core.commit import Label
from backpack.core.fields import HITS_MAX, KINDS, LARGE, LOST, PIECES, PURGED, Fields, bytes_of, swapped
from backpack.core.freezing import FrozenChain, Image
from backpack.core.limits import Limits
from backpack.core.payload import Buffer, LargeRef, Pieces, Source, slices_of
from backpack.core.timeline import BLOCK_BITS


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
            "retired_keys": bytes_of("I", [self._text(key) for key in image.retired]),
            "retired_versions": bytes_of("q", [version for version, _ in image.retired.values()]),
            "retired_seqs": bytes_of("q", [seq for _, seq in image.retired.values()]),
        }
        fields |= self._chains()
        fields |= self._timeline()
        fields |= self._authors()
        fields |= self._setters()
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
        kind, content = PIECES, form
        if isinstance(form, LargeRef):
            reached = self.live.get(id(form)) or form.content()
            is_held = reached is not None and all(id(source) in self.buffers for source in reached.sources)
            kind = LARGE if is_held else LOST
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
                    mark_kinds.append(KINDS.index(kind_of(entry)) + (PURGED if is_purged else 0))
                    mark_facts.append(entry.size if isinstance(entry, Purged) else self._text(entry.reason))
                entries.append(self._form(entry))
        return {
            "chain_keys": bytes_of("I", [self._text(chain.key) for chain in chains]),
            "chain_counts": bytes_of("q", [len(chain.forms) for chain in chains]),
            "chain_gone": bytes_of("q", [chain.gone for chain in chains]),
            "chain_former_versions": bytes_of("q", [chain.former[0] for chain in chains]),
            "chain_former_seqs": bytes_of("q", [chain.former[1] for chain in chains]),
            "chain_has_versions": bytes([chain.versions is not None for chain in chains]),
            "chain_versions": b"".join([bytes_of("q", chain.versions) for chain in chains if chain.versions]),
            "entry_seqs": b"".join([bytes_of("q", chain.seqs) for chain in chains]),
            "entry_forms": bytes_of("I", entries),
            "mark_places": bytes_of("q", mark_places),
            "mark_kinds": bytes(mark_kinds),
            "mark_facts": bytes_of("q", mark_facts),
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
            "run_starts": bytes_of("q", starts),
            "run_lengths": bytes_of("q", lengths),
            "front_time": image.front_time,
            "gap_times": bytes_of("q", gap_times),
            "times": bytes_of("q", times),
            "commit_labels": bytes_of("I", labels),
            "hits": bytes_of("I", hits) if any(hits) else b"",
            "several": bytes_of("I", several),
        }

    def _authors(self) -> Fields:
        entries = {seq for chain in self.image.chains for seq in chain.seqs}
        return self._makers("", sorted((seq, *one) for seq, one in self.image.authors.items() if seq in entries))

    def _setters(self) -> Fields:
        """Who brought the values that marks carry on."""
        entries = [entry for chain in self.image.chains for entry in chain.forms]
        marks = [entry.setter for entry in entries if isinstance(entry, Mark | Purged)]  # the store may tell them more
        setters = {setter[0]: setter for setter in marks if setter is not None}
        fields = self._makers("setter_", [setters[seq] for seq in sorted(setters)])
        fields["mark_setters"] = bytes_of("q", [0 if setter is None else setter[0] for setter in marks])
        return fields

    def _makers(self, prefix: str, makers: Sequence[Setter]) -> Fields:
        """Commits that have left, ascending, and what they changed."""
        changes = [change for *_, raw in makers for change in raw]
        return {
            f"{prefix}author_seqs": bytes_of("q", [seq for seq, *_ in makers]),
            f"{prefix}author_times": bytes_of("q", [time for _, time, _, _ in makers]),
            f"{prefix}author_labels": bytes_of("I", [self._label(label) for _, _, label, _ in makers]),
            f"{prefix}author_counts": bytes_of("q", [len(raw) for *_, raw in makers]),
            f"{prefix}change_keys": bytes_of("I", [self._text(change[0]) for change in changes]),
            f"{prefix}change_kinds": bytes([KINDS.index(change[1]) for change in changes]),
            f"{prefix}change_versions": bytes_of("q", [change[2] for change in changes]),
            f"{prefix}change_sizes": bytes_of("q", [change[3] for change in changes]),
            f"{prefix}change_is_large": bytes([change[4] for change in changes]),
        }

    def _labels(self) -> Fields:
        return {
            "label_nodes": bytes_of("I", [0 if one[0] is None else self._text(one[0]) + 1 for one in self.labels]),
            "label_messages": bytes_of("I", [0 if one[1] is None else self._text(one[1]) + 1 for one in self.labels]),
            "label_counts": bytes_of("q", [len(one[2]) for one in self.labels]),
            "label_tags": bytes_of("I", [self._text(tag) for one in self.labels for tag in one[2]]),
        }

    def _forms(self) -> Fields:
        return {
            "payload_sizes": bytes_of("q", map(len, self.payloads)),
            "buffer_sizes": bytes_of("q", self.extents),
            "buffer_is_sealed": bytes([one.is_sealed or type(one.data) is bytes for one in self.buffer_list]),
            "layout_source_counts": bytes_of("q", [len(sources) for sources, _ in self.layouts]),
            "layout_sources": bytes_of("I", [source for sources, _ in self.layouts for source in sources]),
            "layout_cut_counts": bytes_of("q", [len(cuts) // 24 for _, cuts in self.layouts]),
            "layout_cuts": b"".join([swapped(array("q", cuts)).tobytes() for _, cuts in self.layouts]),
            "composite_kinds": bytes(self.kinds),
            "composite_sizes": bytes_of("q", self.sizes),
            "composite_layouts": bytes_of("I", self.composite_layouts),
            "own_sizes": bytes_of("q", map(len, self.owns)),
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
