"""The three interfaces: where quotes come from, what is drawn, where the pages go.

A plugin is a frozen, slotted dataclass whose fields are its configuration table (`type` and, for
publishers, the scheme of `url` choose the class). Third-party and costly modules are imported inside
the method that needs them: building a plugin must stay cheap, since a closed market builds them too.
A plugin raises ConfigError from `__post_init__` for values that cannot be. Where it holds relative
paths it has a method `located(base: Path) -> Self`, the same plugin with its paths taken from `base`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from datetime import date, datetime
    from pathlib import Path

    from heatmap.deadline import Deadline
    from heatmap.model import Page, Reading, Snapshot
    from heatmap.publishers.delivery import Delivery
    from heatmap.session import Session


class Source(Protocol):
    """A place quotes come from."""

    def fetch(self, *, now: datetime, folder: Path | None = None) -> Snapshot:
        """Return the newest quotes there are. `now` is the run's clock. Raises SourceError.

        `folder`, which need not exist yet, is where a source may keep what makes its next fetch better,
        such as cookies; it must be able to do without. None: keep nothing.
        """
        ...


class ClosingSource(Source, Protocol):
    """A place that has the figures of sessions once they are over: it is asked in the final phase alone."""

    def closing(
        self,
        session: Session,
        *,
        symbols: Collection[str] = (),
        listed_on: date | None = None,
        folder: Path | None = None,
    ) -> Snapshot:
        """Return the final figures of a session, as of when it settled.

        `symbols` are the instruments that the market's last page has, and `listed_on` is the date that the
        page is of; none: there is no page. `folder` is as for `fetch`. Raises SourceError, SourcePassed where
        the figures are not there yet.
        """
        ...


class View(Protocol):
    """A picture of a market. Pure."""

    def draw(self, snapshot: Snapshot, reading: Reading) -> Any:  # noqa: ANN401 -- each view's own picture
        """Return a reading of the snapshot set in order, in places or in colours, as the view has it."""
        ...


class Publisher(Protocol):
    """A way to put files on a web server."""

    @property
    def name(self) -> str:
        """What messages call this target: its address without any secret."""
        ...

    def problems(self) -> Sequence[str]:
        """Say what would keep `publish` from starting, such as a missing secret; touches no network."""
        ...

    def publish(self, pages: Sequence[Page], deadline: Deadline) -> Delivery:
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
        pages: Sequence[Page] = (),
        visit: Callable[[str, bytes], None] | None = None,
    ) -> str:
        """Write, replace, read back and delete a probe file; say what was found. Raises PublishError.

        None of `pages`, which are not put, may stand in the place of a file that this program did not write.
        Where a file can be shown to visitors for a moment, `visit` is called with its name and what it holds.
        """
        ...
