"""Doing what is due, for threads and for tasks: the same steps, a summarizer that is called or awaited between them.

One at a time for a conversation. Whoever comes while another thread or task is at it waits for that one, and looks how
things stand then. No lock of the conversation is held while a summarizer runs.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from backpack.context.flights import Flight, Flights
from backpack.context.preparing import Preparing, SizesNow, Steps
from backpack.context.record import Compression
from backpack.context.summarizing import Said, Summarizer, SummaryFailed, asummarize, inside, summarize
from backpack.errors import ReentryError
from backpack.store.store import Backpack

_Answer = Said | SummaryFailed | None


class Running:
    """Runs the steps of one conversation."""

    def __init__(self, bp: Backpack, preparing: Preparing, summarizer: Summarizer | None) -> None:
        self._bp = bp
        self._preparing = preparing
        self._summarizer = summarizer
        self._flights = Flights()

    @property
    def is_inside(self) -> bool:
        """Is it the summarizer of this conversation who asks? He must not wait for himself."""
        return id(self) in inside.get()

    def work(self, sizes: SizesNow, *, is_asked: bool = False) -> list[Compression]:
        """Do what is due; what was made. Nothing, too, when somebody else has done it meanwhile."""
        self._check_outside()
        flight = Flight()
        try:
            while (other := self._flights.begin(flight)) is not flight:
                self._flights.wait(other)
                if not is_asked:
                    return []
            return self._run(self._preparing.steps(sizes, is_asked=is_asked))
        finally:
            flight.end()

    async def awork(self, sizes: SizesNow, *, is_asked: bool = False) -> list[Compression]:
        """The same for a task, whose loop isn't blocked. Cancelled while the summarizer runs, nothing has happened."""
        self._check_outside()
        flight = Flight(asyncio.get_running_loop())
        steps = self._preparing.steps(sizes, is_asked=is_asked)
        try:
            while (other := self._flights.begin(flight)) is not flight:
                await asyncio.wait([asyncio.wrap_future(other.landed)])
                if not is_asked:
                    return []
            return await self._arun(steps)
        finally:
            steps.close()
            flight.end()

    def _check_outside(self) -> None:
        if self.is_inside:
            raise ReentryError("a summarizer can't compress the conversation that asks it: return the summary")

    def _run(self, steps: Steps) -> list[Compression]:
        answer: _Answer = None
        while True:
            step = _advanced(steps, answer)
            if isinstance(step, _Ended):
                return step.made
            assert self._summarizer is not None
            mark = inside.set(inside.get() | {id(self)})
            try:
                answer = summarize(self._summarizer, *step)
            except SummaryFailed as failed:
                answer = failed
            finally:
                inside.reset(mark)

    async def _arun(self, steps: Steps) -> list[Compression]:
        answer: _Answer = None
        while True:
            step, interrupt = await self._bp._readers.finish(_advancing(steps, answer))
            if interrupt is not None:
                raise interrupt
            if isinstance(step, _Ended):
                return step.made
            assert self._summarizer is not None
            mark = inside.set(inside.get() | {id(self)})
            try:
                answer = await asummarize(self._summarizer, *step)
            except SummaryFailed as failed:
                answer = failed
            finally:
                inside.reset(mark)


class _Ended:
    """What the steps came to."""

    __slots__ = ("made",)

    def __init__(self, made: list[Compression]) -> None:
        self.made = made


def _advanced(steps: Steps, answer: _Answer) -> Any:
    """The next thing to ask, or how it ended."""
    try:
        return next(steps) if answer is None else steps.send(answer)
    except StopIteration as stop:
        return _Ended(stop.value)


def _advancing(steps: Steps, answer: _Answer) -> Callable[[], Any]:
    return lambda: _advanced(steps, answer)
