"""A set of what lives still, while others add to it and let go."""

import gc

from backpack.archive.living import Living


class One:
    """Something that a weak link can point to."""


def test_it_has_those_that_somebody_still_has() -> None:
    living, ones = Living[One](), [One() for _ in range(3)]
    for one in ones:
        living.add(one)
    living.discard(ones[0])
    assert len(living) == 2
    assert set(living) == {*ones[1:]}
    del one, ones[1:]
    gc.collect()
    assert not living


def test_it_may_change_while_somebody_goes_through_it() -> None:
    living, ones = Living[One](), [One() for _ in range(5)]
    for one in ones:
        living.add(one)
    seen = 0
    for one in living:
        ones += [One() for _ in range(100)]
        living.add(ones[-1])
        living.discard(one)
        seen += 1
    assert (seen, len(living)) == (5, 5)
