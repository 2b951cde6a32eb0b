"""External memory: what leaves the prompt, and how slices of it come back.

>>> from backpack import Backpack
>>> from backpack.memory import Memory
>>> memory = Memory(Backpack())
>>> entry = memory.log("2 passed\\n1 failed\\n", title="pytest")
>>> memory.fetch(f"mem://{entry}#L2")
'1 failed\\n'
"""

from backpack.memory.beside import log_beside
from backpack.memory.entry import Entry
from backpack.memory.memory import Memory
from backpack.memory.prefetching import Slice
from backpack.memory.references import Reference, reference_of
from backpack.memory.sink import Sink
from backpack.memory.tools import tool_schema
from backpack.memory.types import register_type
from backpack.memory.values import Values

__all__ = [
    "Entry",
    "Memory",
    "Reference",
    "Sink",
    "Slice",
    "Values",
    "log_beside",
    "reference_of",
    "register_type",
    "tool_schema",
]
