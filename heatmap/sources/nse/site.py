"""How to get through to the exchange: as a browser would, with a page's cookies, which go stale."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from heatmap.errors import SourceError, SourceImpossible, SourceOverloaded, SourceUntrusted
from heatmap.system import http

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta
    from pathlib import Path
    from typing import Self

    from heatmap.sources.options import OnlineSource

T = TypeVar("T")

# The exchange answers browsers only.
BROWSER_HEADERS = {
    "User-Agent": (
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/142.0.0.0 Safari/537.36"
    ),
    "Accept": "text/html,application/xhtml+xml,application/json;q=0.9,*/*;q=0.8",
    "Accept-Language": "en-GB,en;q=0.9",
}
PAGE = "/market-data/live-equity-market"  # visited for its cookies
PAGE_SHARE = 0.3  # of the time that is left: the page may hang where the figures do not
SAVED_COOKIES_SHARE = 0.5  # of the time that is left: with stale cookies, connections hang
REFUSALS = (401, 403)  # what a visitor without the right cookies is answered
COOKIES_FILE = "cookies.json"


class Site:
    """The exchange during one fetch; a context manager.

    `folder` keeps the cookies of a fetch that went well for the next one; None: none are kept. `failures`
    tells what each address last answered that gave nothing.
    """

    def __init__(self, source: OnlineSource, base_url: str, folder: Path | None = None) -> None:
        self._base = base_url.rstrip("/")
        self._budget = http.FetchBudget(source.fetch_timeout_seconds)
        self._client = source.client(
            headers=BROWSER_HEADERS, cookies=folder / COOKIES_FILE if folder else None
        )
        self._has_kept = bool(len(self._client.cookies))
        self._may_warm = True  # the page is visited again once a fetch, not more
        self._is_warm = self._has_kept
        self.failures: dict[str, SourceError] = {}

    def __enter__(self) -> Self:
        self._client.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.__exit__()

    @property
    def page(self) -> str:
        """The page's address, as messages show it."""
        return http.redacted_url(self._base + PAGE)

    def get(self, path: str, read: Callable[[bytes], T]) -> T:
        """Return what `read` makes of the answer to `path`. Raises SourceError, of the last try.

        Before the first question the page is visited, unless cookies were kept. What fails with kept ones
        is tried without them; what is refused, once more with new ones. `read` raises SourceError, too.
        """
        url = self._base + path
        if not self._is_warm:
            self._visit()
        try:
            return self._ask(url, read, SAVED_COOKIES_SHARE if self._has_kept else 1.0)
        except (SourceOverloaded, SourceUntrusted, SourceImpossible):
            raise
        except SourceError as error:
            if not self._may_warm or not (self._has_kept or error.status in REFUSALS):
                raise
        self._may_warm = self._has_kept = False
        self._client.cookies.forget()
        self._visit()
        return self._ask(url, read)

    def save_cookies(self) -> None:
        """Keep the cookies: with them figures came."""
        self._client.cookies.keep()

    def forget_cookies(self) -> None:
        """Keep no cookie: with them none came."""
        self._client.cookies.forget()

    @property
    def clock_offset(self) -> timedelta | None:
        """By how much the exchange's clock is ahead of this machine's; None: it did not tell."""
        return self._client.clock_offset

    @property
    def has_time(self) -> bool:
        """Whether there is time left to ask."""
        return self._budget.remaining() > 0

    def _ask(self, url: str, read: Callable[[bytes], T], share: float = 1.0) -> T:
        headers = {"Referer": self.page}
        try:
            return read(self._client.get(url, self._budget, share=share, headers=headers).body)
        except SourceError as error:
            self.failures[http.redacted_url(url)] = error
            raise

    def _visit(self) -> None:
        """Visit the page. Its failure is no loss by itself, for figures may come without cookies."""
        self._is_warm = True
        retries, self._budget.retries = self._budget.retries, 0  # those are for the figures
        try:
            self._client.get(self._base + PAGE, self._budget, share=PAGE_SHARE)
        except SourceError as error:
            self.failures[self.page] = error
            if isinstance(error, (SourceImpossible, SourceUntrusted)) or error.status == 429:
                raise
        finally:
            self._budget.retries = retries
