"""The measured part of a document: the machine, and the table of all figures, between two marks."""

import os
import platform
import sqlite3
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final

from benchmarks.compare import langgraph_memory, rocksdb
from benchmarks.harness import FULL, Row, table

BEGIN: Final = "<!-- measured: begin -->"
END: Final = "<!-- measured: end -->"

EMPTY: Final = f"""# Performance

{BEGIN}
{END}
"""


def machine() -> str:
    """What the figures depend on; nothing that names this machine."""
    facts = [
        _processor(),
        f"{os.cpu_count()} cores",
        f"{platform.system()}",
        f"{platform.python_implementation()} {platform.python_version()}",
        f"msgpack {version('msgpack')}",
        f"ormsgpack {version('ormsgpack')}",
        f"LangGraph {langgraph_memory.installed_version()}",
        f"sqlite {sqlite3.sqlite_version}",
        f"RocksDB by rocksdict {rocksdb.installed_version()}",
    ]
    return ", ".join(facts)


def measured_part(rows: Sequence[Row], size: float) -> str:
    """The text between the marks."""
    lines = [f"Measured on: {machine()}.", ""]
    if size < FULL:
        lines += [f"At {size:g} of the full size: these figures judge nothing.", ""]
    return "\n".join([*lines, table(rows, is_judged=size >= FULL)])


def rewrite(document: Path, text: str) -> None:
    """Put `text` between the marks of `document`; a document that does not exist is made."""
    present = document.read_text("utf-8") if document.exists() else EMPTY
    before, begin, rest = present.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the document has no marks to write between: begin={BEGIN!r} end={END!r}")
    document.parent.mkdir(parents=True, exist_ok=True)
    document.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", "utf-8")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
