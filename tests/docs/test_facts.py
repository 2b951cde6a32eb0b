"""What the documents say in numbers and names is what the code has."""

import re
import tomllib

import backpack
from backpack import limits
from backpack.core import payload, pruning, timeline
from benchmarks import report

from .blocks import ROOT, document


def test_limits_in_the_documents_are_those_of_the_code() -> None:
    assert f"`max_history_size` ({limits.HISTORY_SIZE_LIMIT_DEFAULT // limits.MIB} MiB" in document("README.md")
    assert f"`max_value_size` ({limits.VALUE_SIZE_LIMIT_DEFAULT // limits.KIB} KiB" in document("README.md")
    concepts = " ".join(document("docs/concepts.md").split())
    assert f"at most {limits.KEY_SIZE_MAX:,} bytes of UTF-8" in concepts
    assert f"at most {limits.VALUE_DEPTH_MAX} deep" in concepts
    assert f"reference, {payload.LARGE_REF_SIZE} bytes" in concepts
    assert f"runs of {timeline.RUN_SIZE} neighbouring commits" in concepts
    assert f"fewer than {pruning.SINGLES_BELOW:,} are in memory" in concepts
    assert f"at most {payload.CUTS_MAX} of them" in " ".join(document("docs/performance.md").split())


def test_the_changelog_knows_this_version() -> None:
    assert re.search(rf"^#+ {re.escape(backpack.__version__)}\b", document("CHANGELOG.md"), re.MULTILINE)


def test_the_benchmarks_find_their_place_in_the_document() -> None:
    text = document("docs/performance.md")
    assert text.count(report.BEGIN) == text.count(report.END) == 1
    assert text.index(report.BEGIN) < text.index(report.END)


def test_figures_stand_in_the_measured_part_only() -> None:
    text = document("docs/performance.md")
    prose = text.partition(report.BEGIN)[0] + text.partition(report.END)[2]
    assert not re.search(r"\d (?:us|ms|ns|x)\b|\d %", prose)
    assert not re.search(r"\d (?:us|ms|ns|x)\b|\d %", document("README.md"))


def test_what_make_is_said_to_do_is_there() -> None:
    targets = set(re.findall(r"^(\w+):", document("Makefile"), re.MULTILINE))
    assert {"demo", "test", "check", "bench", "long"} <= targets
    for name in ("README.md", "docs/performance.md"):
        assert set(re.findall(r"`make (\w+)`|^    make (\w+)$", document(name), re.MULTILINE)) != set()
        for pair in re.findall(r"`make (\w+)`|^    make (\w+)$", document(name), re.MULTILINE):
            assert "".join(pair) in targets


def test_the_package_is_typed_and_needs_five_others() -> None:
    project = tomllib.loads(document("pyproject.toml"))["project"]
    assert [re.split("[<>=]", name)[0] for name in project["dependencies"]] == [
        "msgpack",
        "ormsgpack",
        "sortedcontainers",
        "xxhash",
        "zstandard",
    ]
    assert (ROOT / "backpack" / "py.typed").exists()


def test_every_extra_that_is_named_can_be_installed() -> None:
    extras = tomllib.loads(document("pyproject.toml"))["project"]["optional-dependencies"].keys()
    named: dict[str, str] = {}
    for folder, pattern in (("backpack", "**/*.py"), ("docs", "**/*.md"), (".", "*.md")):
        for path in (ROOT / folder).glob(pattern):
            for found in re.findall(r"pip\s+install\s+'(?:backpack-state|\.)\[([^\]]*)\]'", path.read_text()):
                named.update(dict.fromkeys(re.split(r"\s*,\s*", found), str(path)))
    assert {"encryption", "langchain", "langgraph", "prices", "tokens"} <= named.keys() <= extras, named
