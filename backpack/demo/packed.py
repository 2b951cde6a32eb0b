"""The values that are packed before the first message, by key."""

from typing import Any


class Packed(dict[str, Any]):
    """A dict that makes the `repr` of a value once: the checks of a hundred runs compare with the same large value."""

    def __init__(self, *args: Any, **values: Any) -> None:
        super().__init__(*args, **values)
        self._reprs: dict[str, str] = {}

    def repr_of(self, key: str) -> str:
        """The `repr` of the value of a key."""
        if key not in self._reprs:
            self._reprs[key] = repr(self[key])
        return self._reprs[key]
