"""The properties and methods that the publishers to all kinds of servers share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heatmap.publishers import address, options

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from heatmap.publishers.connection import Target
    from heatmap.publishers.delivery import Delivery
    from heatmap.system.deadline import Deadline
    from heatmap.system.web_file import WebFile


class Remote:
    """A publisher whose `url` has a host and a folder. Its connection is made by `make_connection`."""

    __slots__ = ()

    url: str

    @property
    def name(self) -> str:
        """The target's name in messages."""
        return address.parse(self.url).name

    @property
    def folder(self) -> str:
        """The folder of the pages, as the server has it."""
        return address.parse(self.url).folder

    @property
    def attempts(self) -> int:
        """How many times a delivery is tried. Connections and libraries below try once."""
        return options.ATTEMPTS

    def publish(self: Target, pages: Sequence[WebFile], deadline: Deadline) -> Delivery:
        """Put every page in place, in order. A file that is the same already stays. Raises PublishError."""
        from heatmap.publishers.delivery import deliver

        return deliver(self, pages, deadline)

    def find(self: Target, paths: Sequence[str], deadline: Deadline) -> frozenset[str]:
        """Return those of `paths` that visitors find there. Raises PublishError."""
        from heatmap.publishers.search import find

        return find(self, paths, deadline)

    def check(
        self: Target,
        deadline: Deadline,
        pages: Sequence[WebFile] = (),
        visit: Callable[[str, bytes], None] | None = None,
    ) -> str:
        """Check that `pages` would replace no foreign file; write, replace, read back and delete a file.

        Raises PublishError.
        """
        from heatmap.publishers.probe import probe

        return probe(self, deadline, pages, visit)
