"""What the examples in docstrings take for granted: the calls of `Backpack` stand in files that come before its own."""

from typing import Any

import pytest


@pytest.fixture(autouse=True, scope="session")
def names_of_examples(doctest_namespace: dict[str, Any]) -> None:
    from backpack import Backpack

    doctest_namespace["Backpack"] = Backpack
