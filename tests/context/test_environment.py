"""Settings from variables and from a file: each is read, a wrong one is named, and code comes first."""

import os
from pathlib import Path
from typing import Any

import pytest

from backpack import Backpack
from backpack.context import ContextConfig, Conversation, configured
from backpack.context.environment import VARIABLES
from backpack.errors import InvalidArgumentError, MissingFileError

from .talks import words

GOOD = {
    "MEMORY_ENABLED": ("off", "enable_compression", False),
    "MEMORY_COMPRESSION_THRESHOLD": ("12345", "compression_threshold", 12_345),
    "MEMORY_COMPRESSION_THRESHOLD_PCT": ("62.5", "threshold_percent", 62.5),
    "MEMORY_COMPRESSION_TARGET_TOKENS": ("1000", "compression_target_tokens", 1_000),
    "MEMORY_COMPRESSION_MESSAGES_TO_KEEP": ("7", "messages_to_keep", 7),
    "MEMORY_SHORT_TERM_SIZE": ("9", "short_term_size", 9),
    "MEMORY_COMPRESSION_RATIO": ("0.25", "compression_ratio", 0.25),
    "MEMORY_COMPRESSION_STRATEGY": ("selective", "strategy", "selective"),
    "MEMORY_PRESERVE_SYSTEM_PROMPTS": ("No", "preserve_system_prompts", False),
}
WRONG = {
    "MEMORY_ENABLED": ["maybe", "2"],
    "MEMORY_COMPRESSION_THRESHOLD": ["0", "-1", "1.5", "many", "1e5", "9" * 40, "٣"],
    "MEMORY_COMPRESSION_THRESHOLD_PCT": ["0", "101", "-3", "nan", "inf", "x"],
    "MEMORY_COMPRESSION_TARGET_TOKENS": ["0", "x"],
    "MEMORY_COMPRESSION_MESSAGES_TO_KEEP": ["-1", "x"],
    "MEMORY_SHORT_TERM_SIZE": ["2.5"],
    "MEMORY_COMPRESSION_RATIO": ["0", "1", "nan", "x", "\u0660.\u0665", "0.1_1"],
    "MEMORY_COMPRESSION_STRATEGY": ["none", "Selective!"],
    "MEMORY_PRESERVE_SYSTEM_PROMPTS": ["maybe"],
}


@pytest.fixture(autouse=True)
def nothing_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (*GOOD, "BACKPACK_CONTEXT_FILE"):
        monkeypatch.delenv(name, raising=False)


def test_the_tables_of_this_test_are_complete() -> None:
    assert set(GOOD) == set(WRONG) == {variable.name for variable in VARIABLES}


@pytest.mark.parametrize("name", GOOD)
def test_each_variable_is_read_from_the_environment_and_from_a_file(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text, field, value = GOOD[name]
    assert getattr(ContextConfig(), field) != value
    (tmp_path / "own.env").write_text(f"OTHER=1\n# {name}=no\n export {name} = '{text}' # why\n")
    for found, source in (
        (configured(environ={name: text}), name),
        (configured(environ={}, file=tmp_path / "own.env"), f"{name} in {tmp_path / 'own.env'}"),
        (configured(environ={"BACKPACK_CONTEXT_FILE": "own.env"}), f"{name} in own.env"),
    ):
        assert getattr(found.config, field) == value
        assert found.sources[field] == source
    monkeypatch.setenv(name, text)
    assert getattr(Conversation(Backpack(), counter=words).config, field) == value


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in WRONG.items() for text in texts])
def test_a_wrong_value_is_an_error_that_names_the_variable(name: str, text: str, tmp_path: Path) -> None:
    accepts = next(variable.accepts for variable in VARIABLES if variable.name == name)
    with pytest.raises(InvalidArgumentError, match=name) as caught:
        configured(environ={name: text})
    assert accepts in str(caught.value)
    (tmp_path / ".env").write_text(f"\n{name}={text}\n")
    with pytest.raises(InvalidArgumentError, match=rf"{name} accepts .* line=2"):
        configured(environ={})


def test_code_comes_before_the_environment_before_the_file_before_defaults(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("MEMORY_COMPRESSION_RATIO=0.1\nMEMORY_COMPRESSION_THRESHOLD=111\nMEMORY_ENABLED=0\n")
    environ = {"MEMORY_COMPRESSION_RATIO": "0.2", "MEMORY_COMPRESSION_THRESHOLD": "222"}
    found = configured(environ=environ, compression_ratio=0.4)
    config = found.config
    assert (config.compression_ratio, config.compression_threshold, config.enable_compression) == (0.4, 222, False)
    sources = [found.sources[name] for name in ("compression_ratio", "compression_threshold", "enable_compression")]
    assert sources == ["code", "MEMORY_COMPRESSION_THRESHOLD", "MEMORY_ENABLED in .env"]
    assert found.sources["strategy"] == "default"


def test_settings_that_are_given_are_not_touched_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMORY_COMPRESSION_THRESHOLD", "no number")
    config = ContextConfig(compression_threshold=99)
    assert Conversation(Backpack(), config=config, counter=words).config is config
    with pytest.raises(InvalidArgumentError):
        Conversation(Backpack())


def test_a_preset_by_its_name_and_what_was_configured_are_settings() -> None:
    for config in ("balanced", configured(environ={"MEMORY_COMPRESSION_THRESHOLD": "40000"}, messages_to_keep=20)):
        assert Conversation(Backpack(), config=config, counter=words).config.trigger(10**6) == 40_000
    for wrong in ("balance", 7, {}):
        with pytest.raises(InvalidArgumentError, match="balanced"):
            Conversation(Backpack(), config=wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("1e", "length=2"),
        ("-12.5", "given='-12.5'"),
        ("fast", "given='fast'"),
        ("sk-4f2", "length=6"),
        ("x " * 3, "=6"),
    ],
)
def test_a_wrong_value_is_shown_when_it_is_no_secret(text: str, shown: str) -> None:
    with pytest.raises(InvalidArgumentError, match=shown):
        configured(environ={"MEMORY_COMPRESSION_THRESHOLD": text})


def test_two_that_mean_the_same_must_not_differ() -> None:
    both = {"MEMORY_COMPRESSION_MESSAGES_TO_KEEP": "5", "MEMORY_SHORT_TERM_SIZE": "6"}
    with pytest.raises(InvalidArgumentError, match="MEMORY_SHORT_TERM_SIZE=6"):
        configured(environ=both)
    assert configured(environ={**both, "MEMORY_SHORT_TERM_SIZE": "5"}).config.messages_to_keep == 5
    assert configured(environ={"MEMORY_SHORT_TERM_SIZE": "6"}).config.messages_to_keep == 6
    assert configured(environ=both, messages_to_keep=3).config.messages_to_keep == 3


def test_of_two_that_mean_the_same_the_nearer_one_counts(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("MEMORY_SHORT_TERM_SIZE=8\n")
    found = configured(environ={"MEMORY_COMPRESSION_MESSAGES_TO_KEEP": "7"})
    assert found.config.messages_to_keep == found.config.short_term_size == 7
    names = ("messages_to_keep", "short_term_size")
    assert {found.sources[name] for name in names} == {"MEMORY_COMPRESSION_MESSAGES_TO_KEEP"}
    assert {configured(environ={}).sources[name] for name in names} == {"MEMORY_SHORT_TERM_SIZE in .env"}
    code = configured(environ={"MEMORY_COMPRESSION_MESSAGES_TO_KEEP": "7"}, short_term_size=6)
    assert code.config.messages_to_keep == 6 and {code.sources[name] for name in names} == {"code"}


@pytest.mark.parametrize(
    ("environ", "sources"),
    [
        ({}, ["default", "default"]),
        (
            {"MEMORY_COMPRESSION_THRESHOLD_PCT": "90"},
            ["default, not in force", "MEMORY_COMPRESSION_THRESHOLD_PCT"],
        ),
        ({"MEMORY_COMPRESSION_THRESHOLD": "90"}, ["MEMORY_COMPRESSION_THRESHOLD", "default, not in force"]),
        (
            {"MEMORY_COMPRESSION_THRESHOLD": "90", "MEMORY_COMPRESSION_THRESHOLD_PCT": "9"},
            ["MEMORY_COMPRESSION_THRESHOLD", "MEMORY_COMPRESSION_THRESHOLD_PCT"],
        ),
    ],
)
def test_a_threshold_that_the_other_one_put_out_of_force_says_so(environ: dict[str, str], sources: list[str]) -> None:
    found = configured(environ=environ).sources
    assert [found["compression_threshold"], found["threshold_percent"]] == sources


def test_an_empty_variable_says_nothing(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text('MEMORY_COMPRESSION_RATIO=""\nMEMORY_ENABLED=\n')
    assert configured(environ={"MEMORY_COMPRESSION_THRESHOLD": ""}).config == ContextConfig()


def test_a_variable_without_a_value_and_a_file_that_is_not_there_are_errors(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("MEMORY_ENABLED\n")
    with pytest.raises(InvalidArgumentError, match="MEMORY_ENABLED"):
        configured(environ={})
    with pytest.raises(MissingFileError, match="nowhere"):
        configured(environ={}, file="nowhere")
    with pytest.raises(MissingFileError):
        configured(environ={"BACKPACK_CONTEXT_FILE": "nowhere"})


def test_no_file_of_others_is_too_large_or_too_odd(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"\xff\xfe\x00junk\n=\n==\nMEMORY_COMPRESSION_RATIO=0.2\n")
    assert configured(environ={}).config.compression_ratio == 0.2
    (tmp_path / ".env").write_bytes(b"#" * (1 << 20) + b"\n")
    with pytest.raises(InvalidArgumentError, match="more than"):
        configured(environ={})


def test_unknown_fields_are_refused() -> None:
    wrong: dict[str, Any] = {"no_such_field": 1}
    with pytest.raises(TypeError):
        configured(environ={}, **wrong)


@pytest.mark.parametrize(
    ("data", "threshold"),
    [
        (b"\xef\xbb\xbfMEMORY_COMPRESSION_THRESHOLD=7\n", 7),
        (b"export\tMEMORY_COMPRESSION_THRESHOLD=7", 7),
        (b"MEMORY_COMPRESSION_THRESHOLD=7\t# seven", 7),
        (b"MEMORY_COMPRESSION_THRESHOLD='7' # seven", 7),
        (b"MEMORY_COMPRESSION_THRESHOLD= # none yet", None),
        (b"OTHER=1\x0cMEMORY_COMPRESSION_THRESHOLD=7", None),
        (b"OTHER=1\rMEMORY_COMPRESSION_THRESHOLD=7", 7),
    ],
)
def test_a_file_is_read_as_others_read_such_files(tmp_path: Path, data: bytes, threshold: int | None) -> None:
    (tmp_path / "settings").write_bytes(data)
    for file in (tmp_path / "settings", str(tmp_path / "settings"), os.fsencode(tmp_path / "settings")):
        found = configured(environ={}, file=file)  # type: ignore[arg-type]
        assert (found.sources["compression_threshold"] == "default") is (threshold is None)
        assert threshold is None or found.config.compression_threshold == threshold


def test_a_file_that_can_not_be_one_is_an_error_and_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "settings").write_bytes("MEMORY_COMPRESSION_THRESHOLD=7".encode("utf-16"))
    with pytest.raises(InvalidArgumentError, match="UTF-16"):
        configured(environ={}, file=tmp_path / "settings")
    with pytest.raises(MissingFileError):
        configured(environ={"BACKPACK_CONTEXT_FILE": "a" * 5_000})
