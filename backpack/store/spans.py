"""OpenTelemetry: an event of a store as a span, for programs that trace already.

A program that has imported `opentelemetry` and set a tracer provider before it makes or opens a store gets a span an
event, `backpack.pack` for instance, below the span it is in. The attributes are what the event carries: keys, ids,
counts and sizes, never a value. A program that doesn't trace pays nothing: not even the import.
"""

import sys
from typing import Any, Final

from backpack.store.events import Event, Events

_MODULE: Final = "opentelemetry.trace"


def add_spans(events: Events) -> None:
    """Subscribe spans, if this program traces."""
    trace: Any = sys.modules.get(_MODULE)
    if trace is None or isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return  # nobody records
    tracer = trace.get_tracer("backpack")

    def record(event: Event) -> None:
        start = None if event.commit is None else event.commit.time_ns
        span = tracer.start_span(f"backpack.{event.kind}", start_time=start, attributes=attributes_of(event))
        if event.kind == "error":
            span.set_status(trace.StatusCode.ERROR, event.detail)
        span.end()

    events.add(record)


def attributes_of(event: Event) -> dict[str, str | int | list[str]]:
    """What a span says of an event."""
    attributes: dict[str, str | int | list[str]] = {"backpack.size": event.size}
    if event.keys:
        attributes["backpack.keys"] = list(event.keys)
    if event.node is not None:
        attributes["backpack.node"] = event.node
    if event.commit is not None:
        attributes["backpack.commit"] = event.commit.id
        attributes["backpack.seq"] = event.commit.seq
    if event.count:
        attributes["backpack.count"] = event.count
    if event.detail:
        attributes["backpack.detail"] = event.detail
    return attributes
