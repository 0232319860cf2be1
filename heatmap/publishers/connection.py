"""The primitive steps that every kind of target offers, for `delivery` to make its promises of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heatmap.errors import PublishError
    from heatmap.system.deadline import Deadline


class NotFound(Exception):
    """There is no such file on the server, or none that visitors can read."""


class Hidden(NotFound):
    """The file is there, but visitors do not get it as they should: it is to be put anew.

    `size` is its size in bytes; None where the server does not tell it.
    """

    def __init__(self, size: int | None) -> None:
        super().__init__()
        self.size = size


class Unreadable(NotFound):
    """The file is there, and the server does not give it back. `str()` of it is a sentence."""


class CannotReplace(Exception):
    """The server does not rename over a file that is there. `str()` of it is what the server said."""


class Connection(Protocol):
    """A connection to a target, in primitive steps, with whole paths as the server has them.

    Whatever a step raises beside Missing and CannotReplace is one of `faults` or a PublishError, and ends the
    session: its connection may be one reply behind.
    """

    @property
    def atomic(self) -> bool:
        """Whether `put` replaces a file in one step: then nothing bears a temporary name."""
        ...

    @property
    def faults(self) -> tuple[type[BaseException], ...]:
        """What the steps raise when something goes wrong on the way."""
        ...

    @property
    def made(self) -> Sequence[str]:
        """The folders that `put` has made, as paths."""
        ...

    def open(self) -> None:
        """Connect and log in."""
        ...

    def size(self, path: str) -> int | None:
        """Return a file's size in bytes; None where the server tells no sizes. Raises Missing, Hidden."""
        ...

    def read(self, path: str, most: int | None = None) -> bytes:
        """Return what a file holds. Raises Missing, and Unreadable where only reading it is refused.

        With `most` its first so many bytes will do, and more may be returned where that is simpler.
        """
        ...

    def put(self, path: str, content: bytes) -> None:
        """Store under exactly this name, readable for visitors, in folders made where they are missing."""
        ...

    def replace(self, temporary: str, path: str) -> None:
        """Rename over what is there, in one step. Raises CannotReplace."""
        ...

    def remove(self, path: str) -> None:
        """Delete a file. Raises Missing."""
        ...

    def names(self, folder: str) -> Sequence[str]:
        """Return the bare names in a folder, hidden ones too; nothing where there is no such folder."""
        ...

    def describe(self) -> str:
        """Say which server this is, and what it can and cannot do, as far as it has told."""
        ...

    def explain(self, error: BaseException) -> PublishError:
        """Return one of `faults` as a sentence, by the step it came at: the same refusal bears many codes."""
        ...

    def abort(self) -> None:
        """Make whatever the session waits for fail at once. Called from another thread; never raises."""
        ...

    def close(self) -> None:
        """Let go of the connection, whatever its state. Never raises, never waits."""
        ...


class Target(Protocol):
    """What a delivery must know of a publisher."""

    @property
    def name(self) -> str:
        """What messages call it."""
        ...

    @property
    def folder(self) -> str:
        """The folder of the pages, as the server has it."""
        ...

    @property
    def verify(self) -> str:
        """What is read back once it is in place, one of options.VERIFY."""
        ...

    @property
    def replace(self) -> str:
        """How a file takes another's place, one of options.REPLACE."""
        ...

    @property
    def overwrite(self) -> bool:
        """Whether files that this program did not write are replaced, too."""
        ...

    @property
    def attempts(self) -> int:
        """How often a fault that may pass is worth another try."""
        ...

    def session(self, deadline: Deadline) -> Connection:
        """Return a new session, not yet open. Raises PublishError."""
        ...
