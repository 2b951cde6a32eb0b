"""The time, unless somebody injects another."""

import time


def now() -> float:
    """Seconds since 1970, UTC."""
    return time.time()


def monotonic() -> float:
    """Seconds that never go back, since whenever."""
    return time.monotonic()
