"""The source's changes over a month and a year, compared with the history's own closes."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from heatmap.history import longer_periods, summary
from heatmap.history.model import EarlierSessions
from heatmap.market.bars import Bar
from heatmap.market.calendar import packaged, phases
from heatmap.market.quotes import Change, Quote, Snapshot
from tests.drawings import snapshot_of

SESSION = date(2026, 9, 17)
AUGUST = [date(2026, 8, day) for day in (13, 14, 17, 18, 19, 20, 21, 24, 25, 27, 28, 31)]
DAYS = [*AUGUST, *(date(2026, 9, day) for day in (1, 2, 3, 4, 7, 8, 9, 10, 11, 15, 16))]
SINCE = date(2026, 8, 17)
OTHERS = [f"S{n}" for n in range(10)]


def digest(before: float, after: float, first: date, *, told: bool = True) -> EarlierSessions:
    """The history of X, which closed at `before` until `first`, then at `after`; other stocks stood still.

    `told`: whether the exchange's previous close of that day is adjusted.
    """
    bars = []
    previous = before
    for day in DAYS:
        close = before if day < first else after
        previous = close if told and day == first else previous
        bars.append(Bar("X", day, close, close, close, close, previous, 1e4, 1e6))
        bars += [Bar(symbol, day, *[100.0] * 5, 1e4, 1e6) for symbol in OTHERS]
        previous = close
    calendar = packaged.load(packaged.SessionOptions(), Path())
    return summary.make(bars, calendar, snapshot(0.0).quotes, SESSION, ("20d",))


def snapshot(percent: float | None, since: date | None = SINCE, last: float = 100.0) -> Snapshot:
    """Return a snapshot of X with this change over a month, and of ten others."""
    stock = Quote("X", 0.0, last_price=last, previous_close=last, changes={"1mo": Change(percent, since)})
    others = [
        Quote(symbol, 0.0, last_price=100.0, previous_close=100.0, changes={"1mo": Change(0.0, SINCE)})
        for symbol in OTHERS
    ]
    return snapshot_of(stock, *others)


@pytest.mark.parametrize(
    ("before", "percent", "stays"),
    [
        (125.0, -20.0, False),  # a bonus of 1:4, which no range of 52 weeks need refute
        (125.0, 0.0, True),  # the source has counted it
        (125.0, 2.5, True),  # a last price is not the official close
        (110.0, -9.09, False),  # a bonus of 1:10
        (200.0, -50.0, False),
        (10.0, 900.0, False),  # ten became one
        (100.0, 0.0, True),
    ],
)
def test_a_split_within_the_period(before: float, percent: float, *, stays: bool) -> None:
    """A change from a price on the old terms is unknown; one on today's terms stays."""
    figures = snapshot(percent)

    found = longer_periods.remove_refuted_changes(figures, digest(before, 100.0, date(2026, 9, 1)))

    assert stays == (found == figures)
    quote = found.quotes[0]
    assert (percent if stays else None) == quote.changes["1mo"].percent
    assert SINCE == quote.changes["1mo"].since
    assert stays == ("1mo" not in quote.doubts)
    if not stays:
        assert "the close of 17 Aug 2026 was 100.00 on today's terms" in quote.doubts["1mo"]
    assert figures.quotes[1:] == found.quotes[1:]


def test_before_the_period() -> None:
    """An action until the starting day of a change does not refute the change."""
    figures = snapshot(0.0)

    assert figures == longer_periods.remove_refuted_changes(figures, digest(200.0, 100.0, SINCE))


@pytest.mark.parametrize(
    ("since", "percent", "stays"),
    [
        (date(2026, 8, 16), -15.0, True),  # a Sunday: the close before it is of Friday, and a price moves
        (date(2026, 8, 16), -50.0, False),
        (date(2026, 8, 12), -50.0, True),  # before the history
        (date(2025, 9, 16), -50.0, True),
        (None, -50.0, True),
        (SINCE, -100.0, True),  # from a price that cannot be told
        (SINCE, None, True),
    ],
)
def test_what_the_history_can_tell(since: date | None, percent: float | None, *, stays: bool) -> None:
    """A close of another day refutes only a move too large for a session; no close near by refutes nothing."""
    figures = snapshot(percent, since)

    found = longer_periods.remove_refuted_changes(figures, digest(200.0, 100.0, date(2026, 9, 1)))

    assert stays == (found == figures)


@pytest.mark.parametrize(("since", "stays"), [(SINCE, False), (date(2026, 9, 2), True)])
def test_across_a_break(since: date, *, stays: bool) -> None:
    """After a demerger without an adjustment, earlier changes are unknown."""
    figures = snapshot(-46.0 if not stays else 0.0, since)

    found = longer_periods.remove_refuted_changes(figures, digest(186.0, 100.0, date(2026, 9, 1), told=False))

    assert stays == (found == figures)
    if not stays:
        assert "Prices before 1 Sep 2026 are on other terms" in found.quotes[0].doubts["1mo"]


def test_a_history_of_another_market() -> None:
    """If it refutes a whole market, the history is wrong."""
    figures = snapshot(0.0)
    doubled = replace(
        figures,
        quotes=tuple(replace(quote, changes={"1mo": Change(-50.0, SINCE)}) for quote in figures.quotes),
    )

    assert doubled == longer_periods.remove_refuted_changes(doubled, digest(100.0, 100.0, SINCE))


def test_a_year() -> None:
    """Before the summary's sessions, the starts of its periods are compared."""
    days = [date.fromordinal(SESSION.toordinal() - back) for back in range(400, 0, -1)]
    calendar = packaged.load(packaged.SessionOptions(), Path())
    days = [day for day in days if phases.session_on(calendar, day)]
    split = date(2026, 3, 2)
    bars = [
        Bar(symbol, day, *[200.0 if symbol == "X" and day < split else 100.0] * 4, previous, 1e4, 1e6)
        for day in days
        for symbol in ("X", *OTHERS)
        for previous in [200.0 if symbol == "X" and day < split else 100.0]
    ]
    made = summary.make(bars, calendar, snapshot(0.0).quotes, SESSION, ("250d",))
    since = made.starts["250d"].date
    assert since
    wrong, right = (snapshot(percent, since) for percent in (-50.0, 2.0))

    assert right == longer_periods.remove_refuted_changes(right, made)
    assert "on today's terms" in longer_periods.remove_refuted_changes(wrong, made).quotes[0].doubts["1mo"]
