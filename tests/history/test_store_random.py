"""Any sequence of ticks, archives and prunings, against a model of a few dictionaries."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heatmap.history.options import HistoryOptions
from heatmap.market.calendar.session import Phase
from tests.history.conftest import Place
from tests.history.figures import MONDAY, SYMBOLS, at, bar, price, rows, sessions_from, snapshot, utc

DAYS = sessions_from(MONDAY, 5)
ticks = st.tuples(
    st.just("tick"),
    st.sampled_from(DAYS),
    st.integers(0, 3),
    st.sampled_from([Phase.OPEN, Phase.AUCTION, Phase.FINAL]),
)
archives = st.tuples(
    st.just("archive"),
    st.sampled_from(DAYS),
    st.sets(st.sampled_from([*SYMBOLS, "NEW"]), min_size=1),
    st.integers(1, 9),
)
prunings = st.tuples(st.just("prune"), st.integers(1, 4), st.none() | st.integers(0, 2), st.just(0))


@dataclass
class Model:
    """A model of the stored rows."""

    ticks: dict[datetime, tuple[date, Phase]] = field(default_factory=dict)
    bars: dict[tuple[date, str], float] = field(default_factory=dict)
    finals: dict[date, datetime] = field(default_factory=dict)
    archived: set[date] = field(default_factory=set)

    def tick(self, day: date, hour: int, phase: Phase) -> None:
        """One tick for each time; a final makes bars unless there is a newer one; an archive's bars stay."""
        as_of = at(day, 10 + hour)
        if as_of not in self.ticks or phase is Phase.FINAL:
            self.ticks[as_of] = (day, phase)
        if phase is Phase.FINAL and (day not in self.finals or self.finals[day] < as_of):
            self.finals[day] = as_of
            for number, symbol in enumerate(SYMBOLS):
                if (day, symbol) not in self.bars or day not in self.archived:
                    self.bars[day, symbol] = price(number, as_of)

    def archive(self, day: date, symbols: set[str], close: int) -> None:
        """An archive's bars are definitive."""
        self.archived.add(day)
        self.bars |= {(day, symbol): float(close) for symbol in symbols}

    def prune(self, tick_sessions: int, more: int | None) -> None:
        """The newest sessions stay; of an older session without bars its last tick stays."""
        ticked = sorted({day for day, _ in self.ticks.values()})
        for day in ticked[:-tick_sessions]:
            gone = sorted(as_of for as_of, (its, _) in self.ticks.items() if its == day)
            for as_of in gone if day in self.sessions else gone[:-1]:
                del self.ticks[as_of]
        if more is not None:
            days = self.sessions[-(tick_sessions + more) :]
            if len(days) == tick_sessions + more:
                self.bars = {key: close for key, close in self.bars.items() if key[0] >= days[0]}
                self.finals = {day: as_of for day, as_of in self.finals.items() if day >= days[0]}
                self.archived = {day for day in self.archived if day >= days[0]}
                self.ticks = {as_of: tick for as_of, tick in self.ticks.items() if tick[0] >= days[0]}

    @property
    def sessions(self) -> list[date]:
        """Return the sessions with bars."""
        return sorted({day for day, _ in self.bars})


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(ticks, ticks, archives, prunings), max_size=25))
def test_whatever_comes(place: Place, steps: list[tuple]) -> None:  # type: ignore[type-arg]
    """After any steps, each in a run of its own or all in one, the store has the model's rows."""
    market, model = uuid4().hex, Model()
    with place.open() as store:
        for what, *values in steps:
            if what == "tick":
                day, hour, phase = values
                store.add_tick(market, snapshot(at(day, 10 + hour)), day, phase)
                model.tick(day, hour, phase)
            elif what == "archive":
                day, symbols, close = values
                store.add_bars(market, [bar(symbol, day, float(close)) for symbol in sorted(symbols)])
                model.archive(day, symbols, close)
            else:
                count, more, _ = values
                store.prune(
                    HistoryOptions(tick_sessions=count, bar_sessions=None if more is None else count + more)
                )
                model.prune(count, more)

    with place.open() as store:
        for day in DAYS:
            expected = sorted(
                (utc(as_of), phase) for as_of, (its, phase) in model.ticks.items() if its == day
            )
            found = store.ticks(market, day)
            assert expected == [(tick.as_of, tick.phase) for tick in found]
            assert all(rows(tick.as_of) == tick.rows for tick in found)
        assert sorted(model.bars.items()) == [
            ((its.date, its.symbol), its.close) for its in store.bars(market, DAYS[-1], 99)
        ]
        assert model.sessions == list(store.sessions(market))
        assert sorted(model.archived) == list(store.archived_sessions(market))
        assert max(model.finals, default=None) == store.latest_final(market)
        kept = {each.market: each for each in store.status()}.get(market)
        assert (len(model.sessions), len(model.ticks)) == ((kept.sessions, kept.ticks) if kept else (0, 0))
    assert [] == place.warnings
