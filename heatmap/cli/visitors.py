"""Checks for `heatmap check` that visitors find at public_url the files that targets get."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heatmap import __version__
from heatmap.errors import ConfigError, SourceError
from heatmap.publishers import ownership

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = 10.0  # for each request
GONE = (404, 410)
HEADERS = {"User-Agent": f"market-heatmap/{__version__}", "Cache-Control": "no-cache"}


class Visitor:
    """Fetches from public_url, as a visitor does, the files that targets have just got.

    If there are several targets, one is enough: the others may be copies.
    """

    def __init__(self, public_url: str) -> None:
        """Store the address. It ends with a slash."""
        self._public_url = public_url
        self._matching_address = ""  # an address with the file that a target has just got
        self._missing_address = ""  # an address without it
        self._problem: SourceError | None = None  # the error there; None: the address had another file

    def visit(self, name: str, content: bytes) -> None:
        """Fetch a file that a target has just got. Raises no network errors."""
        address = self._public_url + name
        try:
            body = _fetch(address)
        except SourceError as error:
            self._missing_address, self._problem = address, error
            return
        if body == content:
            self._matching_address = address
        else:
            self._missing_address, self._problem = address, None

    def report(self, info: Callable[[str], None], warning: Callable[[str], None]) -> None:
        """Report the result. Raises ConfigError if visitors find other files than those published."""
        if self._matching_address:
            info(f"visitors find the published files at {self._public_url}")
            return
        page, problem = b"", None
        try:
            page = _fetch(self._public_url)
        except SourceError as error:
            problem = error
        is_ours = bool(page) and ownership.is_ours(page)
        if not self._missing_address and is_ours:
            info(f"visitors find a page of this program at {self._public_url}")
        elif not self._missing_address:
            reason = problem or "another page is there"
            warning(
                f"visitors find no page of this program at {self._public_url} yet ({reason}): "
                "look again after a run"
            )
        elif is_ours:
            warning(
                f"a page of this program is at {self._public_url}, but {self._missing_address} did not show "
                "the file that had just been published: there is a cache, or visitors see another folder"
            )
        elif self._problem is None or self._problem.status in GONE:
            result = self._problem.status if self._problem else "something else"
            sentence = (
                f"your visitors get {result} there: {self._missing_address} was fetched just after "
                "the upload: "
                "correct public_url, or the folder in the url of [[publish]]"
            )
            raise ConfigError([sentence])
        else:
            warning(f"{self._problem}; open it in a browser: it may work there")


def _fetch(address: str) -> bytes:
    """Return the file that a visitor gets. Raises SourceError."""
    from heatmap.system.http.client import Client, FetchBudget

    with Client(headers=HEADERS) as client:
        return client.get(address, FetchBudget(SECONDS, retries=0)).body
