"""What an archive is to keep."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Retention:
    """What an archive is to keep: at least one whole segment and everything newer than each limit that is given."""

    max_archive_size: int | None = None
    """Bytes on disk, blobs included; the oldest segments go until the rest fits."""
    keep_days: float | None = None
    """Commits younger than this stay."""
    keep_commits: int | None = None
    """So many of the newest commits stay."""

    def __bool__(self) -> bool:
        return any(limit is not None for limit in (self.max_archive_size, self.keep_days, self.keep_commits))
