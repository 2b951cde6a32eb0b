"""What `Backpack` looks like as one class, though its calls stand in several."""

import pytest

from backpack import Backpack


def test_a_wrong_call_is_told_by_the_name_that_was_called() -> None:
    with pytest.raises(TypeError, match=r"Backpack\.pack\(\)"):
        Backpack().pack("key")  # type: ignore[call-arg]
    assert Backpack.limits.fget.__qualname__ == "Backpack.limits"  # type: ignore[attr-defined]
    assert Backpack.load.__func__.__qualname__ == "Backpack.load"  # type: ignore[attr-defined]
