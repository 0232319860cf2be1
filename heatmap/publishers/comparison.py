"""Compares the files on a server with what they should contain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heatmap.errors import PublishError
from heatmap.publishers.connection import Hidden, NotFound, Unreadable

if TYPE_CHECKING:
    from heatmap.publishers.connection import Connection


class DamagedError(Exception):
    """A file on the server does not have the content that was sent."""


def read_size(connection: Connection, path: str) -> int | None:
    """Return a file's size in bytes; -1 if the file is missing; None if the server reports no sizes."""
    try:
        return connection.size(path)
    except NotFound:
        return -1


def is_there(connection: Connection, path: str) -> bool:
    """Return whether the server reports a file of this path, even if visitors do not get it."""
    try:
        connection.size(path)
    except Hidden:
        return True
    except NotFound:
        return False
    return True


def check_content(connection: Connection, path: str, content: bytes, *, read_back: bool) -> None:
    """Raise DamagedError if the file on the server does not contain `content`.

    Sizes are compared. If `read_back` is true, or the server reports no size, the file is read, too.
    """
    try:
        size = connection.size(path)
        if size not in (None, len(content)):
            raise DamagedError(f"{size:,} of {len(content):,} bytes arrived")
        if (read_back or size is None) and connection.read(path) != content:
            raise DamagedError("other bytes came back than were sent")
    except Unreadable as refusal:
        raise PublishError(str(refusal)) from None
    except NotFound:
        raise DamagedError("the server accepted it, but does not have it under its name") from None
