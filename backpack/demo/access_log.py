"""The large tool result of the shipped run: an hour of an access log, made here because it would be dull to ship.

The same on every machine and every Python: the only chance in it is a linear congruential generator (the constants
are those of Numerical Recipes). Checkout waits for the connection pool from the release at 10:31 on.
"""

from collections.abc import Iterator
from typing import Final

_LINES: Final = 2_400
_SECONDS: Final = 3_600
_RELEASE_SECOND: Final = 31 * 60
_POOL_SIZE: Final = 20
_FAILING_NOISE: Final = 80
_ROUTES: Final = (
    ("GET", "/", 18),
    ("GET", "/search", 64),
    ("GET", "/product", 31),
    ("GET", "/product", 31),
    ("POST", "/cart", 42),
    ("GET", "/cart", 27),
    ("POST", "/checkout", 180),
    ("GET", "/orders", 55),
)
"""Method, route and usual milliseconds."""


def access_log() -> str:
    """The text: one request a line, from 10:00 to 11:00."""
    return "".join(f"{line}\n" for line in _lines())


def _lines() -> Iterator[str]:
    state = 418
    for number in range(_LINES):
        state = (1664525 * state + 1013904223) % 2**32
        method, route, usual = _ROUTES[(state >> 16) % len(_ROUTES)]
        second, milli = divmod(number * _SECONDS * 1000 // _LINES, 1000)
        state = (1664525 * state + 1013904223) % 2**32
        noise = (state >> 16) % 100
        milliseconds = usual + usual * noise // 200
        busy = 3 + noise % 5
        status = 200
        if second >= _RELEASE_SECOND:
            busy = _POOL_SIZE if noise > _POOL_SIZE else _POOL_SIZE - 1
            if route == "/checkout":
                milliseconds = 4_200 + 35 * noise
                if noise >= _FAILING_NOISE:
                    status, milliseconds = 503, 8_000
        release = "r418" if second >= _RELEASE_SECOND else "r417"
        yield (
            f"10:{second // 60:02d}:{second % 60:02d}.{milli:03d} {release} {method:<4} {route:<9} {status} "
            f"{milliseconds:>5} ms  pool {busy:>2}/{_POOL_SIZE}  req {state:08x}"
        )
