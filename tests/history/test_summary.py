"""Summaries of earlier sessions: the starts of periods, comparable prices, and reasons for missing values."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from heatmap.history import corporate_actions, period_starts, summary
from heatmap.history.model import EarlierSessions, TermsBreak
from heatmap.market.bars import Bar
from heatmap.market.calendar.phases import Calendar, DeclaredSplit, SymbolChange
from heatmap.market.quotes import Quote
from tests.history import markets
from tests.history.conftest import Place
from tests.history.figures import MARKET
from tests.history.markets import SESSION
from tests.pictures.market_map.test_past import reader

NSE = markets.nse()
DAYS = markets.sessions_before(NSE, SESSION, 40)
SYMBOLS = ("A", "B", "C", "D")


def bar(symbol: str, day: date, close: float, previous: float | None, volume: float = 100.0) -> Bar:
    """Return a bar whose prices lie between its closes."""
    opened = previous or close
    return Bar(symbol, day, opened, max(opened, close), min(opened, close), close, previous, volume, None)


def walk(days: Sequence[date], closes: Sequence[float], symbols: Sequence[str] = SYMBOLS) -> list[Bar]:
    """Return bars of these closes; each previous close is the close before."""
    return [
        bar(symbol, day, close + place, closes[number - 1] + place if number else None)
        for number, (day, close) in enumerate(zip(days, closes, strict=True))
        for place, symbol in enumerate(symbols)
    ]


def quotes(last: float, previous: float, symbols: Sequence[str] = SYMBOLS) -> list[Quote]:
    """Return today's quotes."""
    return [
        Quote(symbol, 0.0, last_price=last + place, previous_close=previous + place)
        for place, symbol in enumerate(symbols)
    ]


def make_summary(
    bars: Sequence[Bar],
    today: Sequence[Quote],
    *names: str,
    calendar: Calendar = NSE,
    session: date = SESSION,
) -> EarlierSessions:
    """Return their summary."""
    return summary.make(bars, calendar, today, session, names or ("5d",))


CLOSES = [100.0 + number for number in range(40)]


def test_sessions_are_counted_not_days() -> None:
    """Five sessions before Thursday 17 Sep 2026 is 9 Sep: a holiday on the 14th and a weekend lie between."""
    digest = make_summary(walk(DAYS, CLOSES), quotes(150, 139))

    assert (5, date(2026, 9, 9), "") == digest.starts["5d"][:3]
    assert DAYS[-5] == date(2026, 9, 9)
    assert date(2026, 9, 14) not in DAYS
    assert {"A": 135.0, "B": 136.0, "C": 137.0, "D": 138.0} == digest.starts["5d"].closes


def test_a_session_on_a_sunday_counts() -> None:
    """Before Monday 2 Feb 2026 came the Budget's Sunday: one session before is that."""
    session = date(2026, 2, 2)
    days = markets.sessions_before(NSE, session, 10)

    digest = make_summary(walk(days, CLOSES[:10]), quotes(120, 109), "2d", session=session)

    assert date(2026, 2, 1) == days[-1]
    assert date(2026, 1, 30) == digest.starts["2d"].date


def test_the_year_to_date_starts_at_last_year_s_close() -> None:
    """On the year's third session it has three sessions; without last year's closes it is not known."""
    session = date(2026, 1, 5)
    days = markets.sessions_before(NSE, session, 6)

    found = make_summary(walk(days, CLOSES[:6]), quotes(120, 105), "ytd", session=session).starts["ytd"]
    first = [day for day in days if day.year == 2025][-1]
    assert (sum(day.year == 2026 for day in days) + 1, first) == found[:2]

    short = make_summary(walk(days[-2:], CLOSES[:2]), quotes(120, 101), "ytd", session=session).starts["ytd"]
    assert None is short.date
    assert "it takes the last session of 2025; the history has 2 sessions, since " in short.reason_missing


def test_a_gap_is_a_session_all_the_same() -> None:
    """A missing session is counted; its close is the previous close of the next session."""
    gap = DAYS[-3]
    bars = [found for found in walk(DAYS, CLOSES) if found.date != gap]

    digest = make_summary(bars, quotes(150, 139), "3d", "5d")

    assert (DAYS[-5], DAYS[-3]) == (digest.starts["5d"].date, digest.dates[-3])
    assert (gap, 2) == (digest.gap, digest.consecutive)
    assert (135.0, 136.0, 137.0, 138.0, 139.0) == digest.closes["A"][-5:]
    assert 39 == digest.streaks["A"]
    starts_there = digest.starts["3d"]
    assert None is starts_there.date
    assert f"heatmap history backfill --from {gap} --to {gap}" in starts_there.reason_missing


def test_two_missing_sessions_leave_one_unknown() -> None:
    """Of several missing sessions in a row only the last close is known, and a streak ends there."""
    bars = [found for found in walk(DAYS, CLOSES) if found.date not in DAYS[-4:-2]]

    digest = make_summary(bars, quotes(150, 139))

    assert (135.0, None, 137.0, 138.0, 139.0) == digest.closes["A"][-5:]
    assert 2 == digest.streaks["A"]


def test_yesterday_missing_is_today_s_previous_close() -> None:
    """A machine that was off yesterday still has yesterday's closes, from today's quotes."""
    digest = make_summary(walk(DAYS[:-1], CLOSES[:-1]), quotes(150, 139))

    assert (DAYS[-1], 0) == (digest.gap, digest.consecutive)
    assert (138.0, 139.0) == digest.closes["A"][-2:]


def test_what_a_split_may_hide_in_a_gap_is_unknown() -> None:
    """A price that halved across a missing session may have been split there: earlier closes are unknown."""
    gap = DAYS[-3]
    bars = [found for found in walk(DAYS, CLOSES) if found.date != gap]
    bars = [
        found._replace(close=found.close / 2, previous_close=(found.previous_close or 0) / 2, open=None)
        if found.symbol == "A" and found.date > gap
        else found
        for found in bars
    ]
    today = [replace(quotes(75, 69.5)[0]), *quotes(150, 139)[1:]]

    digest = make_summary(bars, today)

    assert (None, None, 68.5, 69.0, 69.5) == digest.closes["A"][-5:]
    assert {"B", "C", "D"} == set(digest.starts["5d"].closes)


def test_a_day_without_trade_is_no_session() -> None:
    """A holiday that the calendar lacks: the closes before it are the previous closes after it."""
    holiday = DAYS[-3]
    days = [day for day in DAYS if day != holiday]

    digest = make_summary(walk(days, CLOSES[:-1]), quotes(150, 138))

    assert holiday not in digest.dates
    assert (None, 39) == (digest.gap, digest.consecutive)
    assert DAYS[-6] == digest.starts["5d"].date


def test_a_session_that_the_calendar_does_not_know_counts() -> None:
    """With bars of a Saturday, there was a session."""
    saturday = date(2026, 9, 12)
    days = sorted([*DAYS[1:], saturday])

    digest = make_summary(walk(days, CLOSES), quotes(150, 139))

    assert saturday in digest.dates
    assert DAYS[-4] == digest.starts["5d"].date


@pytest.mark.parametrize(
    ("previous", "expected"),
    [
        (27.8, 27.0),  # one share became five
        (69.5, 67.5),  # a bonus of 1:1
        (85.7, None),  # a demerger: no ratio of splits and bonuses
        (139.0, 135.0),
    ],
)
def test_an_action_of_today(previous: float, expected: float | None) -> None:
    """The action that today's previous close shows adjusts all earlier closes, or makes them unknown."""
    today = [Quote("A", 0.0, last_price=previous + 1, previous_close=previous), *quotes(150, 139)[1:]]

    digest = make_summary(walk(DAYS, CLOSES), today)

    assert expected == (
        pytest.approx(digest.starts["5d"].closes["A"]) if expected else digest.starts["5d"].closes.get("A")
    )
    assert (expected not in {None, 135.0}) == ("A" in digest.starts["5d"].adjusted_symbols)


def test_a_split_within_the_period_changes_volumes_too() -> None:
    """Earlier closes are divided by five, volumes multiplied: 100 shares then are 500 shares today."""
    bars = [
        found._replace(
            close=found.close / 5, open=None, high=None, low=None,
            previous_close=(found.previous_close or 0) / 5,
        )
        if found.symbol == "A" and found.date >= DAYS[-2] else found
        for found in walk(DAYS, CLOSES)
    ]  # fmt: skip
    today = [Quote("A", 0.0, last_price=30.0, previous_close=27.8), *quotes(150, 139)[1:]]

    digest = make_summary(bars, today)

    assert (27.0, 27.2, 27.4, 27.6, 27.8) == pytest.approx(digest.closes["A"][-5:])
    assert (18 * 500 + 2 * 100) / 20 == pytest.approx(digest.volumes["A"])
    assert 100 == digest.volumes["B"]
    assert (0.2, 0.2, 0.2, 1, 1) == pytest.approx(digest.factors["A"][-5:])
    assert 39 == digest.streaks["A"]


@pytest.mark.parametrize("day", [DAYS[-2], SESSION])
@pytest.mark.parametrize("missing", [False, True])
def test_what_the_user_says_of_an_action_counts(day: date, missing: bool) -> None:  # noqa: FBT001 -- a case
    """A demerger has no ratio: earlier closes are unknown, until an entry gives the factor, even for today."""
    bars = [
        found._replace(close=found.close * 0.52, previous_close=(found.previous_close or 0) * 0.52, open=None)
        if found.symbol == "A" and found.date >= day else found
        for found in walk(DAYS, CLOSES) if not (missing and found.date == day)
    ]  # fmt: skip
    today = [Quote("A", 0.0, last_price=78.0, previous_close=72.28), *quotes(150, 139)[1:]]
    calendar = replace(NSE, declared_splits=(DeclaredSplit("A", day, 52, 100),))

    assert "A" not in make_summary(bars, today).starts["5d"].closes
    digest = make_summary(bars, today, calendar=calendar)

    assert 135 * 0.52 == pytest.approx(digest.starts["5d"].closes["A"])
    assert {"A"} == digest.starts["5d"].adjusted_symbols
    assert tuple(close * 0.52 for close in CLOSES[-5:]) == pytest.approx(digest.closes["A"][-5:])


def dropped(day: date, times: float, money_times: float = 1.0) -> list[Bar]:
    """The walk, in which A trades at so many times its price from a day on; that day's archive has the old close.

    Its volume is such that the money traded is `money_times` that of the day before.
    """
    bars = []
    for found in walk(DAYS, CLOSES):
        if found.symbol == "A" and found.date >= day:
            is_first = found.date == day
            previous = found.previous_close or 0
            bars.append(
                Bar(
                    "A", found.date, previous * times, found.close * times, previous * times, found.close * times,
                    previous if is_first else previous * times, 100 / times * (money_times if is_first else 1), None,
                )
            )  # fmt: skip
        else:
            bars.append(found)
    return bars


def test_a_break_that_no_ratio_explains_is_unknown() -> None:
    """No loss of 62 %: earlier closes, factors and volumes are unknown, and the user is asked to confirm."""
    today = [Quote("A", 0.0, last_price=57.0, previous_close=139 * 0.38), *quotes(150, 139)[1:]]

    digest = make_summary(dropped(DAYS[-3], 0.38), today, "2d", "5d")

    assert ("A" in digest.starts["2d"].closes, "A" in digest.starts["5d"].closes) == (True, False)
    assert (None, None, *(close * 0.38 for close in CLOSES[-3:])) == pytest.approx(digest.closes["A"][-5:])
    assert (None, None, 1, 1, 1) == digest.factors["A"][-5:]
    assert TermsBreak(DAYS[-3], is_gap=False) == digest.breaks["A"]
    assert 100 / 0.38 == pytest.approx(digest.volumes["A"])  # of the three sessions after it
    assert 2 == digest.streaks["A"]
    (pending,) = digest.pending
    assert ("A", DAYS[-3], None) == pending[:3]
    assert "A closed at 136.00 on 10 Sep 2026, and opened at 51.68 on 11 Sep 2026" in pending.sentence
    assert {} == digest.guesses


def test_a_probable_split_is_adjusted_and_called_a_guess() -> None:
    """An archive's ex-date: all closes are on the same terms, and values that depend on the guess are marked."""
    today = [Quote("A", 0.0, last_price=75.0, previous_close=69.5), *quotes(150, 139)[1:]]

    digest = make_summary(dropped(DAYS[-3], 0.5), today, "2d", "5d")

    assert tuple(close / 2 for close in CLOSES[-5:]) == pytest.approx(digest.closes["A"][-5:])
    assert {"A": DAYS[-3]} == digest.guesses
    assert {} == digest.breaks
    assert [("A", DAYS[-3], "1/2")] == [pending[:3] for pending in digest.pending]
    assert {"A"} == digest.starts["5d"].adjusted_symbols
    assert frozenset() == digest.starts["2d"].adjusted_symbols
    # With a crowd it is no bonus.
    assert "A" in make_summary(dropped(DAYS[-3], 0.5, 9.0), today).breaks


@pytest.mark.parametrize(
    ("percent_change", "expected"),
    [(0.74, (True, {}, {})), (-49.63, (False, {}, {"A": TermsBreak(DAYS[-3], is_gap=False)}))],
)
def test_a_tick_of_the_day_makes_it_certain(
    percent_change: float, expected: tuple[bool, dict[str, date], dict[str, TermsBreak]]
) -> None:
    """From 68 to 68.50 is +0.74 %: a split, and no guess. -49.63 % is from 136: the exchange adjusted nothing."""
    bars = dropped(DAYS[-3], 0.5)
    today = [Quote("A", 0.0, last_price=75.0, previous_close=69.5), *quotes(150, 139)[1:]]
    asked: list[tuple[str, date]] = []

    def quoted(symbol: str, day: date) -> corporate_actions.QuotedClose | None:
        asked.append((symbol, day))
        return corporate_actions.derive_quoted_close(68.5, percent_change)

    digest = summary.make(bars, NSE, today, SESSION, ("5d",), quoted)

    assert expected == ("A" in digest.starts["5d"].closes, digest.guesses, digest.breaks)
    assert [("A", DAYS[-3])] == asked


def test_a_body_that_keeps_the_old_close_on_the_day_itself() -> None:
    """Its percent change counts from the new one: 71 is +2.16 % after 69.50, so earlier closes are halved."""
    today = [Quote("A", 2.16, last_price=71.0, previous_close=139.0), *quotes(150, 139)[1:]]

    digest = make_summary(walk(DAYS, CLOSES), today)

    assert 67.5 == pytest.approx(digest.starts["5d"].closes["A"])
    assert ({}, {}) == (digest.guesses, digest.breaks)


def test_an_action_declared_for_a_day_without_a_session_counts_from_the_next() -> None:
    """An entry of a Saturday before a holiday counts from the Tuesday."""
    tuesday, saturday = date(2026, 9, 15), date(2026, 9, 12)
    assert (date(2026, 9, 11), tuesday) == tuple(DAYS[-3:-1])
    calendar = replace(NSE, declared_splits=(DeclaredSplit("A", saturday, 38, 100),))
    today = [Quote("A", 0.0, last_price=57.0, previous_close=139 * 0.38), *quotes(150, 139)[1:]]

    digest = make_summary(dropped(tuesday, 0.38), today, calendar=calendar)

    assert 135 * 0.38 == pytest.approx(digest.starts["5d"].closes["A"])
    assert () == digest.pending


def test_what_is_said_of_a_gap() -> None:
    """After a large change across a missing session, closes are known from the next session on."""
    gap = DAYS[-3]
    bars = [
        found._replace(close=found.close / 2, previous_close=(found.previous_close or 0) / 2, open=None, high=None, low=None)
        if found.symbol == "A" and found.date > gap else found
        for found in walk(DAYS, CLOSES) if found.date != gap
    ]  # fmt: skip

    digest = make_summary(bars, [quotes(75, 69.5)[0], *quotes(150, 139)[1:]])

    assert {"A": TermsBreak(DAYS[-2], is_gap=True)} == digest.breaks
    assert () == digest.pending


def test_a_share_listed_inside_the_period_is_unknown() -> None:
    """An instrument without a starting close is missing, not 0; shorter periods have it."""
    bars = [found for found in walk(DAYS, CLOSES) if found.symbol != "D" or found.date >= DAYS[-4]]

    digest = make_summary(bars, quotes(150, 139), "3d", "5d")

    assert "D" not in digest.starts["5d"].closes
    assert 140.0 == digest.starts["3d"].closes["D"]


def test_a_new_symbol_has_the_old_one_s_past() -> None:
    """A symbol change of the calendar joins both symbols; the session of the change has the new name."""
    calendar = replace(NSE, symbol_changes=(SymbolChange("OLD", "A", DAYS[-2]),))
    bars = [
        found._replace(symbol="OLD") if found.symbol == "A" and found.date < DAYS[-2] else found
        for found in walk(DAYS, CLOSES)
    ]

    assert 135.0 == make_summary(bars, quotes(150, 139), calendar=calendar).starts["5d"].closes["A"]
    assert "A" not in make_summary(bars, quotes(150, 139)).starts["5d"].closes


def test_of_nothing_there_is_nothing() -> None:
    """An empty history has no dates, and a reason for each period."""
    digest = make_summary([], quotes(150, 139), "5d", "ytd")

    assert ((), 0, None) == digest[:3]
    assert "it takes 5 sessions before this one; the history has 0 sessions: heatmap history backfill" in (
        digest.starts["5d"].reason_missing
    )
    assert {"A": 0, "B": 0, "C": 0, "D": 0} == digest.streaks


@pytest.mark.parametrize(
    ("closes", "expected"),
    [
        ([1, 2, 3], 2),
        ([3, 2, 1, 0.5], -3),
        ([1, 2, 1.5, 1.6, 1.7], 2),
        ([1, 2, 2], 0),
        ([1, 2, 2.00001], 0),  # rounds to 0.00 %
        ([5, None, 1, 2], 1),
        ([1, 2, None], 0),
        ([7], 0),
        ([], 0),
    ],
)
def test_streaks(closes: list[float | None], expected: int) -> None:
    """Rises count up, falls down; no change and unknown closes end the streak."""
    assert expected == summary.count_streak(closes)


def test_how_far_periods_reach() -> None:
    """The longest decides; the year to date may be as long as a year."""
    assert 250 == period_starts.count_sessions_needed(("5d", "250d"))
    assert 260 == period_starts.count_sessions_needed(("5d", "ytd"))
    assert SESSION - timedelta(days=1) == DAYS[-1]


def test_both_databases_give_the_same(place: Place, tmp_path: Path) -> None:
    """SQLite and PostgreSQL give the same summary."""
    bars, quotes = markets.bars(NSE, 90)
    with place.open() as store:
        store.add_bars(MARKET, bars)
        found = reader(store, tmp_path, ("5d", "60d", "ytd")).summarize(quotes, SESSION)[0]

    expected = summary.make(bars, NSE, quotes, SESSION, ("5d", "60d", "ytd", "20d"))
    assert set(expected.starts) == set(found.starts)
    assert json.loads(json.dumps(expected.closes)) == json.loads(json.dumps(found.closes))
    for name, base in expected.starts.items():
        assert base.closes == found.starts[name].closes
        assert (base.date, base.sessions, base.reason_missing) == (
            found.starts[name].date,
            found.starts[name].sessions,
            found.starts[name].reason_missing,
        )
