"""Settings from outside: nine variables, from the environment or from a file of them, under those given in code.

    code > environment > file > default

The file has the variables as an environment file does, one `NAME=value` a line:

    # lines that begin so say nothing, nor does what stands behind such a sign and a space
    MEMORY_COMPRESSION_THRESHOLD=60000
    export MEMORY_COMPRESSION_STRATEGY="selective"

It is the one named by `BACKPACK_CONTEXT_FILE`, else `.env` in the working directory if there is one. Other names in it
are none of ours and left alone. A wrong value is an `InvalidArgumentError` that names the variable, the file and the
line where it stands there, and what is accepted. It shows a value that is a number or a word of letters; of anything
else its length, for it may be a secret that came to the wrong place.
"""

import os
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from backpack.context.config import PRESETS, STRATEGIES, ContextConfig, is_set
from backpack.errors import InvalidArgumentError, MissingFileError
from backpack.store.names import checked_mapping

DEFAULT: Final = "default"
UNUSED: Final = "default, not in force"
"""Of a threshold: the other one was set."""

_SAME: Final = frozenset(("messages_to_keep", "short_term_size"))
_THRESHOLDS: Final = ("compression_threshold", "threshold_percent")
FILE_VARIABLE: Final = "BACKPACK_CONTEXT_FILE"
FILE_DEFAULT: Final = ".env"
FILE_SIZE_MAX: Final = 1 << 20
"""Bytes of such a file: a larger one is something else."""

_TRUE: Final = frozenset(("true", "1", "yes", "on"))
_FALSE: Final = frozenset(("false", "0", "no", "off"))
_DIGITS_MAX: Final = 15
_LINE: Final = re.compile(r"(?:export\s+)?([^=]*)(=?)(.*)", re.DOTALL)
_LINE_ENDS: Final = re.compile(r"\r\n|\r|\n")
_COMMENT: Final = re.compile(r"(?:^|\s)#.*", re.DOTALL)
_UTF_16: Final = ("MEMORY_".encode("utf-16-le"), "MEMORY_".encode("utf-16-be"))
_SHOWN: Final = re.compile(r"[-+]?[0-9.,]{1,39}|[A-Za-z_-]{1,40}")
"""A value that an error repeats: a number, or a word; keys and passwords are of both."""


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable: the field that it sets, how its text is read, and what it accepts, in words."""

    name: str
    field: str
    read: Callable[[str], Any]
    accepts: str


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX):
        raise ValueError
    return int(text)


def _above_zero(text: str) -> int:
    number = _whole(text)
    if not number:
        raise ValueError
    return number


def _number(text: str) -> float:
    if not text.isascii() or "_" in text:  # float() takes both
        raise ValueError
    return float(text)


def _percent(text: str) -> float:
    number = _number(text)
    if not 0 < number <= 100:
        raise ValueError
    return number


def _ratio(text: str) -> float:
    number = _number(text)
    if not 0 < number < 1:
        raise ValueError
    return number


def _switch(text: str) -> bool:
    word = text.lower()
    if word not in _TRUE | _FALSE:
        raise ValueError
    return word in _TRUE


def _strategy(text: str) -> str:
    if text not in STRATEGIES:
        raise ValueError
    return text


_TOKENS: Final = "a whole number of tokens, 1 or more"
_MESSAGES: Final = "a whole number of messages, 0 or more"
_SWITCH: Final = "true, false, 1, 0, yes, no, on or off"

VARIABLES: Final = (
    Variable("MEMORY_ENABLED", "enable_compression", _switch, _SWITCH),
    Variable("MEMORY_COMPRESSION_THRESHOLD", "compression_threshold", _above_zero, _TOKENS),
    Variable("MEMORY_COMPRESSION_THRESHOLD_PCT", "threshold_percent", _percent, "a number above 0 and up to 100"),
    Variable("MEMORY_COMPRESSION_TARGET_TOKENS", "compression_target_tokens", _above_zero, _TOKENS),
    Variable("MEMORY_COMPRESSION_MESSAGES_TO_KEEP", "messages_to_keep", _whole, _MESSAGES),
    Variable("MEMORY_SHORT_TERM_SIZE", "short_term_size", _whole, _MESSAGES),
    Variable("MEMORY_COMPRESSION_RATIO", "compression_ratio", _ratio, "a number between 0 and 1"),
    Variable("MEMORY_COMPRESSION_STRATEGY", "strategy", _strategy, f"one of {', '.join(STRATEGIES)}"),
    Variable("MEMORY_PRESERVE_SYSTEM_PROMPTS", "preserve_system_prompts", _switch, _SWITCH),
)


@dataclass(frozen=True, slots=True)
class Configured:
    """Settings, and where each field has its value from: `code`, a variable, a variable of a file, or `default`; of a
    threshold that the other one has put out of force `default, not in force`."""

    config: ContextConfig
    sources: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Found:
    value: Any
    source: str


def configured(
    *,
    environ: Mapping[str, str] | None = None,
    file: str | os.PathLike[str] | None = None,
    **code: Any,
) -> Configured:
    """The settings that hold here, and where each comes from. `environ`: `os.environ` unless given.

    `code`: fields of `ContextConfig`; what they set, nothing from outside touches. `file` is read in place of the one
    that the environment names. `InvalidArgumentError`; `MissingFileError` when a file that was named is not there.
    """
    environ = os.environ if environ is None else checked_mapping("environ", environ)
    outside = _from_file(_file_of(environ, file))
    for nearer in (_from_environment(environ), code):
        if not _SAME.isdisjoint(nearer):  # what is farther says neither of them
            outside = {name: found for name, found in outside.items() if name not in _SAME}
        if nearer is not code:
            outside |= nearer
    chosen = {name: found for name, found in outside.items() if name not in code}
    _check_together(chosen)
    config = ContextConfig(**{name: found.value for name, found in chosen.items()}, **code)
    return Configured(config, _sources(config, {name: found.source for name, found in chosen.items()}, code))


def config_of(given: ContextConfig | Configured | str | None) -> ContextConfig:
    """The settings that a caller means: his own, those that `configured` found, a preset by its name; for None those
    from outside. `InvalidArgumentError` for anything else."""
    if given is None:
        return configured().config
    if isinstance(given, str):
        return ContextConfig.preset(given)
    config = given.config if isinstance(given, Configured) else given
    if not isinstance(config, ContextConfig):
        raise InvalidArgumentError(
            f"config is a ContextConfig, what configured() gives, or one of {', '.join(PRESETS)}: "
            f"type={type(config).__name__}"
        )
    return config


def _sources(config: ContextConfig, outside: Mapping[str, str], code: Collection[str]) -> dict[str, str]:
    """Where each field has its value from. Of the two that mean the same, one that wasn't set follows the other; a
    default threshold says nothing beside one that was set."""
    given = {**outside, **dict.fromkeys(code, "code")}
    sources = {field.name: given.get(field.name, DEFAULT) for field in fields(ContextConfig)}
    source = next((given[name] for name in _SAME if name in given), DEFAULT)
    sources.update({name: source for name in _SAME if name not in given})
    if any(is_set(getattr(config, name)) for name in _THRESHOLDS):
        sources.update({name: UNUSED for name in _THRESHOLDS if name not in given})
    return sources


def _check_together(chosen: Mapping[str, _Found]) -> None:
    kept, short = chosen.get("messages_to_keep"), chosen.get("short_term_size")
    if kept is not None and short is not None and kept.value != short.value:
        raise InvalidArgumentError(
            f"two variables that mean the same differ, set one of them: {kept.source}={kept.value}, "
            f"{short.source}={short.value}"
        )


def _from_environment(environ: Mapping[str, str]) -> dict[str, _Found]:
    return {
        variable.field: _Found(_read(variable, environ[variable.name], ""), variable.name)
        for variable in VARIABLES
        if environ.get(variable.name, "") != ""
    }


def _from_file(path: Path | None) -> dict[str, _Found]:
    if path is None:
        return {}
    found = {}
    by_name = {variable.name: variable for variable in VARIABLES}
    for number, line in enumerate(_lines_of(path), 1):
        name, equals, value = _LINE.fullmatch(line.strip()).groups()  # type: ignore[union-attr]
        variable = by_name.get(name.strip())
        if variable is None:
            continue
        where = f" file={str(path)!r} line={number}"
        if not equals:
            raise InvalidArgumentError(f"a variable without a value: {variable.name}; write {variable.name}=...{where}")
        text = _unquoted(value.strip())
        if text:
            found[variable.field] = _Found(_read(variable, text, where), f"{variable.name} in {path}")
    return found


def _file_of(environ: Mapping[str, str], file: str | os.PathLike[str] | None) -> Path | None:
    """The file that counts; None when there is none. One that somebody named has to be there."""
    if file is not None and not isinstance(file, str | bytes | os.PathLike):
        raise InvalidArgumentError(f"file is a str or a path, not {type(file).__name__}")
    named = os.fsdecode(file) if file is not None else environ.get(FILE_VARIABLE, "")
    if not named:
        return Path(FILE_DEFAULT) if os.path.isfile(FILE_DEFAULT) else None
    path = Path(named)
    if not os.path.isfile(path):  # False, too, for a name that is too long or that may not be looked at
        raise MissingFileError(f"no such file of settings: file={str(path)!r}", file=str(path))
    return path


def _lines_of(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            data = file.read(FILE_SIZE_MAX + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
    else:
        if any(begin in data for begin in _UTF_16):  # else its variables would be passed over in silence
            reason = "it is UTF-16, not UTF-8"
        elif len(data) > FILE_SIZE_MAX:
            reason = f"it has more than {FILE_SIZE_MAX:,} bytes"
        else:
            return _LINE_ENDS.split(data.decode("utf-8-sig", "replace"))
    raise InvalidArgumentError(f"a file of settings can't be read: file={str(path)!r}: {reason}")


def _unquoted(text: str) -> str:
    for quote in "\"'":
        if text.startswith(quote):
            end = text.find(quote, 1)
            return text[1:end] if end > 0 else text
    return _COMMENT.sub("", text).rstrip()


def _read(variable: Variable, text: str, where: str) -> Any:
    try:
        return variable.read(text.strip())
    except ValueError:
        pass
    given = f"given={text.strip()!r}" if _SHOWN.fullmatch(text.strip()) else f"length={len(text)}"
    raise InvalidArgumentError(f"{variable.name} accepts {variable.accepts}: {given}{where}")
