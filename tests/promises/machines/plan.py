"""What goes wrong on which machine at which tick: it follows from a seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from random import Random
from typing import NamedTuple

from tests.promises.year import sessions
from tests.promises.year.sessions import at
from tests.servers.proxy import Fault

FIRST = date(2026, 8, 3)  # with the closing auction
CLOCKS = "09:17 09:22 09:27 15:47 15:52".split()
BOTH = "database down"
BYTES = (0, 1, 100, 480, 700, 1000, 1500, 2500, 4000, 9000)
# By name: what befalls the first connections of a run on its way to the database.
NETWORK = ("reset", "end", "stall", "swallow", "drip", "pause")
KILLS = ("killed", "vanished")  # by SIGKILL; the second after its way to the database was swallowed
ASLEEP = "asleep"  # with the turn, until that has ended and the other machine has drawn the next tick
BLOCKED = "blocked"  # by the source
KINDS = (*NETWORK, *KILLS, BLOCKED, ASLEEP, BOTH)
CALM_SHARE = 0.25  # of all ticks but the last of a day, which is calm
CALM: tuple[None, None] = (None, None)


class Trouble(NamedTuple):
    """What befalls one machine at one tick."""

    kind: str
    fault: Fault | None = None  # on its way to the database
    share: float = 0.0  # of a run's usual time, after which it is killed

    @property
    def is_deadly(self) -> bool:
        """Whether the run may be ended by it."""
        return self.kind in KILLS or self.kind == ASLEEP

    @property
    def is_of_database(self) -> bool:
        """Whether only the history is out of reach."""
        return self.kind in NETWORK or self.kind == BOTH


class Tick(NamedTuple):
    """A moment at which both machines' cron comes, one a little after the other."""

    at: datetime
    first: int  # the number of the machine that comes first
    troubles: tuple[Trouble | None, Trouble | None]  # by the machine's number

    @property
    def is_calm(self) -> bool:
        """Whether nothing befalls either machine."""
        return self.troubles == CALM

    def __str__(self) -> str:
        told = " and ".join(
            f"{'AB'[number]} {each.kind}" for number, each in enumerate(self.troubles) if each
        )
        return f"{self.at:%Y-%m-%d %H:%M} [{told or 'all well'}]"


def make(seed: int, amount: int) -> list[list[Tick]]:
    """Return the ticks of so many sessions. The last of each is calm, and so is the first of all.

    All kinds of trouble come in turn, in an order by chance, before one comes again.
    """
    rng = Random(f"two machines {seed}")
    days = [found.date for found in sessions.sessions(FIRST)][:amount]
    bag = _all_kinds(rng)
    plan = [[_tick(rng, bag, day, clock) for clock in CLOCKS] for day in days]
    plan[0][0] = plan[0][0]._replace(troubles=CALM)
    return plan


def kinds(plan: Sequence[Sequence[Tick]]) -> set[str]:
    """Return all that goes wrong."""
    return {each.kind for ticks in plan for tick in ticks for each in tick.troubles if each}


def _all_kinds(rng: Random) -> Iterator[str]:
    while True:
        yield from rng.sample(KINDS, len(KINDS))


def _tick(rng: Random, bag: Iterator[str], day: date, clock: str) -> Tick:
    moment, first = at(day, clock), rng.randrange(2)
    if clock == CLOCKS[-1] or rng.random() < CALM_SHARE:
        return Tick(moment, first, CALM)
    trouble = _trouble(rng, next(bag))
    if trouble.kind == BOTH:
        return Tick(moment, first, (trouble, trouble))
    if trouble.kind == ASLEEP:
        return Tick(moment, first, (trouble, None) if first == 0 else (None, trouble))
    other = None if rng.random() < 0.7 else _trouble(rng, rng.choice(NETWORK))
    return Tick(moment, first, (trouble, other) if rng.random() < 0.5 else (other, trouble))


def _trouble(rng: Random, kind: str) -> Trouble:
    after = rng.choice(BYTES) + rng.randrange(50)
    way = rng.choice(["sent", "received", "received"])
    if kind in (BLOCKED, BOTH, ASLEEP):
        return Trouble(kind)
    if kind == "killed":
        return Trouble(kind, share=rng.uniform(0.1, 1.1))
    if kind == "vanished":
        return Trouble(kind, Fault.swallow(after, way), rng.uniform(0.5, 2.0))  # type: ignore[arg-type]
    if kind == "drip":
        return Trouble(kind, Fault.drip(0.2, after, way))  # type: ignore[arg-type]
    if kind == "pause":
        return Trouble(kind, Fault.pause(rng.uniform(0.2, 3), after, way))  # type: ignore[arg-type]
    fault: Fault = getattr(Fault, kind)(after, way)
    return Trouble(kind, fault if rng.random() < 0.5 else fault.on(1))
