"""Live quotes of the National Stock Exchange of India: its endpoints, and one error for their failures."""

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
ENDPOINTS = (  # the present one first, then older ones; {index} is URL-encoded
    "/api/NextApi/apiClient/marketWatchApi?functionName=getIndicesData&symbol={index}",
    "/api/equity-stockIndex?index={index}",
    "/api/equity-stock-indices?index={index}",
)
# If endpoints fail differently, the first of these errors is reported: a block explains a 404 elsewhere, and
# a temporary error explains more than an old endpoint that is gone.
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

    `base_url` is another server, for a relay or a test.
    """

    index: str = "SECURITIES IN F&O"
    base_url: str = BASE_URL

    def __post_init__(self) -> None:
        """Raise ConfigError for impossible values."""
        problems = []
        if not self.index.strip() or len(self.index) > 100 or not self.index.isprintable():
            problems.append('index must be the name of an index of the exchange, such as "NIFTY 50"')
        if self.base_url != BASE_URL and not _is_base_url(self.base_url):
            problems.append(
                "base_url must be https:// and a host, without user, password and query; "
                "http:// is for this machine only"
            )
        problems += self.find_option_problems()
        if problems:
            raise ConfigError(problems)

    def fetch(self, *, now: datetime, folder: Path | None = None) -> Snapshot:  # noqa: ARG002 -- the exchange has a clock of its own
        """Return the first good answer of `ENDPOINTS`. Raises SourceError with the failure of each.

        The cookies of a successful fetch are saved in `folder`.
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
    """Whether a further request is forbidden or useless."""
    if isinstance(error, SourceOverloaded):
        return error.status == 429 or error.retry_after_seconds is not None
    return isinstance(error, SourceUntrusted)


def _is_base_url(url: str) -> bool:
    """Whether an address can precede an endpoint's path, and its traffic is encrypted or local."""
    from urllib.parse import urlsplit

    if not is_web_address(url, may_query=False):
        return False
    parts = urlsplit(url)
    return is_protected(parts.scheme, parts.hostname)


def _combine_failures(failures: Mapping[str, SourceError], page: str) -> SourceError:
    """Return one error for all failures: of the first kind in PRECEDENCE, with each address's failure."""
    # The page's failure counts only if no endpoint was requested.
    endpoint_failures = {url: error for url, error in failures.items() if url != page} or failures
    kind = next(
        kind for kind in PRECEDENCE if any(type(error) is kind for error in endpoint_failures.values())
    )
    cause = next(error for error in endpoint_failures.values() if type(error) is kind)
    names_by_failure: dict[str, list[str]] = {}  # the names of addresses by their failure
    for url, error in failures.items():
        failure = str(error).removeprefix(url).strip().partition(":")[0]
        names_by_failure.setdefault(failure, []).append(url.rpartition("/")[2])
    summary = "; ".join(f"{', '.join(names)}: {failure}" for failure, names in names_by_failure.items())
    return cause.with_sentence(f"the exchange gave no quotes ({summary}): {ADVICE[kind]}")
