"""Removes the temporary files that earlier runs left at a target."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from heatmap.errors import DeadlineError, PublishError
from heatmap.publishers import address
from heatmap.publishers.connection import NotFound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heatmap.publishers.connection import Connection
    from heatmap.system.web_file import WebFile


def remove_leftovers(connection: Connection, target_folder: str, pages: Sequence[WebFile]) -> None:
    """Remove old temporary files from the folders of `pages`. The pages are in place: no fault matters."""
    import random
    import time

    now = time.time()
    paths = [address.join(target_folder, page.path) for page in pages]
    with suppress(PublishError, DeadlineError, *connection.faults):
        for folder in dict.fromkeys(map(address.parent, paths)):
            stale_names = [name for name in connection.list_names(folder) if address.is_stale(name, now)]
            random.shuffle(stale_names)  # one that cannot be removed must not protect the others for ever
            for name in stale_names:
                with suppress(NotFound):
                    connection.remove(address.join(folder, name))
