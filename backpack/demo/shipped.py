"""The run that comes with the package: an on-call assistant finds out why a shop's checkout is slow."""

import json
from importlib.resources import files
from typing import Any, Final

from backpack.demo.access_log import access_log
from backpack.demo.showcase import Showcase
from backpack.runs import Run, parse_records, runs_of

SHIPPED_NAME: Final = "the run that comes with backpack"
_FILE: Final = "slow_checkout.json"
_LOG_MARK: Final = "@access_log"
"""Stands in the file for the one large tool result."""


def shipped_run() -> tuple[Run, Showcase]:
    """The run, and what is worth showing of it."""
    text = files("backpack.demo").joinpath("data", _FILE).read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(text)
    show = document.pop("show")
    for message in document["messages"]:
        if message["content"] == _LOG_MARK:
            message["content"] = access_log()
    (run,) = runs_of(parse_records(json.dumps(document)))
    return run, Showcase(show["before"], show["run"], show["decision"], show["instead"])
