"""What the tutorial shows is what happens."""

from .blocks import run


def test_the_examples_of_the_tutorial_run_and_show_what_happens() -> None:
    assert run("docs/tutorial.md") > 40
