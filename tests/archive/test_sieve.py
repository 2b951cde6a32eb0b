"""What a sieve lets through."""

import pytest

from backpack.archive.layout import hash_of
from backpack.archive.sieve import pack_sieve, passes


def sieve_of(names: list[bytes]) -> bytes:
    packing = pack_sieve(names)
    while True:
        try:
            next(packing)
        except StopIteration as end:
            return bytes(end.value)


@pytest.mark.parametrize(("count", "size", "percent"), [(3, 8, 4.0), (1023, 1023, 4.0), (1024, 2048, 0.5)])
def test_all_keys_pass_and_few_others(count: int, size: int, percent: float) -> None:
    bits = memoryview(sieve_of([b"key %d" % number for number in range(count)]))
    assert len(bits) == size
    assert all(passes(bits, hash_of(b"key %d" % number)) for number in range(count))
    others = sum(passes(bits, hash_of(b"other %d" % number)) for number in range(20_000))
    assert others < 20_000 * percent / 100


def test_of_no_key_nothing_passes() -> None:
    bits = memoryview(sieve_of([]))
    assert not any(passes(bits, hash_of(b"%d" % number)) for number in range(1000))
