"""The cache stays within its bytes, and what leaves it is read again."""

import os
import random
from concurrent.futures import ThreadPoolExecutor

from backpack.archive import cache as cache_module
from backpack.archive.cache import ENTRY_SIZE, TOOL_COUNT, Cache, Tools
from tests.archive.made import everything, opened
from tests.interrupting import interrupted_at_instruction

STRIDE = int(os.environ.get("BACKPACK_INTERRUPT_STRIDE", "1"))


def test_what_was_used_longest_ago_leaves_first() -> None:
    cache = Cache(3 * (ENTRY_SIZE + 100))
    for key in "abc":
        cache.put(key, key.upper(), 100)
    assert cache.get("a") == "A"
    cache.put("d", "D", 100)
    assert [cache.get(key) for key in "abcd"] == ["A", None, "C", "D"]
    cache.put("a", "again", 50)
    assert cache.get("a") == "again"
    cache.check()


def test_what_is_brief_has_what_room_there_is_and_leaves_first_above_its_share() -> None:
    size = ENTRY_SIZE + 100
    cache = Cache(8 * size)
    for number in range(8):
        cache.put_brief(number, str(number), 100)
    assert [cache.get_brief(number) for number in range(8)] == list("01234567") and cache.get(7) is None
    for key in "abcdef":
        cache.put(key, key.upper(), 100)
    assert [cache.get_brief(number) for number in range(8)] == [None] * 6 + ["6", "7"]
    for number in range(20):
        cache.put_brief(number, number, 100)
    assert [cache.get(key) for key in "abcdef"] == list("ABCDEF") and cache.get_brief(18) == 18
    cache.put("g", "G", 100)
    assert [cache.get(key) for key in "abcdefg"] == [None, *"BCDEFG"] and cache.get_brief(19) == 19
    cache.check()


def test_an_interrupt_at_any_instruction_leaves_a_count_that_is_put_right() -> None:
    def act() -> None:
        cache.put((1, "a"), "another", 100)
        cache.put_brief((2, "f"), "brief", 150)
        cache.put((2, "g"), "large", 400)
        cache.forget(1)

    step = 1
    while True:
        cache = Cache(5 * (ENTRY_SIZE + 100))
        for key in "abc":
            cache.put((1, key), key, 50)
        for key in "de":
            cache.put_brief((1, key), key, 50)
        if not interrupted_at_instruction(step, act, cache_module.__file__, passing=("with ",)):
            break
        assert not cache._lock.locked()
        step += STRIDE
        cache.put("next", "one more", 50)  # by the very next change, and not by `check`
        cache.check()
        assert cache.get("next") == "one more"
    assert step > 300


def test_what_takes_more_than_half_is_not_kept() -> None:
    cache = Cache(1000)
    cache.put("small", 1, 10)
    cache.put("large", 2, 600)
    assert cache.get("large") is None and cache.get("small") == 1


def test_a_segment_that_is_closed_leaves_nothing_behind() -> None:
    cache = Cache()
    one, other = (opened(everything().sealed(), cache=cache) for _ in range(2))
    for segment in (one, other):
        assert segment.find("a", 5) is not None and segment.commit(3) is not None
    size = cache.size
    one.close()
    one.close()
    assert 0 < cache.size < size
    other.close()
    assert cache.size == 0
    cache.check()


def test_a_tool_is_had_by_one_at_a_time_and_few_are_kept() -> None:
    tools = Tools()
    tools.give_back(1, "tool")
    assert tools.take(1) == "tool" and tools.take(1) is None
    for number in range(TOOL_COUNT + 5):
        tools.give_back(number, number)
    assert [tools.take(number) for number in range(TOOL_COUNT + 5)] == [None] * 5 + list(range(5, TOOL_COUNT + 5))


def test_threads_that_share_a_cache_too_small_for_anything_read_what_was_written() -> None:
    content = everything()
    segments = [opened(content.sealed(), cache=cache) for cache in [Cache(20_000)] for _ in range(3)]

    def work(seed: int) -> int:
        chance = random.Random(seed)
        for _ in range(300):
            segment = chance.choice(segments)
            source = chance.choice(sorted(content.sources))
            data = content.sources[source]
            start = chance.randrange(len(data))
            assert segment.read(*source, start, len(data)) == data[start:]
            change = segment.find("a", chance.randrange(1, 6))
            assert change is not None and change.key == "a"
            row = segment.commit(3)
            assert row is not None and [one.key for one in row.changes] == ["b", "a"]
        return seed

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(work, range(8))) == list(range(8))
    segments[0].pieces._cache.check()
