"""Bytes as UTF-8 text."""

from typing import Final

from backpack.runs.errors import RunFileError

_BOM: Final = b"\xef\xbb\xbf"
_UTF_16_BOMS: Final = (b"\xff\xfe", b"\xfe\xff")


def decode_text(data: bytes) -> str:
    """The text, without the byte order mark that some editors put before it; `RunFileError` names the line."""
    if data.startswith(_UTF_16_BOMS):
        raise RunFileError("UTF-16, not UTF-8: save it as UTF-8", line=1)
    if data.startswith(_BOM):
        data = data[len(_BOM) :]
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise RunFileError(f"not UTF-8: byte 0x{data[error.start]:02x}, {error.reason}", line=line) from None
    zero = text.find("\0")
    if zero >= 0:
        raise RunFileError("not text: it has a NUL byte", line=text.count("\n", 0, zero) + 1)
    return text
