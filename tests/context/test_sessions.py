"""Sessions: several conversations in one store."""

from pathlib import Path

import pytest

import backpack
from backpack import Backpack
from backpack.context import Conversation, Sessions
from backpack.errors import InvalidArgumentError, SessionNotFoundError

from .talks import assistant, fill, user, words

SETTINGS = {"counter": words, "window": 2_000, "prices": {"gpt-4o": {"input": 2, "output": 10}}}


def numbered(*starts: int) -> Sessions:
    """Sessions whose ids begin with these numbers and go on with zeros."""
    left = iter(starts)
    return Sessions(Backpack(), make_random=lambda size: bytes((next(left), *bytes(size - 1))))


def test_sessions_are_listed_with_their_counters_the_latest_first(tmp_path: Path) -> None:
    with backpack.open(tmp_path / "store") as bp:
        sessions = Sessions(bp)
        one, other = sessions.create("first", **SETTINGS), sessions.create(**SETTINGS)
        other.add(user("what about   Rome? " + "word " * 60))
        fill(one, 40)
        one.context()
        one.add(assistant("x"), usage={"input_tokens": 100, "output_tokens": 10})
    with backpack.open(tmp_path / "store", "r") as bp:
        listed = Sessions(bp).list()
        assert [session.messages for session in listed] == [161, 1]
        assert listed[0].title == "first"
        assert listed[1].title.startswith("what about Rome? word") and listed[1].title.endswith("...")
        again = Sessions(bp).resume(listed[0].id, **SETTINGS)
        stats = again.stats()
        assert (listed[0].tokens, listed[0].compressions) == (stats.total_tokens, stats.compressions)
        assert listed[0].cost == stats.cost > 0
        assert listed[0].last_activity >= listed[1].last_activity >= listed[1].begun
        assert Sessions(bp).id_of(again) == listed[0].id
        assert listed[0].to_dict()["tokens"] == listed[0].tokens


def test_a_session_is_resumed_by_its_id_or_the_beginning_of_it() -> None:
    sessions = numbered(1, 2, 5)
    made = [sessions.create(f"title {number}", **SETTINGS) for number in range(3)]
    ids = [sessions.id_of(one) for one in made]
    assert ids[:2] == ["100000000000", "200000000000"]
    assert sessions.resume("2", **SETTINGS).key == made[1].key
    assert sessions.resume(ids[0], **SETTINGS).key == made[0].key


def test_a_session_of_the_list_is_resumed_and_other_conversations_are_listed_apart() -> None:
    sessions = numbered(1)
    made = sessions.create("trip", **SETTINGS)
    Conversation(sessions.bp, "talk.of.others", **SETTINGS).add(user("hello"))
    (session,) = sessions.list()
    assert session.key == made.key == sessions.resume(session, **SETTINGS).key
    (other,) = sessions.others()
    assert (other.id, other.key, other.title, other.messages) == ("", "talk.of.others", "hello", 1)
    with pytest.raises(SessionNotFoundError):
        sessions.resume(other)


def test_a_prefix_of_several_names_them() -> None:
    left = iter((b"\x01" * 12, b"\x01" * 11 + b"\x02"))
    sessions = Sessions(Backpack(), make_random=lambda size: next(left))
    ids = [sessions.id_of(sessions.create(**SETTINGS)) for _ in range(2)]
    with pytest.raises(SessionNotFoundError) as caught:
        sessions.resume("1")
    assert all(id in str(caught.value) for id in ids)
    assert caught.value.id == "1"
    for wrong in ("9", "", "sessions.", "1.messages"):
        with pytest.raises(SessionNotFoundError):
            sessions.resume(wrong)
    with pytest.raises(InvalidArgumentError):
        sessions.resume(3)  # type: ignore[arg-type]


def test_an_id_that_is_taken_is_not_given_again() -> None:
    sessions = numbered(1, 1, 1, 2)
    assert sessions.id_of(sessions.create(**SETTINGS)) != sessions.id_of(sessions.create(**SETTINGS))


def test_a_deleted_session_is_gone_and_history_has_it() -> None:
    sessions = numbered(1, 2)
    one, other = sessions.create(**SETTINGS), sessions.create(**SETTINGS)
    fill(one, 2)
    fill(other, 2)
    head = sessions.bp.head
    sessions.delete("1")
    assert [session.id[0] for session in sessions.list()] == ["2"]
    assert len(other.context()) == 8
    assert sessions.bp.head.seq == head.seq + 1
    sessions.bp.restore(head)
    assert len(sessions.list()) == 2
    assert len(sessions.resume("1", **SETTINGS).context()) == 8


def test_sessions_of_two_prefixes_know_nothing_of_one_another() -> None:
    bp = Backpack()
    Sessions(bp, "one").create(**SETTINGS)
    assert Sessions(bp, "other").list() == []
    assert len(Sessions(bp, "one").list()) == 1


def test_a_list_looks_at_the_keys_of_all_sessions_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = numbered(*range(20))
    for _ in range(20):
        sessions.create(**SETTINGS)
    looked: list[str] = []
    below = sessions.bp._keys_below
    monkeypatch.setattr(sessions.bp, "_keys_below", lambda prefix: looked.append(prefix) or below(prefix))
    assert len(sessions.list()) == 20
    assert looked == ["sessions."]


def test_wrong_settings_make_no_session() -> None:
    sessions = Sessions(Backpack())
    with pytest.raises(InvalidArgumentError):
        sessions.create("a trip", window=0)
    assert sessions.list() == [] and sessions.bp.head is None
