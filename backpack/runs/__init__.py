"""Agent runs as other programs write them down: OpenAI-style chat messages, as JSON or JSON Lines, plain or gzipped.

Pure: bytes in, runs out. Everything that can be wrong with the bytes is a `RunFileError` with a line and a reason.
"""

from backpack.runs.documents import Record, parse_records
from backpack.runs.errors import RunFileError
from backpack.runs.shapes import Run, runs_of
from backpack.runs.steps import Call, Step
from backpack.runs.text import decode_text
from backpack.runs.unzipping import plain_bytes

__all__ = [
    "Call",
    "Record",
    "Run",
    "RunFileError",
    "Step",
    "decode_text",
    "parse_records",
    "parse_runs",
    "parse_value",
    "plain_bytes",
    "runs_of",
]


def parse_runs(data: bytes) -> list[Run]:
    """Every run in the bytes of a file, in order; at least one, each with at least one message."""
    return runs_of(parse_records(decode_text(plain_bytes(data))))


def parse_value(data: bytes) -> object:
    """The one JSON value in the bytes of a file, whatever it is; a list of all of them if it is JSON Lines."""
    records = parse_records(decode_text(plain_bytes(data)))
    for record in records:
        record.check_depth()
    return records[0].value if len(records) == 1 else [record.value for record in records]
