"""A conversation: every message is a commit, and what is sent to the model stays within its limit.

`add` commits a message and counts it, once. `context` gives what to send: all of it as long as it is small enough;
before it is too much, old messages become one summary, large contents go to the memory, and that is a commit as well.
Nothing is ever lost: `full` has all messages, `recall` finds those that the context has no more, and `bp.snapshot` or
`bp.restore` of an earlier commit has the conversation as it was.

No lock is held while a summarizer runs. Who needs a compression that is under way waits for it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from backpack.context.adding import LONG, Adding
from backpack.context.budget import Budget
from backpack.context.config import ContextConfig
from backpack.context.cost import Price
from backpack.context.counting import Counter
from backpack.context.environment import Configured, config_of
from backpack.context.following import Following
from backpack.context.framing import REPLY_TOKENS
from backpack.context.governor import Governing
from backpack.context.keys import KEY_DEFAULT
from backpack.context.names import checked_name
from backpack.context.preparing import Preparing
from backpack.context.present import Part, messages_of, values_of
from backpack.context.recalling import Recalling
from backpack.context.record import Compression
from backpack.context.reporting import preview_of, stats_of
from backpack.context.running import Running
from backpack.context.sizing import Sizes, sizes_of
from backpack.context.statistics import Preview, Stats
from backpack.context.storable import restored
from backpack.context.storing import Storage
from backpack.context.summarizing import Summarizer, checked_summarizer
from backpack.context.tracker import TokenTracker
from backpack.core.commit import Commit
from backpack.errors import InvalidArgumentError
from backpack.memory.memory import Memory
from backpack.store.names import checked_callable
from backpack.store.store import Backpack

MODEL_DEFAULT: Final = "gpt-4o"
_RECALLED: Final = 10


@dataclass(frozen=True, slots=True)
class _Looked:
    """What was seen when somebody wanted to send."""

    parts: list[Part] | None
    """What is sent; None when something is due before."""
    tokens: int
    said: list[str]
    """What the governor tells the caller."""
    is_noting: bool
    """Has the governor something to keep?"""


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
        if model is not None:
            checked_name(model)
        if on_warning is not None:
            checked_callable("on_warning", on_warning)
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
        self._adding = Adding(self._following, self._facts, lambda: self._sizes(self._tools).current)
        is_empty = tools is None or (isinstance(tools, list | tuple) and not tools)
        self._tools = 0 if is_empty else self.tracker.count_tools(tools)  # who has none needs no tables of a counter
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
        return self._adding.add(message, usage, node)

    async def aadd(self, message: Any, usage: Any = None, *, node: str | None = None) -> Commit:
        """As `add`, for tasks: neither counting a long message nor waiting for durability blocks the loop."""
        return await self._adding.aadd(message, usage, node)

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
            try:
                looked = self._looked(overhead)
                if looked.is_noting:
                    self._governing.keep()
            except BaseException:
                self._following.forget()  # a crossing that isn't kept is still to be told
                raise
            parts = self._ready(looked)
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
            is_at_hand = self._following.is_at_hand
            try:
                looked = self._looked(overhead) if is_at_hand else await run(self._looked, overhead)
                if looked.is_noting:
                    await run(self._governing.keep)
            except BaseException:
                self._following.forget()  # a crossing that isn't kept is still to be told
                raise
            parts = self._ready(looked)
            if parts is not None:
                is_long = sum(len(part.packed) for part in parts) > LONG
                return await run(self._sent, parts, made) if is_long else self._sent(parts, made)
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

    def _looked(self, overhead: int) -> _Looked:
        following = self._following
        with following.lock:
            following.keep_up()
            sizes = self._sizes(overhead)
            said, is_noting = self._governing.look(sizes.current)
            is_due = not self._running.is_inside and self._preparing.is_due(sizes)
            parts = None if is_due else self._governing.noted(list(following.present.parts()))
        return _Looked(parts, sizes.current, said, is_noting)

    def _ready(self, looked: _Looked) -> list[Part] | None:
        """What is sent, when the caller was told and the budget allows it; None when something is due before."""
        self._governing.tell(looked.said)
        if looked.parts is not None and self.tracker.budget is not None:
            self.tracker.check(self.tracker.cost_of(looked.tokens))
        return looked.parts

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
            while True:
                self._following.keep_up()
                values = self._storage.values()
                kinds = self._following.present.kinds
                if self._following.is_current:  # nobody has changed the list between the two
                    break
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

    def _facts(self) -> dict[str, Any]:
        """What is kept of it for who resumes it."""
        return {"model": self._model, "window": self.window}


def _count_of(value: Any) -> int | None:
    return value if type(value) is int and value > 0 else None


def _text_of(value: Any) -> str | None:
    return value if type(value) is str and value else None
