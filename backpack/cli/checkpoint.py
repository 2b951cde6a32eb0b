"""Where the work stands, kept with references to what was logged, for an agent that goes on from there."""

from typing import Final

VERBS: Final = {
    "now": ("checkpoint_now", "keep where the work stands"),
    "load": ("checkpoint_load", "one of them, the newest by default"),
    "list": ("checkpoint_list", "all of them, newest first"),
    "diff": ("checkpoint_diff", "what changed from one to another"),
    "report": ("checkpoint_report", "all of them as a page of Markdown"),
    "summary": ("checkpoint_summary", "one of them as text for a prompt, within so many tokens"),
    "prune": ("checkpoint_prune", "take all but the newest away"),
}
"""By name: the module in `backpack.cli`, and what it is for."""
