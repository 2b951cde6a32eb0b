"""An exception from outside, at any line that is looked at: what a Ctrl-C does to a program that is not asked."""

import linecache
import os
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

import backpack

_PACKAGE: Final = os.path.dirname(backpack.__file__)


class Interrupt(BaseException):
    """Stands for Ctrl-C."""


def interrupted_at(
    step: int, act: Callable[[], object], is_traced: Callable[[str], bool], *, passing: tuple[str, ...] = ()
) -> str | None:
    """Run with an `Interrupt` at the n-th line of the files that are traced: which that was; None when there are fewer.

    `passing`: how lines begin that don't count, such as `with `: there a tracer, other than a signal, may come between
    a block and letting its lock go. A line that follows itself is not counted: CPython from 3.12 on says so where a
    comprehension begins its next round, and what a tracer raises there is caught by no handler around it, although what
    a signal raises is.
    """
    count = 0
    place: str | None = None
    latest: dict[FrameType, int] = {}
    previous = sys.gettrace()  # the tool that measures coverage traces as well

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count, place
        name, line = frame.f_code.co_filename, frame.f_lineno
        if not is_traced(name):
            return None
        if event == "line" and latest.get(frame) != line:
            latest[frame] = line
            if not passing or not linecache.getline(name, line).lstrip().startswith(passing):
                count += 1
                if count == step:
                    place = f"{name}:{line}"
                    raise Interrupt
        elif event == "return":
            latest.pop(frame, None)
        return trace

    sys.settrace(trace)
    try:
        act()
    except Interrupt:
        pass
    finally:
        sys.settrace(previous)
    return place


def interrupted_at_instruction(
    step: int, act: Callable[[], object], file: str, *, passing: tuple[str, ...] = ()
) -> bool:
    """Run with an `Interrupt` before the n-th instruction of a file; False when there are fewer.

    `passing`: as of `interrupted_at`; with it, instructions that belong to no line don't count either, which are those
    of a block's end. What is done in a finalizer never counts.
    """
    count = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        if frame.f_code.co_filename != file or is_finalizing(frame):
            return None
        frame.f_trace_opcodes = True
        line = linecache.getline(file, frame.f_lineno or 0).lstrip() if passing else "counted"
        if event == "opcode" and line and not line.startswith(passing or ("\0",)):
            count += 1
            if count == step:
                sys.settrace(None)
                raise Interrupt
        return trace

    previous = sys.gettrace()
    sys.settrace(trace)
    try:
        act()
    except Interrupt:
        return True
    finally:
        sys.settrace(previous)
    return False


def is_finalizing(frame: FrameType | None) -> bool:
    """Is it in a finalizer? What is raised there Python takes no notice of."""
    while frame is not None and frame.f_code.co_name != "__del__":
        frame = frame.f_back
    return frame is not None


def interrupted_behind(step: int, act: Callable[[], object]) -> bool:
    """Run with an `Interrupt` right behind the n-th call of C that the package makes, as a signal would; False when it
    makes fewer."""
    count = 0

    def profile(frame: FrameType, event: str, _: Any) -> None:
        nonlocal count
        if event != "c_return" or not frame.f_code.co_filename.startswith(_PACKAGE) or is_finalizing(frame):
            return
        count += 1
        if count == step:
            sys.setprofile(None)
            raise Interrupt

    previous = sys.getprofile()
    sys.setprofile(profile)
    try:
        act()
    except Interrupt:
        return True
    finally:
        sys.setprofile(previous)
    return False
