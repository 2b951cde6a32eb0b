"""What the pages on search and checkpoints show is what happens."""

import pytest

from .blocks import run


@pytest.mark.parametrize(("name", "count_min"), [("docs/search.md", 6), ("docs/checkpoints.md", 12)])
def test_the_examples_of_a_page_are_what_happens(name: str, count_min: int) -> None:
    assert run(name) >= count_min
