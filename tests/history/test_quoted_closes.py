"""The previous closes of a day's ticks: one rule for the closing page and for the history."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from heatmap.history import backfill, ex_dates, quoted_closes
from heatmap.history.model import Tick, TickRow
from heatmap.history.store import open_store
from heatmap.market.bars import Bar
from heatmap.market.calendar import phases
from heatmap.market.calendar.session import Phase
from heatmap.market.quotes import Quote, Snapshot
from heatmap.run import terms_evidence
from heatmap.run.history_session import HistorySession
from heatmap.sources.nse import archive
from heatmap.sources.nse.archive_files import ArchiveFolder
from heatmap.sources.nse.bhavcopy import Archive
from heatmap.state.memory import State
from heatmap.state.report import Messages
from tests.doubles import MemoryPublisher, MemorySource, configuration
from tests.servers.archives import full, share

MARKET = "nse-fno"
EX_DATE = date(2026, 9, 17)
FINAL = datetime.fromisoformat("2026-09-17T15:45:00+05:30")
FIRST_TICK = datetime.fromisoformat("2026-09-17T10:00:00+05:30")


@pytest.mark.parametrize(
    "ticks",
    [
        # Alone, the last one gives 289.51.
        [(last, round((last / 289.5 - 1) * 100, 2)) for last in (281.0, 284.0, 287.75, 291.3, 293.0, 290.0)],
        [(289.5, 0.0), (290.0, None)],
        [(289.5, 0.0), None],
    ],
    ids=["rounded", "unknown in the last tick", "missing in the last tick"],
)
def test_closing_page_and_history_agree_on_an_ex_date(
    tmp_path: Path, ticks: list[tuple[float, float | None] | None]
) -> None:
    """After 500.00 the exchange counts from 289.50, which no ratio explains; the archive has 500.00."""
    config = configuration(tmp_path, MemorySource(), MemoryPublisher())
    other = Quote("OTHER", 0.0, last_price=100.0)
    with open_store(config.history, config.state_directory, pytest.fail) as store:
        for place, figures in enumerate(ticks):
            own = (Quote("X", figures[1], last_price=figures[0]),) if figures else ()
            at = FIRST_TICK + place * timedelta(minutes=5)
            store.add_tick(MARKET, Snapshot("test", at, (*own, other)), EX_DATE, Phase.OPEN)

        folder = tmp_path / "files"
        folder.mkdir()
        body = full(EX_DATE, [share("X", 500.0, 290.0, open=288.0)])
        (folder / f"sec_bhavdata_full_{EX_DATE:%d%m%Y}.csv").write_bytes(body)
        filled = backfill.fill(
            store,
            MARKET,
            [EX_DATE],
            ArchiveFolder(folder),
            aliases=(),
            say=lambda _: None,
            progress=lambda *_: None,
        )
        assert 1 == filled.stored
        (bar,) = store.bars(MARKET, EX_DATE, 1, ["X"])

    snapshot = archive.parse(
        Archive((Bar("X", EX_DATE, 288.0, 290.0, 288.0, 290.0, 500.0, 1e3, 2.9e5),)), ["X"], FINAL
    )
    (market,) = config.markets
    messages, status = Messages(lambda _: None), phases.phase_at(market.calendar, FINAL)
    with HistorySession(config, State(config.state_directory), messages, FINAL) as history:
        evidence = terms_evidence.gather(history, market, snapshot, status, {})
    (quote,) = ex_dates.correct_previous_closes(snapshot, evidence).quotes

    assert (289.5, 289.5) == (quote.previous_close, bar.previous_close)


def test_ticks_together_tell_more_than_one() -> None:
    """Each tick gives the close to the rounding of its percent change; of contradicting ticks the later counts."""
    close = 1234.55

    def moment(minute: int, last: float, of: float = close) -> Tick:
        row = TickRow(last, round((last / of - 1) * 100, 2), None, None, None, None)
        return Tick(datetime.fromisoformat(f"2026-07-24T05:{minute:02}:00+00:00"), Phase.OPEN, {"X": row})

    one = quoted_closes.combine_closes([moment(0, 1240.0)])["X"]
    many = quoted_closes.combine_closes([moment(n, 1240.0 + 0.55 * n) for n in range(20)])["X"]

    assert abs(many.price - close) <= many.tolerance < one.tolerance
    later = quoted_closes.combine_closes([moment(1, 1250.0, 617.3), moment(0, 1240.0)])["X"]
    assert abs(later.price - 617.3) <= later.tolerance
    unknown = Tick(
        datetime.fromisoformat("2026-07-24T05:00:00+00:00"), Phase.OPEN, {"X": TickRow(1.0, *[None] * 5)}
    )
    assert {} == quoted_closes.combine_closes([unknown])
