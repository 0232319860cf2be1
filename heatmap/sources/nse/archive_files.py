"""Reads archives: from the exchange's server, or from a folder of downloaded files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from heatmap.errors import (
    HistoryImpossible,
    HistoryNonsense,
    SourceBlocked,
    SourceError,
    SourceOverloaded,
    SourceRenamed,
    SourceUntrusted,
)
from heatmap.sources.nse import bhavcopy
from heatmap.system import files, limits
from heatmap.system.http.client import Client, FetchBudget
from heatmap.system.http.responses import Limits, Response, redacted_url

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
    from pathlib import Path
    from types import TracebackType
    from typing import Self

DEADLINE_SECONDS = 60.0  # the time limit for one archive
LIMITS = Limits(limits.ARCHIVE_PACKED_BYTES, limits.ARCHIVE_BYTES)
PAGE = "/all-reports"  # the exchange's page with links to the archives


class ArchiveFolder:
    """Archives in a folder, under the exchange's names. Of two archives of a day the full form is first."""

    max_missing_in_a_row: int | None = None
    may_be_trimmed = True

    def __init__(self, path: Path) -> None:
        """List the archives. Raises HistoryImpossible if the folder has none, or cannot be read."""
        self._path = path
        self._names: dict[date, list[str]] = {}
        try:
            names = sorted(os.listdir(path), key=lambda name: (not name.lower().startswith("sec"), name))
        except OSError as error:
            raise HistoryImpossible(
                f"{path} cannot be read ({error.strerror}): give --folder a folder of archives"
            ) from error
        for name in names:
            day = bhavcopy.find_date(name)
            if day is not None:
                self._names.setdefault(day, []).append(name)
        if not self._names:
            raise HistoryImpossible(
                f"{path} holds no archive of shares: the exchange calls them sec_bhavdata_full_20072026.csv "
                "or BhavCopy_NSE_CM_0_0_0_20260720_F_0000.csv.zip"
            )

    @property
    def days(self) -> Sequence[date]:
        """The days that have archives, in order."""
        return sorted(self._names)

    def names(self, day: date) -> Sequence[str]:
        """Return the names of a day's files."""
        return self._names.get(day, [])

    def locate(self, path: str) -> str | None:
        """Return the name of the file that the exchange has at this path; None if it is not in the folder."""
        name = path.rpartition("/")[2]
        return name if (self._path / name).is_file() else None

    def read_archive(self, name: str, day: date) -> bhavcopy.Archive:
        """Return the archive of a day in a file. Raises HistoryNonsense."""
        return bhavcopy.parse(self.read(name), day)

    def read(self, name: str) -> bytes:
        """Return a file's content. Raises HistoryNonsense, also above limits.ARCHIVE_BYTES."""
        try:
            return files.read(self._path / name, limits.ARCHIVE_BYTES)
        except OSError as error:
            raise HistoryNonsense(f"cannot be read ({error.strerror})") from error


class ArchiveServer:
    """The exchange's archives over HTTP; a context manager.

    `headers` are a browser's headers for the default client; `client` replaces it. After a refusal a page is
    visited for its cookies, then the archive is requested again. A second refusal is an error.
    """

    max_missing_in_a_row: int | None = 3
    may_be_trimmed = False

    def __init__(
        self, base_url: str, page_url: str, headers: Mapping[str, str], client: Client | None = None
    ) -> None:
        self._base = base_url.rstrip("/")
        self._page = page_url.rstrip("/") + PAGE
        self._client = client or Client(headers=headers, limits=LIMITS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.__exit__()

    def names(self, day: date) -> Sequence[str]:
        """Return the URLs of a day's archives."""
        return [self._base + path for path in bhavcopy.archive_paths(day)]

    def locate(self, path: str) -> str:
        """Return the URL of another file, by its path."""
        return self._base + path

    def read_archive(self, name: str, day: date) -> bhavcopy.Archive | None:
        """Return the archive of a day at an address; None where there is none yet.

        Raises HistoryNonsense for an archive that cannot be used, and SourceError.
        """
        body = self.read(name)
        return None if body is None else bhavcopy.parse(body, day)

    def read(self, name: str) -> bytes | None:
        """Fetch a file; None if the server does not have it. Raises SourceError."""
        try:
            try:
                return self._fetch_archive(name)
            except SourceBlocked:
                self._visit_page()
                return self._fetch_archive(name)
        except SourceRenamed:
            return None

    def _fetch_archive(self, url: str) -> bytes:
        response = self._get(url)
        if response.content_type == "text/html" or response.body.lstrip()[:1] == b"<":
            raise SourceBlocked(
                f"{redacted_url(url)} answered with a web page instead of an archive: "
                "it does not let this address in"
            )
        return response.body

    def _visit_page(self) -> None:
        """Fetch the page for its cookies. Most errors are ignored."""
        try:
            self._get(self._page)
        except (SourceOverloaded, SourceUntrusted):
            raise
        except SourceError:
            return

    def _get(self, url: str) -> Response:
        return self._client.get(url, FetchBudget(DEADLINE_SECONDS))
