"""Summarizers of the caller's: sync and async, good ones, and those that fail in every way."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import backpack
from backpack import Backpack
from backpack.context import Conversation
from backpack.context.summarizing import shown
from backpack.errors import ReentryError
from backpack.store.events import Event

from .talks import call, fill, filler, result, talk, user


def compressed(summarizer: Callable[..., Any] | None, **settings: Any) -> Conversation:
    """A conversation after its first compression."""
    conversation = talk(window=2_000, summarizer=summarizer, **settings)
    fill(conversation, 30)
    conversation.context()
    return conversation


def test_it_is_called_once_with_the_messages_that_go_and_a_size() -> None:
    asked: list[tuple[list[Any], int]] = []

    def summarizer(messages: list[Any], target_tokens: int) -> str:
        asked.append((messages, target_tokens))
        return "what was said"

    conversation = compressed(summarizer)
    ((messages, target),) = asked
    made = conversation.log[-1]
    assert messages == conversation.full()[: len(messages)]
    assert len(messages) == made.messages_summarized
    assert target == made.target == int(made.original * 0.3)
    assert made.summarizer == "summarizer"
    assert "what was said" in conversation.context()[0]["content"]
    fill(conversation, 30, start=30)
    conversation.context()
    assert len(asked) == 2
    assert "what was said" in asked[1][0][0]["content"]


def test_a_fixed_target_takes_the_place_of_the_ratio() -> None:
    asked: list[int] = []
    compressed(lambda messages, target: asked.append(target) or "short", config={"compression_target_tokens": 123})
    assert asked == [123]


class Called:
    def __call__(self, messages: list[Any], target: int) -> str:
        return f"{len(messages)} of {target}"


class Awaited:
    async def __call__(self, messages: list[Any], target: int) -> str:
        await asyncio.sleep(0)
        return f"{len(messages)} of {target}"


async def coroutine(messages: list[Any], target: int) -> str:
    return f"{len(messages)} of {target}"


def by_text(text: str, *, target_tokens: int) -> str:
    return f"{text.count('question')} of {target_tokens}"


def by_one(messages: list[Any]) -> str:
    return f"{len(messages)} of many"


def by_any(*args: Any, **named: Any) -> Any:
    return f"{len(args[0])} of {args[1]}"


def with_usage(messages: list[Any], target: int) -> tuple[str, dict[str, int]]:
    return "a b", {"input_tokens": 70, "output_tokens": 7}


@pytest.mark.parametrize("summarizer", [Called(), Awaited(), coroutine, by_text, by_one, by_any])
def test_any_callable_will_do_from_threads_and_from_tasks(summarizer: Callable[..., Any]) -> None:
    conversation = compressed(summarizer)
    assert conversation.last_error is None
    assert " of " in conversation.context()[0]["content"]

    async def run() -> Conversation:
        conversation = talk(window=2_000, summarizer=summarizer)
        fill(conversation, 30)
        await conversation.acontext()
        return conversation

    again = asyncio.run(run())
    assert again.last_error is None
    assert again.log[-1].summarizer == conversation.log[-1].summarizer


def test_what_it_took_is_what_it_says_or_else_an_estimate() -> None:
    conversation = compressed(with_usage)
    stats = conversation.stats()
    assert stats.compression_tokens == 77
    assert stats.compression_picodollars == 70 * 2_000_000 + 7 * 10_000_000
    assert stats.tokens_saved - stats.tokens_saved_net == 77
    estimated = compressed(Called())
    assert estimated.stats().compression_tokens == estimated.log[-1].original + 3
    assert compressed(None).stats().compression_tokens == 0
    again = talk(conversation.bp, window=2_000)
    assert again.stats() == stats


def raising(messages: list[Any], target: int) -> str:
    raise RuntimeError("the quota\nis used up")


async def raising_later(messages: list[Any], target: int) -> str:
    await asyncio.sleep(0)
    raise ValueError("the quota\nis used up")


def takes_nothing() -> str:
    return "nothing"


@pytest.mark.parametrize(
    ("summarizer", "reason"),
    [
        (raising, "the summarizer raised RuntimeError: the quota is used up"),
        (raising_later, "the summarizer raised ValueError: the quota is used up"),
        (lambda messages, target: None, "the summarizer returned nothing"),
        (lambda messages, target: " \n", "the summarizer returned nothing"),
        (lambda messages, target: ["text"], "the summarizer returned no text: type=list"),
        (lambda messages, target: filler(5_000), "the summarizer returned more than it got"),
        (
            takes_nothing,
            "the summarizer raised TypeError: takes_nothing() takes 0 positional arguments but 1 was given",
        ),
    ],
)
def test_when_it_fails_nothing_is_lost_and_it_is_seen(summarizer: Callable[..., Any], reason: str) -> None:
    bp, events = Backpack(), []
    bp.subscribe(lambda event: events.append(event), kinds=["error"])
    conversation = talk(bp, window=2_000, summarizer=summarizer)
    added = fill(conversation, 30)
    said = conversation.context()
    assert conversation.full() == added
    assert conversation.last_error == conversation.stats().last_error == conversation.log[-1].error == reason
    assert conversation.stats().failed_summaries == 1
    assert [event.detail for event in events if isinstance(event, Event)] == [reason]
    assert conversation.log[-1].summarizer == "extractive"
    assert "BX0001" in said[0]["content"]
    assert conversation.tracker.count_messages(said) <= 1_400
    assert talk(bp, window=2_000).last_error == reason


def test_the_logger_is_given_the_exception_itself(caplog: pytest.LogCaptureFixture) -> None:
    compressed(raising)
    (record,) = [one for one in caplog.records if one.name == "backpack.context"]
    assert record.exc_info is not None and isinstance(record.exc_info[1], RuntimeError)


def test_a_long_or_odd_exception_is_shown_in_part() -> None:
    class Odd(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert shown(ValueError("x" * 500)) == "ValueError: " + "x" * 185 + "..."
    assert shown(ValueError("\ud800")) == "ValueError: ?"
    assert "Odd" in shown(Odd())


def test_one_that_is_too_long_to_fit_is_tightened() -> None:
    conversation = talk(
        window=600, config={"messages_to_keep": 4}, summarizer=lambda messages, target: filler(700, "long")
    )
    for number in range(40):
        conversation.add(user(f"BX{number:04d} {filler(30)}"))
    said = conversation.context()
    assert conversation.last_error is None
    assert conversation.tracker.count_messages(said) <= 600


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_passes_through_and_leaves_everything_as_it_was(interrupt: type[BaseException]) -> None:
    is_interrupted = [True]

    def summarizer(messages: list[Any], target: int) -> str:
        if is_interrupted[0]:
            raise interrupt
        return "fine"

    conversation = talk(window=2_000, summarizer=summarizer)
    added = fill(conversation, 30)
    head, stats = conversation.bp.head, conversation.stats()
    with pytest.raises(interrupt):
        conversation.context()
    assert (conversation.bp.head, conversation.stats(), conversation.full()) == (head, stats, added)
    is_interrupted[0] = False
    assert "fine" in conversation.context()[0]["content"]


def test_cancelling_leaves_everything_as_it_was(tmp_path: Path) -> None:
    async def run() -> None:
        begun, hold = asyncio.Event(), asyncio.Event()

        async def summarizer(messages: list[Any], target: int) -> str:
            begun.set()
            await hold.wait()
            return "fine"

        conversation = talk(bp, window=2_000, summarizer=summarizer)
        added = fill(conversation, 30)
        head = bp.head
        task = asyncio.ensure_future(conversation.acontext())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert bp.head == head
        assert conversation.full() == added
        hold.set()
        assert "fine" in (await conversation.acontext())[0]["content"]

    with backpack.open(tmp_path / "store") as bp:
        asyncio.run(run())


def test_a_sync_one_never_blocks_the_loop() -> None:
    async def run() -> None:
        threads = []

        def summarizer(messages: list[Any], target: int) -> str:
            threads.append(threading.current_thread())
            asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result(5)  # the loop is free
            return "fine"

        loop = asyncio.get_running_loop()
        conversation = talk(window=2_000, summarizer=summarizer)
        for number in range(60):
            await conversation.aadd(user(f"{number} {filler(40)}"))
        assert "fine" in (await conversation.acontext())[0]["content"]
        assert threads and threads[0] is not threading.current_thread()

    asyncio.run(run())


def test_messages_may_come_while_it_runs() -> None:
    async def run() -> None:
        begun, hold = asyncio.Event(), asyncio.Event()

        async def summarizer(messages: list[Any], target: int) -> str:
            begun.set()
            await hold.wait()
            return "fine"

        conversation = talk(window=2_000, summarizer=summarizer)
        fill(conversation, 30)
        tasks = [asyncio.ensure_future(conversation.acontext()) for _ in range(3)]
        await begun.wait()
        await conversation.aadd(user("in between"))
        hold.set()
        for said in await asyncio.gather(*tasks):
            assert "fine" in said[0]["content"]
            assert said[-1] == user("in between")
        assert conversation.stats().compressions == 1

    asyncio.run(run())


def test_one_that_asks_its_own_conversation_gets_an_answer() -> None:
    seen: list[int] = []

    def summarizer(messages: list[Any], target: int) -> str:
        seen.append(len(conversation.context()))
        return "fine"

    conversation = talk(window=2_000, summarizer=summarizer)
    fill(conversation, 30)
    conversation.context()
    assert seen == [120]


def test_a_summary_of_what_is_not_there_any_more_is_not_taken() -> None:
    asked: list[int] = []

    def summarizer(messages: list[Any], target: int) -> str:
        asked.append(len(messages))
        if len(asked) == 1:
            conversation.bp["messages"] = [user("other")]
        return "of messages that are gone"

    conversation = talk(window=2_000, summarizer=summarizer)
    fill(conversation, 30)
    assert conversation.context() == [user("other")]
    assert conversation.stats().compressions == 0


def test_a_thread_does_not_wait_for_its_own_loop() -> None:
    async def run() -> None:
        begun, hold = asyncio.Event(), asyncio.Event()

        async def summarizer(messages: list[Any], target: int) -> str:
            begun.set()
            await hold.wait()
            return "fine"

        conversation = talk(window=2_000, summarizer=summarizer)
        fill(conversation, 30)
        task = asyncio.ensure_future(conversation.acontext())
        await begun.wait()
        with pytest.raises(ReentryError, match="acontext"):
            conversation.context()
        hold.set()
        assert "fine" in (await task)[0]["content"]

    asyncio.run(run())


def test_calls_that_are_repeated_are_said_once_with_their_count() -> None:
    for summarizer in (None, lambda messages, target: "fine"):
        conversation = talk(window=2_000, summarizer=summarizer, config={"messages_to_keep": 4})
        for _ in range(40):
            conversation.add(user(f"and now? {filler(20)}"))
            conversation.add(call(7, "get_user"))
            conversation.add(result(7, "the very same"))
        said = conversation.context()
        assert "get_user" in said[0]["content"] and "called" in said[0]["content"]
        assert "times, same result" in said[0]["content"]
        assert conversation.log[-1].messages_dropped > 40


def test_threads_add_and_ask_at_once(tmp_path: Path) -> None:
    with backpack.open(tmp_path / "store") as bp:
        conversation = talk(bp, window=2_000, summarizer=lambda messages, target: "fine")
        errors: list[BaseException] = []

        def work(name: str) -> None:
            try:
                for number in range(40):
                    conversation.add(user(f"{name}{number} {filler(20)}"))
                    if number % 8 == 0:
                        said = conversation.context()
                        assert conversation.tracker.count_messages(said) <= 2_000
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not errors
        assert len(conversation) == 160
        for name in "abcd":
            own = [one["content"].split()[0] for one in conversation.full() if one["content"].startswith(name)]
            assert own == [f"{name}{number}" for number in range(40)]
        assert talk(bp, window=2_000).stats() == conversation.stats()
