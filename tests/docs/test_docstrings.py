"""`help()` of what the calls give back names all that is in it."""

from dataclasses import fields, is_dataclass

import pytest

import backpack
from backpack import Backpack
from backpack.core.limits import Limits

RECORDS = [
    backpack.Change,
    backpack.Diff,
    backpack.DiffEntry,
    backpack.Health,
    backpack.Problem,
    backpack.Recovered,
    backpack.Recovery,
    backpack.Verification,
]


def names_of(record: type) -> list[str]:
    own = [name for name, member in vars(record).items() if isinstance(member, property)]
    listed = [field.name for field in fields(record)] if is_dataclass(record) else list(getattr(record, "_fields", ()))
    return [name for name in (*listed, *own) if not name.startswith("_")]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_the_docstring_of_a_record_names_each_field(record: type) -> None:
    assert len(names_of(record)) > 2
    for name in names_of(record):
        assert f"`{name}`" in str(record.__doc__), name


def test_the_docstring_of_a_commit_names_what_it_has() -> None:
    for name in ("seq", "id", "parent", "time", "node", "message", "tags", "changes", "size"):
        assert f"`{name}`" in str(backpack.Commit.__doc__), name


def test_the_docstring_of_configure_names_each_limit() -> None:
    for field in fields(Limits):
        assert f"`{field.name}`" in str(Backpack.configure.__doc__), field.name
