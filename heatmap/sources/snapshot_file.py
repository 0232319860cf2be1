"""Quotes from a file or a URL: another installation's snapshot.json, or an answer of the exchange."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from heatmap.errors import ConfigError, SourceError, SourceImpossible, SourceNonsense
from heatmap.sources.options import OnlineSource
from heatmap.system import files, limits, resource_errors
from heatmap.system.web_address import is_web_address

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from heatmap.market.quotes import Snapshot


@dataclass(frozen=True, slots=True)
class SnapshotFile(OnlineSource):
    """The quotes at `path` or at `url`, exactly one of the two. Their content shows their format."""

    path: str | None = None
    url: str | None = None

    def __post_init__(self) -> None:
        """Raise ConfigError for impossible values."""
        problems = []
        if (self.path is None) == (self.url is None):
            problems.append("needs either path or url")
        if self.path is not None and (not self.path or "\0" in self.path):
            problems.append("path must be that of a file")
        if self.url is not None and not is_web_address(self.url):
            problems.append("url must begin with https:// or http:// and a host, without user and password")
        problems += self.find_option_problems()
        if problems:
            raise ConfigError(problems)

    def resolve_paths(self, base: Path) -> SnapshotFile:
        """Return the same source; if its path is relative, it now starts at `base`."""
        return replace(self, path=str(base / os.path.expanduser(self.path))) if self.path else self

    def fetch(self, *, now: datetime, folder: Path | None = None) -> Snapshot:  # noqa: ARG002 -- needs neither
        """Return the present content of the file. Raises SourceError."""
        offset = None
        if self.path is not None:
            place, body = self.path, _read(self.path)
        else:
            from heatmap.system.http.client import FetchBudget
            from heatmap.system.http.responses import redacted_url

            place = redacted_url(self.url or "")
            with self.client() as client:
                body = client.get(self.url or "", FetchBudget(self.fetch_timeout_seconds)).body
                offset = client.clock_offset
        try:
            return replace(parse(body), clock_offset=offset)
        except SourceError as error:
            raise error.with_sentence(f"{place} {error}") from error


def parse(body: bytes) -> Snapshot:
    """Return the quotes in a snapshot.json or in an answer of the exchange. Raises SourceError."""
    from heatmap.market import snapshot_json
    from heatmap.market.calendar.session import Phase
    from heatmap.sources.nse import body as nse_body
    from heatmap.system import strict_json

    if nse_body.is_web_page(body):
        return nse_body.parse(body)  # raises the right error
    document = strict_json.decode(body)
    if isinstance(document, dict) and "schema" in document:
        snapshot = snapshot_json.from_json(document)
        return replace(snapshot, relayed_phase=Phase(document["session"]["phase"]))
    return nse_body.parse(document)


def _read(path: str) -> bytes:
    try:
        return files.read(path, limits.SNAPSHOT_BYTES)
    except FileNotFoundError as error:
        message = f"{path} is not there: check its name, or wait until it has been written"
        raise SourceImpossible(message) from error
    except OSError as error:
        if error.errno == errno.EFBIG:
            raise SourceNonsense(f"{path} holds no list of quotes: {error.strerror}") from error
        if error.errno in (errno.EINVAL, errno.EISDIR):
            raise SourceImpossible(f"{path} is no file ({error.strerror}): name the file itself") from error
        resource_errors.refuse(error)
        message = f"{path} cannot be read ({error.strerror}): make it readable or name another"
        raise SourceImpossible(message) from error
