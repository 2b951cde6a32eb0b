"""What a plain store in memory never needs, loaded when it is first asked for: `import backpack` costs a third of what
it would cost otherwise.

`doors.slicing.text_of(...)`: the names below are modules of this folder, and the first use of one imports it; from then
on it is an attribute like any other.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

    from backpack.store import adopting, archiving, export, moving, posted, slicing

__all__ = ["adopting", "archiving", "export", "moving", "posted", "slicing"]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> "ModuleType":
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module = globals()[name] = import_module(f"backpack.store.{name}")
        return module
