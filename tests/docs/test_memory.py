"""What the page about the memory shows is what happens."""

from backpack.memory import chunking, fetch, hot, matching, pruning

from .blocks import document, run


def test_the_examples_of_the_page_run_and_show_what_happens() -> None:
    assert run("docs/memory.md") > 15


def test_the_limits_on_the_page_are_those_of_the_code() -> None:
    text = " ".join(document("docs/memory.md").split())
    assert f"at most {fetch.FETCH_LINES_MAX:,} lines and {fetch.FETCH_SIZE_MAX // 1024} KiB" in text
    assert f"4,000 tokens, {chunking.CHUNK_LINES_MAX:,} lines and {chunking.CHUNK_SIZE_MAX // 1024} KiB" in text
    assert f"length of a pattern ({matching.PATTERN_SIZE_MAX:,} characters)" in text
    assert f"time of the whole, {matching.TIME_MAX_S:.0f} s" in text
    assert f"keep_days={pruning.KEEP_DAYS}, keep_entries={pruning.KEEP_ENTRIES}" in text
    assert f"the last {pruning.TOMBSTONES_MAX:,} of these" in text
    assert f"kept decoded: {hot.HOT_SIZE_MAX // 2**20} MiB, an hour" in text
    assert hot.HOT_TIME_S == 3_600
