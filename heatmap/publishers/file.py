"""Publishes into a folder of this machine."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from heatmap.errors import ConfigError, PublishError
from heatmap.publishers import address

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from heatmap.model import Page

FORMS = "file:site, file:/var/www/site or file:///var/www/site"


@dataclass(frozen=True, slots=True)
class FilePublisher:
    """A folder: `file:site` (relative to the configuration), `file:/var/www/site` or `file:///var/www/site`."""

    url: str

    def __post_init__(self) -> None:
        """Raise ConfigError for an address that cannot be."""
        scheme, _, rest = self.url.partition(":")
        if scheme.lower() != "file" or not rest or (rest.startswith("//") and not rest.startswith("///")):
            raise ConfigError([f"url must be a folder of this machine, as in {FORMS}"])
        if not rest.isprintable() or "\0" in self.folder or "\n" in self.folder or "\r" in self.folder:
            raise ConfigError(["url holds a line break or another control character: remove it"])
        if "?" in rest or "#" in rest:
            raise ConfigError(["url must not hold ? or #: write %3F or %23 where the folder's name has them"])

    @property
    def folder(self) -> str:
        """The folder's path, decoded."""
        from urllib.parse import unquote

        path = unquote(self.url.partition(":")[2], errors="surrogateescape")
        return "/" + path.lstrip("/") if path.startswith("/") else path

    @property
    def name(self) -> str:
        """What messages call this target."""
        return f"file:{self.folder}"

    def located(self, base: Path) -> FilePublisher:
        """Return the same target with a relative folder taken from `base`."""
        from urllib.parse import quote

        return replace(self, url="file:" + quote(os.fsencode(base / os.path.expanduser(self.folder))))

    def problems(self) -> Sequence[str]:
        """Nothing can be missing: the folder is made on first use."""
        return ()

    def publish(self, pages: Sequence[Page]) -> None:
        """Put every page in place, in order; files that are the same already stay. Raises PublishError."""
        for page in pages:
            self._put(page.path, page.content)

    def check(self) -> str:
        """Write, replace and delete a probe file. Raises PublishError."""
        name = address.probe()
        self._put(name, b"first")
        self._put(name, b"second")
        path = os.path.join(self.folder, name)
        try:
            os.unlink(path)
        except OSError as error:
            raise PublishError(f"{self.name}: {path} cannot be deleted ({error.strerror})") from error
        return address.CHECKED

    def _put(self, path: str, content: bytes) -> None:
        target = address.join(self.folder, path)
        try:
            _make_folders(address.parent(target))
            if os.path.islink(target) or os.path.isdir(target):
                what = "a symbolic link" if os.path.islink(target) else "a folder"
                raise PublishError(
                    f"{self.name}: {target} is {what}, where a file is to be put: remove or rename it"
                )
            if not _is_there(target, content):
                _write(target, content)
        except OSError as error:
            where = error.filename or target
            advice = "make room, or let this user write into the folder"
            raise PublishError(
                f"{self.name}: {where} cannot be written ({error.strerror}): {advice}"
            ) from error


def _make_folders(folder: str) -> None:
    for level in address.levels(folder):
        try:
            os.mkdir(level)
        except OSError:  # also a parent that cannot be listed or is read-only: being there is enough
            if not os.path.isdir(level):
                raise
        else:
            os.chmod(level, address.FOLDER_MODE)  # whatever the umask


def _is_there(target: str, content: bytes) -> bool:
    try:
        found = os.stat(target)
        if found.st_size != len(content) or found.st_mode & 0o777 != address.FILE_MODE:
            return False
        with open(target, "rb") as stream:
            return stream.read() == content
    except OSError:
        return False


def _write(target: str, content: bytes) -> None:
    temporary = address.temporary(target)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fchmod(descriptor, address.FILE_MODE)
            os.fsync(descriptor)  # or a power cut could leave the new name with nothing in it
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise
