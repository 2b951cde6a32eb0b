"""What the page on LangGraph shows is what happens."""

import pytest

from .blocks import run


def test_the_examples_of_the_page_are_what_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    assert run("docs/langgraph.md") >= 20
