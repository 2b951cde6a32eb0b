"""What is known of a list does not outlive the list."""

from backpack import Backpack


def test_a_short_list_packed_over_a_plain_one_is_looked_at_anew_when_it_grows() -> None:
    bp = Backpack()
    bp.pack("k", ["a" * 20, "b" * 20])
    bp.pack("k", ["c" * 20, "d" * 30])
    bp.pack("k", [b"abc"])
    bp.append("k", "x" * 300)
    bp.pack("k", [bytearray(b"abc"), "x" * 300, "y"])
    assert type(bp["k"][0]) is bytearray


def test_a_large_list_that_is_edited_never_grows_in_the_buffer_of_a_small_version() -> None:
    bp = Backpack(max_value_size=5000)
    long = "w" * 700
    bp.pack("k", ["s" * 50, "a" * 1000])
    bp.append("k", "q" * 1500)
    bp.append("k", *[long] * 4)
    bp.pack("k", ["s" * 50, "a" * 1000, "q" * 1500, "Z" * 60, *[long] * 4])
    bp.pack("k", ["s" * 50, "a" * 1000, "q" * 1500, "Z" * 60, "Y" * 1500, *[long] * 4])
    assert bp.memory_usage() == bp.memory_usage(deep=True)
    bp._check()
