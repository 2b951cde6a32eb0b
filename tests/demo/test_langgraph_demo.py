"""`make demo-langgraph`: what it claims is checked while it runs."""

import pytest

from backpack.demo.langgraph import __main__ as demo


def test_it_kills_resumes_goes_back_forks_and_all_is_as_it_must_be(capsys: pytest.CaptureFixture[str]) -> None:
    assert demo.main() == 0
    out = capsys.readouterr().out
    assert [line[3:] for line in out.splitlines() if line[:1].isdigit() and line[1:3] == ". "] == [
        "Killed",
        "Resumed",
        "Travelled back",
        "Forked",
        "What is on disk",
        "On the command line",
    ]
    assert out.count(": yes") == 5 and ": NO" not in out
    assert "signal 9" in out and "the newest one after day 36" in out
    assert " times less" in out and "$ backpack log -n 4" in out and 'thread "rome"' in out
    assert max(map(len, out.splitlines())) <= 120


def test_what_is_not_as_it_must_be_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(demo, "SqliteSaver", None)
    monkeypatch.setattr(demo, "KILL_DAY", 3)
    monkeypatch.setattr(demo, "newest", lambda saver: (1, 1))
    assert demo.main() == 1
    out = capsys.readouterr().out
    assert "Nothing that was done is lost: NO" in out and out.count(": yes") == 3
    assert "pip install langgraph-checkpoint-sqlite" in out
