"""A change on its way in: asked for, and then planned."""

from backpack.core.chain import PACK, Chain, Entry
from backpack.core.payload import Content, Form
from backpack.core.shaping import Grown


class Request:
    """A change that is asked for: of which key, of which kind, with which payload or form."""

    __slots__ = (
        "appended",
        "content",
        "form",
        "grown",
        "header",
        "is_new",
        "is_plain",
        "key",
        "kind",
        "payload",
        "reason",
    )

    def __init__(
        self,
        key: str,
        kind: str = PACK,
        payload: bytes | None = None,
        *,
        form: Form | None = None,
        content: Content | None = None,
        grown: Grown = None,
        header: bytes = b"",
        appended: bytes = b"",
        is_plain: bool = False,
        is_new: bool = False,
        reason: str = "",
    ) -> None:
        self.key = key
        self.kind = kind
        self.payload = payload
        self.form = form
        """Instead of a payload: a form that the chain of this key has already (restore), or one that `is_new`."""
        self.is_new = is_new
        self.content = content
        """Its bytes, when it is large."""
        self.grown = grown
        self.header = header
        self.appended = appended
        """Instead of a payload: the present body under this header, with these bytes at its end."""
        self.is_plain = is_plain
        self.reason = reason


class Planned:
    """A change that found its form: ready to be written down and adopted."""

    __slots__ = ("chain", "content", "entry", "is_new", "is_plain")

    def __init__(self, chain: Chain, entry: Entry, content: Content | None, is_new: bool, is_plain: bool) -> None:
        self.chain = chain
        self.entry = entry
        self.content = content
        """The bytes of the value when it is large."""
        self.is_new = is_new
        self.is_plain = is_plain
