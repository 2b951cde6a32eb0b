"""How much room do real agent runs take, with every version of every conversation? (100 runs of an airline desk)

The runs are not part of the project: `BACKPACK_BENCH_DATA` (or `--data`) names a folder that has
`airline-runs.jsonl.gz`, a run a line with its `messages`, and `airline-reservations.json.gz`, the table that they work
on. All go into one store: the table as a large value of each run, then its messages, packed whole after each one.
Beside it: the JSON of all those versions of the messages.
"""

import gzip
import json
import os
from pathlib import Path
from typing import Any, Final

import backpack
from benchmarks import harness
from benchmarks.folders import new_folder, size_on_disk
from benchmarks.harness import Row

DATA: Final = "BACKPACK_BENCH_DATA"
RUNS: Final = "airline-runs.jsonl.gz"
TABLE: Final = "airline-reservations.json.gz"
FIGURE: Final = "100 agent runs, every version: bytes on disk, against their JSON"
LIMIT: Final = 2.0


def run(size: float = 1.0) -> list[Row]:
    """Bytes of all files, by their lengths."""
    folder = Path(os.environ.get(DATA, ""))
    if not os.environ.get(DATA) or not (folder / RUNS).exists():
        return [Row(FIGURE, None, "%", LIMIT, detail=f"no runs: name a folder that has some in {DATA}")]
    with gzip.open(folder / RUNS, "rt", encoding="utf-8") as lines:
        runs = [json.loads(line) for line in lines][: harness.scaled(100, size, least=2)]
    with gzip.open(folder / TABLE, "rt", encoding="utf-8") as file:
        table = json.load(file)
    return [_row(runs, table)]


def _row(runs: list[dict[str, Any]], table: dict[str, Any]) -> Row:
    json_size = commits = 0
    with new_folder() as folder:
        path = folder / "store"
        with backpack.open(path) as store:
            for one in runs:
                store.pack(f"{one['run']}.database", table, node="loader")
                for stop in range(1, len(one["messages"]) + 1):
                    messages = one["messages"][:stop]
                    commits = store.pack(f"{one['run']}.messages", messages, node=messages[-1]["role"]).seq
                    json_size += len(json.dumps(messages).encode())
        size = size_on_disk(path)
        blobs = size_on_disk(path / "blobs")
    detail = (
        f"{size / 1e6:.2f} MB, {blobs / 1e6:.2f} MB of it blobs, against {json_size / 1e6:.1f} MB; {commits} commits"
    )
    return Row(FIGURE, 100 * size / json_size, "%", LIMIT, detail=detail)


if __name__ == "__main__":
    harness.main(run)
