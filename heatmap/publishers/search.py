"""Asks a target which files it has, without changing anything there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heatmap.publishers import address
from heatmap.publishers.connection import Missing
from heatmap.publishers.delivery import Work

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heatmap.publishers.connection import Session, Target
    from heatmap.system.deadline import Deadline


def find(target: Target, paths: Sequence[str], deadline: Deadline) -> frozenset[str]:
    """Return those of these files, named as pages are, that visitors find there. Raises PublishError."""

    def is_there(session: Session, path: str) -> bool:
        try:
            size = session.size(path)
            if size is None:  # the server tells no sizes
                session.read(path, 1)
        except Missing:
            return False
        return size != 0

    def find_all(session: Session) -> frozenset[str]:
        return frozenset(path for path in paths if is_there(session, address.join(target.folder, path)))

    return Work(target, deadline).within_session(find_all)
