"""Quotes from a file or an address: another installation's snapshot.json, or an answer of the exchange."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from heatmap.errors import ConfigError, SourceError, SourceImpossible, SourceNonsense

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from heatmap.model import Snapshot

MAX_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class File:
    """The figures at `path` or at `url`: exactly one of the two. What they are is told by their content."""

    path: str | None = None
    url: str | None = None
    connect_timeout_seconds: float = 5
    read_timeout_seconds: float = 10
    fetch_timeout_seconds: float = 25

    def __post_init__(self) -> None:
        """Raise ConfigError for values that cannot be."""
        problems = []
        if (self.path is None) == (self.url is None):
            problems.append("needs either path or url")
        if self.path is not None and (not self.path or "\0" in self.path):
            problems.append("path must be that of a file")
        if self.url is not None and not _is_web_address(self.url):
            problems.append("url must begin with https:// or http:// and a host, without user and password")
        timeouts = ("connect_timeout_seconds", "read_timeout_seconds", "fetch_timeout_seconds")
        problems += [f"{name} must be 1 to 300" for name in timeouts if not 1 <= getattr(self, name) <= 300]
        if problems:
            raise ConfigError(problems)

    def located(self, base: Path) -> File:
        """Return the same source with a relative path taken from `base`."""
        from pathlib import Path

        return replace(self, path=str(base / Path(self.path).expanduser())) if self.path else self

    def fetch(self, *, now: datetime, folder: Path | None = None) -> Snapshot:  # noqa: ARG002 -- neither counts here
        """Return what the file holds now. Raises SourceError."""
        if self.path is not None:
            where, body = self.path, _read(self.path)
        else:
            from heatmap import web

            url = self.url or ""
            where = web.shown(url)
            body = web.get(
                url,
                connect_timeout_seconds=self.connect_timeout_seconds,
                read_timeout_seconds=self.read_timeout_seconds,
                deadline_seconds=self.fetch_timeout_seconds,
                max_decoded_bytes=MAX_BYTES,
            ).body
        try:
            return parse(body)
        except SourceError as error:
            raise type(error)(f"{where} {error}") from error


def parse(body: bytes) -> Snapshot:
    """Return the quotes in a snapshot.json of ours or in an answer of the exchange. Raises SourceError."""
    from heatmap import snapshots
    from heatmap.sources import nse_body

    if nse_body.is_web_page(body):
        return nse_body.parse(body)  # which says what that means
    document = snapshots.decode(body)
    if isinstance(document, dict) and "schema" in document:
        return snapshots.from_json(document)
    return nse_body.parse(document)


def _read(path: str) -> bytes:
    from pathlib import Path

    try:
        file = Path(path)
        if file.exists() and not file.is_file():  # a pipe would keep us waiting
            raise SourceImpossible(f"{path} is no file: name the file itself")
        with file.open("rb") as stream:
            body = stream.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        message = f"{path} is not there: check its name, or wait until it has been written"
        raise SourceError(message) from error
    except OSError as error:
        message = f"{path} cannot be read ({error.strerror}): make it readable or name another"
        raise SourceImpossible(message) from error
    if len(body) > MAX_BYTES:
        raise SourceNonsense(f"{path} holds more than {MAX_BYTES:,} bytes: that is no list of quotes")
    return body


def _is_web_address(url: str) -> bool:
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and parts.port != 0
        return known and bool(parts.hostname) and parts.username is None
    except ValueError:
        return False
