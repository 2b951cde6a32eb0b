"""The examples of a document: its ``python`` blocks, run one after the other in the manner of doctest."""

import doctest
import re
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parent.parent.parent
_BLOCK: Final = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_OPTIONS: Final = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def document(name: str) -> str:
    """The text of a document of the project."""
    return (ROOT / name).read_text("utf-8")


def examples(name: str) -> doctest.DocTest:
    """All blocks of a document in order, with line numbers of the document; every block must be examples."""
    text = document(name)
    lines = [""] * len(text.splitlines())
    for block in _BLOCK.finditer(text):
        first = text.count("\n", 0, block.start(1))
        code = block[1].splitlines()
        assert code[0].startswith(">>> "), f"{name}, line {first + 1}: an example that is not run"
        lines[first : first + len(code)] = code
    return doctest.DocTestParser().get_doctest("\n".join(lines) + "\n", {}, name, name, 0)


def run(name: str, globs: dict[str, Any] | None = None) -> int:
    """Run the examples; how many there were. What a document shows must be what happens."""
    test = examples(name)
    test.globs.update(globs or {})
    said: list[str] = []
    failed, count = doctest.DocTestRunner(optionflags=_OPTIONS, verbose=False).run(test, out=said.append)
    assert not failed, "".join(said)
    return count
