"""The commits made of fields: who, when, and which keys they changed.

Runs of seqs say which commits are in memory. Which keys a commit changed follows from the entries; only their order
within a commit of several keys is written. An entry whose commit has left has to serve one that stayed, and has an
author. Cost: O(commits + entries), and one block of columns for each 1,024 seqs of which one is in memory.
"""

from array import array
from collections.abc import Iterator
from itertools import pairwise

from backpack.core.authors import Author, LoneAuthor
from backpack.core.chain import Chain, Mark, Purged, Setter, carries_on
from backpack.core.commit import Label
from backpack.core.fields import HITS_MAX, KINDS, NUMBER_MAX, SEQ_MAX, Given, is_name, is_rising, require
from backpack.core.timeline import BLOCK_BITS, BLOCK_MASK, BLOCK_SIZE, RUN_SIZE, Block, Gap, Timeline
from backpack.limits import TAG_COUNT_MAX


def read_labels(given: Given) -> list[Label]:
    """All `(node, message, tags)`, each once."""
    texts, labels = given.texts, []
    nodes = given.column("label_nodes", "I", stop=len(texts) + 1)
    messages = given.column("label_messages", "I", len(nodes), stop=len(texts) + 1)
    counts = given.column("label_counts", "q", len(nodes), stop=TAG_COUNT_MAX + 1)
    tags = given.column("label_tags", "I", sum(counts), stop=len(texts))
    require(all(is_name(texts[tag]) for tag in set(tags)), "a tag is none")
    require(all(is_name(texts[node - 1]) for node in set(nodes) if node), "a node is none")
    position = 0
    for node, message, count in zip(nodes, messages, counts, strict=True):
        named = tuple([texts[tag] for tag in tags[position : position + count]])
        position += count
        labels.append((texts[node - 1] if node else None, texts[message - 1] if message else None, named))
    return labels


def read_timeline(given: Given, labels: list[Label]) -> Timeline:
    """The commits in memory; `connect` says what they changed."""
    head = given.head
    timeline = Timeline(head)
    starts = given.column("run_starts", "q", start=1)
    lengths = given.column("run_lengths", "q", len(starts), start=1, stop=SEQ_MAX)
    runs = list(zip(starts, lengths, strict=True))
    times = given.column("times", "q", sum(lengths))
    numbers = given.column("commit_labels", "I", len(times))
    commit_labels = [labels[number] for number in numbers]
    hits = array("I", bytes(4 * len(times)))
    if given.raw("hits"):
        hits = given.column("hits", "I", len(times), stop=HITS_MAX + 1)
    gap_times = given.column("gap_times", "q", max(len(runs) - 1, 0))
    for (start, length), (following, _) in pairwise(runs):
        require(start + length < following, "the commits are out of order")
    require(not runs or sum(runs[-1]) == head + 1, "the newest commit is missing")
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
            block.labels.extend(commit_labels[at:stop])
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
    front_time = given.fields["front_time"]
    require(front_time is None or (type(front_time) is int and 0 <= front_time <= NUMBER_MAX), "a time is none")
    require((front_time is None) == (timeline.first == 1), "the time of the first commit is missing")
    timeline.front_time = front_time
    earliest = array("q", [front_time or 0]) + times
    require(all(one <= other for one, other in pairwise(earliest)), "time decreases")
    timeline.gaps = {start: Gap(time) for (start, _), time in zip(runs[1:], gap_times, strict=True)}
    return timeline


def connect(given: Given, timeline: Timeline, chains: list[Chain]) -> dict[int, list[Chain]]:
    """Tell each commit which chains it changed. Returns those with entries that outlived their commit, by its seq."""
    head = given.head
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
            require(0 < seen_by < (head + 1 if is_last else seqs[index + 1]), "a change serves no commit")
            outlived.setdefault(seq, []).append(chain)
            if seen_by in timeline.gaps:
                timeline.gaps[seen_by].carried.add(chain)
        chain.is_settled = not timeline.has(seqs[-1])
    order = given.column("several", "I", sum(map(len, shared.values())), stop=len(chains))
    at = 0
    for seq in sorted(shared):
        numbers = order[at : at + len(shared[seq])].tolist()
        at += len(numbers)
        require(sorted(numbers) == shared[seq], "the changes of a commit are not those of the keys")
        timeline.blocks[seq >> BLOCK_BITS].changed[seq & BLOCK_MASK] = tuple([chains[place] for place in numbers])
    return outlived


def read_authors(given: Given, labels: list[Label], outlived: dict[int, list[Chain]]) -> dict[int, Author | LoneAuthor]:
    """Who made the entries that outlived their commit; all of them, and nobody else."""
    authors: dict[int, Author | LoneAuthor] = {}
    for seq, time, label, changes in _read_makers(given, "", labels, len(outlived)):
        left = outlived[seq]
        if not changes:
            require(len(left) == 1, "the changes of a commit are missing")
            authors[seq] = (time, label)
            continue
        named = {change[0] for change in changes}
        require(all(chain.key in named for chain in left), "the changes of a commit are not those of the keys")
        authors[seq] = Author(time, label, changes, len(left))
    return authors


def read_setters(given: Given, labels: list[Label], chains: list[Chain]) -> None:
    """Tell the marks who brought the values that they carry on. Exports of the first days say nothing of it."""
    if "mark_setters" not in given.fields:
        return
    setters = {setter[0]: setter for setter in _read_makers(given, "setter_", labels, None)}
    marks = [
        (chain.key, seq, entry)
        for chain in chains
        for seq, entry in zip(*chain.columns, strict=True)
        if isinstance(entry, Mark | Purged)
    ]
    numbers = given.column("mark_setters", "q", len(marks), stop=given.head + 1)
    for (key, seq, mark), number in zip(marks, numbers, strict=True):
        if number:
            changed = {change[0] for change in setters[number][3]}
            require(number < seq and key in changed and carries_on(mark), "a value was not brought by who should have")
            mark.setter = setters[number]


def _read_makers(given: Given, prefix: str, labels: list[Label], count: int | None) -> Iterator[Setter]:
    """Commits that have left, ascending, and what they changed."""
    seqs = given.column(f"{prefix}author_seqs", "q", count)
    times = given.column(f"{prefix}author_times", "q", len(seqs))
    numbers = given.column(f"{prefix}author_labels", "I", len(seqs))
    counts = given.column(f"{prefix}author_counts", "q", len(seqs))
    keys = given.column(f"{prefix}change_keys", "I", sum(counts))
    kinds = given.raw(f"{prefix}change_kinds", len(keys), len(KINDS))
    versions = given.column(f"{prefix}change_versions", "q", len(keys))
    sizes = given.column(f"{prefix}change_sizes", "q", len(keys))
    is_large = given.raw(f"{prefix}change_is_large", len(keys), 2)
    require(is_rising(seqs), "the authors are out of order")
    at = 0
    for seq, time, number, changed in zip(seqs, times, numbers, counts, strict=True):
        changes = tuple(
            [
                (given.key(keys[one]), KINDS[kinds[one]], versions[one], sizes[one], bool(is_large[one]))
                for one in range(at, at + changed)
            ]
        )
        at += changed
        require(len({change[0] for change in changes}) == changed, "a commit changes a key twice")
        yield seq, time, labels[number], changes


def _pad(block: Block, size: int) -> None:
    """Nobody's positions up to there, with the time of the last commit before, so that times stay sorted."""
    count = size - len(block.times)
    if count > 0:
        block.times.extend([block.times[-1] if block.times else 0] * count)
        block.labels.extend([(None, None, ())] * count)
        block.changed.extend([()] * count)
