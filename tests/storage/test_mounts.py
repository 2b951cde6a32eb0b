"""On which kind of file system a folder is."""

import os
from pathlib import Path

import pytest

from backpack.storage import mounts
from backpack.storage.mounts import NETWORK_TYPES, network_type, type_of_mount

MOUNTINFO = """\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
31 27 0:40 / /home rw,relatime shared:12 master:3 - nfs4 server:/home rw,vers=4.2
32 27 0:41 / /mnt/with\\040space\\040-\\040dash rw - fuse.sshfs me@there:/ rw
2 27 0:42 / /short rw - tmpfs tmpfs rw
a line of a later Linux
"""


def test_the_type_of_a_mount_stands_behind_the_dash() -> None:
    assert type_of_mount(MOUNTINFO, 27) == "ext4"
    assert type_of_mount(MOUNTINFO, 31) == "nfs4"
    assert type_of_mount(MOUNTINFO, 32) == "fuse.sshfs"
    assert type_of_mount(MOUNTINFO, 2) == "tmpfs"
    assert type_of_mount(MOUNTINFO, 3) is None
    assert type_of_mount("", 27) is None


@pytest.mark.parametrize(("mount", "expected"), [(27, None), (31, "nfs4"), (32, "fuse.sshfs"), (2, None), (99, None)])
def test_only_a_network_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mount: int, expected: str | None
) -> None:
    texts = {"/proc/self/fdinfo/7": f"pos:\t0\nflags:\t0100000\nmnt_id:\t{mount}\nino:\t3\n"}
    monkeypatch.setattr(mounts, "_read", lambda path: texts.get(path, MOUNTINFO))
    assert network_type(7) == expected


def test_what_is_not_known_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mounts, "_read", lambda path: "nothing of the kind")
    assert network_type(7) is None

    def hidden(path: str) -> str:
        raise FileNotFoundError(path)

    monkeypatch.setattr(mounts, "_read", hidden)
    assert network_type(7) is None


def test_this_very_machine_can_be_asked(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        assert network_type(descriptor) in NETWORK_TYPES | {None}
    finally:
        os.close(descriptor)
