"""A conversation: every message is a commit, and what is sent to the model stays within its limit.

`add` commits a message and counts it, once. `context` gives what to send: all of it as long as it is small enough;
before it is too much, old messages become one summary, large contents go to the memory, and that is a commit as well.
Nothing is ever lost: `full` has all messages, `recall` finds those that the context has no more, and `bp.snapshot` or
`bp.restore` of an earlier commit has the conversation as it was.

No lock is held while a summarizer runs. Who needs a compression that is under way waits for it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Self

from backpack.context.budget import Budget
from backpack.context.config import ContextConfig
from backpack.context.cost import Cost, Price
from backpack.context.counting import Counter
from backpack.context.environment import Configured, config_of
from backpack.context.following import Following
from backpack.context.framing import REPLY_TOKENS
from backpack.context.governor import Governing
from backpack.context.keys import KEY_DEFAULT
from backpack.context.preparing import Preparing
from backpack.context.present import Part, messages_of, values_of
from backpack.context.recalling import Recalling
from backpack.context.record import Compression, Record, Spent, check_of, spent_of
from backpack.context.reporting import preview_of, stats_of
from backpack.context.responses import input_of
from backpack.context.running import Running
from backpack.context.sizing import Sizes, sizes_of
from backpack.context.statistics import Preview, Stats
from backpack.context.storable import ASSISTANT, Stored, restored, stored
from backpack.context.storing import Storage
from backpack.context.summarizing import Summarizer, checked_summarizer
from backpack.context.tracker import TokenTracker
from backpack.context.usage import Usage, usage_of
from backpack.core.commit import Commit
from backpack.errors import InvalidArgumentError, UsageError
from backpack.memory.memory import Memory
from backpack.store.store import Backpack

MODEL_DEFAULT: Final = "gpt-4o"
_LONG: Final = 64 * 1024
"""Bytes of a message that a task doesn't count, and of a context that it doesn't decode, in the thread of its loop."""

_RECALLED: Final = 10
_Prepared = tuple[Stored, Record, Cost | None, dict[str, Any] | None]
"""A message on its way in: what its call cost, and `about`."""


_Looked = tuple[list[Part] | None, int, list[str], bool]
"""What is sent (None: something is due before), its tokens, what the caller is told, and is there something to keep?"""


class Conversation:
    """The messages of one agent in a store, in memory or opened. Thread-safe, and safe under asyncio.

    >>> conversation = Conversation(Backpack(), config=ContextConfig())
    >>> commit = conversation.add({"role": "user", "content": "Is HAT290 on time?"})
    >>> conversation.context()
    [{'role': 'user', 'content': 'Is HAT290 on time?'}]
    """

    def __init__(
        self,
        bp: Backpack,
        key: str = KEY_DEFAULT,
        *,
        model: str | None = None,
        window: int | None = None,
        config: ContextConfig | Configured | str | None = None,
        summarizer: Summarizer | None = None,
        memory: Memory | None = None,
        tools: Sequence[Any] = (),
        counter: Counter | Callable[[str], int] | None = None,
        prices: Mapping[str, Price | Mapping[str, Any]] | None = None,
        budget: Budget | float | None = None,
        on_warning: Callable[[str], object] | None = None,
    ) -> None:
        """The conversation at `key`, begun or resumed.

        model, window -- of the model; unless given those of last time, else gpt-4o and what its window is
        config -- the settings, what `configured()` gives, or the name of a preset; unless given those of the
            environment (`environment.py`)
        summarizer -- called with messages and a size, sync or async; unless given the built-in extractive one
        memory -- where large contents go; unless given `Memory(bp)`, made when it is needed
        tools -- definitions that go with every call, so that they are counted
        counter, prices, budget -- as of `TokenTracker`
        on_warning -- told what the governor says, in place of a `GovernorWarning`
        """
        if not isinstance(bp, Backpack):
            raise InvalidArgumentError(
                f"a conversation is kept in a store, not in a {type(bp).__name__}: Conversation(backpack.open(path))"
            )
        if memory is not None and not isinstance(memory, Memory):
            raise InvalidArgumentError(f"memory is a backpack.memory.Memory: type={type(memory).__name__}")
        if window is not None and (isinstance(window, bool) or not isinstance(window, int) or window < 1):
            raise InvalidArgumentError("window is a whole number of tokens, 1 or more")
        self.bp = bp
        self.config = config_of(config)
        self._storage = Storage(bp, key)
        about = self._storage.about()
        given = about.get("window")
        self._window = window if window is not None or model not in (None, about.get("model")) else _count_of(given)
        self._model = model or _text_of(about.get("model")) or MODEL_DEFAULT
        tracker = TokenTracker(self._model, counter=counter, prices=prices, budget=budget)
        self._following = Following(self._storage, tracker, is_sorting=self.config.preserve_system_prompts)
        self._memory = memory
        self._summarizer = checked_summarizer(summarizer)
        self._preparing = Preparing(self._following, self.config, self._summarizer, lambda: self.memory)
        self._running = Running(bp, self._preparing, self._summarizer)
        self._recalling = Recalling(self._following)
        self._tools = self.tracker.count_tools(tools) if tools else 0
        self._governing = Governing(self.config.governing, self._following, self.tracker.count_message, on_warning)
        self.was_compressed_last = False
        """Did the last `context` or `compress` compress anything?"""
        self._savings: int | None = None

    # -- what it is ----------------------------------------------------------------------------------------------

    @property
    def key(self) -> str:
        """Where its messages are."""
        return self._storage.keys.messages

    @property
    def model(self) -> str:
        """The name of the model."""
        return self._model

    @property
    def window(self) -> int:
        """Tokens in the window of the model, or as it was given."""
        return self.tracker.window if self._window is None else self._window

    @property
    def tracker(self) -> TokenTracker:
        """What counts tokens and keeps the account."""
        return self._following.tracker

    @property
    def last_compression_savings(self) -> int:
        """Tokens that were saved when it was compressed last; 0 before the first time."""
        if self._savings is not None:
            return self._savings
        return next((one.saved for one in reversed(self.log) if one.what != "failed"), 0)

    @property
    def last_error(self) -> str | None:
        """What went wrong last without losing anything: why a summary was of no use, say."""
        with self._following.lock:
            self._following.keep_up()
            return self._last_error()

    def _last_error(self) -> str | None:
        if self._following.error is not None:
            return self._following.error
        if self._following.fault is not None:
            return self._following.fault
        return next((one.error for one in reversed(self._following.log) if one.error is not None), None)

    @property
    def log(self) -> list[Compression]:
        """Every compression, oldest first."""
        with self._following.lock:
            self._following.keep_up()
            return list(self._following.log)

    @property
    def memory(self) -> Memory:
        """Where large contents are, and what was compressed."""
        if self._memory is None:
            self._memory = Memory(self.bp)
        return self._memory

    def close(self) -> None:
        """Let go what `recall` has indexed. Idempotent; the store stays open, and the conversation goes on."""
        self._recalling.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        with self._following.lock:
            self._following.keep_up()
            return self._following.present.count

    def __bool__(self) -> bool:
        """An empty one is a conversation, too."""
        return True

    def __repr__(self) -> str:
        with self._following.lock:
            self._following.keep_up()
            present = self._following.present
            return (
                f"<Conversation key={self.key!r} model={self.model!r} messages={present.count} "
                f"tokens={present.context_tokens}>"
            )

    # -- adding --------------------------------------------------------------------------------------------------

    def add(self, message: Any, usage: Any = None, *, node: str | None = None) -> Commit:
        """Commit a message; the store's durability is that of the message. Cost: that of the message.

        message -- of OpenAI's, Anthropic's or LangChain's shape, or Anthropic's response, of which role and content
            are kept; it is copied
        usage -- what the call took that it answers, as the provider says it, or the response; without it a message of
            the assistant counts as a call by what was to be sent then and what came
        node -- who it is by; unless given the node that the task acts for, else the role

        `InvalidArgumentError` for what is no message, `UnstorableValueError`, `UsageError`: nothing has happened then.
        """
        item, record, cost, about = self._prepared(message, usage)
        with self._following.lock:
            before = self._following.claim()
        try:
            commit = self._storage.add(item, record, node, before, about)
        except BaseException:
            self._unsettled(before)
            raise
        self._added(commit, item, record, cost, before, about)
        return commit

    async def aadd(self, message: Any, usage: Any = None, *, node: str | None = None) -> Commit:
        """As `add`, for tasks: neither counting a long message nor waiting for durability blocks the loop."""
        readers = self.bp._readers
        if self._is_at_hand() and _size_of(message) <= _LONG:
            item, record, cost, about = self._prepared(message, usage)
        else:
            item, record, cost, about = await readers.run(self._prepared, message, usage)
        before = self._claimed()
        try:
            commit = await self._storage.aadd(item, record, node, before, about)
        except BaseException:
            self._unsettled(before)
            raise
        if self._following.lock.acquire(blocking=False):
            try:
                self._added(commit, item, record, cost, before, about)
            finally:
                self._following.lock.release()
        else:
            await readers.finish(lambda: self._added(commit, item, record, cost, before, about), is_needed=True)
        return commit

    def _prepared(self, message: Any, usage: Any) -> _Prepared:
        """A message and what will be noted of it. Nothing is recorded before it is committed."""
        given = input_of(message)
        item = stored(given)
        used = self._used(item, usage, item.value if given is message else message)
        tokens = self.tracker.count_message(item.value)
        following = self._following
        with following.lock:
            if following.is_behind:
                following.keep_up()
            expected = self._sizes(self._tools).current
            now = {**following.about, "model": self._model, "window": self.window}
            about = None if now == following.about else now
        cost: Cost | None = None
        spent: Spent | None = None
        if used is not None:
            cost = self.tracker.cost_of(used)
            spent = spent_of(cost, expected=expected)
        elif item.role == ASSISTANT:
            cost = self.tracker.cost_of(Usage(expected, tokens))
            spent = spent_of(cost, is_estimated=True, expected=expected)
        record = Record(tokens, len(item.packed), check_of(item.packed), item.role, item.kind, spent)
        return item, record, cost, about

    def _used(self, item: Stored, usage: Any, brought: Any) -> Any:
        """The usage that was given, checked; else the one that a message or a response of the assistant's brings."""
        if usage is not None:
            usage_of(usage)
            return usage
        if item.role == ASSISTANT and (brought is not item.value or item.value.keys() & {"usage_metadata", "usage"}):
            try:
                return usage_of(brought)
            except UsageError:
                return None
        return None

    def _added(
        self,
        commit: Commit,
        item: Stored,
        record: Record,
        cost: Cost | None,
        before: Sequence[Record],
        about: dict[str, Any] | None,
    ) -> None:
        with self._following.lock:
            self._following.settle(before, is_written=True)
            if about is not None:
                self._following.about = about
            self._following.adopt(commit, item.packed, record, cost)

    def _claimed(self) -> Sequence[Record]:
        """Records of others that a task writes before its own; none while a thread has the lock: loops do not wait."""
        if not self._following.lock.acquire(blocking=False):
            return ()
        try:
            return self._following.claim()
        finally:
            self._following.lock.release()

    def _unsettled(self, before: Sequence[Record]) -> None:
        """Committing has failed, or was cancelled: then it may have happened."""
        if before:
            with self._following.lock:
                self._following.settle(before, is_written=False)

    # -- the context ---------------------------------------------------------------------------------------------

    def context(self, *, tools: Sequence[Any] | None = None) -> list[Any]:
        """The messages to send, as fresh objects in the shapes in which they came; compressed before, if it is due.

        tools -- the definitions that go with this call, if they are others than those of the conversation

        Cost: decoding them; of a compression: planning it, and the summarizer. `ContextOverflowError` when what has to
        stay can't be made to fit, `BudgetExceededError` when the budget refuses the call.
        """
        overhead = self._overhead(tools)
        made: list[Compression] = []
        while True:
            parts = self._ready(overhead)
            if parts is not None:
                return self._sent(parts, made)
            made += self._running.work(lambda: self._sizes(overhead))

    async def acontext(self, *, tools: Sequence[Any] | None = None) -> list[Any]:
        """As `context`, for tasks: an async summarizer is awaited, a sync one and all long work runs in threads.

        Cancelling it while the summarizer runs leaves the conversation and its store as they were.
        """
        run = self.bp._readers.run
        overhead = self._overhead(tools)
        made: list[Compression] = []
        while True:
            at_hand = self._is_at_hand()
            parts, tokens, said, is_noting = self._looked(overhead) if at_hand else await run(self._looked, overhead)
            if is_noting:
                await run(self._governing.keep)
            self._governing.tell(said)
            if parts is not None:
                self._check(tokens)
            if parts is not None:
                if sum(len(part.packed) for part in parts) <= _LONG:
                    return self._sent(parts, made)
                return await run(self._sent, parts, made)
            made += await self._running.awork(lambda: self._sizes(overhead))

    def compress(self) -> Compression | None:
        """Compress now, whatever the threshold; its figures, or None when nothing may go or nothing would be saved."""
        made = self._running.work(lambda: self._sizes(self._tools), is_asked=True)
        return self._asked(made)

    async def acompress(self) -> Compression | None:
        """As `compress`, for tasks."""
        made = await self._running.awork(lambda: self._sizes(self._tools), is_asked=True)
        return self._asked(made)

    def present(self) -> list[Any]:
        """The context as it stands, without a compression that may be due. Changes nothing; works on a store that is
        open for reading."""
        return messages_of(self._parts())

    def stored(self, *, is_full: bool = False) -> list[Any]:
        """The same as the store has them, messages of LangChain as dicts of their fields. `is_full`: all messages."""
        return self._storage.values() if is_full else values_of(self._parts())

    def _parts(self) -> list[Part]:
        with self._following.lock:
            self._following.keep_up()
            return list(self._following.present.parts())

    def _ready(self, overhead: int) -> list[Part] | None:
        """What is sent; None when something is due before."""
        parts, tokens, said, is_noting = self._looked(overhead)
        if is_noting:
            self._governing.keep()
        self._governing.tell(said)
        if parts is not None:
            self._check(tokens)
        return parts

    def _looked(self, overhead: int) -> _Looked:
        following = self._following
        with following.lock:
            following.keep_up()
            sizes = self._sizes(overhead)
            said, is_noting = self._governing.look(sizes.current)
            is_due = not self._running.is_inside and self._preparing.is_due(sizes)
            parts = None if is_due else self._governing.noted(list(following.present.parts()))
        return parts, sizes.current, said, is_noting

    def _check(self, tokens: int) -> None:
        if self.tracker.budget is not None:
            self.tracker.check(self.tracker.cost_of(tokens))

    def _sent(self, parts: Sequence[Part], made: Sequence[Compression]) -> list[Any]:
        self._note_compression(made)
        return messages_of(parts)

    def _note_compression(self, made: Sequence[Compression]) -> None:
        self.was_compressed_last = bool(made)
        if made:
            self._savings = sum(one.saved for one in made)

    def _asked(self, made: Sequence[Compression]) -> Compression | None:
        self._note_compression(made)
        return next((one for one in made if one.what == "compression"), made[-1] if made else None)

    # -- looking -------------------------------------------------------------------------------------------------

    def full(self) -> list[Any]:
        """All messages, as they came, whatever was compressed. O(messages)."""
        with self._following.lock:
            self._following.keep_up()
            values = self._storage.values()
            kinds = self._following.present.kinds
        for place, kind in kinds.items():
            values[place] = restored(values[place], kind)
        return values

    def recall(self, query: str, limit: int | None = _RECALLED) -> list[Any]:
        """Messages that the context doesn't have, best first, that have words of a question. Fresh objects.

        Those with more of the words, and with rarer ones, come first. `"..."` are words in a row, `wor*` is how a word
        begins. `limit=None`: all of them. Cost: some ms, O(messages), the bytes of the list, and indexing what has left
        the context since the last time: all of it, when the conversation was read anew.
        """
        return self._recalling.recall(query, limit)

    def preview(self) -> Preview:
        """What a compression now would take and save; nothing changes. `ContextOverflowError` as of `context`."""
        following = self._following
        with following.lock:
            following.keep_up()
            sizes = self._sizes(self._tools)
            is_needed = self._preparing.is_due(sizes)
            job = self._preparing.planned(sizes, "asked")
            kept = self.config.messages_to_keep
            return preview_of(following, sizes, job, kept, is_needed=is_needed, is_asked=self._summarizer is not None)

    def stats(self) -> Stats:
        """The figures of the conversation. O(compressions)."""
        following = self._following
        with following.lock:
            following.keep_up()
            return stats_of(following, self._sizes(self._tools), self._model, self.window, self._last_error())

    # -- inside --------------------------------------------------------------------------------------------------

    def _overhead(self, tools: Sequence[Any] | None) -> int:
        return self._tools if tools is None else self.tracker.count_tools(tools)

    def _sizes(self, tools_tokens: int) -> Sizes:
        """How large what would be sent is. Wants the lock."""
        following = self._following
        present = following.present
        overhead = tools_tokens + REPLY_TOKENS + self._governing.tokens
        growths = (*present.growths, present.turn_tokens) if present.turn_tokens else present.growths
        return sizes_of(self.config, self.window, present.context_tokens, overhead, following.unseen, growths)

    def _is_at_hand(self) -> bool:
        """Does asking take no reading, so that a task may do it in the thread of its loop?"""
        lock = self._following.lock
        if not lock.acquire(blocking=False):
            return False
        try:
            return self._following.is_current
        finally:
            lock.release()


def _size_of(message: Any) -> int:
    """About how many characters a message has; of what isn't seen through, many."""
    content = message.get("content") if isinstance(message, dict) else getattr(message, "content", None)
    if content is None or isinstance(content, str):
        return len(content or "")
    if isinstance(content, list):
        return sum(
            len(block.get("text") or "") if isinstance(block, dict) and set(block) <= {"type", "text"} else _LONG
            for block in content
        )
    return _LONG + 1


def _count_of(value: Any) -> int | None:
    return value if type(value) is int and value > 0 else None


def _text_of(value: Any) -> str | None:
    return value if type(value) is str and value else None
