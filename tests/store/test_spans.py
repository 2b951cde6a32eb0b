"""A program that traces gets a span an event; one that doesn't pays nothing."""

import json
import subprocess
import sys
from typing import Any

TRACED = """
import json
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from backpack import Backpack

exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)

bp = Backpack()
with trace.get_tracer("test").start_as_current_span("step"):
    commit = bp.pack("plan", "a secret value", node="planner")
    bp.update({"a": 1, "b": 2})
    bp.unpack("plan")
def fail(event):
    raise ValueError("no")
bp.subscribe(fail, kinds=["delete"])
bp.delete("plan")
spans = exporter.get_finished_spans()
print(json.dumps({
    "commit": commit.id,
    "spans": [[span.name, dict(span.attributes), span.status.status_code.name, span.start_time <= span.end_time,
               span.parent is not None] for span in spans],
}))
"""


def printed(program: str) -> Any:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    return json.loads(done.stdout)


def test_each_event_is_a_span_below_the_one_it_happened_in_and_holds_no_value() -> None:
    told = printed(TRACED)
    spans = {name: attributes for name, attributes, *_ in told["spans"]}
    assert [name for name, *_ in told["spans"]] == [
        "backpack.pack",
        "backpack.commit",
        "backpack.unpack",
        "step",
        "backpack.delete",
        "backpack.error",
    ]
    assert spans["backpack.pack"] == {
        "backpack.keys": ["plan"],
        "backpack.node": "planner",
        "backpack.commit": told["commit"],
        "backpack.seq": 1,
        "backpack.size": 15,
    }
    assert [has_parent for *_, has_parent in told["spans"]] == [True, True, True, False, False, False]
    assert all(is_ordered for *_, is_ordered, _ in told["spans"])
    assert {name: status for name, _, status, *_ in told["spans"] if status != "UNSET"} == {"backpack.error": "ERROR"}
    assert "secret" not in json.dumps(told)


def test_without_a_tracer_provider_nobody_is_subscribed() -> None:
    program = "import opentelemetry.trace, json; from backpack import Backpack; bp = Backpack(); "
    assert printed(program + "print(json.dumps(len(bp._events.subscribers)))") == 0


def test_opentelemetry_is_never_imported_for_this() -> None:
    program = "import sys, json; from backpack import Backpack; Backpack().pack('a', 1); "
    assert printed(program + "print(json.dumps([name for name in sys.modules if 'telemetry' in name]))") == []
