"""An estimate of how many tokens OpenAI's tokenizer o200k makes of a text, without its tables.

The tokenizer first cuts a text into pieces (words with what stands before them, up to three digits, marks, white space)
and then makes one or more tokens of each. The cutting is done here as it does it, so only the second step is guessed: a
piece costs so many thousandths of a token by its kind, its length, its case and how usual its pairs of letters are. The
constants are fitted to prose, code, JSON, logs and random identifiers. Runs of Chinese, Japanese and
Korean are counted by character: what it is, less a part where two that are frequent stand side by side.

Right within 15 % on English, code, JSON and CJK text of some length (`tests/context/test_estimating.py` has the
samples), mostly within 5 to 8 %; a single word may be a token off. What is joined is at most the parts' sum and a few
tokens, for a piece may reach over the seam; so the estimate grows with the text but for a token here and there.

Cost: O(length) whatever the text, 10 MB/s and more; the costs of pieces are remembered, at most `REMEMBERED_MAX`.
"""

import re
from collections import Counter
from itertools import repeat
from operator import add
from string import ascii_lowercase
from typing import Final

from backpack.context.frequent import HAN, HANGUL, KANA, LETTERS, SYLLABLES

SLICE: Final = 1 << 18
"""Characters looked at together, which bounds the memory that pieces take."""

REMEMBERED_MAX: Final = 1 << 15
"""Pieces whose costs are remembered: a few MB."""

REMEMBERED_LENGTH_MAX: Final = 16

_CJK: Final = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3"
_UPPER: Final = "A-Z\u00c0-\u00d6\u00d8-\u00de"
_LOWER: Final = "a-z\u00df-\u00f6\u00f8-\u024f\u1e00-\u1eff"
_OTHERS: Final = "\u0250-\u1dff\u1f00-\u1fff\u2c00-\u2dff\ua000-\uabff\ufb00-\ufdff\ufe70-\ufefe\U00010000-\U0001d3ff"
"""Letters of all other scripts, with the signs that stand between them."""

_BEFORE: Final = rf"[^\r\n0-9{_UPPER}{_LOWER}{_OTHERS}{_CJK}]?"
_AFTER: Final = "(?:'(?:[stmdSTMD]|[rR][eE]|[vV][eE]|[lL][lL]))?"

_PIECES: Final = re.compile(
    rf"[0-9]{{1,3}}"
    rf"|{_BEFORE}[{_UPPER}]*[{_LOWER}]+{_AFTER}|{_BEFORE}[{_UPPER}]+{_AFTER}"
    rf"| ?[{_CJK}]+| ?[{_OTHERS}]+"
    rf"| ?[^\s0-9{_UPPER}{_LOWER}{_OTHERS}{_CJK}]+[\r\n/]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)

TOKEN: Final = 1_000
"""Costs are in thousandths of a token: whole numbers, so that sums are exact."""

_LOWER_CASE, _CAPITALISED, _UPPER_CASE = range(3)

_FIRST: Final = {"": (942, 1_140, 1_201), " ": (983, 937, 1_044), "_": (859, 1_115, 1_103), "*": (1_035, 1_379, 1_657)}
"""What a word of two letters costs, by what stands before it (`*`: any other mark) and by case."""

_EACH: Final = {"": (29, -19, 123), " ": (5, 19, 24), "_": (106, 128, 120), "*": (74, 11, 21)}
"""What each further letter adds."""

_LONGER: Final = ((8, 36), (14, 25), (20, 102))
"""What each letter beyond so many adds to that."""

_UNUSUAL: Final = 193
"""For each pair of letters that is not frequent."""

_ODD: Final = 611
"""For each such pair beyond two: then it is no word, but an identifier or a chance."""

_CHANCE: Final = 520
"""At most, for each letter of a long word: what letters by chance cost."""

_USUAL: Final = LETTERS | frozenset(letter * 2 for letter in ascii_lowercase)

_RULES: Final = frozenset("-=_*#.~/+ ")
"""Marks that draw lines."""

_BLOCKS: Final = (
    (0x0400, 390),
    (0x0530, 265),
    (0x0C00, 380),
    (0x0D80, 550),
    (0x0E00, 710),
    (0x0E80, 400),
    (0x1000, 700),
    (0x10A0, 560),
    (0x1100, 430),
    (0x1200, 1_200),
    (0x1780, 2_000),
    (0x1800, 620),
    (0x1E00, 1_500),
    (0x2000, 600),
    (0xFB00, 1_500),
    (0xFF00, 800),
)
"""Where blocks of scripts end, and what a letter of them costs."""

_RARE_LETTER: Final = 2_500
_MARK: Final = 280
_MORE_MARKS: Final = 300
_PICTURE: Final = 2_000


def estimate(text: str) -> int:
    """Estimated tokens of the text: 0 for the empty text only.

    >>> estimate("The quick brown fox jumps over the lazy dog."), estimate("")
    (11, 0)
    """
    cost = 0
    for start in range(0, len(text), SLICE):
        cost += sum(map(_costs.__getitem__, _PIECES.findall(text, start, start + SLICE)))
    return max(1, (cost + TOKEN // 2) // TOKEN) if text else 0


class _Costs(dict[str, int]):
    """Costs of pieces that were met lately. Texts repeat their words, so most are found here."""

    def __missing__(self, piece: str) -> int:
        cost = _cost_of(piece)
        if len(piece) <= REMEMBERED_LENGTH_MAX:
            if len(self) >= REMEMBERED_MAX:
                self.clear()
            self[piece] = cost
        return cost


_costs: Final = _Costs()


def _cost_of(piece: str) -> int:
    if "\u3040" <= piece[-1] <= "\u9fff" or "\uac00" <= piece[-1] <= "\ud7a3":
        return _cost_of_cjk(piece)
    body = piece if piece[0].isalpha() else piece[1:]
    if body and body[0].isalpha():
        if body[0] < "\u0250" or "\u1e00" <= body[0] < "\u1f00":
            return _cost_of_word(piece[: len(piece) - len(body)], body.partition("'")[0])
        return max(TOKEN, len(body) * _cost_of_letter(ord(body[0])))
    if piece[0] in "0123456789":
        return TOKEN
    return _cost_of_space(piece) if piece.isspace() else _cost_of_marks(piece)


def _cost_of_word(before: str, word: str) -> int:
    """A word in Latin letters, and what stands before it."""
    length = len(word)
    if length == 1:
        return TOKEN
    kind = before if before in _FIRST else "*"
    case = _LOWER_CASE if word.islower() else _UPPER_CASE if word.isupper() else _CAPITALISED
    cost = _FIRST[kind][case] + (length - 2) * _EACH[kind][case]
    letters = word.lower()
    unusual = length - 1 - sum(map(_USUAL.__contains__, map(add, letters, letters[1:])))
    cost += unusual * _UNUSUAL + max(0, unusual - 2) * _ODD
    if length > 8:
        cost += sum((length - bound) * more for bound, more in _LONGER if length > bound)
        cost = min(cost, TOKEN + length * _CHANCE)
    return max(TOKEN, cost)


def _cost_of_letter(code: int) -> int:
    """A letter of another script, by its block."""
    for end, cost in _BLOCKS:
        if code < end:
            return cost
    return _RARE_LETTER


def _cost_of_space(piece: str) -> int:
    """White space: one token as a rule; long runs and mixtures are more."""
    mixed = max(0, _changes(piece) - 4)
    return TOKEN + (mixed * 150 if mixed else max(0, len(piece) - 16) * (8 if piece[0] == " " else 62))


def _cost_of_marks(piece: str) -> int:
    """Marks side by side. Some that repeat have tokens for long runs."""
    changes = _changes(piece)
    repeated = len(piece) - 1 - changes
    line = piece.rstrip("\r\n")
    if line.isascii() and line.isprintable():
        cost = TOKEN + max(0, changes - 2) * _MARK + max(0, changes - 6) * _MORE_MARKS
        return cost + max(0, repeated - 3) * (16 if line[-1] in _RULES else 250)
    average = sum(count * _cost_of_wide(mark) for mark, count in Counter(piece).items()) // len(piece)
    return max(TOKEN, (changes + 1) * average + repeated * (100 if average <= TOKEN else average))


def _cost_of_wide(mark: str) -> int:
    """A mark that is not printable ASCII."""
    if mark < "\u0080":
        return 300 if mark.isprintable() else 1_001
    if mark >= "\U00010000":
        return _PICTURE
    is_cheap = mark < "\u2200" or "\u2500" <= mark < "\u2580" or "\u3000" <= mark < "\u3040" or mark >= "\uff00"
    return TOKEN if is_cheap else 1_500


def _changes(piece: str) -> int:
    """How often one character is followed by another one."""
    return sum(map(str.__ne__, piece, piece[1:]))


def _cost_of_cjk(run: str) -> int:
    """Characters of Chinese, Japanese and Korean side by side, with a space before them or not."""
    characters = sum(map(_characters.__getitem__, run))
    return max(TOKEN, characters + sum(map(_SAVED.get, map(add, run, run[1:]), repeat(0))))


class _Characters(dict[str, int]):
    """What characters cost; at most as many as these scripts have."""

    def __missing__(self, character: str) -> int:
        cost = self[character] = _cost_of_character(character)
        return cost


def _cost_of_character(character: str) -> int:
    if character < "\u30a0":
        return 924 if character != " " else 100
    if character < "\u3100":
        return 752
    if character >= "\uac00":
        return 775 if character in SYLLABLES else 1_378 if character.encode("euc_kr", "ignore") else _RARE_LETTER
    return _cost_of_han(character)


def _cost_of_han(character: str) -> int:
    """By how frequent it is: its level in the encodings made for simplified, for traditional Chinese, for Japanese."""
    simplified = character.encode("gb2312", "ignore")
    if simplified:
        return 817 if simplified[0] <= 0xD7 else 2_170
    traditional = character.encode("big5", "ignore")
    japanese = character.encode("shift_jis", "ignore")
    is_frequent = (traditional and traditional[0] < 0xC7) or (japanese and japanese[0] < 0x98)
    return 1_247 if is_frequent else _RARE_LETTER


_SAVED: Final = (
    dict.fromkeys(HAN, -667) | dict.fromkeys(KANA, -887) | {pair: -159 if pair[0] == " " else -1041 for pair in HANGUL}
)
"""What is saved where two characters that are frequent together stand side by side."""

_characters: Final = _Characters()
