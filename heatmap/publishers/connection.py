"""The primitive steps that each kind of target has. `delivery` makes its promises out of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heatmap.errors import PublishError
    from heatmap.system.deadline import Deadline


class NotFound(Exception):
    """The server has no such file, or visitors cannot read it."""


class Hidden(NotFound):
    """The file exists, but visitors do not get it as they should: it must be put again.

    `size` is its size in bytes; None if the server does not report it.
    """

    def __init__(self, size: int | None) -> None:
        super().__init__()
        self.size = size


class Unreadable(NotFound):
    """The file exists, but the server refuses to send it. Its `str()` is a sentence."""


class CannotReplace(Exception):
    """The server does not rename a file over an existing one. Its `str()` is the server's reply."""


class Connection(Protocol):
    """A connection to a target, in primitive steps. Paths are complete, as the server has them.

    A step raises NotFound, CannotReplace, one of `faults`, or a PublishError. After a fault or a PublishError
    the connection must not be used again: it may be one reply behind.
    """

    @property
    def atomic(self) -> bool:
        """Whether `put` replaces a file in one step. If it does, no file has a temporary name."""
        ...

    @property
    def faults(self) -> tuple[type[BaseException], ...]:
        """The errors that a step raises if the connection or the server fails."""
        ...

    @property
    def new_folders(self) -> Sequence[str]:
        """The paths of the folders that `put` has made."""
        ...

    def open(self) -> None:
        """Connect and log in."""
        ...

    def size(self, path: str) -> int | None:
        """Return a file's size in bytes; None if the server reports no sizes. Raises NotFound, Hidden."""
        ...

    def read(self, path: str, max_bytes: int | None = None) -> bytes:
        """Return a file's content. Raises NotFound; Unreadable if the file exists and cannot be read.

        With `max_bytes` the caller needs only the first so many bytes. The method may return more.
        """
        ...

    def put(self, path: str, content: bytes) -> None:
        """Store a file under exactly this name, readable for visitors. Make the folders that are missing."""
        ...

    def rename_over(self, temporary: str, path: str) -> None:
        """Rename the file `temporary` to `path`, and replace an existing file in one step.

        Raises CannotReplace.
        """
        ...

    def remove(self, path: str) -> None:
        """Delete a file. Raises NotFound."""
        ...

    def list_names(self, folder: str) -> Sequence[str]:
        """Return the bare names in a folder, also the hidden ones; none if there is no such folder."""
        ...

    def describe(self) -> str:
        """Return in words which server this is, and what it can and cannot do, as far as it is known."""
        ...

    def describe_error(self, error: BaseException) -> PublishError:
        """Return one of `faults` as a sentence. The step that failed decides: servers' codes differ."""
        ...

    def abort(self) -> None:
        """Make each step that waits fail at once. Another thread calls this. Never raises."""
        ...

    def close(self) -> None:
        """Close the connection, whatever its state. Never raises, never waits."""
        ...


class Target(Protocol):
    """The parts of a publisher that a delivery needs."""

    @property
    def name(self) -> str:
        """The target's name in messages."""
        ...

    @property
    def folder(self) -> str:
        """The folder of the pages, as the server has it."""
        ...

    @property
    def verify(self) -> str:
        """Which files are read back after they are put: one of options.VERIFY."""
        ...

    @property
    def replace(self) -> str:
        """How a file replaces another: one of options.REPLACE."""
        ...

    @property
    def overwrite(self) -> bool:
        """Whether files that this program did not write may be replaced, too."""
        ...

    @property
    def attempts(self) -> int:
        """How many times a delivery is tried if the error may be temporary."""
        ...

    def make_connection(self, deadline: Deadline) -> Connection:
        """Return a new connection that is not open yet. Raises PublishError."""
        ...
