"""What the system refused, as errors of ours."""

import errno
from typing import Final

from backpack.errors import DiskFullError, MissingFileError, StorageError

_FULL: Final = frozenset({errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)})
_ADVICE: Final = {
    errno.EMFILE: "; close files or raise the limit of open files",
    errno.ENFILE: "; close files or raise the limit of open files",
    errno.ELOOP: "; nothing inside a store may be a symbolic link",
}


def storage_error(what: str, fault: OSError, name: str) -> StorageError:
    """`what`: the sentence that it ends, such as "the file could not be read"; `name`: which file or folder."""
    number = fault.errno
    reason = fault.strerror or type(fault).__name__
    cls = DiskFullError if number in _FULL else MissingFileError if number == errno.ENOENT else StorageError
    advice = "" if number is None else _ADVICE.get(number, "")
    return cls(f"{what}: {reason}: file={name!r}{advice}", file=name, errno=number)
