"""A file to be published."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WebFile:
    """One file to be published, by its path relative to the target's folder ("nse-fno/index.html").

    `part` is its part (see `parts`); "": the page and the files that it shows. If a file of a part fails, the
    target does not fail; then the other files of that market's part are left out, too. `needs` is a part of
    the same market that the file links to. The file is not published if that part failed.
    """

    path: str
    content: bytes
    part: str = ""
    needs: str = ""

    @property
    def market(self) -> str:
        """The market whose folder has the file; "": the page above all markets."""
        return self.path.rpartition("/")[0].partition("/")[0]
