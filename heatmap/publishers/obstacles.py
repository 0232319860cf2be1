"""Finds a file that stands where a folder must be made.

Servers give no clear error for it: they say that there is no such folder, or give no reason.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from heatmap.errors import PublishImpossible
from heatmap.publishers import address
from heatmap.publishers.connection import Hidden, NotFound

if TYPE_CHECKING:
    from heatmap.publishers.connection import Connection


def find_obstacle(connection: Connection, folder: str, path: str) -> str:
    """Return the file that stands in place of a folder between `folder` and `path`; "" if there is none.

    Raises the connection's errors. Stores without folders have no such files.
    """
    if connection.atomic:
        return ""
    levels = address.list_levels(address.parent(path))
    below = [level for level in levels if len(level) > len(folder.rstrip("/"))]
    return next((level for level in below if _is_file(connection, level)), "")


def make_obstacle_error(target: str, path: str) -> PublishImpossible:
    """Return the error for such a file."""
    return PublishImpossible(f"{target}: {path} is a file, where a folder is due: remove or rename it")


def _is_file(connection: Connection, path: str) -> bool:
    """Return whether the server reports a file of this path. Raises the connection's errors."""
    try:
        return connection.size(path) is not None
    except Hidden:
        return True
    except (NotFound, PublishImpossible):  # PublishImpossible: it is a folder
        return False
