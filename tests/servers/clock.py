"""Another time for a command under test, by libfaketime: it may jump while the command runs."""

from __future__ import annotations

import os
from pathlib import Path

from tests.servers import unpack
from tests.servers.process import Missing


class Clock:
    """A clock for commands that run in `environment()`; the monotonic clock stays as it is.

    `set` takes libfaketime's words: "+3600" (seconds from now), "-2d", or "@2030-01-01 00:00:00".
    """

    def __init__(self, folder: Path, time: str = "+0") -> None:
        found = unpack.library("faketime/libfaketimeMT.so.1")
        if found is None:
            raise Missing(
                "libfaketime is not here: run python tests/servers/unpack.py, or install libfaketime"
            )
        folder.mkdir(parents=True, exist_ok=True)
        self._library = found
        self._file = folder / "time"
        self.set(time)

    def set(self, time: str) -> None:
        """Make it another time from now on, for what runs already, too."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{time}\n", "utf-8")
        new.replace(self._file)

    def environment(self) -> dict[str, str]:
        """Return the environment in which it is that time."""
        return {
            **os.environ,
            "LD_PRELOAD": str(self._library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
