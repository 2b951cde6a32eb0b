"""Facts in a text: what has to be said exactly or not at all, found by how it is written.

    codes     capitals with digits: HAT069, 3FRNFB
    ids       with underscores, hyphens or a number sign, versions: mia_li_3668, PR-12, #4711, 1.2.10
    amounts   money, parts of a hundred, decimals: $1,008.50, 12.5%
    dates     2024-05-20, 20/05/2024, May 20th, 20 May 2024
    times     16:30, 4:30pm
    emails, urls, paths, hashes
    numbers   of two digits or more
    names     words all in capitals: JFK, EUR

Words are cut out by one pass and then looked at one by one, each at most `WORD_SIZE_MAX` long: O(length) on any text.
"""

import re
from collections.abc import Iterator
from typing import Final

KINDS: Final = (
    "codes",
    "ids",
    "amounts",
    "dates",
    "emails",
    "urls",
    "paths",
    "hashes",
    "numbers",
    "times",
    "names",
)
"""All kinds, the most telling first."""

WORD_SIZE_MAX: Final = 200

_MONTH: Final = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sep(?:t(?:ember)?)?"
    r"|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)"
)
_WORD: Final = re.compile(
    rf"({_MONTH}\.? \d{{1,2}}(?:st|nd|rd|th)?\b(?:,? \d{{4}}\b)?"
    rf"|\d{{1,2}}(?:st|nd|rd|th)? (?:of )?{_MONTH}\b(?:,? \d{{4}}\b)?)"
    r"|[$€£¥]?\d{1,3}(?:,\d{3}){1,6}(?:\.\d{1,9})?(?![\w,])"
    r"|[^\s,;\"'`()\[\]{}<>|\\]+"
)
"""A date in words, a number with commas, or what stands between spaces and punctuation."""

_DATE: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}(?:T[\d:.]{4,20}(?:Z|[+-]\d{2}:?\d{2})?)?|\d{1,4}/\d{1,2}/\d{2,4}|\d{1,2}\.\d{1,2}\.\d{4}"
)
_TIME: Final = re.compile(r"(\d{1,2}:\d{2})(?::00)?((?::\d{2})?(?:\+\d)?(?:[aApP]\.?[mM]\.?)?)|\d{1,2}[ap]m")
_EMAIL: Final = re.compile(r"[\w.%+-]+@[\w-]+(?:\.[\w-]+)+")
_AMOUNT: Final = re.compile(
    r"[-+]?(?:[$€£¥]\d[\d,]*(?:\.\d+)?|\d[\d,]*(?:\.\d+)?[$€£¥%]|\d[\d,]*\.\d+|\d{1,3}(?:,\d{3})+)"
)
_HASH: Final = re.compile(r"(?=[0-9]*[a-f])(?=[a-f]*[0-9])[0-9a-f]{7,128}")
_PATH: Final = re.compile(r"(?:[A-Za-z]:|~|\.{1,2})?/?[\w.@+-]+(?:/[\w.@+-]+)+/?|(?:~|\.{1,2})?/[\w.@+-]+/?")
_FILE: Final = re.compile(r"[\w-]{2,}(?:\.[\w-]+)*\.[A-Za-z][A-Za-z0-9]{0,4}")
_VERSION: Final = re.compile(r"v?\d+(?:\.\d+){2,3}")
_CODE: Final = re.compile(r"[A-Z0-9]{2,40}")
_NAME: Final = re.compile(r"[A-Z]{3,12}")
_ID: Final = re.compile(r"#?\w[\w.:-]*")
_NUMBER: Final = re.compile(r"[-+]?\d{2,18}")
_ORDINAL: Final = re.compile(r"\d{1,4}(?:st|nd|rd|th|s|x)")
_DIGIT: Final = re.compile(r"\d")

_AROUND: Final = ".:!?*#~…"
_BEHIND: Final = ".:!?*~…-_"


def facts_in(text: str) -> Iterator[tuple[str, str]]:
    """Each fact: its kind and how it is written, in the order of the text."""
    for found in _WORD.finditer(text):
        word = found[0]
        if found[1]:
            yield "dates", word
            continue
        if not 1 < len(word) <= WORD_SIZE_MAX or (text.startswith('":', found.end()) and not _DIGIT.search(word)):
            continue  # the name of a field is no fact
        if "=" in word and "://" not in word:
            for part in word.split("="):
                yield from _fact(part)
        else:
            yield from _fact(word)


def _fact(word: str) -> Iterator[tuple[str, str]]:
    """The one fact that a word is, if it is one."""
    kind = _kind(core := word.rstrip(_BEHIND).lstrip("*~:!?"))
    if kind == "times" and (time := _TIME.fullmatch(core)) and time[1]:
        yield kind, time[1] + time[2]
    elif kind:
        yield kind, core


def _kind(word: str) -> str:
    """Which kind of fact a word is; empty for none."""
    if "://" in word:
        return "" if word.startswith("mem://") else "urls"
    if word.isalpha():
        return "names" if _NAME.fullmatch(word) else ""
    has_digit = _DIGIT.search(word) is not None
    if "@" in word and _EMAIL.fullmatch(word):
        return "emails"
    if not has_digit:
        return _kind_of_place(word)
    if word.isdecimal():
        return "numbers" if _NUMBER.fullmatch(word) else ""
    for kind, pattern in _BY_PATTERN:
        if pattern.fullmatch(word):
            return kind
    if "/" in word:
        return _kind_of_place(word)
    return "ids" if len(word) > 2 and _ID.fullmatch(word) and not _ORDINAL.fullmatch(word) else ""


_BY_PATTERN: Final = (
    ("dates", _DATE),
    ("times", _TIME),
    ("numbers", _NUMBER),
    ("ids", _VERSION),
    ("amounts", _AMOUNT),
    ("codes", _CODE),
    ("hashes", _HASH),
)


def _kind_of_place(word: str) -> str:
    """Is it a path or the name of a file?"""
    if "/" in word:
        is_path = _PATH.fullmatch(word) and (word[0] in "/.~" or word.count("/") > 1 or "." in word)
        return "paths" if is_path and len(word) > 2 else ""
    if "." in word:
        return "paths" if _FILE.fullmatch(word) else ""
    return "ids" if "_" in word[1:-1] and _ID.fullmatch(word) else ""
