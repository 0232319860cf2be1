"""Splits, bonuses and new symbols: found in bars, described, and used to make prices comparable."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path

import pytest

from heatmap.history import adjustment, corporate_actions, symbol_changes
from heatmap.history.corporate_actions import Certainty, CorporateAction
from heatmap.market.bars import Bar
from heatmap.market.calendar.phases import Calendar, DeclaredSplit, SymbolChange
from heatmap.market.quotes import Quote
from heatmap.sources.nse import bhavcopy
from tests.history import ex_dates

MONDAY = date(2026, 7, 20)
TUESDAY, WEDNESDAY, THURSDAY = (MONDAY + timedelta(days=days) for days in (1, 2, 3))


def bar(
    symbol: str, day: date, previous_close: float | None, close: float, *, opened: float | None = None
) -> Bar:
    """Return a bar whose prices lie between open and close."""
    opened = opened or close
    return Bar(
        symbol, day, opened, max(opened, close), min(opened, close), close, previous_close, 1000.0, 5e6
    )


def found(*sessions: list[Bar]) -> corporate_actions.Detection:
    """Return the detection in sessions without a gap."""
    return corporate_actions.detect(sessions, lambda *_: True)


@pytest.mark.parametrize(
    ("close", "previous_close", "factor"),
    [
        (1574.5, 314.9, "1/5"),  # face value 10 to 2, or a bonus of 4:1
        (2786.5, 278.65, "1/10"),
        (1401.8, 560.7, "2/5"),  # face value 5 to 2
        (1401.8, 700.9, "1/2"),  # a bonus of 1:1, or face value 2 to 1
        (1000.05, 333.35, "1/3"),  # a bonus of 2:1
        (328.7, 219.15, "2/3"),  # a bonus of 1:2, rounded to a tick
        (15.59, 11.69, "3/4"),  # a bonus of 1:3
        (999.95, 909.05, "10/11"),  # a bonus of 1:10
        (4.35, 43.5, "10"),  # ten shares became one
        (471.5, 243.91, None),  # as of a demerger
        (175.25, 186.96, None),
        (0.9, 0.75, "5/6"),
        (0.05, 5000.0, None),
    ],
)
def test_a_previous_close_on_new_terms_gives_the_factor(
    close: float, previous_close: float, factor: str | None
) -> None:
    """The simplest ratio of splits and bonuses, to within a tick; None if none fits."""
    result = found([bar("A", MONDAY, close, close)], [bar("A", TUESDAY, previous_close, previous_close)])

    expected = Fraction(factor) if factor else None
    assert (1, 0, (CorporateAction("A", TUESDAY, expected, MONDAY, close, previous_close),)) == result


@pytest.mark.parametrize(
    ("previous_close", "met"), [(100.0, 1), (100.05, 1), (99.95, 1), (100.4, 0), (99.1, 0), (None, None)]
)
def test_a_previous_close_that_meets_is_no_action(previous_close: float | None, met: int | None) -> None:
    """Within a tick the closes match; within 1 % the last price differs from the official close, and is counted."""
    result = found([bar("A", MONDAY, 99, 100)], [bar("A", TUESDAY, previous_close, 101)])

    assert ((0, 0, ()) if met is None else (1, met, ())) == result


@pytest.mark.parametrize(
    ("close", "opened", "ended", "factor"),
    [
        (1574.5, 313.9, 323.2, "1/5"),
        (574.15, 59.7, 65.9, "1/10"),
        (1401.8, 570.0, 561.1, "2/5"),
        (328.7, 215.05, 229.0, "2/3"),
        (15.59, 11.88, 11.49, "3/4"),
        (4.4, 42.0, 45.0, "10"),
        (36.19, 19.99, 17.02, None),  # half of it, or 3/5? nobody could tell
        (100.0, 70.0, 72.0, None),
        (100.0, 79.0, 78.0, None),  # 4/5, or a fall as far as a price may fall in a session
        (100.0, 60.0, 61.0, None),  # 3/5: no company gives two for three
        (100.0, 62.9, 63.0, None),
        (100.0, 68.5, 69.0, None),  # nearest to 2/3, yet not near
        (773.6, 289.5, 275.0, None),  # 3/8 to the paisa, which means nothing
        (100.0, 51.0, 52.0, "1/2"),
        (100.0, 194.9, 190.0, None),
        (100.0, 11.5, 12.0, None),  # nearest to 1/10, yet far from it
    ],
)
def test_a_session_beyond_any_price_band_tells_too(
    close: float, opened: float, ended: float, factor: str | None
) -> None:
    """An archive's previous close keeps the old terms on the first day: the open shows the action."""
    result = found([bar("A", MONDAY, close, close)], [bar("A", TUESDAY, close, ended, opened=opened)])

    expected = Fraction(factor) if factor else None
    assert (1, 1, (CorporateAction("A", TUESDAY, expected, MONDAY, close, opened, is_likely=True),)) == result


@pytest.mark.parametrize(
    ("opened", "ended"), [(80.0, 80.0), (120.0, 120.0), (60.0, 81.0), (79.0, 95.0), (100.0, 50.0)]
)
def test_a_wild_day_is_no_action(opened: float, ended: float) -> None:
    """A price that touched the band of the close before reached its level by trading."""
    assert () == found([bar("A", MONDAY, 100, 100)], [bar("A", TUESDAY, 100, ended, opened=opened)]).actions


def test_nothing_is_compared_across_a_hole_or_before_a_listing() -> None:
    """Across missing sessions prices may have moved freely; a first session has no session before it."""
    sessions = [
        [bar("A", MONDAY, 90, 100)],
        [bar("A", WEDNESDAY, 50, 50), bar("NEW", WEDNESDAY, 424, 528, opened=500)],
    ]

    assert (0, 0, ()) == corporate_actions.detect(
        sessions, lambda earlier, later: (later - earlier).days == 1
    )
    assert 1 == len(found(*sessions).actions)


def test_a_share_that_did_not_trade_is_compared_with_its_last_close() -> None:
    """A day without a trade keeps the close. A far open after it is unexplained, never a guess."""
    other = [[bar("B", day, 5, 5)] for day in (MONDAY, TUESDAY, WEDNESDAY, THURSDAY)]
    other[0].append(bar("A", MONDAY, 100, 100))
    other[2].append(bar("A", WEDNESDAY, 100, 50))
    other[3].append(bar("A", THURSDAY, 10, 10))

    result = found(*other)

    assert (5, 4) == (result.compared, result.matches)
    assert (
        CorporateAction("A", WEDNESDAY, None, MONDAY, 100, 50, is_likely=True),
        CorporateAction("A", THURSDAY, Fraction(1, 5), WEDNESDAY, 50, 10),
    ) == result.actions


@pytest.mark.parametrize("factor", sorted(ex_dates.SPLITS))
def test_a_real_split_is_probable(factor: str) -> None:
    """The day's change counts from the adjusted close: JLHL closed at 323.20, +2.64 % after 1,574.50 / 5."""
    before, after = ex_dates.SPLITS[factor]

    change = corporate_actions.judge_terms(after, [before])

    assert (Certainty.PROBABLE, Fraction(factor)) == change[:2]
    assert before.close * Fraction(factor) == pytest.approx(change.previous_close, abs=0.0051)
    if after.symbol == "JLHL":
        assert 2.64 == round((after.close / (change.previous_close or 1) - 1) * 100, 2)


@pytest.mark.parametrize("days", [ex_dates.NARMADA, ex_dates.VEDL, ex_dates.CRASH])
def test_a_real_break_without_a_ratio_is_unexplained(days: tuple[Bar, Bar]) -> None:
    """The change is neither a loss nor a bonus: the previous close on the day's terms is not known."""
    before, after = days

    assert (Certainty.UNEXPLAINED, None, None) == corporate_actions.judge_terms(after, [before])
    assert (Certainty.UNEXPLAINED, None, None) == corporate_actions.judge_terms(after)
    action = CorporateAction(
        after.symbol, after.date, None, before.date, before.close, after.open or 0, is_likely=True
    )
    assert (action,) == found([before], [after]).actions


@pytest.mark.parametrize("days", [ex_dates.TRIVENI, ex_dates.INOXGREEN])
def test_a_discovered_price_is_the_exchange_s_own(days: tuple[Bar, Bar]) -> None:
    """After a session that discovered the new price, the day's change is known, and earlier prices are not."""
    before, after = days

    change = corporate_actions.judge_terms(after, [before], is_next=False)

    assert (Certainty.UNEXPLAINED, None, after.previous_close) == change


def test_without_earlier_bars_a_clear_fall_alone_is_believed() -> None:
    """A fifth or a tenth is clear; two thirds count only with the turnover of other sessions."""
    assert Certainty.PROBABLE is corporate_actions.judge_terms(ex_dates.JLHL[1]).certainty
    assert Certainty.PROBABLE is corporate_actions.judge_terms(ex_dates.IVZINNIFTY[1]).certainty
    assert Certainty.UNEXPLAINED is corporate_actions.judge_terms(ex_dates.GENESYS[1]).certainty


@pytest.mark.parametrize(("times", "certainty"), [(2.9, "probable"), (3.1, "unexplained")])
def test_a_crowd_speaks_against_a_bonus(times: float, certainty: str) -> None:
    """A bonus leaves the turnover about as it was; the usual one is the median of earlier sessions."""
    earlier = [bar("A", MONDAY, 100, 100)._replace(turnover=money) for money in (1e6, 1e6, 9e9)]
    after = bar("A", TUESDAY, 100, 51, opened=50)._replace(turnover=times * 1e6)

    assert certainty == corporate_actions.judge_terms(after, earlier).certainty
    without = after._replace(turnover=None, volume=after.turnover / after.close if after.turnover else None)
    assert certainty == corporate_actions.judge_terms(without, earlier).certainty
    unknown = [one._replace(turnover=None, volume=None) for one in earlier]
    assert Certainty.UNEXPLAINED is corporate_actions.judge_terms(after, unknown).certainty


@pytest.mark.parametrize(
    ("close", "last_price", "percent_change", "expected"),
    [
        (328.7, 229.0, 4.5, ("exact", "2/3", 219.13)),  # a bonus of 1:2; (229 / 219.13 - 1) x 100
        (500.0, 410.0, 2.5, ("exact", "4/5", 400.0)),  # 1:4, which leaves no trace in archives
        (500.0, 420.0, 0.8, ("exact", "5/6", 416.67)),
        (500.0, 450.0, -1.0, ("exact", "10/11", 454.55)),
        (547.0, 267.5, -2.2, ("exact", "1/2", 273.5)),
        (500.0, 505.0, 1.0, ("none", "1", 500.0)),
        (36.19, 17.02, -52.97, ("unexplained", None, None)),  # adjusted by the exchange neither: no split
        (773.6, 275.0, -5.0, ("unexplained", None, 289.47)),  # adjusted, to no ratio
    ],
)
def test_the_day_s_quotes_are_exact(
    close: float, last_price: float, percent_change: float, expected: tuple[str, str | None, float | None]
) -> None:
    """A tick's percent change counts from the exchange's own previous close, to its rounding."""
    certainty, factor, previous = expected
    after = Bar("A", TUESDAY, last_price, last_price, last_price, last_price, close, 1e3, 1e6)

    change = corporate_actions.judge_terms(
        after,
        [bar("A", MONDAY, close, close)],
        corporate_actions.derive_quoted_close(last_price, percent_change),
    )

    assert (certainty, factor) == (change.certainty, None if change.factor is None else str(change.factor))
    assert previous == (change.previous_close and pytest.approx(change.previous_close, abs=0.02))


def test_a_tick_settles_what_an_archive_leaves_open() -> None:
    """Nothing is guessed on a day with ticks: the exchange adjusted the close, or it did not."""
    sessions = [[ex_dates.GENESYS[0]], [ex_dates.GENESYS[1]]]

    def found_with(percent_change: float) -> CorporateAction:
        quoted = corporate_actions.derive_quoted_close(229.0, percent_change)
        return corporate_actions.detect(sessions, lambda *_: True, None, lambda *_: quoted).actions[0]

    assert (Fraction(2, 3), False) == (found_with(4.5).factor, found_with(4.5).is_likely)
    assert (None, True) == (found_with(-30.33).factor, found_with(-30.33).is_likely)
    before, after = adjustment.adjust([one for bars in sessions for one in bars], [found_with(4.5)])
    assert (219.133, 219.133) == pytest.approx((before.close, after.previous_close), abs=0.001)


def test_without_a_previous_close_the_session_itself_tells() -> None:
    """Without a previous close, or with a guessed one, the evidence is an archive's."""
    before, after = ex_dates.GENESYS
    bare = after._replace(previous_close=None)

    assert (Certainty.PROBABLE, Fraction(2, 3), 219.13) == corporate_actions.judge_terms(bare, [before])
    result = found([before], [bare])
    assert (0, [(Fraction(2, 3), True)]) == (
        result.compared,
        [(action.factor, action.is_likely) for action in result.actions],
    )
    assert () == found([before], [before._replace(date=after.date, previous_close=None)]).actions


def test_a_doubtful_previous_close_is_no_evidence() -> None:
    """A guess for an archive's page is not stored: as a close it would count as the exchange's own."""
    guessed = Quote(
        "GENESYS", 4.5, last_price=229.0, previous_close=219.13, doubts={"1d": "Probably a bonus."}
    )

    assert None is corporate_actions.find_previous_close(guessed)
    assert 219.13 == corporate_actions.find_previous_close(replace(guessed, doubts={"1y": "Not adjusted."}))
    # Of a body that keeps the old close in that column.
    assert 219.13 == corporate_actions.find_previous_close(
        Quote("GENESYS", 4.5, last_price=229.0, previous_close=328.7)
    )
    assert 328.7 == corporate_actions.find_previous_close(
        Quote("GENESYS", 77.0, last_price=229.0, previous_close=328.7)
    )


def test_no_quote_without_a_price_has_a_previous_close() -> None:
    """There is no division by zero."""
    assert (None, None, None) == (
        corporate_actions.derive_quoted_close(None, 1.0), corporate_actions.derive_quoted_close(0.0, 1.0), corporate_actions.derive_quoted_close(5.0, -100.0),
    )  # fmt: skip


def test_across_a_hole_the_bar_s_own_previous_close_tells() -> None:
    """An ex-date after a missing session: its previous close is that session's close, on the old terms."""
    earlier = ex_dates.GENESYS[0]._replace(date=date(2026, 8, 3), close=320.0)

    result = corporate_actions.detect([[earlier], [ex_dates.GENESYS[1]]], lambda *_: False)

    day = ex_dates.GENESYS[1].date
    assert (0, (CorporateAction("GENESYS", day, Fraction(2, 3), None, 328.7, 215.05, is_likely=True),)) == (
        result.compared,
        result.actions,
    )
    assert "closed at 328.70 the session before, and opened at 215.05" in corporate_actions.describe(
        result.actions[0]
    )


def test_adjusted_bars_go_on_without_a_jump() -> None:
    """Prices before each action are multiplied by all later factors, volumes divided; the turnover stays."""
    bars = [
        bar("A", MONDAY, 990, 1000), bar("A", TUESDAY, 200, 210), bar("A", WEDNESDAY, 210, 110, opened=105),
        bar("A", THURSDAY, 110, 121), bar("B", MONDAY, 7, 8),
    ]  # fmt: skip
    known = [
        CorporateAction("A", TUESDAY, Fraction(1, 5), MONDAY, 1000, 200),
        CorporateAction("A", WEDNESDAY, Fraction(1, 2), TUESDAY, 210, 105, is_likely=True),
        CorporateAction("A", THURSDAY, None, WEDNESDAY, 110, 300),
        CorporateAction("B", TUESDAY, None, MONDAY, 8, 3),
    ]

    result = adjustment.adjust(bars, known)

    assert [100, 105, 110, 121, 8] == pytest.approx([bar.close for bar in result])
    assert [99, 100, 105, 110, 7] == pytest.approx([bar.previous_close for bar in result])
    assert [10_000, 2000, 1000, 1000, 1000] == pytest.approx([bar.volume for bar in result])
    assert {5e6} == {bar.turnover for bar in result}
    assert (result[0].open, result[0].high, result[0].low) == pytest.approx((100, 100, 100))


def test_unknown_figures_stay_unknown() -> None:
    """An adjustment does not invent figures that the archive lacks."""
    bare = Bar("A", MONDAY, None, None, None, 10.0, None, None, None)

    assert [bare._replace(close=5.0)] == adjustment.adjust(
        [bare], [CorporateAction("A", TUESDAY, Fraction(1, 2), MONDAY, 10, 5)]
    )


@pytest.mark.parametrize(
    ("symbol", "day", "becomes"),
    [
        ("OLD", MONDAY, "NEWER"),  # one change leads to another
        ("NEW", MONDAY, "NEWER"),
        ("NEW", TUESDAY, "NEWER"),
        ("NEW", WEDNESDAY, "NEW"),  # from here on it is another share's
        ("NEWER", MONDAY, "NEWER"),
        ("PING", MONDAY, "PING"),  # a circle ends
        ("A", MONDAY, "A"),
    ],
)
def test_symbols_of_old_become_todays(symbol: str, day: date, becomes: str) -> None:
    """By the table's dates; undated ones at any time."""
    aliases = [
        SymbolChange("OLD", "NEW", None), SymbolChange("NEW", "NEWER", WEDNESDAY), SymbolChange("PING", "PONG", None), SymbolChange("PONG", "PING", None),
    ]  # fmt: skip

    assert [bar(becomes, day, 1, 2)] == symbol_changes.rename([bar(symbol, day, 1, 2)], aliases)


@pytest.mark.parametrize("others", [0, 1])
def test_a_symbol_that_a_share_gave_up_and_got_back(others: int) -> None:
    """Each change counts once, in any number of others."""
    aliases = [
        *[SymbolChange("B", "C", None)] * others,
        SymbolChange("PING", "PONG", TUESDAY),
        SymbolChange("PONG", "PING", WEDNESDAY),
    ]

    for symbol, day in (("PING", MONDAY), ("PONG", TUESDAY), ("PING", WEDNESDAY)):
        assert symbol_changes.newest_symbol(symbol, day, aliases) == "PING"


def test_a_symbol_never_stands_twice_in_a_session() -> None:
    """If a session has the old and the new symbol, the bar with the new symbol stays."""
    bars = [bar("OLD", MONDAY, 1, 2), bar("NEW", MONDAY, 3, 4), bar("OLD", TUESDAY, 1, 2)]

    assert [bars[1], bars[2]._replace(symbol="NEW")] == symbol_changes.rename(
        bars, [SymbolChange("OLD", "NEW", None)]
    )


@pytest.mark.parametrize(
    ("action", "met", "taken_for"),
    [
        (
            CorporateAction("A", TUESDAY, Fraction(1, 5), MONDAY, 1574.5, 314.9),
            "gives a previous close of 314.90",
            "a split or a bonus of 4:1 (1 became 5), so earlier prices count 1/5",
        ),
        (
            CorporateAction("A", TUESDAY, Fraction(2, 3), MONDAY, 1574.5, 1030.05, is_likely=True),
            "opened at 1,030.05",
            "probably a bonus of 1:2 (2 became 3), so earlier prices count 2/3",
        ),
        (
            CorporateAction("A", TUESDAY, Fraction(10), MONDAY, 1574.5, 15745),
            "gives a previous close of 15,745.00",
            "a consolidation (10 became 1), so earlier prices count 10",
        ),
        (
            CorporateAction("A", TUESDAY, None, MONDAY, 1574.5, 869, is_likely=True),
            "opened at 869.00",
            "no split or bonus explains it, so earlier prices are not compared with later ones",
        ),
    ],
)
def test_an_action_in_words(action: CorporateAction, met: str, taken_for: str) -> None:
    """One sentence: the evidence, the action, and its consequence."""
    sentence = f"A closed at 1,574.50 on 20 Jul 2026, and {met} on 21 Jul 2026: {taken_for}"
    assert sentence == corporate_actions.describe(action)


def declared(
    *terms: DeclaredSplit, aliases: tuple[SymbolChange, ...] = ()
) -> corporate_actions.DeclaredSplits:
    """Return the factors that a user declares."""
    return corporate_actions.find_declared_splits(
        Calendar("own", "UTC", declared_splits=terms, symbol_changes=aliases)
    )


@pytest.mark.parametrize(
    ("previous_close", "expected_previous"),
    [(100.0, 60.0), (60.0, 60.0), (55.0, 55.0)],  # of the old terms, of the new ones, of others
)
def test_what_the_user_says_is_believed(previous_close: float, expected_previous: float) -> None:
    """A declared action holds with any figures; a previous close equal to the old close is on the old terms."""
    sessions = [[bar("A", MONDAY, 99, 100)], [bar("A", TUESDAY, previous_close, 61)]]

    result = corporate_actions.detect(sessions, lambda *_: True, declared(DeclaredSplit("A", TUESDAY, 3, 5)))

    assert [(Fraction(3, 5), True)] == [(found.factor, found.is_declared) for found in result.actions]
    assert "by your [[action]], so earlier prices count 3/5" in corporate_actions.describe(result.actions[0])
    before, after = adjustment.adjust([found for bars in sessions for found in bars], result.actions)
    assert (60.0, 1000 / 0.6) == pytest.approx((before.close, before.volume))
    assert (61.0, expected_previous, 1000.0) == pytest.approx(
        (after.close, after.previous_close, after.volume)
    )


def test_an_action_that_was_none() -> None:
    """The factor 1 declares that there was no split; then an unexplained event is settled."""
    halved = [[bar("A", MONDAY, 99, 100)], [bar("A", TUESDAY, 100, 51, opened=50)]]
    fallen = [[bar("A", MONDAY, 99, 100)], [bar("A", TUESDAY, 93, 91)]]
    assert [Fraction(1, 2), None] == [found(*sessions).actions[0].factor for sessions in (halved, fallen)]

    known = declared(DeclaredSplit("A", TUESDAY, 1, 1))
    for sessions in (halved, fallen):
        assert () == corporate_actions.detect(sessions, lambda *_: True, known).actions


def test_what_the_user_says_counts_across_a_hole_and_a_new_symbol() -> None:
    """A declared action holds across missing sessions, where prices are not compared, and under the old symbol."""
    known = declared(DeclaredSplit("OLD", TUESDAY, 1, 2), aliases=(SymbolChange("OLD", "A", None),))
    sessions = [[bar("A", MONDAY, 99, 100)], [bar("A", THURSDAY, 52, 51)]]

    result = corporate_actions.detect(sessions, lambda *_: False, known)

    assert (0, [(TUESDAY, Fraction(1, 2))]) == (
        result.compared,
        [(found.date, found.factor) for found in result.actions],
    )


def test_the_actions_of_twenty_real_sessions(recorded_bodies: Path) -> None:
    """Six jumps are ratios of splits and bonuses, three are not; all other closes match to the paisa."""
    files = sorted((recorded_bodies / "bhavcopy").glob("sec_bhavdata_full_*.csv"))
    sessions = [
        bhavcopy.parse(file.read_bytes(), bhavcopy.find_date(file.name) or MONDAY).bars for file in files
    ]

    result = corporate_actions.detect(sessions, lambda *_: True)

    assert (45_816, 45_814) == (result.compared, result.matches)
    assert {
        "POCL": "2/5", "JLHL": "1/5", "HARDWYN": "3/4", "IVZINNIFTY": "1/10", "TEMBO": "1/10", "GENESYS": "2/3",
        "NARMADA": "None", "TRIVENI": "None", "INOXGREEN": "None",
    } == {action.symbol: str(action.factor) for action in result.actions}  # fmt: skip
    assert {"TRIVENI", "INOXGREEN"} == {action.symbol for action in result.actions if not action.is_likely}
