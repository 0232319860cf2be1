"""What the market truly did: every price follows from the session, the symbol and the minute, so that a judge
can say what a page must show without a record of it."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from math import sin
from random import Random
from typing import NamedTuple

from tests.promises.year.sessions import AUCTION, OPEN, Session
from tests.servers.exchange import Row, recorded_rows

CHANGES_A_MONTH = 3  # how many stocks of the recorded day stand aside, others each month
STAMPED_AFTER_CLOSE = timedelta(seconds=28)
MOST_LAG_SECONDS = 45  # by which figures are older than the moment they are asked for


class Price(NamedTuple):
    """What a page must show of one stock."""

    last: float
    previous_close: float
    percent: float


class Shown(NamedTuple):
    """What the exchange shows at one moment."""

    as_of: datetime
    session: Session
    is_open: bool


class Market:
    """All sessions of a year, one after another: each starts from the closes of the one before."""

    def __init__(self, sessions: list[Session]) -> None:
        self._sessions = {session.date: session for session in sessions}
        self._rows = {row["symbol"]: row for row in recorded_rows()}
        self._numbers = {symbol: number for number, symbol in enumerate(sorted(self._rows))}
        self._closes: dict[date, dict[str, tuple[float, float]]] = {}  # previous close, close
        closes = {symbol: float(row["previousClose"]) for symbol, row in self._rows.items()}
        for session in sessions:
            rng = Random(f"closes of {session.date}")
            before = closes
            # A price far from its first makes no sense after a year: each day pulls a little towards it.
            closes = {
                symbol: round(
                    close * (1 + max(-0.11, min(rng.gauss(0, 0.016), 0.11)))
                    - 0.02 * (close - self._rows[symbol]["previousClose"]),
                    2,
                )
                for symbol, close in before.items()
            }
            self._closes[session.date] = {symbol: (before[symbol], closes[symbol]) for symbol in closes}

    def members(self, day: date) -> frozenset[str]:
        """Return the symbols traded on a day: a few join and leave with each month."""
        aside = Random(f"stocks of {day:%Y-%m}").sample(sorted(self._rows), CHANGES_A_MONTH)
        return frozenset(self._rows) - {*aside}

    def shown(self, moment: datetime) -> Shown:
        """Return what an honest exchange shows at a moment: the running session's figures, or the last one's."""
        today = self._sessions.get(moment.date())
        if today is None or moment < today.opens:
            before = max(day for day in self._sessions if day < moment.date())
            return Shown(self._sessions[before].closes + STAMPED_AFTER_CLOSE, self._sessions[before], False)
        lag = timedelta(seconds=Random(f"lag at {moment}").randrange(MOST_LAG_SECONDS))
        stamps = [today.opens]
        for window in today.windows:
            if moment >= window.opens:
                stamps.append(max(window.opens, min(moment - lag, window.closes + STAMPED_AFTER_CLOSE)))
        return Shown(stamps[-1], today, today.phase(moment) == OPEN)

    def prices(self, as_of: datetime) -> dict[str, Price]:
        """Return what was true at a time at which an honest exchange stamped figures; nothing else is true."""
        session = self._sessions.get(as_of.date())
        if session is None:
            return {}
        passed, whole = _traded(session, as_of), _traded(session, session.closes)
        members = self.members(session.date)
        return {
            symbol: _price(self._numbers[symbol], previous, close, passed, whole, as_of >= session.closes)
            for symbol, (previous, close) in self._closes[session.date].items()
            if symbol in members
        }

    def rows(self, as_of: datetime) -> list[Row]:
        """Return the rows as the exchange writes them, best first."""
        found = []
        for symbol, price in self.prices(as_of).items():
            opened = price.previous_close
            changed = {
                "lastPrice": price.last,
                "previousClose": price.previous_close,
                "pChange": price.percent,
                "open": opened,
                "dayHigh": max(opened, price.last),
                "dayLow": min(opened, price.last),
                "totalTradedVolume": 1000 + int(as_of.timestamp()) % 86_400,
            }
            found.append(self._rows[symbol] | changed)
        return sorted(found, key=lambda row: (-row["pChange"], row["symbol"]))


def _traded(session: Session, moment: datetime) -> int:
    """Return how many minutes were traded until then; in an auction nothing is."""
    windows = (window for window in session.windows if window.phase != AUCTION)
    return sum(
        max(0, int((min(moment, window.closes) - window.opens).total_seconds())) // 60 for window in windows
    )


def _price(number: int, previous: float, close: float, passed: int, whole: int, over: bool) -> Price:
    way = 1.0 if over else passed / whole
    stray = 0.0 if over or not passed else 0.003 * sin(passed / 9 + number)
    last = round(previous + (close - previous) * way + previous * stray, 2)
    return Price(last, previous, round((last / previous - 1) * 100, 2))
