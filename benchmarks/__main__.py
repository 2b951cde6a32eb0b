"""Run the benchmarks and print one table.

    python -m benchmarks                                  all, at full size: some minutes
    python -m benchmarks --only append                    those whose name has the word
    python -m benchmarks --write docs/performance.md      and put the table there, between its marks
    python -m benchmarks --smallest                       only that each still runs: seconds
    python -m benchmarks --data runs --folder /mnt/disk   with runs of agents; stores on another disk

The exit code is 1 when a benchmark did not run, or, with `--judge`, when a figure is above its limit. Limits
are for the full size: smaller runs judge nothing.
"""

import argparse
import gc
import importlib
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Final

from benchmarks import bench_agent_runs, folders, harness, report

BENCHMARKS: Final = (
    "bench_pack",
    "bench_rivals",
    "bench_large_text",
    "bench_transaction",
    "bench_growing_list",
    "bench_append",
    "bench_snapshot",
    "bench_materialise",
    "bench_overhead",
    "bench_pruning",
    "bench_edits",
    "bench_edit_time",
    "bench_memory_usage",
    "bench_durable_pack",
    "bench_group_commit",
    "bench_synced_pack",
    "bench_sustained",
    "bench_resident",
    "bench_disk_use",
    "bench_agent_runs",
    "bench_cold_read",
    "bench_open",
    "bench_archive_memory",
    "bench_large_slice",
    "bench_segments",
    "bench_memory_log",
    "bench_memory_fetch",
    "bench_memory_search",
    "bench_memory_offload",
    "bench_context",
    "bench_tokens",
    "bench_langgraph",
)
"""In the order of the table."""


def main(arguments: list[str] | None = None) -> int:
    """Run, print, perhaps write; return the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.write and options.only:
        parser.error("--write wants the whole table: leave --only out")
    if options.data:
        os.environ[bench_agent_runs.DATA] = options.data
    if options.folder:
        os.environ[folders.FOLDER] = options.folder
    rows: list[harness.Row] = []
    failed: list[str] = []
    for name in BENCHMARKS:
        if options.only not in name:
            continue
        start = time.monotonic()
        try:
            rows += importlib.import_module(f"benchmarks.{name}").run(options.size)
        except Exception:
            traceback.print_exc()
            failed.append(name)
        gc.collect()
        print(f"{name}: {time.monotonic() - start:.1f} s", file=sys.stderr, flush=True)
    is_judged = options.size >= harness.FULL
    print(harness.table(rows, is_judged=is_judged))
    missed = [row.figure for row in rows if row.is_ok is False and is_judged]
    if options.write and not failed:
        report.rewrite(options.write, report.measured_part(rows, options.size))
    for name in failed:
        print(f"did not run: {name}", file=sys.stderr)
    return 1 if failed or (options.judge and missed) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks", description="measure Backpack beside its rivals")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--size", type=float, default=harness.FULL, help="share of the full size (1.0)")
    size.add_argument(
        "--smallest", dest="size", action="store_const", const=harness.SMALLEST, help="only show that each still runs"
    )
    parser.add_argument("--only", default="", metavar="WORD", help="only the benchmarks whose name has this word")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the table between the marks of this document")
    parser.add_argument("--data", metavar="FOLDER", help="where the runs of agents are that bench_agent_runs packs")
    parser.add_argument("--folder", metavar="FOLDER", help="make the stores in this folder, on the disk under it")
    parser.add_argument("--judge", action="store_true", help="exit 1 when a figure is above its limit")
    return parser


if __name__ == "__main__":
    sys.exit(main())
