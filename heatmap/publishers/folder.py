"""Publishes into a folder of this machine."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from heatmap.errors import ConfigError, PublishError, PublishImpossible, PublishRefused
from heatmap.publishers import address
from heatmap.system import files

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from heatmap.publishers.connection import Connection
    from heatmap.publishers.delivery import Delivery
    from heatmap.system.deadline import Deadline
    from heatmap.system.web_file import WebFile

OTHERS_MAY_READ = 0o004
UNSUPPORTED = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)  # the file system will never do it
FORMS = "file:site, file:/var/www/site or file:///var/www/site"


@dataclass(frozen=True, slots=True)
class FolderPublisher:
    """A folder: `file:site` (relative to the configuration), `file:/var/www/site` or `file:///var/www/site`.

    If `overwrite` is true, files that this program did not write may be replaced, too. If `create` is true,
    missing folders above the last one are made, too.
    """

    url: str
    overwrite: bool = False
    create: bool = False

    def __post_init__(self) -> None:
        """Raise ConfigError if the address is not valid."""
        scheme, _, path = self.url.partition(":")
        if scheme.lower() != "file" or not path or (path.startswith("//") and not path.startswith("///")):
            raise ConfigError([f"url must be a folder of this machine, as in {FORMS}"])
        if not path.isprintable() or "\0" in self.folder or "\n" in self.folder or "\r" in self.folder:
            raise ConfigError(["url holds a line break or another control character: remove it"])
        if "?" in path or "#" in path:
            raise ConfigError(["url must not hold ? or #: write %3F or %23 where the folder's name has them"])

    @property
    def folder(self) -> str:
        """The folder's path, decoded."""
        from urllib.parse import unquote

        path = unquote(self.url.partition(":")[2], errors="surrogateescape")
        return "/" + path.lstrip("/") if path.startswith("/") else path

    @property
    def name(self) -> str:
        """The target's name in messages."""
        return f"file:{self.folder}"

    @property
    def verify(self) -> str:
        """Every file is read back: for a folder this costs almost nothing."""
        return "all"

    @property
    def replace(self) -> str:
        """Every file system renames over an existing file."""
        return "rename"

    @property
    def attempts(self) -> int:
        """One: an error of a folder does not go away within a second."""
        return 1

    def resolve_paths(self, base: Path) -> FolderPublisher:
        """Return the same target. If its folder is relative, it now starts at `base`."""
        from urllib.parse import quote

        return replace(self, url="file:" + quote(os.fsencode(base / os.path.expanduser(self.folder))))

    def problems(self) -> Sequence[str]:
        """Return no problems: the folder is made on first use."""
        return ()

    def make_connection(self, deadline: Deadline) -> Connection:  # noqa: ARG002 -- no step can be bounded
        """Return the primitive steps."""
        return _FolderConnection(self)

    def publish(self, pages: Sequence[WebFile], deadline: Deadline) -> Delivery:
        """Put every page in place, in order. A file that is the same already stays. Raises PublishError."""
        from heatmap.publishers.delivery import deliver

        return deliver(self, pages, deadline)

    def find(self, paths: Sequence[str], deadline: Deadline) -> frozenset[str]:
        """Return those of `paths` that visitors find there. Raises PublishError."""
        from heatmap.publishers.search import find

        return find(self, paths, deadline)

    def check(
        self,
        deadline: Deadline,
        pages: Sequence[WebFile] = (),
        visit: Callable[[str, bytes], None] | None = None,
    ) -> str:
        """Check that `pages` would replace no foreign file; write, replace, read back and delete a file.

        Raises PublishError.
        """
        from heatmap.publishers.probe import probe

        return probe(self, deadline, pages, visit)


class _FolderConnection:
    """A `Connection` to a folder of this machine's file system."""

    atomic = False
    faults = (OSError,)

    def __init__(self, target: FolderPublisher) -> None:
        self._publisher = target
        self._target = target.name
        self.new_folders: list[str] = []
        self._put_paths: set[str] = (
            set()
        )  # their mode does not count: some mounts have one mode for all files

    def open(self) -> None:
        """Check that the folder exists, or may be made."""
        folder = self._publisher.folder.rstrip("/")
        if self._publisher.create or not folder or os.path.exists(folder):
            return
        for level in address.list_levels(address.parent(folder)):
            try:
                os.stat(level)
            except FileNotFoundError:
                raise PublishImpossible(
                    f"{self._target}: the folder {level} is not there, and is not made: check the path, and "
                    "whether its disk is mounted; make that folder yourself, or set create = true"
                ) from None

    def size(self, path: str) -> int:
        from heatmap.publishers.connection import Hidden, NotFound

        self._refuse_other_things(path)
        try:
            status = os.stat(path)
        except FileNotFoundError:
            raise NotFound from None
        if not status.st_mode & OTHERS_MAY_READ and path not in self._put_paths:
            raise Hidden(status.st_size)
        return status.st_size

    def read(self, path: str, max_bytes: int | None = None) -> bytes:
        from heatmap.publishers.connection import NotFound, Unreadable

        try:
            with files.open_regular(path) as stream:
                return stream.read(-1 if max_bytes is None else max_bytes)
        except FileNotFoundError:
            raise NotFound from None
        except PermissionError as error:
            raise Unreadable(error.strerror) from None

    def put(self, path: str, content: bytes) -> None:
        self._make_folders(address.parent(path))
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            files.set_mode(descriptor, address.FILE_MODE)
            self._put_paths.add(path)
            files.sync(descriptor)  # else a power cut could leave an empty file under the new name

    def rename_over(self, temporary: str, path: str) -> None:
        self._refuse_other_things(path)
        os.replace(temporary, path)
        self._put_paths.add(path)

    def remove(self, path: str) -> None:
        from heatmap.publishers.connection import NotFound

        try:
            os.unlink(path)
        except FileNotFoundError:
            raise NotFound from None

    def list_names(self, folder: str) -> Sequence[str]:
        with suppress(FileNotFoundError):
            return os.listdir(folder or os.curdir)
        return ()

    def describe(self) -> str:
        return "a folder of this machine"

    def describe_error(self, error: BaseException) -> PublishError:
        if not isinstance(error, OSError):
            return PublishError(f"{self._target}: not done in time ({error})")
        path, reason = error.filename or "a file", error.strerror or str(error)
        advice = "make room, or let this user write into the folder"
        kind = PublishRefused if isinstance(error, PermissionError) else PublishError
        if error.errno in UNSUPPORTED:
            kind, advice = PublishImpossible, "its file system cannot do that: publish into another one"
        return kind(f"{self._target}: {path} cannot be written ({reason}): {advice}")

    def abort(self) -> None:
        """Do nothing: a file system cannot be interrupted. The run leaves a waiting thread behind."""

    def close(self) -> None:
        """Do nothing: no file stays open."""

    def _refuse_other_things(self, path: str) -> None:
        try:
            kind = files.describe_kind(os.lstat(path).st_mode)
        except FileNotFoundError:
            return
        if kind:
            raise PublishImpossible(
                f"{self._target}: {path} is {kind}, where a file is to be put: remove or rename it"
            )

    def _make_folders(self, folder: str) -> None:
        for level in address.list_levels(folder):
            try:
                os.mkdir(level)
            except OSError:  # also if the parent is read-only: it is enough that the folder exists
                if not os.path.isdir(level):
                    raise
            else:
                files.set_mode(level, address.FOLDER_MODE)  # whatever the umask
                self.new_folders.append(level)
