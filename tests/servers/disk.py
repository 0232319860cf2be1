"""A disk that is soon full: a small file system in memory, in the place of a folder."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Self

from tests.servers.process import Missing, needed


class SmallDisk:
    """`folder`, with room for so many KiB while this is open; what lay there is out of sight meanwhile.

    Only root may mount. Where that will not do: a server's `file_size_limit`, which anybody may set.
    """

    def __init__(self, folder: Path, room_kib: int = 128) -> None:
        if os.geteuid() != 0:
            raise Missing("a small disk needs root: run the tests as root for this one")
        needed("mount")
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        owner = folder.stat()
        options = f"size={room_kib}k,mode={owner.st_mode & 0o7777:o},uid={owner.st_uid},gid={owner.st_gid}"
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder],
            check=False,
            capture_output=True,
            text=True,
        )
        if mounted.returncode:
            raise Missing(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # Lazily: a server may still stand in it.
        subprocess.run(["umount", "--lazy", self.folder], check=True)
