"""The memory of an agent: what it logs leaves the prompt, a reference stays, and slices come back."""

import builtins
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from backpack.errors import EntryNotFoundError, EntryPrunedError, InvalidArgumentError
from backpack.memory import calling, deleting, fetch, listing, log, offloading, prefetching, pruning, sending, tools
from backpack.memory import clock as real_clock
from backpack.memory import search as searches
from backpack.memory.contents import Contents, View
from backpack.memory.entry import Entry, entry_of, time_of
from backpack.memory.fetch import FETCH_LINES_MAX, FETCH_SIZE_MAX, ByteRange, FetchLimits, Lines
from backpack.memory.hot import HOT_SIZE_MAX, HOT_TIME_S, Hot
from backpack.memory.ids import Ids, is_id
from backpack.memory.keys import Keys
from backpack.memory.labels import checked_labels
from backpack.memory.opened_values import values_of
from backpack.memory.operations import Operations
from backpack.memory.references import Reference, reference_of
from backpack.memory.sharing import shared_of
from backpack.memory.sink import Sink, StoreSink
from backpack.memory.statistics import Statistics, Stats
from backpack.memory.summaries import Summarize
from backpack.memory.tokens import CountTokens, checked_counter, estimate_tokens
from backpack.memory.types import register_type
from backpack.memory.values import Values
from backpack.store.attribution import attributed_node
from backpack.store.names import checked_callable, checked_number, checked_parts, checked_whole
from backpack.store.store import Backpack

if TYPE_CHECKING:
    from backpack.memory.checkpoint_record import Items, MemoryCheckpoint
    from backpack.memory.checkpoints import Checkpoints
    from backpack.memory.searching import Found
    from backpack.memory.status import Status

Named = str | Entry | Reference | Mapping[str, Any]
"""What names an entry: its id or the beginning of it, `mem://ID#L10-40`, itself, or an item of `memory_refs`."""

_READ_SIZE = 1 << 20
_SHOWN_IDS = 3
"""Of those that begin alike."""


class Memory:
    """Entries in a Backpack, in memory or opened, under one namespace. Thread-safe.

    >>> memory = Memory(Backpack())
    >>> entry = memory.log("one\\ntwo\\nthree\\n", title="numbers", tags=["demo"])
    >>> memory.fetch(entry, lines=(2, 3))
    'two\\nthree\\n'
    >>> [found.title for found in memory.list(tag="demo")]
    ['numbers']
    """

    def __init__(
        self,
        bp: Backpack,
        *,
        namespace: str = "memory",
        count_tokens: CountTokens = estimate_tokens,
        max_fetch_lines: int = FETCH_LINES_MAX,
        max_fetch_bytes: int = FETCH_SIZE_MAX,
        summarize: Summarize | None = None,
        hot_size_max: int = HOT_SIZE_MAX,
        hot_time_s: float = HOT_TIME_S,
        clock: Callable[[], float] = real_clock.now,
        make_random: Callable[[int], bytes] = os.urandom,
        sink: Sink | None = None,
        values: Values | None = None,
    ) -> None:
        """`count_tokens` replaces the estimate (a quarter of the characters), by whole numbers: others are refused.

        `summarize`: asked for summaries that nobody gives: a text in, a summary out; may be a coroutine function.
        `hot_size_max`: bytes of decoded contents that are kept at hand, for `hot_time_s`. `clock`: seconds since 1970.
        """
        if not isinstance(bp, Backpack):
            raise InvalidArgumentError(
                f"a memory is made of a store, not of a {type(bp).__name__}: Memory(backpack.open(path)), or "
                "Memory(Backpack()) for one in memory"
            )
        if summarize is not None:
            checked_callable("summarize", summarize)
        if sink is not None:
            checked_parts("sink", sink, ("has", "put", "finish"))
        if values is not None:
            checked_parts("values", values, ("get", "keys", "posted", "in_sight", "read_bytes"))
        self.bp = bp
        self.keys = Keys(namespace)
        self.count_tokens = checked_counter(count_tokens)
        self.limits = FetchLimits(
            checked_whole("max_fetch_lines", max_fetch_lines, 1), checked_whole("max_fetch_bytes", max_fetch_bytes, 1)
        )
        hot: Hot[tuple[View, int]] = Hot(
            checked_whole("hot_size_max", hot_size_max),
            checked_number("hot_time_s", hot_time_s),
            checked_callable("clock", clock),
        )
        self.values: Values = values_of(bp) if values is None else values
        self.operations_log = Operations(self.keys, self.values, partial(listing.readable, self))
        self.sink: Sink = StoreSink(bp, self.operations_log) if sink is None else sink
        self.shared = shared_of(bp, namespace)
        self.contents = Contents(self.values, self.keys, hot, self._stamp)
        self.statistics = Statistics(self)
        self.summarize = summarize
        self.failures: Counter[str] = Counter()
        """What failed in this process without costing an entry."""
        self.unreadable: set[str] = set()
        """The ids of the records that are none, and were told."""
        self.monotonic = real_clock.monotonic
        self.make_random = checked_callable("make_random", make_random)
        self._ids = Ids(clock, make_random, self.shared.ticks)
        searches.search_of(self)

    # -- putting in --------------------------------------------------------------------------------------------

    def log(
        self,
        content: Any,
        *,
        type: str = "output",
        tags: Iterable[str] = (),
        title: str | None = None,
        summary: str | None = None,
        checkpoint: str | None = None,
        directory: str | os.PathLike[str] | None = None,
        subtype: str | None = None,
        mime: str | None = None,
    ) -> Entry:
        """Store a content: a str, bytes, any storable value, or a path or an open file, which is streamed.

        One commit. The same content twice is stored once, while each entry keeps its own labels. Of a long one parts
        of 1 MiB go ahead of the commit. Without a title the first line is one; without a summary `summarize` is asked,
        or an extract is made by rule. What the store raises when it can't pack, this raises, and there is no entry.
        """
        labels = checked_labels(type, subtype, title, mime, tags, summary, checkpoint, directory)
        return log.log(self, content, labels)

    async def alog(
        self,
        content: Any,
        *,
        type: str = "output",
        tags: Iterable[str] = (),
        title: str | None = None,
        summary: str | None = None,
        checkpoint: str | None = None,
        directory: str | os.PathLike[str] | None = None,
        subtype: str | None = None,
        mime: str | None = None,
    ) -> Entry:
        """As `log`, without blocking the loop; a coroutine that summarises is awaited."""
        labels = checked_labels(type, subtype, title, mime, tags, summary, checkpoint, directory)
        return await log.alog(self, content, labels)

    # -- leaving a message, and coming back ----------------------------------------------------------------------

    def offload(
        self,
        message: Any,
        *,
        limit: int = offloading.OFFLOAD_LIMIT,
        preview: int = offloading.PREVIEW_SIZE,
        title: str | None = None,
        type: str | None = None,
        subtype: str | None = None,
        tags: Iterable[str] = (),
        on_error: offloading.OnError | None = None,
    ) -> Any:
        """A copy of a message (or any value) in which each text longer than `limit` characters is a short one.

        So is a list or dict that is no message, by itself or as what a tool answered, when no text in it is longer but
        its JSON text is.

        The text is stored as an entry; its first `preview` characters stay, and a marker that names the entry. The
        message has the entries in its `memory_refs`. Without `type` what tools say is `tool_output`, what users and
        systems say `context`, all else `output`. One commit a text; what is handed in is never changed.

        If storing fails it is what comes back, itself; the failure is counted (`stats().failures`), logged,
        told as an `error` event of the store and to `on_error`.

        >>> memory = Memory(Backpack())
        >>> message = {"role": "tool", "content": "line\\n" * 2_000}
        >>> short = memory.offload(message, preview=10)
        >>> short["memory_refs"][0]["type"], memory.hydrate(short) == message
        ('tool_output', True)
        """
        return offloading.offload(self, message, limit, preview, title, type, subtype, tags, on_error)

    def hydrate(self, message: Any) -> Any:
        """A copy of an offloaded message with every text back in its place: equal to the original.

        Also after it went through JSON. `EntryNotFoundError`, `EntryPrunedError` and `CorruptionError` when a text is
        not there any more. O(what there is).
        """
        return offloading.hydrate(self, message)

    def for_model(self, messages: Any) -> Any:
        """A copy of messages as they go to a model: without `memory_refs`, which strict APIs refuse.

        The ones that you keep have them, and are what `offload` and `hydrate` take. O(what there is).

        >>> memory = Memory(Backpack())
        >>> kept = memory.offload([{"role": "tool", "content": "line\\n" * 2_000}])
        >>> [sorted(message) for message in memory.for_model(kept)]
        [['content', 'role']]
        """
        return sending.for_model(messages)

    async def aoffload(
        self,
        message: Any,
        *,
        limit: int = offloading.OFFLOAD_LIMIT,
        preview: int = offloading.PREVIEW_SIZE,
        title: str | None = None,
        type: str | None = None,
        subtype: str | None = None,
        tags: Iterable[str] = (),
        on_error: offloading.OnError | None = None,
    ) -> Any:
        """As `offload`, in a thread of the store."""
        return await offloading.aoffload(self, message, limit, preview, title, type, subtype, tags, on_error)

    async def ahydrate(self, message: Any) -> Any:
        """As `hydrate`, in a thread of the store."""
        return await self.bp._readers.run(offloading.hydrate, self, message)

    def register_type(self, name: str) -> str:
        """Allow another type of entries, in this process."""
        return register_type(name)

    # -- reading -----------------------------------------------------------------------------------------------

    def fetch(
        self,
        id: Named,
        *,
        lines: Lines | None = None,
        bytes: ByteRange | None = None,
        chunk: int | None = None,
        pattern: "str | re.Pattern[str] | None" = None,
        context_lines: int = 0,
        summary_only: bool = False,
    ) -> "str | builtins.bytes":
        """A slice of an entry, exactly as it stands; without a slice all of it.

        `lines`: the first and the last, both included, counted from 1. `bytes`: offset and length of the UTF-8, as
        bytes. `chunk`: from 0. `pattern`: the lines in which it is found, with `context_lines` around each. Past the
        end there is nothing; lines that end before they begin are refused. More than a fetch may return raises
        `FetchLimitError`; `EntryNotFoundError`, `EntryPrunedError`, `ChunkNotFoundError`, `CorruptionError`.
        """
        return fetch.fetch(self, reference_of(id), lines, bytes, chunk, pattern, context_lines, summary_only)

    async def afetch(
        self,
        id: Named,
        *,
        lines: Lines | None = None,
        bytes: ByteRange | None = None,
        chunk: int | None = None,
        pattern: "str | re.Pattern[str] | None" = None,
        context_lines: int = 0,
        summary_only: bool = False,
    ) -> "str | builtins.bytes":
        """As `fetch`, in a thread of the store."""
        reference = reference_of(id)
        return await self.bp._readers.run(
            fetch.fetch, self, reference, lines, bytes, chunk, pattern, context_lines, summary_only
        )

    async def aread(self, id: Named) -> "str | builtins.bytes":
        """As `read`, in a thread of the store."""
        return await self.bp._readers.run(self.read, id)

    def read(self, id: Named) -> "str | builtins.bytes":
        """The whole entry, whatever its size: str of a text, bytes of bytes, the text of a value."""
        data = b"".join(self.iterate(id))
        return data if self.entry(id).kind == "bytes" else data.decode("utf-8", "surrogatepass")

    def iterate(self, id: Named) -> Iterator[builtins.bytes]:
        """The whole entry as bytes (of a text its UTF-8), in pieces of at most 1 MiB."""
        view = self.view(self.entry(id))
        for start in range(0, view.size, _READ_SIZE):
            yield view.read(start, _READ_SIZE)

    def value(self, id: Named) -> object:
        """What was logged, as the type it was: a str, bytes, or any storable value."""
        entry = self.entry(id)
        self._require_content(entry)
        return self.contents.value(entry.digest)

    def entry(self, id: Named) -> Entry:
        """What is known of an entry, without its content.

        `EntryNotFoundError`; `EntryPrunedError` when pruning took all of it; `CorruptionError`.
        """
        name = self._whole_id(reference_of(id).id)
        record = self.values.get(self.keys.entries + name)
        if record is None:
            pruned = pruning.tombstone(self, name)
            if pruned is not None:
                raise _pruned(name, *pruned, "")
            raise EntryNotFoundError(f"there is no such entry: id={name!r}; list() shows what there is", id=name)
        return entry_of(name, record)

    def view(self, entry: Entry) -> View:
        """The content of an entry, to be read in slices. `EntryPrunedError`, `CorruptionError`."""
        if not isinstance(entry, Entry):
            raise InvalidArgumentError(f"a view is of an Entry, as entry(id) gives it, not of a {type(entry).__name__}")
        self._require_content(entry)
        return self.contents.view(entry.digest)

    def list(
        self,
        *,
        type: str | None = None,
        tag: str | None = None,
        directory: str | os.PathLike[str] | None = None,
        checkpoint: "str | MemoryCheckpoint | None" = None,
        limit: int | None = None,
    ) -> "builtins.list[Entry]":
        """The entries that fit, newest first.

        `checkpoint`: a checkpoint, its id or the beginning of it, `ckpt-latest`, or the name of one of `bp`: the
        entries that were logged with its name, and those that it refers to.
        """
        return listing.listed(self, type, tag, directory, checkpoint, limit)

    def refs(
        self,
        *,
        checkpoint: "str | MemoryCheckpoint | None" = None,
        directory: str | os.PathLike[str] | None = None,
        limit: int | None = None,
    ) -> "builtins.list[str]":
        """One line an entry, newest first: `[id] summary (tokens)`."""
        return [listing.line_of(entry) for entry in listing.listed(self, None, None, directory, checkpoint, limit)]

    def search(self, query: str, limit: int | None = 10) -> "builtins.list[Found]":
        """The entries that fit, best first: over contents, titles, summaries and tags. `limit=None`: all of them.

        Words in `query` are all wanted; `"..."` are words in a row; `wor*` is how a word begins. Case and accents make
        no difference. Each hit has its entry, the chunk that fits best and a snippet. Cost: a search indexes what
        was logged since the last one (0.5 ms an entry, and 10 MB of text a second), then some ms.

        >>> memory = Memory(Backpack())
        >>> entry = memory.log("all went well, but for: No space left on device", title="nightly build")
        >>> [found.snippet for found in memory.search('nightly "no space"')]
        ['all went well, but for: [No space] left on device']
        """
        return searches.search(self, query, limit)

    # -- for models ---------------------------------------------------------------------------------------------

    def tool_schema(self, provider: str) -> "builtins.list[dict[str, Any]]":
        """`memory_fetch`, `memory_search`, `memory_list` as "openai" or "anthropic" takes them in `tools=`."""
        return tools.tool_schema(provider)

    def call_tool(self, name: str, arguments: object = None) -> str:
        """What a model gets that calls one of these tools: `arguments` a dict, or the JSON text of one.

        Never an exception for what a model can write: what can't be done is a text that begins with `error: ` and says
        what to do instead.

        >>> Memory(Backpack()).call_tool("memory_fetch", '{"id": "x"}')
        'error: there is no entry "x"; memory_list shows the newest ids, memory_search finds entries by words'
        """
        return calling.call_tool(self, name, arguments)

    async def acall_tool(self, name: str, arguments: object = None) -> str:
        """As `call_tool`, in a thread of the store."""
        return await calling.acall_tool(self, name, arguments)

    def prefetch(self, query: str) -> "builtins.list[prefetching.Slice]":
        """What a query is likely to be about: at most 3 slices of at most 120 lines, the likeliest first.

        Those of entries whose titles or tags have words of the query; none when it names nothing. Looks at the newest
        1,000 entries.

        >>> memory = Memory(Backpack())
        >>> entry = memory.log("2 passed, 1 failed", title="pytest of the parser")
        >>> [found.text for found in memory.prefetch("why does the parser fail?")]
        ['2 passed, 1 failed']
        """
        return prefetching.prefetch(self, query)

    # -- taking out --------------------------------------------------------------------------------------------

    def delete(self, id: Named) -> None:
        """Take an entry out, and its content when no other entry has it; history still has both."""
        deleting.delete(self, self.entry(id))

    def prune(
        self,
        keep_days: float = pruning.KEEP_DAYS,
        keep_entries: int = pruning.KEEP_ENTRIES,
        *,
        dry_run: bool = False,
    ) -> pruning.MemoryPruneReport:
        """Take old entries out, from history too: what fails both bounds and is pinned by no checkpoint.

        Of a chunked entry above 30 days of age the content goes first, the rest with a later pruning. The report says
        what went.
        """
        return pruning.prune(self, keep_days, keep_entries, dry_run)

    async def aprune(
        self,
        keep_days: float = pruning.KEEP_DAYS,
        keep_entries: int = pruning.KEEP_ENTRIES,
        *,
        dry_run: bool = False,
    ) -> pruning.MemoryPruneReport:
        """As `prune`, in a thread of the store."""
        return await self.bp._readers.run(pruning.prune, self, keep_days, keep_entries, dry_run)

    # -- figures -----------------------------------------------------------------------------------------------

    def stats(self) -> Stats:
        """Entries, bytes before and after, tokens saved, by type. As a text it is a table. Cost: what is new."""
        return self.statistics.stats()

    def operations(self) -> "builtins.list[dict[str, Any]]":
        """What was done, oldest first: the last 1,000 or 2,000 lines, with ids and sizes and no content."""
        return self.operations_log.lines()

    def reports(self) -> "builtins.list[dict[str, Any]]":
        """The compression reports of the last 100 prunings, oldest first, as numbers."""
        found = self.values.get(self.keys.reports)
        return [one for one in found if isinstance(one, dict)] if isinstance(found, builtins.list) else []

    # -- checkpoints -------------------------------------------------------------------------------------------

    @property
    def checkpoints(self) -> "Checkpoints":
        """All checkpoints of the memory: load, list, compare, summarise, prune."""
        from backpack.memory.checkpoints import Checkpoints  # not needed by those who log and fetch

        return Checkpoints(self)

    def checkpoint(
        self,
        *,
        notes: str = "",
        phase: str | None = None,
        variables: Mapping[str, Any] | None = None,
        tasks: "Items" = (),
        dependencies: "Items" = (),
        name: str | None = None,
    ) -> "MemoryCheckpoint":
        """Keep where the work stands, with references to what was logged since the last checkpoint: see `Checkpoints`.

        `bp.snapshot(checkpoint.id)` is the whole store as it was.
        """
        return self.checkpoints.make(
            notes=notes, phase=phase, variables=variables, tasks=tasks, dependencies=dependencies, name=name
        )

    def update_status(
        self,
        directory: str | os.PathLike[str],
        *,
        task: str | None = None,
        phase: str | None = None,
        done: Iterable[str] = (),
    ) -> "Status":
        """Write into `STATUS.md` of a directory what is being worked on there, with references to its entries.

        What is not named stays as the file says it, `done` is added to; the first time a task is wanted. Whatever
        stands outside the section of ours stays byte for byte. `MissingFileError` when there is no such directory,
        `StorageError` when the file can't be replaced or is a link. `status.read_status` reads it.
        """
        from backpack.memory.status import update_status  # not needed by those who log and fetch

        return update_status(self, directory, task, phase, done)

    # -- inside ------------------------------------------------------------------------------------------------

    def next_id(self) -> tuple[str, int]:
        """An id that is later than all there are, and its time in ns."""
        while True:
            id, time_ns = self._ids.next(self._newest_id)
            if not self.sink.has(self.keys.entries + id):  # another process may have made the same
                return id, time_ns

    def now_ns(self) -> int:
        """The time in ns, not before that of the newest id."""
        return self._ids.now_ns()

    def acting_node(self) -> str | None:
        """The node that the present task or thread acts for."""
        return attributed_node(self.bp)

    def _newest_id(self) -> str | None:
        prefix = self.keys.entries
        newest = next(iter(self.values.keys(prefix, newest_first=True)), None)
        return None if newest is None else newest[len(prefix) :]

    def _whole_id(self, id: str) -> str:
        """The id that begins so. `EntryNotFoundError` when there is none, or several."""
        if is_id(id):
            return id
        prefix = self.keys.entries
        found = [key[len(prefix) :] for key in islice(self.values.keys(prefix + id), _SHOWN_IDS)]
        if len(found) == 1:
            return found[0]
        what = f"several entries begin so: id={id!r}: {', '.join(found)}; give more of the id"
        raise EntryNotFoundError(what if found else f"no entry has an id that begins so: id={id!r}", id=id)

    def _stamp(self, key: str) -> int:
        return self.bp.version(key) if self.sink.has(key) else -1

    def _require_content(self, entry: Entry) -> None:
        if entry.is_pruned:
            raise _pruned(entry.id, entry.title, entry.pruned_ns, "; its summary is there: summary_only=True")


def _pruned(id: str, title: str, when_ns: int, advice: str) -> EntryPrunedError:
    when = time_of(when_ns)
    return EntryPrunedError(
        f"the entry was pruned: title={title!r} id={id!r} when={when:%Y-%m-%dT%H:%MZ}{advice}",
        id=id,
        title=title,
        when=when,
    )
