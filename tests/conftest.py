"""How hard the property tests try.

`quick` (the default) is for every day; `HYPOTHESIS_PROFILE=long` is for a night. Tests that say their own number of
examples keep it. Where `CI` is set the quick profile tries the same examples each time, so that a red run is red again.
"""

import gc
import os

from hypothesis import HealthCheck, settings

settings.register_profile("quick", max_examples=25, deadline=None, derandomize="CI" in os.environ)
settings.register_profile("long", max_examples=2_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


def pytest_collection_finish() -> None:
    """What is there when the first test begins stays: no need to look for garbage in it again and again."""
    gc.collect()
    gc.freeze()
