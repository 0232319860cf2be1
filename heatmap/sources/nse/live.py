"""The National Stock Exchange of India: what it is asked for, and whom to believe when it refuses."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from heatmap.errors import (
    ConfigError,
    SourceBlocked,
    SourceEmpty,
    SourceError,
    SourceImpossible,
    SourceNonsense,
    SourceOverloaded,
    SourceRenamed,
    SourceReshaped,
    SourceUntrusted,
)
from heatmap.sources.options import OnlineSource
from heatmap.system.web_address import is_protected, is_web_address

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from heatmap.market.quotes import Snapshot

BASE_URL = "https://www.nseindia.com"
ENDPOINTS = (  # today's first, then what may still answer; {index} is URL-encoded
    "/api/NextApi/apiClient/marketWatchApi?functionName=getIndicesData&symbol={index}",
    "/api/equity-stockIndex?index={index}",
    "/api/equity-stock-indices?index={index}",
)
# When endpoints differ, the first of these that occurred is what went wrong: a block explains a 404
# elsewhere, and trouble that may pass explains more than an alternative that is long gone.
PRECEDENCE = (
    SourceOverloaded,
    SourceUntrusted,
    SourceBlocked,
    SourceError,
    SourceReshaped,
    SourceNonsense,
    SourceEmpty,
    SourceRenamed,
)
ADVICE: Mapping[type[SourceError], str] = {
    SourceOverloaded: "the next run tries again; if this goes on, run it less often",
    SourceUntrusted: "check base_url, the proxy and this machine's clock",
    SourceBlocked: (
        "cloud addresses are often blocked: run it from another address, or draw from the snapshot.json "
        'of an installation that is let in (source type "file")'
    ),
    SourceError: "the next run tries again; if this goes on, check this machine's network and its proxy",
    SourceReshaped: "the exchange has changed its answer: look for a newer version of this program",
    SourceNonsense: "check base_url; if that is right, look for a newer version of this program",
    SourceEmpty: "check the index's name; if that is right, the exchange has no figures at the moment",
    SourceRenamed: "the exchange seems to have renamed it: look for a newer version of this program",
}


@dataclass(frozen=True, slots=True)
class Nse(OnlineSource):
    """Live quotes of an index's stocks; "SECURITIES IN F&O" are those with futures and options.

    `base_url` differs for a relay or a test.
    """

    index: str = "SECURITIES IN F&O"
    base_url: str = BASE_URL

    def __post_init__(self) -> None:
        """Raise ConfigError for values that cannot be."""
        problems = []
        if not self.index.strip() or len(self.index) > 100 or not self.index.isprintable():
            problems.append('index must be the name of an index of the exchange, such as "NIFTY 50"')
        if self.base_url != BASE_URL and not _is_base_url(self.base_url):
            problems.append(
                "base_url must be https:// and a host, without user, password and query; "
                "http:// is for this machine only"
            )
        problems += self.option_problems()
        if problems:
            raise ConfigError(problems)

    def fetch(self, *, now: datetime, folder: Path | None = None) -> Snapshot:  # noqa: ARG002 -- the exchange has a clock of its own
        """Return the first good answer of `ENDPOINTS`. Raises SourceError, telling what each answered.

        `folder` keeps the cookies with which figures came.
        """
        from urllib.parse import quote

        from heatmap.sources.nse.body import parse
        from heatmap.sources.nse.site import Site

        with Site(self, self.base_url, folder) as site:
            for path in ENDPOINTS:
                address = path.format(index=quote(self.index, safe=""))
                try:
                    snapshot = site.get(address, lambda body: parse(body, index=self.index))
                except SourceImpossible:
                    raise
                except SourceError as error:
                    if _is_final(error) or not site.has_time:
                        break
                else:
                    site.save_cookies()
                    return replace(snapshot, clock_offset=site.clock_offset)
            site.forget_cookies()
            raise _combine_failures(site.failures, site.page)


def _is_final(error: SourceError) -> bool:
    """Whether nothing more may be asked, or there would be no point in it."""
    if isinstance(error, SourceOverloaded):
        return error.status == 429 or error.retry_after_seconds is not None
    return isinstance(error, SourceUntrusted)


def _is_base_url(url: str) -> bool:
    """Whether an address can stand before an endpoint's path, and is not read by others on its way."""
    from urllib.parse import urlsplit

    if not is_web_address(url, may_query=False):
        return False
    parts = urlsplit(url)
    return is_protected(parts.scheme, parts.hostname)


def _combine_failures(failures: Mapping[str, SourceError], page: str) -> SourceError:
    """Return one error for all: of the most telling kind, with what each address answered."""
    # What the page answered counts only where no endpoint was asked.
    heard = {url: error for url, error in failures.items() if url != page} or failures
    kind = next(kind for kind in PRECEDENCE if any(type(error) is kind for error in heard.values()))
    cause = next(error for error in heard.values() if type(error) is kind)
    told: dict[str, list[str]] = {}  # who answered alike stands together
    for url, error in failures.items():
        what = str(error).removeprefix(url).strip().partition(":")[0]
        told.setdefault(what, []).append(url.rpartition("/")[2])
    summary = "; ".join(f"{', '.join(names)}: {what}" for what, names in told.items())
    return cause.with_sentence(f"the exchange gave no quotes ({summary}): {ADVICE[kind]}")
