"""Finds out for `heatmap check` whether visitors meet at public_url what the targets are given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heatmap import __version__
from heatmap.errors import ConfigError, SourceError
from heatmap.publishers import ownership

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = 10.0  # for each address that is asked
GONE = (404, 410)
HEADERS = {"User-Agent": f"market-heatmap/{__version__}", "Cache-Control": "no-cache"}


class Visitor:
    """Asks public_url, as a visitor would, for what is at the targets at that moment.

    Of several targets one is enough: the others may be copies.
    """

    def __init__(self, public_url: str) -> None:
        """Prepare. `public_url` ends with a slash."""
        self._public_url = public_url
        self._seen = ""  # the address at which a file was found that a target had just been given
        self._missed = ""  # one at which it was not found
        self._problem: SourceError | None = None  # why not; None: something else was there

    def visit(self, name: str, content: bytes) -> None:
        """Look for a file that a target has just been given. Never raises what the network does."""
        address = self._public_url + name
        try:
            body = _fetch(address)
        except SourceError as error:
            self._missed, self._problem = address, error
            return
        if body == content:
            self._seen = address
        else:
            self._missed, self._problem = address, None

    def conclude(self, tell: Callable[[str], None], warn: Callable[[str], None]) -> None:
        """Say what visitors meet. Raises ConfigError where that is not what is published."""
        if self._seen:
            tell(f"visitors find at {self._public_url} what is published")
            return
        page, problem = b"", None
        try:
            page = _fetch(self._public_url)
        except SourceError as error:
            problem = error
        is_ours = bool(page) and ownership.is_ours(page)
        if not self._missed and is_ours:
            tell(f"visitors find a page of this program at {self._public_url}")
        elif not self._missed:
            why = problem or "another page is there"
            warn(f"visitors find no page of this program at {self._public_url} yet ({why}): look after a run")
        elif is_ours:
            warn(
                f"a page of this program is at {self._public_url}, but {self._missed} did not show what had "
                "just been published: there is a cache on the way, or visitors see another folder"
            )
        elif self._problem is None or self._problem.status in GONE:
            what = self._problem.status if self._problem else "something else"
            sentence = (
                f"your visitors get {what} there: {self._missed} was asked for just after it was put: "
                "correct public_url, or the folder in the url of [[publish]]"
            )
            raise ConfigError([sentence])
        else:
            warn(f"{self._problem}; open it in a browser, for it may answer others")


def _fetch(address: str) -> bytes:
    """Return what a visitor gets. Raises SourceError."""
    from heatmap.system.http import Client, FetchBudget

    with Client(headers=HEADERS) as client:
        return client.get(address, FetchBudget(SECONDS, retries=0)).body
