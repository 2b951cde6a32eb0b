"""Stores that several modules damage."""

import pytest

from tests.archive.damaging import Truth, made
from tests.archive.stores import small_segments


@pytest.fixture(scope="module")
def sealed() -> Truth:
    with small_segments():
        return made(count=60)
