"""What the page on LangGraph shows is what happens."""

from functools import partial

import pytest
from langchain_core.runnables.config import ContextThreadPoolExecutor

from .blocks import run


def test_the_examples_of_the_page_are_what_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    one_worker = partial(ContextThreadPoolExecutor, max_workers=1)  # with more, a step may overtake writes before it
    monkeypatch.setattr("langchain_core.runnables.config.ContextThreadPoolExecutor", lambda **_: one_worker())
    assert run("docs/langgraph.md") >= 20
