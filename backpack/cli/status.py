"""What is being worked on in a directory, as a section of its STATUS.md that people and agents read."""

from typing import Final

VERBS: Final = {
    "update": ("status_update", "write the task, the phase and what is done"),
    "show": ("status_show", "what it says"),
}
"""By name: the module in `backpack.cli`, and what it is for."""
