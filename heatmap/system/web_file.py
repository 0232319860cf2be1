"""A file to be published."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WebFile:
    """One file to be published, by its path relative to the target's folder ("nse-fno/index.html").

    `part` is the part that it belongs to (see `parts`), "" for the page and the files that it shows. A file
    of a part may fail without failing the target; then the rest of that market's part is left out, too.
    `needs` is a part of the same market that the file links to: it is not put where that part failed.
    """

    path: str
    content: bytes
    part: str = ""
    needs: str = ""

    @property
    def market(self) -> str:
        """The market whose folder the file goes into; "" for the page above all markets."""
        return self.path.rpartition("/")[0].partition("/")[0]
