"""The National Stock Exchange of India: how to get through to it, and whom to believe when it refuses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from heatmap.errors import (
    ConfigError,
    SourceBlocked,
    SourceError,
    SourceNonsense,
    SourceOverloaded,
    SourceRenamed,
    SourceUntrusted,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from heatmap.model import Snapshot

BASE_URL = "https://www.nseindia.com"
PAGE = "/market-data/live-equity-market"  # visited first, for its cookies
ENDPOINTS = (  # today's first, then what may still answer; {index} is URL-encoded
    "/api/NextApi/apiClient/marketWatchApi?functionName=getIndicesData&symbol={index}",
    "/api/equity-stockIndex?index={index}",
    "/api/equity-stock-indices?index={index}",
)
SECONDS_BETWEEN_REQUESTS = 1 / 3  # the polite ceiling
PAGE_SHARE = 0.3  # of the time for the whole fetch: the page may hang where the figures do not
# The exchange answers browsers only.
BROWSER_HEADERS = {
    "User-Agent": (
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/142.0.0.0 Safari/537.36"
    ),
    "Accept": "text/html,application/xhtml+xml,application/json;q=0.9,*/*;q=0.8",
    "Accept-Language": "en-GB,en;q=0.9",
}
# When endpoints differ, the first of these that occurred is what went wrong: a block explains a 404
# elsewhere, and trouble that may pass explains more than an alternative that is long gone.
TELLING = (SourceOverloaded, SourceUntrusted, SourceBlocked, SourceError, SourceNonsense, SourceRenamed)
ADVICE: Mapping[type[SourceError], str] = {
    SourceOverloaded: "run it less often",
    SourceUntrusted: "check base_url and this machine's clock",
    SourceBlocked: (
        "cloud addresses are often blocked: run it from another address, or draw from the snapshot.json "
        'of an installation that is let in (source type "file")'
    ),
    SourceError: "the next run tries again",
    SourceNonsense: (
        "check the index's name; if that is right, the exchange has changed its answer: "
        "look for a newer version of this program"
    ),
    SourceRenamed: "the exchange seems to have renamed it: look for a newer version of this program",
}


@dataclass(frozen=True, slots=True)
class Nse:
    """Live quotes of an index's stocks; "SECURITIES IN F&O" are those with futures and options.

    `base_url` differs for a relay or a test. `fetch_timeout_seconds` limits the whole fetch.
    """

    index: str = "SECURITIES IN F&O"
    base_url: str = BASE_URL
    connect_timeout_seconds: float = 5
    read_timeout_seconds: float = 10
    fetch_timeout_seconds: float = 25

    def __post_init__(self) -> None:
        """Raise ConfigError for values that cannot be."""
        problems = []
        if not self.index.strip() or len(self.index) > 100 or not self.index.isprintable():
            problems.append('index must be the name of an index of the exchange, such as "NIFTY 50"')
        if self.base_url != BASE_URL and not _is_base(self.base_url):
            problems.append(
                "base_url must be https:// and a host, without user, password and query; "
                "http:// is for this machine only"
            )
        timeouts = ("connect_timeout_seconds", "read_timeout_seconds", "fetch_timeout_seconds")
        problems += [f"{name} must be 1 to 300" for name in timeouts if not 1 <= getattr(self, name) <= 300]
        if problems:
            raise ConfigError(problems)

    def fetch(self, *, now: datetime, folder: Path | None = None) -> Snapshot:  # noqa: ARG002
        """Return the first good answer of `ENDPOINTS`. Raises SourceError, telling what each answered."""
        from time import monotonic, sleep
        from urllib.parse import quote

        import requests

        from heatmap import web
        from heatmap.sources.nse_body import parse

        base = self.base_url.rstrip("/")
        page = web.shown(base + PAGE)
        ends = monotonic() + self.fetch_timeout_seconds
        failures: dict[str, SourceError] = {}
        with requests.Session() as session:  # a new one each time: stale cookies make connections fail
            session.headers.update(BROWSER_HEADERS)
            for path in (PAGE, *ENDPOINTS):
                url = base + path.format(index=quote(self.index, safe=""))
                asked = monotonic()
                seconds = ends - asked
                if seconds < SECONDS_BETWEEN_REQUESTS:
                    break
                try:
                    answer = web.get(
                        url,
                        session=session,
                        connect_timeout_seconds=self.connect_timeout_seconds,
                        read_timeout_seconds=self.read_timeout_seconds,
                        deadline_seconds=seconds * PAGE_SHARE if path == PAGE else seconds,
                    )
                    if path != PAGE:
                        return parse(answer.body, index=self.index)
                except (
                    SourceError
                ) as error:  # of the page no loss by itself: figures may come without cookies
                    failures[web.shown(url)] = error
                    if isinstance(error, SourceOverloaded):
                        break
                session.headers["Referer"] = page
                sleep(max(asked + SECONDS_BETWEEN_REQUESTS - monotonic(), 0))
        if not failures:
            message = "the exchange answered too slowly to be asked for figures: raise fetch_timeout_seconds"
            raise SourceBlocked(message)
        raise _verdict(failures, page)


def _is_base(url: str) -> bool:
    """Whether an address can stand before an endpoint's path, and is not read by others on its way."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        plain = parts.username is None and not parts.query and not parts.fragment and parts.port != 0
    except ValueError:
        return False
    local = parts.hostname in ("localhost", "127.0.0.1", "::1")
    return plain and bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and local))


def _verdict(failures: Mapping[str, SourceError], page: str) -> SourceError:
    """Return one error for all: of the most telling kind, with what each address answered."""
    # What the page answered counts only where no endpoint was asked.
    heard = {url: error for url, error in failures.items() if url != page} or failures
    kind = next(kind for kind in TELLING if any(type(error) is kind for error in heard.values()))
    told: dict[str, list[str]] = {}  # who answered alike stands together
    for url, error in failures.items():
        what = str(error).removeprefix(url).strip().partition(":")[0]
        told.setdefault(what, []).append(url.rpartition("/")[2])
    summary = "; ".join(f"{', '.join(names)}: {what}" for what, names in told.items())
    verdict = kind(f"the exchange gave no quotes ({summary}): {ADVICE[kind]}")
    verdict.__cause__ = next(error for error in heard.values() if type(error) is kind)
    return verdict
