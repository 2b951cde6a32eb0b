"""What the page about the context shows is what happens, and its tables are what the code has."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from backpack.context import ContextConfig
from backpack.context.environment import VARIABLES

from .blocks import document, run


def test_the_examples_of_the_page_are_what_happens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in VARIABLES:
        monkeypatch.delenv(variable.name, raising=False)
    monkeypatch.chdir(tmp_path)
    assert run("docs/context.md") > 30


def test_every_setting_and_every_variable_is_on_the_page() -> None:
    text = document("docs/context.md")
    named = set(re.findall(r"`(\w+)`", text))
    assert {field.name for field in fields(ContextConfig)} <= named
    for variable in VARIABLES:
        assert re.search(rf"\| `{variable.name}` \| `{variable.field}`", text), variable.name
