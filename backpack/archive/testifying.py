"""What the frames of a log testify to, behind a place where it can't be read: what was on disk for good."""

from typing import Final

from backpack.archive.frames import FRAME_SIZE, LOG_HEAD, SALT_SIZE, LogHead, read_frame
from backpack.storage.protocol import File

_WINDOW: Final = 1 << 20
"""Bytes of a log that are read at once."""


def acknowledged_in(file: File) -> int:
    """The highest `synced_upto` in any frame of a log whose head is not right: the frames prove the salt that it has,
    or one that differs from it in one bit."""
    data = file.pread(LOG_HEAD.size, 0)
    if len(data) < LOG_HEAD.size:
        return 0
    salt = int.from_bytes(LOG_HEAD.unpack(data)[-1], "little")
    salts = [salt, *(salt ^ 1 << bit for bit in range(8 * SALT_SIZE))]
    heads = (LogHead(b"", 0, 0, 0, one.to_bytes(SALT_SIZE, "little"), b"") for one in salts)
    return max(kept_behind(file, head, LOG_HEAD.size, is_all=False) for head in heads)


def kept_behind(file: File, head: LogHead, offset: int, *, is_all: bool) -> int:
    """The newest commit that was on disk for good, by what the frames behind that place testify to; `is_all`: by the
    commits in them. 0 when there are none."""
    highest = 0
    marker, seed = head.salt[:4], head.seed
    end = file.size()
    offset += is_all
    while offset < end:
        window = file.pread(min(_WINDOW, end - offset) + FRAME_SIZE, offset)
        at = window.find(marker)
        while at >= 0:
            frame = read_frame(head, seed, window, at)
            if frame is not None:
                highest = max(highest, frame.seq if is_all else frame.synced_upto)
            at = window.find(marker, at + 1)
        offset += _WINDOW
    return highest
