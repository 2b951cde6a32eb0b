"""Summaries: the caller's, a hook's, an extract; and the calls for tasks."""

import asyncio
import logging
import re
from collections.abc import Callable
from typing import Any

import pytest

from backpack import Backpack
from backpack.memory import Memory

LOG = "".join(f"step {number}\n" for number in range(400)) + "ValueError: it broke\n" + "done\n" * 5


def test_an_extract_says_that_it_is_one_and_has_head_tail_errors_and_counts() -> None:
    entry = Memory(Backpack()).log(LOG)
    assert entry.summary_is_extract and entry.summary.startswith("[extract] 406 lines, 3,536 characters, 884 tokens")
    for line in ("step 0", "step 2", "ValueError: it broke", "done"):
        assert line in entry.summary.splitlines()


def test_an_extract_is_short_and_printable_whatever_is_extracted() -> None:
    for content in ("\x00\x07" * 5_000, "x" * 100_000, b"\xff\xfe" * 50_000, "\ud800" * 9_000, "error\n" * 9_000):
        summary = Memory(Backpack()).log(content).summary
        assert len(summary) < 3_000
        assert all(line.isprintable() for line in summary.splitlines())


def test_the_summary_of_the_caller_wins_and_costs_no_call() -> None:
    memory = Memory(Backpack(), summarize=lambda _: pytest.fail("asked"))
    entry = memory.log(LOG, summary="mine")
    assert (entry.summary, entry.summary_is_extract) == ("mine", False)
    assert memory.log("short").summary_is_extract
    assert memory.log(b"\xff" * 9_000).summary_is_extract


def test_a_hook_is_asked_for_the_rest() -> None:
    memory = Memory(Backpack(), summarize=lambda text: f"{len(text)} characters")
    entry = memory.log(LOG)
    assert (entry.summary, entry.summary_is_extract) == ("3536 characters", False)
    assert memory.fetch(entry, summary_only=True) == entry.summary
    seen = memory.log("line\n" * 1_000_000)
    assert int(seen.summary.split()[0]) < 300_000


def test_a_hook_may_be_a_coroutine_function_and_log_waits_for_it() -> None:
    async def summarize(text: str) -> str:
        await asyncio.sleep(0)
        return text[:6]

    memory = Memory(Backpack(), summarize=summarize)
    assert memory.log(LOG).summary == "step 0"

    async def inside_a_loop() -> tuple[str, str]:
        return memory.log(LOG + "1").summary, (await memory.alog(LOG + "2")).summary

    assert asyncio.run(inside_a_loop()) == ("step 0", "step 0")


def test_a_hook_that_fails_costs_no_entry_and_is_seen(caplog: pytest.LogCaptureFixture) -> None:
    def broken(text: str) -> str:
        raise RuntimeError(text)

    memory = Memory(Backpack(), summarize=broken)
    with caplog.at_level(logging.WARNING):
        entry = memory.log(LOG)
    assert entry.summary_is_extract
    assert memory.stats().failures == {"summarize": 1}
    assert "RuntimeError" in caplog.text and "step" not in caplog.text
    memory = Memory(Backpack(), summarize=lambda _: None)  # type: ignore[arg-type,return-value]
    assert memory.log(LOG).summary_is_extract and memory.failures["summarize"] == 1


def test_tasks_log_fetch_and_prune() -> None:
    async def act() -> None:
        async with Backpack() as bp:
            memory = Memory(bp)
            with bp.as_node("worker"):
                entries = await asyncio.gather(*(memory.alog(f"number {number}") for number in range(20)))
            assert len({entry.id for entry in entries}) == 20 and entries[0].node == "worker"
            assert await memory.afetch(entries[7]) == await memory.aread(entries[7]) == "number 7"
            assert not (await memory.aprune()).removed

    asyncio.run(act())


def test_threads_that_log_the_same_and_delete_lose_nothing() -> None:
    from concurrent.futures import ThreadPoolExecutor

    bp = Backpack()
    memory = Memory(bp)

    def act(number: int) -> None:
        entry = memory.log(f"content {number % 3}")
        assert memory.fetch(entry) == f"content {number % 3}"
        if number % 2:
            memory.delete(entry)
            memory.prune()

    with ThreadPoolExecutor(4) as executor:
        list(executor.map(act, range(200)))
    assert len(memory.list()) == 100
    assert all(memory.fetch(entry) for entry in memory.list())
    bp._check()


def test_an_extract_has_the_first_lines_of_errors_wherever_they_stand() -> None:
    memory = Memory(Backpack())
    quiet = "".join(f"line {number} is fine and quiet\n" for number in range(500))
    assert "ERROR: disk exploded" in memory.log(f"{quiet}ERROR: disk exploded\n{quiet}").summary
    signs = ["panic one", "an Exception", "FAILED it", "fatal four", "error five", "error six", "panic seven"]
    text = quiet + quiet.join(f"{sign}\n" for sign in signs) + quiet
    shown = memory.log(text).summary.partition("errors:\n")[2].splitlines()
    assert [line for line in shown if "line" not in line] == [*signs[:5], "..."]
    shown = memory.log(text.removesuffix(quiet)).summary.partition("errors:\n")[2].splitlines()
    assert [line for line in shown if "line" not in line][:5] == [*signs[:4], signs[6]]


@pytest.mark.parametrize("sign", ["error", "exception", "fail", "fatal", "panic"])
@pytest.mark.parametrize("write", [str.lower, str.upper, str.title])
def test_a_sign_of_an_error_is_found_in_any_case_and_within_a_word(sign: str, write: Callable[[str], str]) -> None:
    quiet = "mirror far pan xcept 0123456789\n" * 300
    for line in (write(sign), f"x{write(sign)}x", f"mirrorr{write(sign)} panfax"):
        summary = Memory(Backpack()).log(f"{quiet}{line}\n{quiet}").summary
        assert summary.partition("errors:\n")[2].splitlines()[0] == line


def test_what_only_looks_like_a_sign_of_an_error_is_none() -> None:
    memory = Memory(Backpack())
    quiet = "all is quiet\n" * 300
    for line in ("mirror", "rror", "xception", "inxception", "fai", "fata", "pani c", "fa il"):
        assert "errors:" not in memory.log(f"{quiet}{line}\n{quiet}").summary


# -- the line of a reference ----------------------------------------------------------------------------------------

RUN = "==== test session starts ====\nplatform linux\nrootdir: /x\n\ntests/test_a.py ..F [100%]\n"


def told(content: str, **labels: Any) -> str:
    memory = Memory(Backpack())
    memory.log(content, **labels)
    (line,) = memory.refs()
    return re.sub(r"^\[mem-\S+\] | \([0-9,]+ tokens?\)$", "", line)


@pytest.mark.parametrize("filler", [0, 1_000])
def test_a_reference_shows_the_line_that_says_most(filler: int) -> None:
    run = RUN + "ok\n" * filler
    assert (
        told(run + "E  ValueError: no\nFAILED test_a - no\n==== 1 failed, 2 passed in 0.1s ====\n")
        == "FAILED test_a - no"
    )
    assert told(run + "---- coverage ----\n===== 12 passed in 0.10s ====\n") == "12 passed in 0.10s"
    assert told(run + "all done\n----\n12 34\n") == "all done"
    assert told("=====\n" + "-----\n" * filler) == "====="
    assert told("one line") == "one line"
    assert told(run + "FAILED test_a\n", title="pytest") == "pytest: FAILED test_a"
    assert told(run, title="pytest", summary="mine") == "mine"


def test_a_reference_shows_tags_and_counts_as_people_do() -> None:
    memory = Memory(Backpack())
    entry = memory.log("x", tags=["ci", "nightly"])
    assert memory.refs() == [f"[{entry}] x #ci #nightly (1 token)"]
    assert memory.log("x" * 5_000).summary.startswith("[extract] 1 line, 5,000 characters, 1,250 tokens")


def test_commands_for_a_terminal_are_no_part_of_titles_and_summaries() -> None:
    memory = Memory(Backpack())
    entry = memory.log("\x1b]0;window\x07\x1b[1;31mFAILED\x1b[0m \x1b[38;5;12mtest_a\x1b[K\n\x1b[32mgreen\x1b(B")
    assert (entry.title, entry.summary) == ("FAILED test_a", "[extract] FAILED test_a")
    assert memory.log("-----\n Report\n-----\n").title == "Report"


def test_a_hook_that_raises_what_no_future_carries_fails_as_any_other() -> None:
    def fail(_: str) -> str:
        raise StopIteration

    memory = Memory(Backpack(), summarize=fail)
    entry = asyncio.run(asyncio.wait_for(memory.alog(LOG), 20))
    assert entry.summary_is_extract and memory.stats().failures == {"summarize": 1}
