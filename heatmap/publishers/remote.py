"""What the publishers to all kinds of servers have in common: who they are, and how they deliver."""

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
    """A publisher whose `url` has a host and a folder, and whose `session` has the primitive steps."""

    __slots__ = ()

    url: str

    @property
    def name(self) -> str:
        """What messages call this target."""
        return address.parse(self.url).name

    @property
    def folder(self) -> str:
        """The folder of the pages, as the server has it."""
        return address.parse(self.url).folder

    @property
    def attempts(self) -> int:
        """How often a fault that may pass is worth a try: sessions and libraries below try once."""
        return options.ATTEMPTS

    def publish(self: Target, pages: Sequence[WebFile], deadline: Deadline) -> Delivery:
        """Put every page in place, in order; files that are the same already stay. Raises PublishError."""
        from heatmap.publishers.delivery import deliver

        return deliver(self, pages, deadline)

    def find(self: Target, paths: Sequence[str], deadline: Deadline) -> frozenset[str]:
        """Return those of these files that visitors find there. Raises PublishError."""
        from heatmap.publishers.search import find

        return find(self, paths, deadline)

    def check(
        self: Target,
        deadline: Deadline,
        pages: Sequence[WebFile] = (),
        visit: Callable[[str, bytes], None] | None = None,
    ) -> str:
        """See whose `pages` are there; write, replace, read back and delete a file. Raises PublishError."""
        from heatmap.publishers.probe import probe

        return probe(self, deadline, pages, visit)
