"""Requests to the exchange's site: like a browser's, with the cookies of a page, which expire."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from heatmap.errors import SourceError, SourceImpossible, SourceOverloaded, SourceUntrusted
from heatmap.system.http.client import FetchBudget
from heatmap.system.http.responses import redacted_url

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta
    from pathlib import Path
    from typing import Self

    from heatmap.sources.options import OnlineSource

T = TypeVar("T")

# The exchange answers only browsers.
BROWSER_HEADERS = {
    "User-Agent": (
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/142.0.0.0 Safari/537.36"
    ),
    "Accept": "text/html,application/xhtml+xml,application/json;q=0.9,*/*;q=0.8",
    "Accept-Language": "en-GB,en;q=0.9",
}
PAGE = "/market-data/live-equity-market"  # visited for its cookies
PAGE_SHARE = 0.3  # of the remaining time: the page may hang while the figures come
SAVED_COOKIES_SHARE = 0.5  # of the remaining time: with expired cookies, connections hang
REFUSALS = (401, 403)  # the status of an answer to a visitor without valid cookies
COOKIES_FILE = "cookies.json"


class Site:
    """The exchange during one fetch; a context manager.

    The cookies of a successful fetch are saved in `folder` for the next one; None: they are not saved.
    `failures` has the last error of each address.
    """

    def __init__(self, source: OnlineSource, base_url: str, folder: Path | None = None) -> None:
        self._base = base_url.rstrip("/")
        self._budget = FetchBudget(source.fetch_timeout_seconds)
        self._client = source.client(
            headers=BROWSER_HEADERS, cookies=folder / COOKIES_FILE if folder else None
        )
        self._has_saved_cookies = bool(len(self._client.cookies))
        self._may_visit_again = True  # the page is visited again at most once in a fetch
        self._has_cookies = self._has_saved_cookies
        self.failures: dict[str, SourceError] = {}

    def __enter__(self) -> Self:
        self._client.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.__exit__()

    @property
    def page(self) -> str:
        """The page's address for messages, without secrets."""
        return redacted_url(self._base + PAGE)

    def get(self, path: str, read: Callable[[bytes], T]) -> T:
        """Return the result of `read` for the answer to `path`. Raises SourceError, of the last attempt.

        Before the first request the page is visited, unless there are saved cookies. After a failure with
        saved cookies, or after a refusal, one more request follows with new cookies. `read` may raise
        SourceError.
        """
        url = self._base + path
        if not self._has_cookies:
            self._visit_page()
        try:
            return self._fetch(url, read, SAVED_COOKIES_SHARE if self._has_saved_cookies else 1.0)
        except (SourceOverloaded, SourceUntrusted, SourceImpossible):
            raise
        except SourceError as error:
            if not self._may_visit_again or not (self._has_saved_cookies or error.status in REFUSALS):
                raise
        self._may_visit_again = self._has_saved_cookies = False
        self._client.cookies.clear()
        self._visit_page()
        return self._fetch(url, read)

    def save_cookies(self) -> None:
        """Save the cookies after a successful fetch."""
        self._client.cookies.save()

    def forget_cookies(self) -> None:
        """Delete the cookies after a failed fetch."""
        self._client.cookies.clear()

    @property
    def clock_offset(self) -> timedelta | None:
        """How far the exchange's clock is ahead of this machine's; None: not known."""
        return self._client.clock_offset

    @property
    def has_time(self) -> bool:
        """Whether there is time left for a request."""
        return self._budget.remaining() > 0

    def _fetch(self, url: str, read: Callable[[bytes], T], share: float = 1.0) -> T:
        headers = {"Referer": self.page}
        try:
            return read(self._client.get(url, self._budget, share=share, headers=headers).body)
        except SourceError as error:
            self.failures[redacted_url(url)] = error
            raise

    def _visit_page(self) -> None:
        """Visit the page for its cookies. Most failures are ignored: figures may come without cookies."""
        self._has_cookies = True
        retries, self._budget.retries = self._budget.retries, 0  # retries are for the figures
        try:
            self._client.get(self._base + PAGE, self._budget, share=PAGE_SHARE)
        except SourceError as error:
            self.failures[self.page] = error
            if isinstance(error, (SourceImpossible, SourceUntrusted)) or error.status == 429:
                raise
        finally:
            self._budget.retries = retries
