"""The plan of a year: which ticks are run, and what goes wrong at which of them. All of it follows from a seed.

A few sessions have all of their ticks, five minutes apart as cron would run them; the others have those
at the borders of the day and some in between, fewer where all is well. Every day without a session has one, on
which nothing is due.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date, datetime, timedelta
from random import Random
from typing import NamedTuple

from tests.promises.year import sessions
from tests.promises.year.mishaps import MISHAPS
from tests.promises.year.sessions import Session, at
from tests.servers.exchange_faults import FAULTS

INTERVAL = timedelta(minutes=5)
WHOLE_SESSIONS = 3  # and the special ones
BLOWS = 9  # in a session of the sample, beside the one at its final
MORE_KILLS = 12  # for each round of all troubles: every one strikes at another instant
STUCK = "stuck figures"  # the exchange stamps each tick's time on the figures of the first
SHRUNK = "two of three stocks missing"
OLD = "10 minutes old"  # here with figures to match
OWN_FAULTS = (STUCK, SHRUNK, OLD)
VETO = "another day"
EXCHANGE_FAULTS = tuple(dict.fromkeys([*FAULTS, *OWN_FAULTS]))
BURSTS = (
    "html",
    "403",
    "421",
    "hang",
    "429",
    "429 for 6 hours",
    "503",
    "404",
    "no data",
    VETO,
    STUCK,
)
ARCHIVE_FAULTS = ("403", "429", "500", "html", "short")
HOOK_FAULTS = ("error", "refuse", "redirect", "rubbish")  # as tests/servers/hooks.py has them
ARCHIVED = "18:30"  # from when on the exchange has the day's archive
# What an address that is blocked sees, or a server that wants to be left alone.
BLOCKING = frozenset(
    ["html", "401", "403", "421", "hang", "header drip", "body drip"]
    + ["429", "429 for 3 seconds", "429 for 6 hours", "503"]
)
# What passes: exit code 75. All other faults are nonsense: 65.
PASSING = BLOCKING | {
    *("429 for good", "500", "redirect loop", "redirect away", "redirect to ftp", "redirect to file"),
    *("redirect with bomb", "reset", "short body", "chunk cut"),
}
# What costs a row or two, and no page.
HARMLESS = frozenset(
    ["one bad row", "hostile symbols", "control characters", "zero previous close", "one contradiction"]
)
EVENING = ("17:00", "18:35", "20:25")


class Tick(NamedTuple):
    """One run: the true time, what the exchange does then, and what happens to this machine."""

    at: datetime
    fault: str | None = None
    mishap: str | None = None
    archive_fault: str | None = None
    hook_fault: str | None = None  # how the web hook of the alerts behaves; None: it takes messages

    @property
    def trouble(self) -> str:
        """What goes wrong, in words; "" where nothing does."""
        archive = f"archive {self.archive_fault}" if self.archive_fault else None
        hook = f"web hook {self.hook_fault}" if self.hook_fault else None
        return " and ".join(filter(None, (self.fault, self.mishap, archive, hook)))


class Day(NamedTuple):
    """One date: its session, if there is one, and its ticks."""

    date: date
    session: Session | None
    ticks: tuple[Tick, ...]
    kind: str


def make(seed: int, *, root: bool = True) -> list[Day]:
    """Return the days of the whole year; without `root`, no disk can be filled."""
    rng = Random(f"year {seed}")
    mishaps = _mishaps(root=root)
    troubles = _deck(rng, [*EXCHANGE_FAULTS, *mishaps, *mishaps, *["killed"] * MORE_KILLS])
    bursts = _deck(rng, BURSTS)
    found = sessions.sessions()
    special = {*sessions.SPECIAL, *(era[0] for era in sessions.ERAS)}
    ordinary = [session.date for session in found[1:] if session.date not in special]
    whole = {*rng.sample(ordinary, WHOLE_SESSIONS), *special}
    days, lasting = [], (0, "")  # of a burst: sessions left, fault
    for day in sessions.days():
        session = sessions.session(day)
        if session is None:
            days.append(Day(day, None, (Tick(at(day, "11:00")),), "no session"))
            continue
        left, fault = lasting
        kind = "honest" if session == found[0] else _kind(rng, going_on=left > 0)
        if kind in ("days", "day") and not left:
            left, fault = (3 if kind == "days" else 1), next(bursts)
        lasting = (left - 1, fault) if left > 0 else (0, "")
        moments = list(_moments(rng, session, is_whole=day in whole, is_calm=kind == "honest"))
        ticks = tuple(_ticks(rng, session, moments, kind, fault or next(bursts), troubles))
        days.append(Day(day, session, ticks, f"{kind}: {fault}" if kind in ("days", "day") else kind))
    return days


def _kind(rng: Random, *, going_on: bool) -> str:
    if going_on:
        return "days"
    kinds = {"honest": 40, "sprinkled": 36, "hour": 10, "evening": 6, "day": 5, "days": 3}
    return rng.choices(list(kinds), list(kinds.values()))[0]


def _moments(rng: Random, session: Session, *, is_whole: bool, is_calm: bool) -> Iterator[datetime]:
    """Yield when the ticks of a session are run: for what lies between, see the top of this file."""
    found = {session.settles, at(session.date, EVENING[-1])}
    if is_whole or not is_calm:
        found |= {session.closes, session.settles + INTERVAL}  # while prices settle, and after the final
        found |= {at(session.date, clock) for clock in EVENING}
    for window in session.windows:
        grid = _grid(window.opens, window.closes)
        if is_whole:
            found.update(grid)
        elif window.phase == sessions.OPEN:
            begin = rng.randrange(1, len(grid) - 2)
            found |= (
                {grid[0], grid[begin]} if is_calm else {grid[0], *grid[begin : begin + 2], rng.choice(grid)}
            )
        elif not is_calm:
            found.add(grid[1])
    if is_whole:
        found |= {session.opens - 2 * INTERVAL, *_grid(session.closes, session.settles)}
        found |= {*_grid(session.settles, session.settles + 4 * INTERVAL)}
    if session.date == sessions.MUHURAT:
        found |= {at(session.date, clock) for clock in ("11:00", "16:30", "19:20")}
    yield from sorted(moment for moment in found if moment.date() == session.date)


def _grid(begin: datetime, end: datetime) -> list[datetime]:
    return [begin + number * INTERVAL for number in range(-(-(end - begin) // INTERVAL))]


def _ticks(
    rng: Random, session: Session, moments: list[datetime], kind: str, burst: str, troubles: Iterator[str]
) -> Iterator[Tick]:
    begins = rng.choice(moments)
    for moment in moments:
        archive = rng.choice(ARCHIVE_FAULTS) if kind != "honest" and rng.random() < 0.3 else None
        if moment < at(session.date, ARCHIVED):
            archive = None
        trouble = None
        if kind in ("day", "days"):
            trouble = burst
        elif kind == "hour" and begins <= moment < begins + timedelta(hours=1):
            trouble = burst
        elif kind == "evening" and session.closes <= moment < at(session.date, EVENING[-1]):
            trouble = burst
        elif kind == "sprinkled" and rng.random() < 0.3:
            trouble = next(troubles)
        hook = rng.choice(HOOK_FAULTS) if kind != "honest" and rng.random() < 0.1 else None
        is_local = trouble in MISHAPS
        yield Tick(moment, None if is_local else trouble, trouble if is_local else None, archive, hook)


def _deck(rng: Random, cards: Collection[str]) -> Iterator[str]:
    """Yield all of these in a random order, then again in another one."""
    while True:
        yield from rng.sample(list(cards), len(cards))


def summary(days: list[Day]) -> str:
    """Say what the plan comes to."""
    ticks = [tick for day in days for tick in day.ticks]
    held = [day for day in days if day.session]
    kinds = sorted({day.kind.partition(":")[0] for day in held})
    counts = ", ".join(f"{sum(day.kind.partition(':')[0] == kind for day in held)} {kind}" for kind in kinds)
    faults = {tick.fault for tick in ticks} | {tick.mishap for tick in ticks}
    left_out = sorted({*EXCHANGE_FAULTS, *MISHAPS} - faults)
    return (
        f"{len(held)} sessions ({counts}), {sum(len(day.ticks) > 60 for day in held)} of them whole; "
        f"{len(ticks):,} ticks, {sum(bool(tick.trouble) for tick in ticks):,} with trouble"
        + (f"; never: {', '.join(left_out)}" if left_out else "")
    )


def first(days: list[Day], count: int) -> list[Day]:
    """Return so many sessions from the beginning, and what lies between them."""
    held = [number for number, day in enumerate(days) if day.session]
    return days[: held[count - 1] + 1]


def sample(days: list[Day], count: int, rng: Random, *, root: bool = True) -> list[Day]:
    """Return `count` sessions that follow one another: calm ones at both ends, all damage and more in between.

    So each damage has what it needs before it, and what it does to the next session is seen.
    """
    mishaps = _mishaps(root=root)
    first = [name for name in mishaps if name.endswith("damaged")]
    others = rng.sample([name for name in mishaps if name not in first], 4)
    passing = rng.choice(sorted(PASSING - {"hang"}))
    return _struck(days, count, rng, [*first, *others, "killed", "killed", passing])


def dense(days: list[Day], count: int, rng: Random, *, root: bool = True) -> list[Day]:
    """Return `count` sessions as `sample` does, with every fault in turn at most of their runs."""
    mishaps = _mishaps(root=root)
    return _struck(days, count, rng, [*EXCHANGE_FAULTS, *mishaps, *mishaps, *["killed"] * MORE_KILLS])


def _mishaps(*, root: bool) -> list[str]:
    return [name for name, mishap in MISHAPS.items() if root or not mishap.needs_root]


def _struck(days: list[Day], count: int, rng: Random, cards: Collection[str]) -> list[Day]:
    held = [day for day in days if day.session][:count]
    troubles = _deck(rng, cards)
    found = [_calm(held[0])]
    for day in held[1:-1]:
        assert day.session
        grid = [moment for window in day.session.windows for moment in _grid(window.opens, window.closes)]
        struck = [*sorted(rng.sample(grid[1:], BLOWS)), day.session.settles]
        ticks = {moment: Tick(moment) for moment in (grid[0], *(at(day.date, clock) for clock in EVENING))}
        for moment in struck:
            trouble = next(troubles)
            is_local = trouble in MISHAPS
            ticks[moment] = Tick(moment, None if is_local else trouble, trouble if is_local else None)
        ticks[struck[1]] = ticks[struck[1]]._replace(hook_fault=rng.choice(HOOK_FAULTS))
        ticks[day.session.settles + INTERVAL] = Tick(day.session.settles + INTERVAL)
        found.append(day._replace(ticks=tuple(ticks[moment] for moment in sorted(ticks)), kind="sprinkled"))
    return [*found, _calm(held[-1])]


def _calm(day: Day) -> Day:
    return day._replace(ticks=tuple(Tick(tick.at) for tick in day.ticks), kind="honest")


def only(days: list[Day], wanted: date) -> list[Day]:
    """Return one day as planned, between the sessions before and after it as if all were well."""
    number = next(number for number, day in enumerate(days) if day.date == wanted)
    before = [day for day in days[:number] if day.session][-1:]
    after = [day for day in days[number + 1 :] if day.session][:1]
    return [*map(_calm, before), days[number], *map(_calm, after)]
