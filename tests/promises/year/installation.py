"""An installation as whole runs would leave it, written by hand: what the judges must be content with."""

from __future__ import annotations

import html
import json
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from heatmap.history import store
from heatmap.history.options import HistoryOptions
from heatmap.market.calendar.session import Phase
from heatmap.market.quotes import Quote, Snapshot
from tests.promises.year import sessions
from tests.promises.year.damages import MARKET as NAME
from tests.promises.year.damages import STATE_NAME, Damage
from tests.promises.year.judge import Judge
from tests.promises.year.market import Market, Price
from tests.promises.year.mishaps import MIRROR_NAME, SITE_NAME
from tests.promises.year.plan import Day, Tick
from tests.promises.year.runs import Ended
from tests.promises.year.site import PUBLIC_URL, folder_of
from tests.promises.year.told import ALERT, CHANGE_PERCENT, events_of
from tests.servers.hooks import Call

MARKET = Market(sessions.sessions())
WELL = Ended(0, "", "", 0.5, 50_000)
TARGETS = (SITE_NAME, MIRROR_NAME)
Prices = Mapping[str, Price]


class Installation:
    """The files of an installation in `home`, and their judge."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.judge = Judge(home, MARKET, lambda _: None)
        self.finals: list[date] = []
        self.told: list[tuple[date, str, float]] = []  # what the feed has of alerts

    # --- what a run leaves ------------------------------------------------------------------------

    def publish(
        self, moment: datetime, prices: Prices | None = None, *, to: Collection[str] = TARGETS
    ) -> None:
        """Put the market's files of a moment at the targets, and keep the moment in the history."""
        as_of = MARKET.shown(moment).as_of
        prices = MARKET.prices(as_of) if prices is None else prices
        for target in to:
            self._write_market(self.home / target, f"{NAME}/", as_of, prices)
            before = [day for day in self.finals if day < moment.date()]
            self.write(target, "index.html", page(as_of, prices, f"{NAME}/", previous=before[-1:]))
        self.remember(moment, as_of, prices, Phase.OPEN)

    def finish(self, moment: datetime) -> None:
        """Publish a day's final with all that belongs to it."""
        as_of = MARKET.shown(moment).as_of
        day, prices = as_of.date(), MARKET.prices(as_of)
        self.publish(moment)
        before = self.finals[-1:]
        self.finals.append(day)
        for target in TARGETS:
            self._write_market(self.home / target, folder_of(day), as_of, prices, previous=before)
            for earlier in before:
                path = self.home / target / folder_of(earlier) / "index.html"
                old = path.read_text("utf-8")
                link = f'<a rel="next" href="../../../{day:%Y/%m/%d}/">next</a>'
                path.write_text(old.replace(LIVE_LINK, link), "utf-8")
        self.write_list()
        self.write_feed()
        self.remember(moment, as_of, prices, Phase.FINAL)

    def write_list(self, days: Sequence[date] | None = None) -> None:
        """Write the archive's list of days, the newest first."""
        listed = reversed(self.finals if days is None else days)
        links = "".join(f'<a href="{day:%Y/%m/%d}/">{day}</a>' for day in listed)
        for target in TARGETS:
            self.write(target, f"{NAME}/archive.html", f"<html>{links}</html>\n")

    def write_feed(
        self, *, finals: Collection[date] | None = None, lines: Collection[str] | None = None
    ) -> None:
        """Write the feed: the finals, and each event of the newest day."""
        day = self.finals[-1]
        prices = MARKET.prices(MARKET.shown(sessions.at(day, "20:00")).as_of)
        events = events_of({symbol: price.percent for symbol, price in prices.items()})
        shown = [f"{symbol} moved" for symbol, _ in sorted(events)] if lines is None else [*lines]
        entries = "".join(
            _entry(f"{final}:heatmap/{NAME}/final", f"{PUBLIC_URL}{folder_of(final)}", "closed")
            for final in (self.finals if finals is None else finals)
        )
        for number, start in enumerate(range(0, len(shown), 10)):
            text = "\n".join(html.escape(line) for line in shown[start : start + 10])
            entries += _entry(f"{day}:heatmap/{NAME}/alert/{ALERT}/{number}", f"{PUBLIC_URL}{NAME}/", text)
        for target in TARGETS:
            self.write(
                target, f"{NAME}/feed.xml", f'<feed xmlns="http://www.w3.org/2005/Atom">{entries}</feed>'
            )

    def remember(self, moment: datetime, as_of: datetime, prices: Prices, phase: Phase) -> None:
        """Keep a moment in the history, and a final in the state."""
        folder = self.home / STATE_NAME
        folder.mkdir(exist_ok=True)
        quotes = tuple(
            Quote(
                symbol,
                last_price=price.last,
                previous_close=price.previous_close,
                percent_change=price.percent,
            )
            for symbol, price in prices.items()
        )
        snapshot = Snapshot(source="test", as_of=as_of, is_open=phase is Phase.OPEN, quotes=quotes)
        with store.open_store(HistoryOptions(), folder, print) as opened:
            opened.add_tick(NAME, snapshot, moment.date(), phase)
        market = {"final_date": str(self.finals[-1])} if self.finals else {}
        (folder / "state.json").write_text(json.dumps({"version": 1, "markets": {NAME: market}}))

    def write(self, target: str, name: str, text: str) -> None:
        """Put a file at a target."""
        path = self.home / target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")

    def _write_market(
        self,
        target: Path,
        under: str,
        as_of: datetime,
        prices: Prices,
        previous: Collection[date] | None = None,
    ) -> None:
        is_dated = previous is not None
        previous = self.finals[-1:] if previous is None else previous
        files = {
            "snapshot.json": json.dumps({"as_of": as_of.isoformat(), "quotes": _quotes(prices)}),
            "snapshot.csv": _csv(prices),
            "heatmap.svg": f"<svg>as of {as_of.day} {as_of:%b %Y, %H:%M:%S}</svg>",
            "history.json": json.dumps({"as_of": as_of.isoformat(), "under": "any"}),
            "index.html": page(as_of, prices, "", previous=previous, is_dated=is_dated),
        }
        if not is_dated:
            files["status.json"] = json.dumps({"as_of": as_of.isoformat()})
        for name, text in files.items():
            self.write(target.name, under + name, text)

    # --- what the judge says of it ------------------------------------------------------------------

    def look(self, tick: Tick, ended: Ended = WELL, calls: Collection[Call] = (), **more: Any) -> list[str]:
        """Return the promises that the judge finds broken after a run."""
        before = len(self.judge.violations)
        day = Day(tick.at.date(), sessions.session(tick.at.date()), (tick,), "a test")
        more = {"stuck_since": None} | more
        self.judge.look(day, tick, ended, calls=calls, **more)
        return [violation.promise for violation in self.judge.violations[before:]]

    def over(self, *ticks: Tick, told: tuple[Tick, ...] = ()) -> list[str]:
        """The same, of a session that is over; `told` are the ticks of which status has a line."""
        before = len(self.judge.violations)
        day = ticks[0].at.date()
        lines = [{"at": tick.at.isoformat(), "exit_code": 0} for tick in told]
        status = WELL._replace(out=json.dumps({"markets": [{"ticks": lines}]}))
        self.judge.session_over(Day(day, sessions.session(day), ticks, "a test"), status)
        return [violation.promise for violation in self.judge.violations[before:]]

    def strike(self, kind: str, name: str, way: str = "torn") -> Damage:
        """Return that a file was damaged; whoever calls this damages it, or does not."""
        return Damage(kind, self.home / STATE_NAME / name, way)


LIVE_LINK = '<a rel="next" href="../../../">now</a>'


def page(
    as_of: datetime, prices: Prices, to_files: str, *, previous: Collection[date] = (), is_dated: bool = False
) -> str:
    """Return a page as visitors get it."""
    up = "../../../" if is_dated else to_files
    back = "".join(f'<a rel="prev" href="{up}{day:%Y/%m/%d}/">before</a>' for day in previous)
    cells = "".join(
        f'<td data-symbol="{html.escape(symbol)}" data-percent-change="{price.percent}">'
        for symbol, price in prices.items()
    )
    files = "".join(
        f'<a href="{to_files}{name}">' for name in ("snapshot.csv", "snapshot.json", "heatmap.svg")
    )
    forward = LIVE_LINK if is_dated else ""
    return f'<html><time datetime="{as_of.isoformat()}">{cells}{files}{back}{forward}<a href=""></html>\n'


def message(day: date, prices: Prices | None = None, symbols: Collection[str] | None = None) -> Call:
    """Return what the web hook gets of a page's events, or of these symbols'."""
    prices = prices or {}
    events = [
        {"symbol": symbol, "side": side}
        for symbol, side in sorted(events_of({symbol: price.percent for symbol, price in prices.items()}))
        if symbols is None or symbol in symbols
    ]
    document = {"alert": ALERT, "session": str(day), "count": len(events), "events": events}
    return Call("POST", "/", json.dumps(document).encode())


def quiet(prices: Prices) -> Prices:
    """Return only the prices of which no alert is due."""
    return {symbol: price for symbol, price in prices.items() if abs(price.percent) < CHANGE_PERCENT}


def _quotes(prices: Prices) -> list[dict[str, Any]]:
    return [
        {
            "symbol": symbol,
            "last_price": price.last,
            "previous_close": price.previous_close,
            "percent_change": price.percent,
        }
        for symbol, price in prices.items()
    ]


def _csv(prices: Prices) -> str:
    rows = [
        f"{symbol},{price.last},{price.previous_close},{price.percent}" for symbol, price in prices.items()
    ]
    return "\n".join(["symbol,last_price,previous_close,percent_change", *rows, ""])


def _entry(name: str, link: str, text: str) -> str:
    return (
        f"<entry><id>tag:www.example.org,{name}</id><updated>2026-07-20T15:45:00+05:30</updated>"
        f'<link href="{link}"/><content>{text}</content></entry>'
    )
