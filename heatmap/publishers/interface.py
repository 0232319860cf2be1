"""What a publisher is: a way to put files on a web server.

A publisher is a frozen, slotted dataclass whose fields are its configuration table; the scheme of `url`
chooses the class. Third-party and costly modules are imported inside the method that needs them: a closed
market builds its publishers too, so to build one must stay cheap. It raises ConfigError from
`__post_init__` for values that cannot be. Paths in fields of type `Path` are absolute. If a text field (the
URL) holds a path, the class has a method `resolve_paths(base: Path) -> Self`: it returns the same publisher,
and a relative path then starts at `base`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from heatmap.publishers.delivery import Delivery
    from heatmap.system.deadline import Deadline
    from heatmap.system.web_file import WebFile


class Publisher(Protocol):
    """A way to put files on a web server."""

    @property
    def name(self) -> str:
        """What messages call this target: its address without any secret."""
        ...

    def problems(self) -> Sequence[str]:
        """Say what would keep `publish` from starting, such as a missing secret; touches no network."""
        ...

    def publish(self, pages: Sequence[WebFile], deadline: Deadline) -> Delivery:
        """Put every page in place, in the order given, and see that it is; end by the deadline.

        A visitor sees the old file or the new one, whole. Raises PublishError; what was already in
        place stays.
        """
        ...

    def find(self, paths: Sequence[str], deadline: Deadline) -> frozenset[str]:
        """Return those of these files, named as pages are, that visitors find there. Raises PublishError."""
        ...

    def check(
        self,
        deadline: Deadline,
        pages: Sequence[WebFile] = (),
        visit: Callable[[str, bytes], None] | None = None,
    ) -> str:
        """Write, replace, read back and delete a probe file; say what was found. Raises PublishError.

        None of `pages`, which are not put, may stand in the place of a file that this program did not write.
        Where a file can be shown to visitors for a moment, `visit` is called with its name and what it holds.
        """
        ...
