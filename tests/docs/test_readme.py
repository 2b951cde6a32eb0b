"""What the README shows is what happens, and what it says is missing is missing."""

import re
from collections.abc import MutableMapping

import pytest

import backpack
from backpack import Backpack

from .blocks import ROOT, document, run

DOCUMENTS = ["README.md", "CHANGELOG.md", *sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("docs/**/*.md"))]


def test_the_examples_of_the_readme_run_and_show_what_happens() -> None:
    assert run("README.md") > 20


def test_what_the_readme_says_is_missing_is_missing() -> None:
    missing = document("README.md").partition("## What it does not do yet")[2].partition("## More")[0]
    assert ("`backpack.open`" in missing) is not hasattr(backpack, "open")
    assert ("`export`" in missing) is not hasattr(Backpack, "export")
    assert ("`load`" in missing) is not hasattr(Backpack, "load")


def test_the_table_of_verbs_names_calls_that_exist_and_leaves_none_out() -> None:
    table = document("README.md").partition("## The verbs")[2].partition("\nValues are")[0]
    for name in re.findall(r"`(\w+)`", table):
        assert hasattr(Backpack, name), name
    named = {name for code in re.findall(r"`([^`]+)`", table) for name in re.findall(r"\w+", code)}
    public = {name for name in dir(Backpack) if not name.startswith("_")}
    of_asyncio = {name for name in public if name[0] == "a" and name[1:] in public}
    of_mappings = set(dir(MutableMapping))
    elsewhere = {"unpack_required", "quarantined", "limits", "flush", "close"}
    assert public - named - of_asyncio - of_mappings - elsewhere == set()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_leads_to_a_file(name: str) -> None:
    folder = (ROOT / name).parent
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document(name)):
        assert (folder / target).exists(), target
