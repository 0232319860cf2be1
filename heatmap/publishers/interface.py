"""The protocol of publishers. A publisher puts files on a web server.

A publisher is a frozen, slotted dataclass. Its fields are its configuration table; the scheme of `url`
chooses the class. Third-party and costly modules are imported inside the method that needs them: a closed
market makes its publishers too, so making one must stay cheap. `__post_init__` raises ConfigError for values
that are not valid. Paths in fields of type `Path` are absolute. If a text field (the URL) holds a path, the
class has a method `resolve_paths(base: Path) -> Self`. It returns the same publisher; a relative path then
starts at `base`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from heatmap.publishers.delivery import Delivery
    from heatmap.system.deadline import Deadline
    from heatmap.system.web_file import WebFile


class Publisher(Protocol):
    """Puts files on a web server."""

    @property
    def name(self) -> str:
        """The target's name in messages: its address without any secret."""
        ...

    def problems(self) -> Sequence[str]:
        """Return a sentence for each reason why `publish` cannot start, such as a missing secret.

        Uses no network.
        """
        ...

    def publish(self, pages: Sequence[WebFile], deadline: Deadline) -> Delivery:
        """Put every page in place, in this order, check it, and end by the deadline.

        A visitor gets the old file or the new one, never a part of one. Raises PublishError; then the files
        that are in place already stay.
        """
        ...

    def find(self, paths: Sequence[str], deadline: Deadline) -> frozenset[str]:
        """Return those of `paths` that visitors find there. Raises PublishError.

        The paths are relative to the target's folder, like those of pages.
        """
        ...

    def check(
        self,
        deadline: Deadline,
        pages: Sequence[WebFile] = (),
        visit: Callable[[str, bytes], None] | None = None,
    ) -> str:
        """Write, replace, read back and delete a probe file. Return the result in words. Raises PublishError.

        If one of `pages` would replace a file that this program did not write, that is an error, too. They
        are not put. If visitors can read a file for a moment, `visit` gets its name and its content.
        """
        ...
