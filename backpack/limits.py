"""Every limit of the package, with its reason. Checked on writing and on reading."""

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB

KEY_SIZE_MAX: Final = 1024
"""Bytes of UTF-8 in a key: keys stand in every index, so they stay small."""

VALUE_DEPTH_MAX: Final = 256
"""Containers within containers: far above real data, far below the stack of any decoder."""

VALUE_SIZE_LIMIT_DEFAULT: Final = 100 * KIB
"""`max_value_size`: a value whose packed size is above it stands in history as a reference."""

HISTORY_SIZE_LIMIT_DEFAULT: Final = 50 * MIB
"""`max_history_size`: the byte budget of the history in memory."""

PRUNE_PERCENTAGE_DEFAULT: Final = 0.2
"""`prune_percentage`: the share of the budget that one pruning frees."""

NAME_SIZE_MAX: Final = 1024
"""Bytes of UTF-8 in a node's name, a tag or a checkpoint's name."""

MESSAGE_SIZE_MAX: Final = 64 * KIB
"""Bytes of UTF-8 in a commit's message or a checkpoint's notes."""

CHECKPOINT_COUNT_MAX: Final = 100_000
"""Checkpoints of one store: all of them stand in the manifest, which is written anew whenever a log is sealed."""

TAG_COUNT_MAX: Final = 64
"""Tags of one commit."""

KEEP_DAYS_MAX: Final = 50_000
"""`keep_days`: 137 years, which nanoseconds in 64 bits can tell."""

BLOB_SIZE_MAX: Final = 64 * 1024 * MIB
"""Packed bytes of one blob: far above what a process packs, and its table of frames stays below 4 MiB."""
