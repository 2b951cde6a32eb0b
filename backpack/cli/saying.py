"""What errors advise, as the shell has it: they speak of calls and arguments of Python.

The advice stands in the messages as it is written in the package, so it is known by its words; a test makes each error.
"""

from typing import Final

_ADVICE: Final = (
    ("lines=(first, last) of up to", "--lines A:B of up to"),
    ("bytes=(offset, length) of up to", "--bytes O:L of up to"),
    ("or chunk=n, 0 to", "or --chunk N, 0 to"),
    (" (read(id) streams the whole entry, whatever its size)", " (without a slice the whole entry comes)"),
    ("one slice: lines, bytes, chunk, pattern or summary_only", "one slice, by an option or in the reference"),
    ("context_lines is a whole number", "--context is a whole number"),
    ("its summary is there: summary_only=True", "its summary is there: --summary-only"),
    ("; list() shows what there is", "; backpack memory list shows what there is"),
    ("; others by register_type(name)", ""),
    (": name it with task=:", ": name it with --task:"),
    ("make one with checkpoint()", "make one with backpack checkpoint now"),
)
"""By what it says in Python: what it says here."""


def in_shell_words(message: str) -> str:
    """The message of an error with the options and commands that do what it advises."""
    for python, shell in _ADVICE:
        message = message.replace(python, shell)
    return message
