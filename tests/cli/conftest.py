"""The command line on the store of a trip."""

from pathlib import Path

import pytest

from .stores import Calls, Captured, made_trip


@pytest.fixture(autouse=True)
def no_store_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BACKPACK_STORE", raising=False)


@pytest.fixture
def trip(tmp_path: Path, capsys: Captured) -> Calls:
    """A store with six commits."""
    return Calls(made_trip(tmp_path / "trip"), capsys)
