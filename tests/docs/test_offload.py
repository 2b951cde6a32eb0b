"""What the page on offloading shows is what happens."""

from .blocks import run


def test_the_examples_of_offloading_run_and_show_what_happens() -> None:
    assert run("docs/offload.md") > 20
