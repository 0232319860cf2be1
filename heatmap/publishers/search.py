"""Looks which files a target has. Changes nothing there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heatmap.publishers import address
from heatmap.publishers.connection import NotFound
from heatmap.publishers.upload import Upload

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heatmap.publishers.connection import Connection, Target
    from heatmap.system.deadline import Deadline


def find(target: Target, paths: Sequence[str], deadline: Deadline) -> frozenset[str]:
    """Return those of `paths`, relative to the target's folder, that visitors find. Raises PublishError."""

    def is_there(connection: Connection, path: str) -> bool:
        try:
            size = connection.size(path)
            if size is None:  # the server reports no sizes
                connection.read(path, 1)
        except NotFound:
            return False
        return size != 0

    def find_all(connection: Connection) -> frozenset[str]:
        return frozenset(path for path in paths if is_there(connection, address.join(target.folder, path)))

    return Upload(target, deadline).use_connection(find_all)
