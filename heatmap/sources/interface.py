"""The interface of sources of quotes.

A source is a frozen, slotted dataclass whose fields are its configuration table; `type` chooses the class.
Third-party and slow modules are imported inside the method that needs them: a closed market creates its
sources too, so this must stay cheap. `__post_init__` raises ConfigError for impossible values.

Paths in fields of type `Path` are absolute. If a text field holds a path, the class has a method
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
    """A source of quotes."""

    def fetch(self, *, now: datetime, folder: Path | None = None) -> Snapshot:
        """Return the newest quotes. `now` is the run's clock. Raises SourceError.

        A source may save data for its next fetch in `folder`, such as cookies, but must work without them.
        The folder need not exist yet. None: save nothing.
        """
        ...


class ClosingSource(Source, Protocol):
    """A source of the figures of finished sessions. It is used in the final phase only."""

    def closing(
        self,
        session: Session,
        *,
        symbols: Collection[str] = (),
        listed_on: date | None = None,
        folder: Path | None = None,
    ) -> Snapshot:
        """Return the final figures of a session, as of the time when it settled.

        `symbols` are the instruments of the market's last page, and `listed_on` is the date of that page;
        empty and None: there is no page. `folder`: see `fetch`. Raises SourceError; SourcePassed if the
        figures are not published yet.
        """
        ...
