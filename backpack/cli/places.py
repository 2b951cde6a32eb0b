"""The part of a value at a path of a diff, such as `plan.steps[3].score` or `table['a key']`."""

import re
from ast import literal_eval
from typing import Any, Final

_STEP: Final = re.compile(
    r"""\.?(?P<name>[^\W\d]\w*)                       # .name
      | \[ (?P<inner> '(?:[^'\\]|\\.)*'              # ['a key']
          | "(?:[^"\\]|\\.)*"
          | [^\]'"]* ) \]                            # [3], [(1, 2)]
    """,
    re.VERBOSE,
)


def value_at(value: Any, path: str) -> tuple[bool, Any]:
    """Whether there is something at the path, and what. A path that can't be read leads nowhere. Cost: its length."""
    position = 0
    while position < len(path):
        step = _STEP.match(path, position)
        if step is None:
            return False, None
        try:
            key = step["name"] if step["name"] is not None else literal_eval(step["inner"])
            value = value[key]
        except (LookupError, TypeError, ValueError, SyntaxError):
            return False, None
        position = step.end()
    return True, value
