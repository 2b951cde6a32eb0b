"""All that is said of the codec holds with its accelerator and without it."""

from collections.abc import Iterator

import pytest

from backpack.codec import accelerator, proving, unpacking


@pytest.fixture(params=["accelerated", "msgpack alone"], scope="module", autouse=True)
def _accelerator(request: pytest.FixtureRequest) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "accelerated":
            assert accelerator.QUICK_TYPES, "this version of ormsgpack is not sound"
        else:
            patch.setattr(proving, "QUICK_TYPES", frozenset())
            patch.setattr(unpacking, "IS_QUICK", bytes(256))
        yield
