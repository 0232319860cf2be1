"""The rules for replacing a page, each separately, and whole runs that must not publish."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from heatmap.errors import ConfigError, PublishError, SourceGated, StoppedError
from heatmap.market import quality
from heatmap.market.calendar import phases
from heatmap.market.calendar.packaged import SessionOptions, load
from heatmap.market.calendar.session import MarketStatus
from heatmap.market.gates import GateOptions
from heatmap.market.quality import LastPage
from heatmap.market.quotes import Quote, Snapshot
from heatmap.run import one_run, publishing
from heatmap.sources import snapshot_file as files
from heatmap.state.memory import State
from tests.checkout import CHECKOUT
from tests.doubles import MemoryPublisher, MemorySource, configuration, failure

INDIA = ZoneInfo("Asia/Kolkata")
FIVE = timedelta(minutes=5)
DAY = timedelta(days=1)
RECORDING = CHECKOUT / "heatmap/data/recordings/nse-fno-2026-09-17.json"
FIXTURES = CHECKOUT / "tests" / "fixtures"


def at(text: str) -> datetime:
    """A moment in India."""
    return datetime.fromisoformat(f"{text}+05:30")


OPEN = at("2026-09-17T11:00:28")
AUCTION = at("2026-09-17T15:34:00")
FINAL = at("2026-09-17T16:00:28")


def market(count: int, *, first: int = 0, shift: float = 0.0) -> tuple[Quote, ...]:
    """Return stocks, each with its own price; the first is S000 by default."""
    closes = {n: 100.0 + n for n in range(first, first + count)}
    prices = {n: round(close + 0.5 + shift, 2) for n, close in closes.items()}
    return tuple(
        Quote(
            f"S{n:03}",
            round((prices[n] / close - 1) * 100, 2),
            last_price=prices[n],
            previous_close=close,
            volume=float(n),
        )
        for n, close in closes.items()
    )


def snapshot(quotes: Sequence[Quote], as_of: datetime = OPEN) -> Snapshot:
    """Return the figures of a moment."""
    return Snapshot("memory", as_of, tuple(quotes))


def last(quotes: Sequence[Quote], as_of: datetime = OPEN) -> LastPage:
    """Return the record of a page of such figures."""
    return quality.make_last_page(None, snapshot(quotes, as_of), as_of)


def without_longer_periods(quote: Quote) -> Quote:
    """Return a quote with the figures of the day only."""
    return replace(quote, changes={}, doubts={})


# Figures by themselves


@pytest.mark.parametrize(
    ("ahead", "passes"),
    [(timedelta(0), True), (FIVE, True), (FIVE + timedelta(seconds=1), False), (DAY, False)],
)
def test_the_future_has_no_figures(ahead: timedelta, *, passes: bool) -> None:
    """Five minutes are two clocks that differ; more is a wrong clock, and the sentence says so."""
    figures = snapshot(market(2), OPEN + ahead)

    if passes:
        quality.refuse_future(figures.as_of, OPEN, INDIA)
    else:
        with pytest.raises(SourceGated, match=r"17 Sep 2026 11:05 IST|18 Sep 2026 11:00 IST"):
            quality.refuse_future(figures.as_of, OPEN, INDIA)


@pytest.mark.parametrize(
    ("as_of", "now", "passes"),
    [
        ("2026-09-17T15:29:59", "2026-09-17T16:00:00", False),
        ("2026-09-17T15:30:00", "2026-09-17T16:00:00", True),  # the close is at 15:35
        ("2026-09-17T00:00:00", "2026-09-17T16:00:00", True),  # a date alone
        ("2026-09-17T15:19:00", "2026-09-17T15:20:00", True),  # before the close
        ("2026-07-31T15:24:00", "2026-07-31T16:00:00", False),
        ("2026-07-31T15:30:00", "2026-07-31T16:00:00", True),
    ],
)
def test_a_final_of_figures_from_before_the_close(as_of: str, now: str, *, passes: bool) -> None:
    """A clock that runs ahead would cause such a closing page, and it would stay. The run waits for later figures."""
    figures, moment = snapshot(market(2), at(as_of)), verdict(at(now))

    if passes:
        quality.refuse_unfinished(figures.as_of, moment, INDIA)
    else:
        with pytest.raises(SourceGated, match="when trading had not ended .*clock"):
            quality.refuse_unfinished(figures.as_of, moment, INDIA)


def test_a_final_of_a_market_that_is_open() -> None:
    """In the last minutes the last trade may be the closing price, but not while the source says open."""
    figures, moment = snapshot(market(2), at("2026-07-31T15:29:30")), verdict(at("2026-07-31T16:00:00"))

    quality.refuse_unfinished(figures.as_of, moment, INDIA, is_open=False)
    quality.refuse_unfinished(figures.as_of, moment, INDIA, is_open=None)
    with pytest.raises(SourceGated, match="when trading had not ended"):
        quality.refuse_unfinished(figures.as_of, moment, INDIA, is_open=True)


@pytest.mark.parametrize("name", [RECORDING.name, *sorted(path.name for path in FIXTURES.glob("nse_*.json"))])
def test_no_real_figures_contradict_themselves(name: str) -> None:
    """The recorded day and each form of the exchange's response pass unchanged."""
    body = (RECORDING if name == RECORDING.name else FIXTURES / name).read_bytes()
    figures = files.parse(body)

    kept, bad = quality.remove_contradictions(figures, INDIA)

    assert ((), figures.dropped) == (bad, kept.dropped)
    assert list(map(without_longer_periods, figures.quotes)) == list(map(without_longer_periods, kept.quotes))


def test_no_further_recorded_figures_do(recorded_bodies: Path) -> None:
    """Figures of other days and indices pass unchanged, too."""
    found = 0
    for path in sorted((recorded_bodies / "snapshot").glob("*.json")):
        try:
            figures = files.parse(path.read_bytes())
        except Exception:  # a form without stocks, or in pieces
            continue
        found += 1
        kept, bad = quality.remove_contradictions(figures, INDIA)
        assert () == bad, path.name
        assert list(map(without_longer_periods, figures.quotes)) == list(
            map(without_longer_periods, kept.quotes)
        )
    assert found >= 4


@pytest.mark.parametrize(
    ("percent", "price", "previous", "stays"),
    [
        (1.5, 101.5, 100.0, True),
        (1.45, 101.5, 100.0, True),  # within rounding
        (1.43, 101.5, 100.0, False),
        (-3.0, 101.5, 100.0, False),  # from a higher close
        (6.5, 101.5, 100.0, False),  # from a lower one that no split or bonus makes
        (0.0, 95.0, 100.0, False),  # nor does this
        (0.0, 50.0, 100.0, True),  # a bonus of one for one
        (-2.2, 267.5, 547.0, True),  # and another
        (1.0, 10.1, 100.0, True),  # a split of one into ten
        (1.0, 1.01, 100.0, False),  # into a hundred: the price is too coarse to tell
        (1.05, 50.5, 100.0, False),  # half of 100 would make 1.00
        (0.0, 1000.0, 100.0, True),  # ten shares became one
        (-50.0, 50.0, 50.0, False),  # from twice the close: the close is adjusted, and the change is not
        (8.0, 0.13, 0.12, True),  # 8.33 computed, but half a step is lost of each price
        (-10.0, 0.13, 0.12, False),
        (-100.0, 101.5, 100.0, False),
        (1.5, None, 100.0, True),  # nothing to compare with
        (1.5, 101.5, None, True),
    ],
)
def test_a_row_that_contradicts_itself(
    percent: float, price: float | None, previous: float | None, *, stays: bool
) -> None:
    """The row is removed and counted, unless an ex-date explains it; the other rows stay."""
    odd = Quote("ODD", percent, last_price=price, previous_close=previous)

    kept, bad = quality.remove_contradictions(replace(snapshot((*market(20), odd)), dropped=2), INDIA)

    assert (stays, () if stays else ("ODD",)) == ("ODD" in {quote.symbol for quote in kept.quotes}, bad)
    assert (20 + stays, 3 - stays) == (len(kept.quotes), kept.dropped)


@pytest.mark.parametrize("percent", [-2.0, 2.0])
def test_many_contradictions_are_a_gate(percent: float) -> None:
    """A tenth of the rows may be bad. More mean that the column has another meaning, even if each could be an ex-date."""
    figures = [replace(quote, percent_change=percent) for quote in market(11)]

    assert quality.remove_contradictions(snapshot((*figures[:10], *market(90, first=10))), INDIA)
    with pytest.raises(
        SourceGated, match="11 of 100 instruments contradict .*S000, S001, S002, S003, S004, …"
    ):
        quality.remove_contradictions(snapshot((*figures, *market(89, first=11))), INDIA)
    with pytest.raises(SourceGated, match="1 of 1 "):
        quality.remove_contradictions(snapshot(figures[:1]), INDIA)


@pytest.mark.parametrize("points", [-20.0, -5.0, -1.0, 1.0, 5.0, 20.0])
def test_garbled_percent_changes(points: float) -> None:
    """If every tenth stock of the recorded day is wrong by so many points, each of them is removed."""
    figures = files.parse(RECORDING.read_bytes())
    garbled = {quote.symbol for quote in figures.quotes[::10]}
    quotes = [
        replace(quote, percent_change=round((quote.percent_change or 0.0) + points, 2))
        if quote.symbol in garbled
        else quote
        for quote in figures.quotes
    ]

    _, bad = quality.remove_contradictions(replace(figures, quotes=tuple(quotes)), INDIA)

    assert 21 == len(garbled)
    assert sorted(garbled) == list(bad)


def test_a_percent_change_from_our_own_close() -> None:
    """The history's close is used if the source's previous close differs, but not if that is the adjusted one."""
    wrong_close = Quote("WRONG", 2.0, last_price=102.0, previous_close=97.0)
    old_terms = Quote("OLD", -51.1, last_price=267.5, previous_close=273.5)
    of_another = Quote("OTHER", 3.0, last_price=102.0, previous_close=97.0)
    figures = snapshot((*market(30), wrong_close, old_terms, of_another))

    kept, bad = quality.remove_contradictions(
        figures, INDIA, lambda symbols: {symbol: {"OLD": 547.0}.get(symbol, 100.0) for symbol in symbols}
    )

    assert ("OLD", "OTHER") == bad
    assert replace(wrong_close, previous_close=100.0) == kept.quotes[-1]


# Figures against the page's


def test_older_figures() -> None:
    """One second is enough. Figures of the page's own time pass; without seconds, figures of its minute pass."""
    page = last(market(2))
    quality.refuse_older(page, snapshot(market(2), OPEN), OPEN, INDIA)
    quality.refuse_older(page, snapshot(market(2), at("2026-09-17T11:00:00")), OPEN, INDIA)

    for older in (OPEN - timedelta(seconds=1), at("2026-09-17T10:59:00"), OPEN - DAY):
        with pytest.raises(SourceGated, match="older than the page's of 17 Sep 11:00:28"):
            quality.refuse_older(page, snapshot(market(2), older), OPEN, INDIA)
    quality.refuse_older(page, replace(snapshot(market(2), OPEN - DAY), recording=True), OPEN, INDIA)


def verdict(now: datetime, **session: object) -> MarketStatus:
    """Return the status of the market at a moment, by the exchange's calendar or another."""
    options = SessionOptions(**session)  # type: ignore[arg-type]
    return phases.phase_at(load(options, Path()), now)


@pytest.mark.parametrize(
    ("since", "now", "moved", "count", "passes"),
    [
        ("11:00", "11:19", False, 210, True),
        ("11:00", "11:20", False, 210, False),
        ("11:00", "14:00", True, 210, True),
        ("11:00", "14:00", False, 9, True),  # a small market may stand still
        ("11:00", "14:00", False, 10, False),
        ("09:05", "09:34", False, 210, True),  # only from the open on
        ("09:05", "09:35", False, 210, False),
        ("11:00", "15:20", False, 210, True),  # the auction: prices stand still by its nature
        ("11:00", "16:00", False, 210, True),
        ("12:00", "11:00", False, 210, True),  # a clock that jumped back
    ],
)
def test_figures_that_stand_still(since: str, now: str, *, moved: bool, count: int, passes: bool) -> None:
    """Figures may be unchanged for twenty minutes of continuous trading, no longer."""
    moment = at(f"2026-09-17T{now}:00")
    page = last(market(count), at(f"2026-09-17T{since}:00"))
    figures = snapshot((*market(count - 1), *market(1, first=count - 1, shift=0.05 * moved)), moment)

    def judge() -> None:
        longest = GateOptions().stale_after(5)
        quality.refuse_stale(page, figures, verdict(moment), moment, longest, INDIA)

    if passes:
        judge()
    else:
        with pytest.raises(SourceGated, match=f"not one of its {count} instruments has moved since 17 Sep"):
            judge()


@pytest.mark.parametrize(
    ("stale_minutes", "interval", "minutes"),
    [(None, 5, 20), (None, 1, 20), (None, 15, 45), (7, 5, 7), (0, 5, None)],
)
def test_how_long_they_may(stale_minutes: int | None, interval: int, minutes: int | None) -> None:
    """The default is twenty minutes or three intervals; 0 in the configuration means no limit."""
    expected = None if minutes is None else timedelta(minutes=minutes)
    assert expected == GateOptions(stale_minutes=stale_minutes).stale_after(interval)


@pytest.mark.parametrize(("left", "passes"), [(210, True), (147, True), (146, False), (0, False)])
def test_a_market_that_shrinks(left: int, *, passes: bool) -> None:
    """Seven tenths of the page's own instruments are enough, with any number of new ones."""
    figures = snapshot((*market(left), *market(300, first=500)), OPEN + FIVE)

    assert passes == (quality.shrinkage(last(market(210)), figures, OPEN + FIVE, 0.7) is None)


def test_a_change_in_words() -> None:
    """The sentence has the instruments that joined and left, at most five of each; None without a change."""
    page = last(market(10))

    assert quality.describe_membership_change(page, snapshot(market(10))) is None
    assert (
        "the instruments have changed: 1 joined (S010), 2 left (S000, S001)"
        == quality.describe_membership_change(page, snapshot(market(9, first=2)))
    )
    assert "8 joined (S010, S011, S012, S013, S014, …)" in str(
        quality.describe_membership_change(page, snapshot(market(18)))
    )


@pytest.mark.parametrize("wrong", [{"least_share": 1.1}, {"least_share": -0.1}, {"stale_minutes": -1}])
def test_options_that_cannot_be(wrong: dict[str, float]) -> None:
    """Wrong options are refused with their names."""
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        GateOptions(**wrong)  # type: ignore[arg-type]


# A whole run


class Run:
    """A market of 210 stocks in memory, published once at OPEN, and its later runs."""

    def __init__(self, tmp_path: Path, options: GateOptions | None = None) -> None:
        self.source, self.target = MemorySource(quotes=market(210)), MemoryPublisher()
        self.config = configuration(tmp_path, self.source, self.target)._replace(gates=options)
        self.kept = tmp_path / "state/last/nse-fno.json"
        self.said: list[str] = []
        assert 0 == self(OPEN)

    def __call__(self, now: datetime, quotes: Sequence[Quote] | None = None, **options: bool) -> int:
        """Run at `now`, optionally with other stocks. Return the exit code."""
        if quotes is not None:
            self.source.quotes = tuple(quotes)
        self.said.clear()
        self.report = one_run.run(self.config, now=now, say=self.said.append, **options)
        return self.report.exit_code


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"quotes": market(144)}, "66 of the page's 210 instruments are missing (S144, S145"),
        ({"as_of": OPEN - timedelta(seconds=1)}, "older than the page's"),
        ({"as_of": OPEN + timedelta(hours=1)}, "in the future"),
        ({"quotes": [replace(quote, percent_change=-3.0) for quote in market(210)]}, "contradict"),
    ],
)
def test_a_worse_page_is_not_published(tmp_path: Path, change: dict[str, object], words: str) -> None:
    """Exit 65, a sentence on the market, no file changed; the next good figures are published."""
    run = Run(tmp_path)
    before, well = dict(run.target.pages), replace(run.source)
    run.source.__dict__.update(change)

    assert 65 == run(OPEN + FIVE)

    (error,) = run.report.errors
    assert isinstance(error, SourceGated)
    assert str(error).startswith("nse-fno: ")
    assert words in str(error)
    assert before == run.target.pages
    run.source.__dict__.update(well.__dict__)
    assert 0 == run(OPEN + 2 * FIVE)
    assert before["index.html"] != run.target.pages["index.html"]


def test_a_source_that_is_stuck(tmp_path: Path) -> None:
    """After twenty minutes of the same figures with new times the page stays; the first changed figures pass."""
    run = Run(tmp_path)

    codes = [run(OPEN + number * FIVE) for number in range(1, 7)]

    assert [0, 0, 0, 65, 65, 65] == codes
    assert "since 17 Sep 11:00:28" in str(run.report.errors[0])
    assert 0 == run(OPEN + 7 * FIVE, market(210, shift=0.1))


def test_the_same_moment_again_is_no_worse(tmp_path: Path) -> None:
    """A failed target gets its page from unchanged figures, and the closing page is made."""
    run = Run(tmp_path)
    run.source.as_of = OPEN
    run.target.error = failure(PublishError)
    assert 75 == run(OPEN + FIVE)
    run.target.error = None
    assert 0 == run(OPEN + 2 * FIVE)
    run.source.as_of, run.source.is_open = AUCTION, False
    assert 0 == run(AUCTION)

    assert 0 == run(FINAL)
    assert 4 == run.target.runs


def test_a_clock_that_runs_ahead(tmp_path: Path) -> None:
    """Figures from an hour before the close make no closing page; figures of the close do."""
    run = Run(tmp_path)
    run.source.as_of = FINAL - timedelta(hours=1)
    assert 65 == run(FINAL)
    assert "check this machine's clock" in str(run.report.errors[0])
    run.source.as_of = None

    assert 0 == run(FINAL + FIVE)
    assert "2026-09-17" == State(tmp_path / "state")["nse-fno"].final_date


def test_a_market_that_changes_is_told(tmp_path: Path) -> None:
    """Stocks that join and leave pass, and the message has their names."""
    run = Run(tmp_path)

    assert 0 == run(OPEN + FIVE, market(210, first=3))

    sentence = "nse-fno: the instruments have changed: 3 joined (S210, S211, S212), 3 left (S000, S001, S002)"
    assert sentence in run.said
    assert [sentence.removeprefix("nse-fno: ")] == [each.sentence for each in run.report.outcomes]


def test_a_lasting_shrink_is_believed(tmp_path: Path) -> None:
    """A smaller market is accepted at the end of the next session, not before; then it is the reference."""
    run = Run(tmp_path)
    small = market(100, shift=0.2)

    assert 65 == run(OPEN + FIVE, small)
    assert 65 == run(FINAL)
    assert 65 == run(OPEN + DAY, market(101, shift=0.3))
    assert 0 == run(FINAL + DAY)
    assert "109 left" in " ".join(run.said)
    assert 0 == run(OPEN + 4 * DAY, market(99, shift=0.1))


def test_a_shrink_with_a_good_tick_in_between_begins_anew(tmp_path: Path) -> None:
    """A source with a gap in each session is never accepted; nor is a different half of the market each time."""
    run = Run(tmp_path)

    assert 65 == run(OPEN + FIVE, market(100))
    assert 0 == run(FINAL, market(210, shift=0.4))
    assert 65 == run(FINAL + DAY, market(100))
    assert 65 == run(FINAL + 4 * DAY, market(100, first=100))
    assert 0 == run(FINAL + 5 * DAY)


def test_a_shrink_where_there_are_no_sessions(tmp_path: Path) -> None:
    """A smaller market that never closes is accepted after a day."""
    source = MemorySource(quotes=market(20))
    always = SessionOptions(calendar="always")
    config = configuration(tmp_path, source, MemoryPublisher(), session=always)
    assert 0 == one_run.run(config, now=OPEN).exit_code
    source.quotes = market(10)

    codes = [one_run.run(config, now=OPEN + timedelta(hours=hours)).exit_code for hours in (1, 24, 25)]

    assert [65, 65, 0] == codes


def test_clocks_that_ran_ahead_bar_nothing_for_good(tmp_path: Path) -> None:
    """A page or a refused market with a future time is ignored after the clocks are right again."""
    source = MemorySource(quotes=market(20))
    always = SessionOptions(calendar="always")
    config = configuration(tmp_path, source, MemoryPublisher(), session=always)

    def run(moment: datetime, count: int) -> int:
        source.quotes = market(count, shift=moment.hour / 100)
        return one_run.run(config, now=moment).exit_code

    assert 0 == run(OPEN + 400 * DAY, 20)
    assert [0, 0] == [run(OPEN, 20), run(OPEN + timedelta(hours=1), 20)]
    assert 65 == run(OPEN + 400 * DAY, 10)
    assert [65, 65, 0] == [run(OPEN + timedelta(hours=hours), 10) for hours in (2, 25, 26)]


def test_force_takes_what_is_worse_than_the_page(tmp_path: Path) -> None:
    """With --force, fewer, older and unchanged figures pass; impossible figures do not."""
    run = Run(tmp_path)
    run.source.as_of = OPEN - FIVE

    assert 0 == run(OPEN + 5 * FIVE, market(50), force=True)
    assert 0 == run(OPEN + 6 * FIVE)
    run.source.as_of = OPEN + DAY
    assert 65 == run(OPEN + 7 * FIVE, force=True)


def test_what_no_target_took_is_no_measure(tmp_path: Path) -> None:
    """Figures that were never published refuse nothing; nor does a dry run."""
    run = Run(tmp_path)
    before = run.kept.read_bytes()
    run.target.error = failure(PublishError)
    assert 75 == run(OPEN + 2 * FIVE, market(210, shift=0.1))
    run.target.error = None
    assert 0 == run(OPEN + 3 * FIVE, dry_run=True)
    assert 65 == run(OPEN + 3 * FIVE, market(100), dry_run=True)
    assert before == run.kept.read_bytes()

    run.source.as_of = OPEN + FIVE
    assert 0 == run(OPEN + 4 * FIVE, market(210, shift=0.1))


def test_a_run_that_is_killed_may_have_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a killed run, figures older than those it was publishing are refused."""
    run = Run(tmp_path)
    publish = publishing.publish

    def killed(*arguments: Any, **more: Any) -> None:
        list(publish(*arguments, **more))
        raise StoppedError("killed")

    monkeypatch.setattr(publishing, "publish", killed)
    with pytest.raises(StoppedError):
        run(OPEN + 2 * FIVE, market(210, shift=0.1))
    monkeypatch.setattr(publishing, "publish", publish)
    assert 2 == run.target.runs

    run.source.as_of = OPEN + FIVE
    assert 65 == run(OPEN + 3 * FIVE)
    assert "older than the page's of 17 Sep 11:10:28" in str(run.report.errors[0])
    run.source.as_of = OPEN + 3 * FIVE
    run.target.error = failure(PublishError)
    assert 75 == run(OPEN + 3 * FIVE)
    assert json.loads(run.kept.read_bytes())["tried"] == (OPEN + 2 * FIVE).isoformat()
    run.target.error = None
    assert 0 == run(OPEN + 3 * FIVE)
    assert json.loads(run.kept.read_bytes())["tried"] is None


def test_each_market_has_its_own(tmp_path: Path) -> None:
    """If one market is refused, the other is still published."""
    good, bad, target = MemorySource(), MemorySource(quotes=market(210)), MemoryPublisher()
    config = configuration(tmp_path, good, target, more=(("other", bad),))
    assert 0 == one_run.run(config, now=OPEN).exit_code
    bad.quotes = market(100)
    target.order.clear()

    report = one_run.run(config, now=OPEN + FIVE)

    assert (65, ["other"]) == (report.exit_code, [str(error).partition(":")[0] for error in report.errors])
    assert {"nse-fno", "index.html"} == {name.partition("/")[0] for name in target.order}
    assert {"nse-fno.json", "other.json"} == {path.name for path in (tmp_path / "state/last").iterdir()}


@pytest.mark.parametrize("options", [GateOptions(least_share=0.4), GateOptions(least_share=0)])
def test_the_configuration_decides(tmp_path: Path, options: GateOptions) -> None:
    """The user can set the share of instruments that is enough."""
    run = Run(tmp_path, options)

    assert 0 == run(OPEN + FIVE, market(100))


@pytest.mark.parametrize(
    ("content", "aside"),
    [
        (b'{"version": 1, "as_of"', "nse-fno.damaged.json"),
        (b'{"version": 1, "figures": "", "symbols": []}', "nse-fno.damaged.json"),
        (b'{"version": 2, "figures": "next year\'s"}', "nse-fno.version-2.json"),
    ],
)
def test_a_measure_that_cannot_be_read_bars_nothing(tmp_path: Path, content: bytes, aside: str) -> None:
    """A damaged record is set aside with one sentence; the page is published and is the next reference."""
    run = Run(tmp_path)
    run.kept.write_bytes(content)

    assert 0 == run(OPEN + FIVE, market(100))

    assert [True] == [aside in warning for warning in run.report.warnings]
    assert content == run.kept.with_name(aside).read_bytes()
    assert 100 == len(json.loads(run.kept.read_bytes())["symbols"])
