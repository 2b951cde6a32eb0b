"""Large contents that a prompt has no room for: logged under an id, and fetched again in slices."""

from typing import Final

VERBS: Final = {
    "log": ("memory_log", "a text, a file or what is piped in; beside a process that writes, too"),
    "fetch": ("memory_fetch", "an entry, or a slice of it"),
    "list": ("memory_list", "the entries, newest first"),
    "search": ("memory_search", "the entries that fit a few words, best first"),
    "refs": ("memory_refs", "a line an entry for a prompt: [id] summary (tokens)"),
    "delete": ("memory_delete", "take entries out"),
    "stats": ("memory_stats", "what the entries take, and keep out of the prompt"),
    "prune": ("memory_prune", "take old entries out, from history too"),
}
"""By name: the module in `backpack.cli`, and what it is for."""
