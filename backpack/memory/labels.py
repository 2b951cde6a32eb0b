"""What the caller says of an entry."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

from backpack.errors import InvalidArgumentError
from backpack.limits import NAME_SIZE_MAX
from backpack.memory.types import check_type
from backpack.store.names import checked_text, made_label

SUMMARY_SIZE_MAX: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Labels:
    """What the caller says, checked."""

    type: str
    subtype: str | None
    title: str | None
    mime: str | None
    tags: tuple[str, ...]
    summary: str | None
    checkpoint: str | None
    directory: str | None


def checked_labels(
    type: str,
    subtype: str | None,
    title: str | None,
    mime: str | None,
    tags: Iterable[str],
    summary: str | None,
    checkpoint: str | None,
    directory: str | os.PathLike[str] | None,
) -> Labels:
    """What the caller says, or `InvalidArgumentError`."""
    return Labels(
        check_type(type),
        None if subtype is None else checked_text("subtype", subtype, NAME_SIZE_MAX),
        None if title is None else checked_text("title", title, NAME_SIZE_MAX, may_be_empty=True),
        None if mime is None else checked_text("mime", mime, NAME_SIZE_MAX),
        made_label(None, None, tags)[2] if tags != () else (),
        None if summary is None else checked_text("summary", summary, SUMMARY_SIZE_MAX, may_be_empty=True),
        None if checkpoint is None else checked_text("checkpoint", checkpoint, NAME_SIZE_MAX),
        None if directory is None else place_of(directory),
    )


def place_of(directory: str | os.PathLike[str]) -> str:
    """A directory as entries name it: the absolute path, links followed, so that `.` is what it is from anywhere."""
    if not isinstance(directory, str | os.PathLike) or not isinstance(os.fspath(directory), str):
        raise InvalidArgumentError(f"a directory is a str or a path of one, not {type(directory).__name__}")
    text = checked_text("directory", str(PurePath(directory)), 4 * NAME_SIZE_MAX)
    if "\0" in text:
        raise InvalidArgumentError("a directory has no NUL in its path")
    return checked_text("directory", os.path.realpath(text), 4 * NAME_SIZE_MAX)
