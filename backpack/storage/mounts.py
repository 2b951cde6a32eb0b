"""On which kind of file system a folder is.

Over a network locks, renames and syncs don't keep their promises to every client. Linux tells for an open folder which
mount it is in (`/proc/self/fdinfo`) and of which type that is (`/proc/self/mountinfo`); elsewhere nothing is known.
"""

import os
import re
from typing import Final

from backpack.storage.held import Held

NETWORK_TYPES: Final = frozenset(
    (
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "davfs",
        "gfs2",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "pvfs2",
        "smb3",
        "smbfs",
        "fuse.beegfs",
        "fuse.ceph",
        "fuse.cephfs",
        "fuse.davfs",
        "fuse.gcsfuse",
        "fuse.glusterfs",
        "fuse.goofys",
        "fuse.juicefs",
        "fuse.rclone",
        "fuse.s3fs",
        "fuse.seaweedfs",
        "fuse.smbnetfs",
        "fuse.sshfs",
    )
)
"""Types of file systems whose files are on another machine. 9p and virtiofs aren't among them: what containers and
virtual machines see of their own host goes by these names."""

_MOUNT: Final = re.compile(r"^mnt_id:\s*(\d+)\s*$", re.MULTILINE)


def network_type(descriptor: int) -> str | None:
    """The type of the file system of an open folder if it is a network's; None when it isn't, or can't be known."""
    try:
        mount = _MOUNT.search(_read(f"/proc/self/fdinfo/{descriptor}"))
        found = None if mount is None else type_of_mount(_read("/proc/self/mountinfo"), int(mount.group(1)))
    except OSError:  # not Linux, or /proc is hidden: what isn't known is allowed
        return None
    return found if found in NETWORK_TYPES else None


def type_of_mount(mountinfo: str, mount: int) -> str | None:
    """The type that `/proc/self/mountinfo` has for the mount of that number."""
    for line in mountinfo.splitlines():
        fields, _, kind = line.partition(" - ")
        if fields.partition(" ")[0] == str(mount) and kind:
            return kind.split(" ", 1)[0]
    return None


def _read(path: str) -> str:
    with Held(path, os.O_RDONLY | os.O_CLOEXEC) as descriptor:
        parts = []
        while part := os.read(descriptor, 1 << 16):
            parts.append(part)
    return b"".join(parts).decode("utf-8", "replace")
