"""What a server holds, beside what it should hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heatmap.errors import PublishError
from heatmap.publishers.connection import Hidden, NotFound, Unreadable

if TYPE_CHECKING:
    from heatmap.publishers.connection import Connection


class DamagedError(Exception):
    """What the server holds is not what it was sent."""


def size(session: Connection, path: str) -> int | None:
    """Return a file's size in bytes, -1 where it is missing; None where the server does not tell sizes."""
    try:
        return session.size(path)
    except NotFound:
        return -1


def is_there(session: Connection, path: str) -> bool:
    """Whether there is such a file, as far as the server tells, even if visitors do not get it."""
    try:
        session.size(path)
    except Hidden:
        return True
    except NotFound:
        return False
    return True


def compare(session: Connection, path: str, content: bytes, *, read_back: bool) -> None:
    """Raise Damaged where the server holds anything but `content`; without a size to go by, read it."""
    try:
        size = session.size(path)
        if size not in (None, len(content)):
            raise DamagedError(f"{size:,} of {len(content):,} bytes arrived")
        if (read_back or size is None) and session.read(path) != content:
            raise DamagedError("other bytes came back than were sent")
    except Unreadable as refusal:
        raise PublishError(str(refusal)) from None
    except NotFound:
        raise DamagedError("the server took it, and does not have it under its name") from None
