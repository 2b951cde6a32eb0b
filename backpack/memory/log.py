"""Logging a content: what it is, whether it is there already, one commit."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from backpack.memory.chunking import CHUNK_LINES_MAX, Chunker, has_chunks
from backpack.memory.content import WHOLE_SIZE_MAX, Content, compressed, digest_of
from backpack.memory.content import record_of as content_record
from backpack.memory.entry import Entry, Kind, record_of
from backpack.memory.extract import Extract, first_line, short_extract
from backpack.memory.labels import Labels
from backpack.memory.sharing import Use
from backpack.memory.sources import Whole, decoded, found, is_file, name_of, slices, stream_of, whole_of
from backpack.memory.streaming import Streaming
from backpack.memory.summaries import SEEN_SIZE_MAX, asummary_of, summary_of
from backpack.memory.tokens import CountTokens, estimate_tokens, tier_of, tokens_of_length

if TYPE_CHECKING:
    from backpack.memory.memory import Memory

TITLE_MAX: Final = 80
_AHEAD_SIZE_MIN: Final = 64 * 1024
"""A content record from this size on goes ahead of the commit, so that an opened store has it on disk only."""
_MIMES: Final[dict[Kind, str]] = {
    "text": "text/plain",
    "bytes": "application/octet-stream",
    "value": "application/json",
}


@dataclass(slots=True)
class Draft:
    """A content that is ready to be committed, but for the summary."""

    content: Content
    values: dict[str, object]
    """What is to be committed with the entry: the content, unless it is there."""
    labels: Labels
    title: str
    stored_size: int
    head: bytes
    tail: bytes
    """The beginning and the end of the view, or all of it and nothing."""
    extract: Extract | None = None
    """What a stream left of itself."""

    def text_to_summarize(self) -> str | None:
        """What a hook gets; None where none is to be asked."""
        content = self.content
        if self.labels.summary is not None or content.kind == "bytes" or tier_of(content.tokens) == "inline":
            return None
        head, tail = self.head, self.tail
        if len(head) + len(tail) > SEEN_SIZE_MAX or tail:
            head, tail = head[: SEEN_SIZE_MAX // 2], (tail or head)[-SEEN_SIZE_MAX // 2 :]
            return f"{head.decode('utf-8', 'replace')}\n[...]\n{tail.decode('utf-8', 'replace')}"
        return decoded(head)

    def default_summary(self) -> tuple[str, bool]:
        """The caller's, or an extract."""
        if self.labels.summary is not None:
            return self.labels.summary, False
        content = self.content
        if tier_of(content.tokens) == "inline":
            return short_extract(self.head), True
        extract = self.extract
        if extract is None:
            extract = Extract()
            extract.add(self.head)
        return extract.text(content.lines, content.characters, content.tokens), True


def log(memory: "Memory", content: Any, labels: Labels) -> Entry:
    """The entry of any content. Memory: a few MiB beyond what the caller has."""
    with Use(memory.shared) as use:
        draft = begin(memory, content, labels, use)
        return finish(memory, draft, *summary_of(memory, draft))


async def alog(memory: "Memory", content: Any, labels: Labels) -> Entry:
    """The same for a task: threads of the store do the work, and a coroutine of a hook is awaited."""
    readers = memory.bp._readers
    with Use(memory.shared) as use:
        draft = await readers.run(begin, memory, content, labels, use)
        summary = await asummary_of(memory, draft)
        entry, interrupt = await readers.finish(partial(finish, memory, draft, *summary))
    if interrupt is not None:
        raise interrupt
    return entry


def begin(memory: "Memory", content: Any, labels: Labels, use: Use) -> Draft:
    """Read it, count it, compress it; parts of a long one go into the store."""
    if not is_file(content):
        return _whole_draft(memory, whole_of(content), labels, labels.title, use)
    title = name_of(content) if labels.title is None else labels.title
    with stream_of(content) as stream:
        head = bytearray()
        for chunk in stream.chunks:
            head += chunk
            if len(head) > WHOLE_SIZE_MAX:
                return _parts_draft(memory, stream.kind, _chained(head, stream.chunks), labels, title, use)
    raw = bytes(head)
    whole = found(raw) if stream.kind is None else Whole("text", raw, raw, decoded(raw))
    return _whole_draft(memory, whole, labels, title, use)


def _whole_draft(memory: "Memory", whole: Whole, labels: Labels, title: str | None, use: Use) -> Draft:
    if len(whole.raw) > WHOLE_SIZE_MAX and whole.kind != "value":
        return _parts_draft(memory, whole.kind, slices(whole.raw), labels, title, use)
    digest = digest_of(whole.kind, whole.raw)
    key = memory.keys.content + digest
    use.add(digest)
    content = memory.contents.find(digest) if memory.sink.has(key) else None
    values: dict[str, object] = {}
    if content is None:
        content = made_content(digest, whole, memory.count_tokens)
        if content.stored_size > _AHEAD_SIZE_MIN:
            memory.sink.put(key, content_record(content))
        else:
            values[key] = content_record(content)
    title = first_line(whole.view, TITLE_MAX) if title is None else title
    return Draft(content, values, labels, title, content.stored_size, whole.view, b"")


def _parts_draft(
    memory: "Memory", kind: Kind | None, chunks: Iterable[bytes], labels: Labels, title: str | None, use: Use
) -> Draft:
    streaming = Streaming(memory, kind, use)
    content, stored = streaming.add(chunks)
    use.add(content.digest)
    key = memory.keys.content + content.digest
    values: dict[str, object] = {} if memory.sink.has(key) else {key: content_record(content)}
    title = first_line(streaming.head, TITLE_MAX) if title is None else title
    return Draft(content, values, labels, title, stored, streaming.head, streaming.tail, streaming.extract)


def made_content(digest: str, whole: Whole, count_tokens: CountTokens) -> Content:
    """The content, counted, cut into chunks and compressed."""
    view, text = whole.view, whole.text
    lines = view.count(b"\n") + (1 if view and view[-1] != 10 else 0)
    characters = len(view) if text is None else len(text)
    tokens = tokens_of_length(characters) if text is None or count_tokens is estimate_tokens else count_tokens(text)
    sizes: tuple[int, ...] = ()
    if has_chunks(tokens, lines, len(view)):
        has_many_lines = lines > CHUNK_LINES_MAX
        if text is None:
            chunker = Chunker(is_text=False, has_many_lines=has_many_lines)
            chunker.add(view.decode("latin-1"))
        else:
            chunker = Chunker(count_tokens, has_many_lines=has_many_lines)
            chunker.add(text)
        chunker.finish()
        sizes = chunker.table()
    codec, data = compressed(whole.raw)
    return Content(digest, whole.kind, len(whole.raw), len(view), lines, characters, tokens, sizes, codec, data, None)


def finish(memory: "Memory", draft: Draft, summary: str, is_extract: bool) -> Entry:
    """One commit: the entry, and what of its content was not there."""
    content, labels = draft.content, draft.labels
    id, time_ns = memory.next_id()
    node = memory.acting_node()
    entry = Entry(
        id, labels.type, labels.subtype, draft.title, labels.mime or _MIMES[content.kind], labels.tags, summary,
        is_extract, labels.checkpoint, labels.directory, time_ns, content.size, content.lines, content.characters,
        content.tokens, tier_of(content.tokens), content.chunk_count, draft.stored_size, content.digest, content.kind,
        node,
    )  # fmt: skip
    values = {**draft.values, memory.keys.entries + id: record_of(entry)}
    memory.sink.finish(values, node=node, message=None, tags=labels.tags)
    return entry


def _chained(head: bytearray, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield bytes(head)
    head.clear()
    yield from rest
