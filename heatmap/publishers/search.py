"""Asks a target which files it has, without changing anything there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heatmap.publishers import address
from heatmap.publishers.connection import NotFound
from heatmap.publishers.delivery import Upload

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heatmap.publishers.connection import Connection, Target
    from heatmap.system.deadline import Deadline


def find(target: Target, paths: Sequence[str], deadline: Deadline) -> frozenset[str]:
    """Return those of these files, named as pages are, that visitors find there. Raises PublishError."""

    def is_there(session: Connection, path: str) -> bool:
        try:
            size = session.size(path)
            if size is None:  # the server tells no sizes
                session.read(path, 1)
        except NotFound:
            return False
        return size != 0

    def find_all(session: Connection) -> frozenset[str]:
        return frozenset(path for path in paths if is_there(session, address.join(target.folder, path)))

    return Upload(target, deadline).within_session(find_all)
