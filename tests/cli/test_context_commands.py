"""`backpack context`: what it says of a conversation, and what it changes."""

import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest

import backpack
from backpack.context import ContextConfig, Conversation, Sessions
from tests.context.talks import fill, user, words

from .stores import Calls, Captured, files_of

SETTINGS = {"counter": words, "prices": {"gpt-4o": {"input": 2, "output": 10}}}


@pytest.fixture(autouse=True)
def nothing_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BACKPACK_CONTEXT_FILE", raising=False)
    for name in (
        "MEMORY_ENABLED",
        "MEMORY_COMPRESSION_THRESHOLD",
        "MEMORY_COMPRESSION_RATIO",
        "MEMORY_SHORT_TERM_SIZE",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def calls(tmp_path: Path, capsys: Captured) -> Calls:
    """The command line on a store with a long conversation, and a session."""
    with backpack.open(tmp_path / "store") as bp:
        fill(Conversation(bp, window=30_000, config=ContextConfig(), **SETTINGS), 40)
        Sessions(bp).create("a trip", **SETTINGS).add(user("three nights"))
    return Calls(tmp_path / "store", capsys)


def test_show_prints_the_messages_that_would_be_sent(calls: Calls) -> None:
    text = calls("context show")
    assert "question 39 about BX0039" in text
    assert text.count("\n") == 162
    assert len(calls.json("context show")) == 160
    assert calls.json("context show --session " + session_of(calls)) == [user("three nights")]


def session_of(calls: Calls) -> str:
    return calls("context sessions -q").strip()[:6]


def test_stats_print_a_block_or_json(calls: Calls) -> None:
    assert "compressions   0" in calls("context stats")
    facts = calls.json("context stats --log")
    assert (facts["messages"], facts["calls"], facts["window"], facts["log"]) == (160, 80, 30_000, [])
    assert calls.json("context stats --window 9000 --model claude-sonnet-4-5")["window"] == 9_000


def test_a_preview_changes_no_byte_and_compress_does_what_it_says(calls: Calls) -> None:
    before = files_of(calls.store)
    preview = calls.json("context preview")
    assert "saved" in preview and preview["messages_summarized"] > 50
    assert "messages" in calls("context preview")
    assert files_of(calls.store) == before
    made = calls.json("context compress")
    assert (made["before"], made["messages_kept"]) == (preview["before"], preview["messages_kept"])
    assert made["saved"] > 0
    said = calls("context compress", code=1)
    assert said.startswith("nothing to compress: ") and said.endswith("(settings of this environment)\n")
    shown = calls.json("context show")
    assert len(shown) == made["messages_kept"] + 1
    assert len(calls.json("context show --full")) == 160
    (logged,) = calls.json("context stats --log")["log"]
    assert logged["before"] == made["before"]
    assert "asked" in calls("context stats --log")


def test_figures_say_whose_settings_they_go_by(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMORY_COMPRESSION_THRESHOLD", "5734")
    monkeypatch.setenv("MEMORY_SHORT_TERM_SIZE", "1000")
    for verb in ("stats", "preview"):
        assert "compressed above 5,734 (settings of this environment)" in calls(f"context {verb}")
    assert "strategy    none: nothing may go" in calls("context preview")
    assert "the last 1,000 messages (messages_to_keep)" in calls("context preview")
    assert calls.json("context preview")["threshold"] == 5_734
    assert "(messages_to_keep)" in calls("context compress", code=1)


def test_config_shows_each_setting_and_where_it_comes_from(
    calls: Calls, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Captured
) -> None:
    from backpack.cli.main import main

    monkeypatch.setenv("MEMORY_COMPRESSION_THRESHOLD", "1234")
    (tmp_path / "own.env").write_text("MEMORY_COMPRESSION_RATIO=0.2\nMEMORY_COMPRESSION_THRESHOLD=9\n")
    assert main(["context", "config", "--file", "own.env", "--json"]) == 0
    import json

    rows = {row["setting"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["compression_threshold"] == {
        "setting": "compression_threshold",
        "value": 1234,
        "source": "MEMORY_COMPRESSION_THRESHOLD",
        "variable": "MEMORY_COMPRESSION_THRESHOLD",
    }
    assert rows["compression_ratio"]["source"] == "MEMORY_COMPRESSION_RATIO in own.env"
    assert rows["messages_to_keep"]["source"] == "default"
    assert main(["context", "config"]) == 0
    assert "MEMORY_PRESERVE_SYSTEM_PROMPTS" in capsys.readouterr().out
    monkeypatch.setenv("MEMORY_COMPRESSION_RATIO", "much")
    assert main(["context", "config"]) == 2
    assert "MEMORY_COMPRESSION_RATIO accepts a number between 0 and 1" in capsys.readouterr().err


def test_sessions_are_listed_and_deleted(calls: Calls) -> None:
    assert "a trip" in calls("context sessions")
    session, other = calls.json("context sessions")
    assert (session["title"], session["messages"]) == ("a trip", 1)
    assert (other["id"], other["key"], other["messages"]) == (None, "messages", 160)
    assert "id or key" in calls("context sessions")
    assert calls(["context", "sessions", "--delete", session["id"][:5]]) == f"deleted {session['id']}\n"
    assert calls("context sessions -q") == ""
    assert [one["key"] for one in calls.json("context sessions")] == ["messages"]
    assert "no session" in calls.refused("context sessions --delete abc", code=1)


def test_when_a_session_was_active_is_told_as_the_clock_on_the_wall_has_it(
    calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "XYZ-9:30")
    time.tzset()
    try:
        active = datetime.fromisoformat(calls.json("context sessions")[0]["last_activity"])
        assert f"{active + timedelta(hours=9, minutes=30):%Y-%m-%d %H:%M}" in calls("context sessions")
    finally:
        monkeypatch.undo()
        time.tzset()


def test_what_is_not_there_is_told(calls: Calls) -> None:
    assert "there is no conversation: key='other'" in calls.refused("context show --key other", code=1)
    (session,) = [one["key"] for one in calls.json("context sessions") if one["id"]]
    assert f"there are messages, {session}; name one" in calls.refused("context show --key other", code=1)
    assert "no session" in calls.refused("context stats --session abc", code=1)
    calls("context show --key a --session b", code=2)
