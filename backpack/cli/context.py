"""What is sent to a model: how large it is, what compressing saves, what it costs."""

from typing import Final

VERBS: Final = {
    "show": ("context_show", "the messages that would be sent now"),
    "stats": ("context_stats", "tokens, compressions, and what it cost"),
    "preview": ("context_preview", "what a compression would take and save, changing nothing"),
    "compress": ("context_compress", "compress now"),
    "config": ("context_config", "each setting, and where it comes from"),
    "sessions": ("context_sessions", "the conversations of the store, or a session deleted"),
}
"""By name: the module in `backpack.cli`, and what it is for."""
