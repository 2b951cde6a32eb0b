"""Ctrl-C between two steps of work."""

import signal
import threading

import pytest

from backpack.cli.interruption import between_steps

pytestmark = pytest.mark.skipif(not hasattr(signal, "raise_signal"), reason="no signals to raise")


def test_a_signal_waits_for_the_next_step() -> None:
    steps = []
    with pytest.raises(KeyboardInterrupt), between_steps() as interruption:
        interruption.check()
        signal.raise_signal(signal.SIGINT)
        steps.append("finished")
        interruption.check()
        steps.append("not reached")
    assert steps == ["finished"]


def test_a_second_signal_does_not_wait() -> None:
    with between_steps(), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)


def test_afterwards_ctrl_c_is_what_it_was() -> None:
    with between_steps():
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_handler_of_someone_else_is_left_alone() -> None:
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with between_steps() as interruption:
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
            interruption.check()
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def test_in_another_thread_nothing_is_handled() -> None:
    handlers = []

    def work() -> None:
        with between_steps():
            handlers.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert handlers == [signal.default_int_handler]
