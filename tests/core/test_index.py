"""Equal payloads are found, and only equal ones, however alike they are."""

import pytest

from backpack.core.chain import Chain
from backpack.core.index import _FILED_MAX, SHARD_COUNT, SHORT_MAX, Index
from backpack.core.ledger import Ledger

ONE, OTHER = Chain("one"), Chain("other")


def alike(number: int) -> bytes:
    """Long payloads with the same size, beginning, middle and end."""
    payload = bytearray(SHORT_MAX + 100)
    payload[200:204] = number.to_bytes(4, "big")
    return bytes(payload)


def test_more_payloads_with_the_same_samples_than_one_place_holds_are_all_found_and_all_leave() -> None:
    index = Index()
    payloads = [alike(number) for number in range(3 * _FILED_MAX)]
    for payload in payloads:
        assert index.file(payload, ONE)
        assert not index.file(bytes(bytearray(payload)), OTHER)
    assert index.payloads() == set(payloads)
    for payload in payloads:
        found = index.find(bytes(bytearray(payload)))
        assert found is not None and found[0] is payload and found[1] is ONE
    assert index.find(alike(10**6)) is None
    for payload in payloads:
        index.remove(payload)
        assert index.find(payload) is None
    index.remove(alike(10**6))
    assert (index.payloads(), index.filed, index.alike) == (set(), {}, {})


@pytest.mark.parametrize("size", [0, 1, SHORT_MAX, SHORT_MAX + 1])
def test_a_payload_is_found_by_an_equal_one_and_not_by_another(size: int) -> None:
    index = Index()
    payload, equal = bytes(size), bytes(bytearray(size))
    index.add(payload, ONE)
    assert index.find(b"x" * (size + 1)) is None
    found = index.find(equal)
    assert found is not None and found[0] is payload
    index.remove(payload)
    assert index.find(equal) is None


def test_payloads_in_the_same_slot_of_a_shard_are_told_apart() -> None:
    index = Index()
    payloads = [b"%d" % number for number in range(50 * SHARD_COUNT)]
    for payload in payloads:
        assert index.file(payload, ONE)
    for payload in payloads:
        found = index.find(bytes(bytearray(payload)))
        assert found is not None and found[0] is payload


def test_a_payload_that_comes_without_being_filed_is_filed_by_the_ledger() -> None:
    ledger, chain, payload = Ledger(), Chain("k"), b"\xa4text"
    ledger.add(chain, payload, is_new=False)
    chain.append(1, payload)
    assert ledger.index.find(b"\xa4" + b"text") == (payload, chain)
    assert (ledger.live_bytes, ledger.history_bytes) == (5, 5)
