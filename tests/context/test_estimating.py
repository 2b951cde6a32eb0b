"""Estimates are near OpenAI's count, and nothing makes them fail or crawl."""

import base64
import json
import random
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backpack.context.counting import ExactCounter
from backpack.context.estimating import _PIECES, REMEMBERED_LENGTH_MAX, REMEMBERED_MAX, SLICE, _costs, estimate

SAMPLES: Final = Path(__file__).parent / "samples"
ROOT: Final = Path(__file__).parents[2]
EXACT: Final = ExactCounter("o200k_base")


def sample(name: str) -> str:
    return (SAMPLES / f"{name}.txt").read_text("utf-8")


def records() -> list[dict[str, Any]]:
    """Bookings as a tool gives them: fixed chance, so the same in each run."""
    chance = random.Random(4)
    words = ("economy", "business", "basic_economy", "one_way", "round_trip", "gift_card", "credit_card", "certificate")
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789"
    return [
        {
            "reservation_id": "".join(chance.choice(letters) for _ in range(6)),
            "user_id": f"traveller_{chance.randint(1000, 9999)}",
            "flights": [
                {"flight_number": f"HAT{chance.randint(100, 299)}", "date": f"2024-05-{chance.randint(10, 28)}"}
                for _ in range(chance.randint(1, 3))
            ],
            "cabin": chance.choice(words[:3]),
            "price": round(chance.uniform(60, 900), 2),
            "payment": {"id": f"{chance.choice(words[5:])}_{chance.randint(10**6, 10**7)}", "is_refundable": False},
            "total_baggages": chance.randint(0, 3),
            "created_at": f"2024-05-01T{chance.randint(10, 23)}:{chance.randint(10, 59)}:00",
            "note": None,
        }
        for _ in range(25)
    ]


TEXTS: Final = {
    "English": sample("english"),
    "the README": (ROOT / "README.md").read_text("utf-8"),
    "code": sample("code"),
    "our own code": (ROOT / "backpack" / "context" / "tracker.py").read_text("utf-8"),
    "our own tests": Path(__file__).read_text("utf-8"),
    "compact JSON": json.dumps(records(), separators=(",", ":")),
    "plain JSON": json.dumps(records()),
    "indented JSON": json.dumps(records(), indent=2),
    "JSON Lines": "\n".join(map(json.dumps, records())),
    "Chinese": sample("chinese"),
    "traditional Chinese": sample("traditional"),
    "Japanese": sample("japanese"),
    "Korean": sample("korean"),
    "CJK mixed": sample("chinese") + sample("japanese") + sample("korean"),
    "all mixed": sample("english") + sample("code") + sample("chinese") + json.dumps(records()),
    "JSON of Chinese": json.dumps([{"content": line} for line in sample("chinese").splitlines()], ensure_ascii=False),
    "JSON of escapes": json.dumps(sample("korean")),
}


@pytest.mark.parametrize("name", TEXTS)
def test_an_estimate_is_within_15_percent_of_the_exact_count(name: str) -> None:
    exact = EXACT.count(TEXTS[name])
    assert exact > 150
    assert abs(estimate(TEXTS[name]) - exact) <= 0.15 * exact


@pytest.mark.parametrize("name", ["English", "code", "plain JSON", "Chinese", "Japanese", "Korean"])
def test_parts_of_a_text_are_within_a_fifth(name: str) -> None:
    text = TEXTS[name]
    size = 150 if name in ("Chinese", "Japanese", "Korean") else 500
    for start in range(0, len(text) - size, size):
        part = text[start : start + size]
        assert estimate(part) == pytest.approx(EXACT.count(part), rel=0.22), part


_CHANCE: Final = random.Random(9)
SANE: Final = {
    "base64": base64.b64encode(_CHANCE.randbytes(3000)).decode(),
    "hexadecimal": _CHANCE.randbytes(3000).hex(),
    "digits": "".join(_CHANCE.choice("0123456789") for _ in range(3000)),
    "numbers": "\n".join(f"{_CHANCE.uniform(-999, 999):.4f},{_CHANCE.randint(0, 10**6)}" for _ in range(200)),
    "spaces": " " * 5000,
    "tabs": "\t" * 5000,
    "lines": "\n" * 5000,
    "rules": "-" * 5000,
    "blank lines": "    \n" * 1000,
    "letters by chance": "".join(_CHANCE.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(5000)),
    "marks by chance": "".join(_CHANCE.choice("!@#$%^&*()-=+[]{};:,.<>/?") for _ in range(3000)),
    "pictures": "\U0001f389\U0001f680✅❌" * 200,
    "German": "Der Speicher merkt sich jede Änderung, und nichts geht verloren. " * 20,
    "French": "La mémoire garde chaque modification, même après un arrêt brutal. " * 20,
    "Spanish": "La memoria guarda cada cambio, también después de un apagón. " * 20,
    "Russian": "Память хранит каждое изменение, даже после внезапной остановки. " * 20,
    "Arabic": "ذاكرة البرنامج تحفظ كل تغيير حتى بعد التوقف المفاجئ. " * 20,
    "Hindi": "स्मृति हर बदलाव को संभाल कर रखती है, अचानक रुकने के बाद भी। " * 20,
    "Thai": "หน่วยความจำเก็บทุกการเปลี่ยนแปลงไว้ แม้หลังจากหยุดทำงานกะทันหัน " * 20,
}


@pytest.mark.parametrize("name", SANE)
def test_other_texts_are_estimated_within_two_fifths(name: str) -> None:
    assert estimate(SANE[name]) == pytest.approx(EXACT.count(SANE[name]), rel=0.4)


@pytest.mark.parametrize("name", ["English", "code", "plain JSON", "all mixed"])
def test_ascii_is_cut_as_the_tokenizer_cuts_it(name: str) -> None:
    text = "".join(character for character in TEXTS[name] if character.isascii())
    pieces = _PIECES.findall(text)
    assert "".join(pieces) == text
    assert sum(map(EXACT.count, pieces)) == EXACT.count(text)


def test_only_the_empty_text_has_no_tokens() -> None:
    assert estimate("") == 0
    assert [estimate(text) for text in ("a", " ", "\n", "\0", "中", "가", "\xad", "\u0663", "\xb2")] == [1] * 9


@given(st.text(st.characters(codec=None, exclude_categories=()), max_size=300))
def test_any_text_has_an_estimate(text: str) -> None:
    assert (estimate(text) > 0) == bool(text)
    assert estimate(text) <= 4 * len(text)
    assert estimate(text) == estimate(text)


@given(st.text(max_size=120), st.text(max_size=120))
def test_what_is_joined_is_about_the_sum_of_its_parts(text: str, more: str) -> None:
    whole = estimate(text + more)
    assert whole <= estimate(text) + estimate(more) + 8
    assert whole >= max(estimate(text), estimate(more)) - 8


@pytest.mark.parametrize(
    "unit",
    ["a", "A", " ", "\n", " \n", "\t ", "'", " '", "a'", "-", "_", "\0", "\ud800", "中", "가", "é", "1", "aB", "'s"],
)
def test_a_run_of_any_kind_is_estimated_at_once_and_grows(unit: str) -> None:
    short, long = unit * 1_000, unit * 400_000
    assert 100 * estimate(short) <= estimate(long) * 2 + 200
    assert estimate(long) <= 500 * (estimate(short) + 1)


def test_pieces_are_remembered_within_a_bound() -> None:
    _costs.clear()
    estimate(" ".join(f"{number:x}".translate(str.maketrans("0123456789", "ghijklmnop")) for number in range(60_000)))
    assert 0 < len(_costs) <= REMEMBERED_MAX
    estimate("w" * (2 * SLICE))
    assert max(map(len, _costs)) <= REMEMBERED_LENGTH_MAX
