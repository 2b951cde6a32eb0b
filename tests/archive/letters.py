"""Letters for tests, posted into folders of any kind with chance that is none."""

import random
from collections.abc import Mapping
from typing import Any

from backpack.archive.encrypting import covers_of
from backpack.archive.inbox import Inbox
from backpack.archive.manifest import read_manifest
from backpack.codec import pack_value
from backpack.core.commit import NO_LABEL, Label
from backpack.storage.protocol import Folder


def inbox_of(folder: Folder, key: bytes | None = None) -> Inbox:
    """The inbox of the store in a folder."""
    covers, _ = covers_of(folder, key)
    return Inbox(folder, covers, read_manifest(folder, covers).store_id)


def post(
    folder: Folder,
    number: int,
    values: Mapping[str, Any],
    *,
    ahead: Mapping[str, Any] | None = None,
    added: Mapping[str, Any] | None = None,
    label: Label = NO_LABEL,
    key: bytes | None = None,
) -> str:
    """Post a letter; its name. `number` is its time and its chance."""
    chance = random.Random(number)
    with inbox_of(folder, key).post(number, chance.randbytes, _never) as draft:
        for name, value in (ahead or {}).items():
            draft.put(name, pack_value(value))
        payloads = {name: pack_value(value) for name, value in values.items()}
        draft.finish(payloads, {name: pack_value(value) for name, value in (added or {}).items()}, label)
    return draft.name


def _never(_: float) -> None:
    raise AssertionError("nobody holds the inbox for long")
