"""Finds the file that stands where a folder is due.

Servers say of it that there is no such folder, or nothing at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from heatmap.errors import PublishImpossible
from heatmap.publishers import address
from heatmap.publishers.connection import Hidden, NotFound

if TYPE_CHECKING:
    from heatmap.publishers.connection import Connection


def find(session: Connection, folder: str, path: str) -> str:
    """Return the file in whose place a folder on the way from `folder` to `path` is due; "" without one.

    Raises what a session raises. Stores without folders have no such files.
    """
    if session.atomic:
        return ""
    levels = [level for level in address.levels(address.parent(path)) if len(level) > len(folder.rstrip("/"))]
    return next((level for level in levels if _is_file(session, level)), "")


def explain(target: str, path: str) -> PublishImpossible:
    """Return the sentence for such a file."""
    return PublishImpossible(f"{target}: {path} is a file, where a folder is due: remove or rename it")


def _is_file(session: Connection, path: str) -> bool:
    """Whether a path is known to be a file's. Raises what a session raises."""
    try:
        return session.size(path) is not None
    except Hidden:
        return True
    except (NotFound, PublishImpossible):  # the latter for a folder
        return False
