"""What follows from a tick beyond today's pages: the archive, the feed, alerts. It fails no run."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from heatmap.archive.shelf import Shelf
from heatmap.model import Page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from heatmap.alerts.memory import Notice
    from heatmap.chronicle import Chronicle
    from heatmap.config import Config, Market
    from heatmap.deadline import Deadline
    from heatmap.model import Days, Snapshot
    from heatmap.session import Verdict
    from heatmap.state import State

FEED_NAME = "feed.xml"


class _Drawn(NamedTuple):
    market: Market
    verdict: Verdict
    snapshot: Snapshot
    shelf: Shelf


class Sequel:
    """The sequel of a run. `say` takes what a terminal may show. The state directory's lock must be held."""

    def __init__(
        self,
        config: Config,
        state: State,
        chronicle: Chronicle,
        now: datetime,
        say: Callable[[str], None],
    ) -> None:
        self._config = config
        self._state = state
        self._now = now
        self._chronicle = chronicle
        self._say = say
        self._drawn: list[_Drawn] = []
        self._is_published = False
        if config.alerts:
            from heatmap.alerts import desk

            # At once, because what is read as a secret no child of the run inherits.
            for problem in desk.problems(config):
                say(f"alerts: nobody is told: {problem}")

    def shelf(self, market: Market, snapshot: Snapshot, verdict: Verdict) -> Shelf:
        """Return a market's archive at this tick; `keep` will remember what goes into it."""
        now = self._now.astimezone(ZoneInfo(market.calendar.time_zone))
        final_date = self._state[market.name].final_date
        warn = partial(self._chronicle.tell, market)
        shelf = Shelf(self._config, market, snapshot, verdict, now, final_date, warn)
        self._drawn.append(_Drawn(market, verdict, snapshot, shelf))
        return shelf

    def pages(self, shelf: Shelf, files: Sequence[Page], draw: Callable[[str, Days], bytes]) -> list[Page]:
        """Return what the archive and the feed add to a market's files, just drawn.

        `draw` makes the market's page with this title and way to other days.
        """
        drawn = next(each for each in self._drawn if each.shelf is shelf)
        try:
            if shelf.is_due:
                self._chronicle.ask(drawn.market, shelf.learn)
            return [*shelf.pages(files, draw), *self._feed(drawn)]
        except Exception as mistake:  # noqa: BLE001 -- not even a bug in here may cost the page of today
            self._chronicle.tell(drawn.market, f"the archive ended in a bug, please report it: {mistake!r}")
            return []

    def keep(self, *, is_published: bool) -> None:
        """Remember what went into the archive, if the pages are at a target."""
        self._is_published = is_published
        for drawn in self._drawn if is_published else ():
            try:
                drawn.shelf.keep()
            except OSError as error:
                self._chronicle.tell(
                    drawn.market,
                    f"the archive's record cannot be written ({error.strerror}), so the day will be missing "
                    "from its list: make room in the state directory",
                )

    def tell(self, deadline: Deadline) -> None:
        """Tell the web hooks of alerts, if the pages are at a target. Call it once all else is remembered."""
        if self._config.alerts and self._is_published:
            from heatmap.alerts import desk

            markets = [(drawn.market, drawn.verdict, drawn.snapshot) for drawn in self._drawn]
            warn = partial(self._chronicle.tell, markets[0][0])  # what alerts remember is of all markets
            desk.tell(self._config, markets, deadline, self._say, warn)

    def _feed(self, drawn: _Drawn) -> list[Page]:
        """Return the feed at a day's final, and while the session has alerts to tell."""
        from heatmap.render import feed

        config, market, shelf = self._config, drawn.market, drawn.shelf
        url = config.public_url
        if url is None or not shelf.has_feed:
            return []
        told: Iterable[Notice] = ()
        if config.alerts:
            from heatmap.alerts import desk

            warn = partial(self._chronicle.tell, market)
            told = desk.notices(config, market, drawn.snapshot, drawn.verdict, warn)
        session = drawn.verdict.session
        today = session.date.isoformat() if session else None
        if not shelf.is_due and not any(notice.session == today or not today for notice in told):
            return []
        entries = [
            *filter(None, (feed.of_day(day, market.name, market.title, url) for day in shelf.known)),
            *(
                feed.of_alert(
                    market.name,
                    url,
                    name=notice.alert,
                    session=notice.session,
                    as_of=notice.as_of,
                    title=notice.title,
                    lines=notice.lines,
                )
                for notice in told
            ),
        ]
        content = feed.render(entries, market.name, market.title, url, config.state_directory)
        return [Page(f"{market.name}/{FEED_NAME}", content)] if content else []


def feed_problem(config: Config) -> str | None:
    """Say why there is no feed; None where there is one."""
    if config.archive and not config.archive.feed:
        return "[archive] has feed = false"
    return None if config.public_url else "its links need public_url"


def problems(config: Config) -> list[str]:
    """Say what keeps alerts from being told; touches no network."""
    if not config.alerts:
        return []
    from heatmap.alerts import desk

    problem = feed_problem(config)
    silent = [alert.name for alert in config.alerts if problem and not alert.posts]
    return [
        *(f"{name}: nobody is told, for there is no feed: {problem}" for name in silent),
        *desk.problems(config),
    ]
