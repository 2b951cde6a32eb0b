"""The key of an encrypted store: where it is, never the key itself, which everybody would see in a list of processes.

`env:NAME` is an environment variable that holds 64 hex digits, `file:PATH` a file with these or with 32 bytes as they
are. Both say so by their beginning, and an argument without one is never repeated: it may be a key given by mistake.
"""

import argparse
import os
from pathlib import Path
from typing import Final

from backpack.errors import InvalidArgumentError

KEY_SIZE: Final = 32
_FILE_SIZE_MAX: Final = 256
_FORM: Final = "env:NAME or file:PATH"


def place_of_key(text: str) -> tuple[str, str]:
    """`env:NAME` or `file:PATH`, as these two."""
    kind, colon, name = text.partition(":")
    if kind not in ("env", "file") or not colon or not name or "\0" in name:
        raise argparse.ArgumentTypeError(f"it says where the key is: {_FORM}, never the key itself")
    return kind, name


def key_of(args: argparse.Namespace) -> bytes | None:
    """The key that `--key-from` leads to; None without one. `InvalidArgumentError` when there is none."""
    if args.key_from is None:
        return None
    kind, name = args.key_from
    where = f"--key-from {kind}:{name}"
    if kind == "env":
        text = os.environ.get(name)
        if text is None:
            raise InvalidArgumentError(f"{where}: there is no such environment variable")
        data = text.encode(errors="surrogateescape")
    else:
        try:
            with Path(name).open("rb") as file:
                data = file.read(_FILE_SIZE_MAX)
        except OSError as error:
            raise InvalidArgumentError(f"{where}: the file can't be read: {error.strerror}") from None
        if len(data) == KEY_SIZE:
            return data
    key = _from_hex(data.strip())
    if key is None:
        what = "64 hex digits" if kind == "env" else f"{KEY_SIZE} bytes or 64 hex digits"
        raise InvalidArgumentError(f"{where}: not a key: it has to hold {what}")
    return key


def _from_hex(digits: bytes) -> bytes | None:
    if len(digits) != 2 * KEY_SIZE:
        return None
    try:
        return bytes.fromhex(digits.decode("ascii"))
    except ValueError:
        return None
