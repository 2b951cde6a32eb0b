"""Recalling beside somebody who rewinds the conversation: what is found is of one moment."""

from collections.abc import Callable
from typing import Any

import pytest

from backpack.context import Conversation
from backpack.context.storing import Storage

from .talks import fill, filler, talk, user


def at_read(number: int, act: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Do something right before messages are read of the store for this time; returns the times."""
    times: list[int] = []
    read = Storage.read

    def reading(*given: Any) -> dict[int, bytes]:
        times.append(len(times) + 1)
        if len(times) == number:
            act()
        return read(*given)

    monkeypatch.setattr(Storage, "read", reading)
    return times


def two_pasts() -> tuple[Conversation, int, int]:
    """A conversation, and two commits at which it has compressed other messages."""
    conversation = talk()
    conversation.add(user("the beginning"))
    seqs = []
    for start in (0, 100):
        conversation.bp.restore(1)
        for number in range(start // 20):
            conversation.add(user(f"a remark of another length {number} {filler(3 * number)}"))
        fill(conversation, 20, start=start)
        conversation.compress()
        head = conversation.bp.head
        assert head is not None
        seqs.append(head.seq)
    return conversation, seqs[0], seqs[1]


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("way", ["to the longer one", "to the shorter one"])
def test_who_recalls_while_somebody_rewinds_gets_messages_of_one_moment(
    number: int, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation, one, other = two_pasts()
    bp = conversation.bp
    if way == "to the shorter one":
        one, other = other, one
    bp.restore(other)
    expected = conversation.recall("question about", limit=5)
    bp.restore(one)
    assert conversation.recall("question about", limit=5) != expected != []
    conversation.close()
    times = at_read(number, lambda: bp.restore(other), monkeypatch)
    assert conversation.recall("question about", limit=5) == expected
    assert len(times) == number + 2
    assert all(message in conversation.full() for message in expected)


def test_who_recalls_while_somebody_appends_looks_once(monkeypatch: pytest.MonkeyPatch) -> None:
    conversation, _, _ = two_pasts()
    expected = conversation.recall("question about", limit=5)
    conversation.close()
    times = at_read(2, lambda: conversation.bp.append("messages", user("more")), monkeypatch)
    assert conversation.recall("question about", limit=5) == expected
    assert len(times) == 2


def test_what_is_read_of_a_list_of_others_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    conversation = talk(window=100_000, config={"recent_message_tokens_max": 60})
    bp = conversation.bp
    conversation.add(user("the beginning"))
    conversation.add(user(filler(5_000)))
    assert len(str(conversation.context())) < 5_000  # the second one is shown in a shorter form
    other = [user("of another past " * 100), user("and more of it " * 2_000), user("the end")]
    at_read(1, lambda: bp.pack("messages", other), monkeypatch)
    following = conversation._following
    with following.lock:
        following.keep_up()
        assert following.originals([1]) == {}
