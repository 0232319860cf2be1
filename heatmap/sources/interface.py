"""What a source is: a place quotes come from.

A source is a frozen, slotted dataclass whose fields are its configuration table; `type` chooses the class.
Third-party and costly modules are imported inside the method that needs them: a closed market builds its
sources too, so to build one must stay cheap. It raises ConfigError from `__post_init__` for values that
cannot be. Paths in fields of type `Path` are absolute. If a text field holds a path, the class has a method
`resolve_paths(base: Path) -> Self`: it returns the same source, and a relative path then starts at `base`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import date, datetime
    from pathlib import Path

    from heatmap.market.calendar.session import Session
    from heatmap.market.quotes import Snapshot


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
