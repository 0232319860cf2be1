"""How a market fares: what is called well, what wrong, and with which code; moments and answers are the calendar's."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from heatmap.config.loader import NamedSource
from heatmap.market.calendar import packaged
from heatmap.market.calendar.packaged import SessionOptions
from heatmap.market.calendar.phases import Calendar
from heatmap.run import health
from heatmap.state.circuit_breaker import BlockRecord, to_plain
from heatmap.state.memory import Memory
from heatmap.state.run_log import RunOutcome
from tests.doubles import MemoryPublisher, MemorySource, configuration

NSE = packaged.load(SessionOptions(), Path())


def at(text: str) -> datetime:
    """A moment in India, of November 2026 where only the day is given."""
    return datetime.fromisoformat(f"{text if len(text) > 12 else f'2026-11-{text}'}:00+05:30")


def good(moment: datetime) -> RunOutcome:
    """A tick that published."""
    return RunOutcome("nse-fno", moment, 0, "published", "", "nse", 210, moment)


def failed(moment: datetime, word: str = "blocked", code: int = 75) -> RunOutcome:
    """A tick that did not."""
    return RunOutcome("nse-fno", moment, code, word, "it went wrong: mend it")


def judged(tmp_path: Path, now: datetime, *ended: RunOutcome, **memory: object) -> health.Health:
    """The assessment of NSE at `now`."""
    config = configuration(tmp_path, MemorySource(), MemoryPublisher())
    market = config.markets[0]._replace(calendar=NSE)
    return health.assess(config, market, ended, Memory(**memory), now)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("until", "due"),
    [
        ("20T09:14", "19T15:45"),
        ("20T09:15", "20T09:15"),
        ("20T11:00", "20T11:00"),
        ("20T15:40", "20T15:35"),
        ("20T15:45", "20T15:45"),
        ("22T12:00", "20T15:45"),
        ("24T12:00", "23T15:45"),  # a holiday
        ("2027-02-01T12:00", "2027-02-01T12:00"),  # past the calendar's end, on a Monday
        ("2027-02-06T12:00", "2027-02-05T15:50"),
    ],
)
def test_the_last_moment_at_which_a_tick_was_due(until: str, due: str) -> None:
    """The moment itself in a session, its close after it, its final page's time from then on."""
    found = health.last_due(NSE, at(until))

    assert found is not None
    assert at(due) == found[0]


def test_a_market_that_never_closes_is_always_due() -> None:
    """And has no session."""
    always = Calendar("always", "UTC", always=True)

    assert (at("20T11:00"), None) == health.last_due(always, at("20T11:00"))


def test_nothing_was_due_where_the_calendar_begins() -> None:
    """Weeks without a session are not searched for ever."""
    assert health.last_due(NSE, at("2022-06-01T12:00")) is None


@pytest.mark.parametrize(
    ("now", "last"),
    [
        ("20T11:04", "20T11:02"),
        ("20T09:20", "19T15:47"),  # the first tick has not come yet
        ("20T15:42", "20T15:32"),  # prices settle
        ("21T12:00", "20T15:47"),
        ("24T12:00", "23T15:47"),  # a holiday
    ],
)
def test_a_market_that_fares_well(tmp_path: Path, now: str, last: str) -> None:
    """Nothing is said, at any hour of any day."""
    found = judged(tmp_path, at(now), good(at(last)))

    assert ((), 0) == (found.troubles, found.code)
    assert found.last == found.last_good


@pytest.mark.parametrize(
    ("now", "last", "said"),
    [
        ("20T11:20", "20T11:02", "since Fri 20 Nov 2026 11:02 IST, though the market is open"),
        ("20T09:30", "19T15:47", "since Thu 19 Nov 2026 15:47 IST, though the market is open"),
        ("20T16:00", "20T15:32", "though one was due at Fri 20 Nov 2026 15:45 IST"),
        ("22T12:00", "20T11:02", "though one was due at Fri 20 Nov 2026 15:45 IST"),
        ("20T11:20", "20T14:00", "yet, though the market is open"),  # by a clock that ran ahead
    ],
)
def test_ticks_that_do_not_come(tmp_path: Path, now: str, last: str, said: str) -> None:
    """Where cron does not run, that is said plainly, with 75."""
    found = judged(tmp_path, at(now), good(at(last)))

    assert 75 == found.code
    assert said in found.troubles[0].sentence
    assert "check that cron, the timer or the container runs" in found.troubles[0].sentence


def test_a_final_page_that_all_targets_have_is_enough(tmp_path: Path) -> None:
    """Outcomes may be lost; what the state remembers counts, too."""
    published = {"published_at": at("20T15:47").isoformat()}

    assert 75 == judged(tmp_path, at("21T12:00"), good(at("20T11:02"))).code
    assert 0 == judged(tmp_path, at("21T12:00"), final_date="2026-11-20").code
    assert 0 == judged(tmp_path, at("21T12:00"), **published).code


def test_before_the_first_tick(tmp_path: Path) -> None:
    """Nothing has failed while the market is closed, or has just opened; later something has."""
    closed, early, late = (judged(tmp_path, at(now)) for now in ("21T12:00", "20T09:17", "20T09:40"))

    assert [0, 0, 75] == [closed.code, early.code, late.code]
    assert "`heatmap schedule`" in closed.troubles[0].sentence
    assert "no run has come yet, though the market is open" in late.troubles[0].sentence


def test_the_last_tick_decides(tmp_path: Path) -> None:
    """Its code, its word, its sentence, and how often in a row; what was mended since is over."""
    ticks = [
        failed(at("20T10:52")),
        good(at("20T10:57")),
        failed(at("20T11:02")),
        failed(at("20T11:07"), "gated", 65),
    ]
    found = judged(tmp_path, at("20T11:08"), *ticks)
    mended = judged(tmp_path, at("20T11:13"), *ticks, good(at("20T11:12")))

    assert 65 == found.code
    assert ["the last run failed (gated, as the one before it): it went wrong: mend it"] == [
        trouble.sentence for trouble in found.troubles
    ]
    assert at("20T10:57") == found.last_good.at  # type: ignore[union-attr]
    assert () == mended.troubles


def test_a_veto_is_well(tmp_path: Path) -> None:
    """The source says that the market is not open: nothing has failed, and that is told while it should be."""
    vetoed = RunOutcome(
        "nse-fno", at("20T15:12"), 0, "skipped", "the source says that the market is not open"
    )
    found = judged(tmp_path, at("20T15:14"), vetoed)
    later = judged(tmp_path, at("20T15:44"), vetoed._replace(at=at("20T15:37")))

    assert (0, 1) == (found.code, len(found.troubles))
    assert (
        "the calendar has a session, but the source says that the market is not open"
        in found.troubles[0].sentence
    )
    assert () == later.troubles


def test_a_veto_where_the_market_never_closes(tmp_path: Path) -> None:
    """No calendar could be mended: it is the source that is looked at."""
    config = configuration(tmp_path, MemorySource(), MemoryPublisher())
    market = config.markets[0]._replace(calendar=Calendar("always", "UTC", always=True))
    vetoed = RunOutcome(
        "nse-fno", at("20T15:12"), 0, "skipped", "the figures are of 2026-11-02, not of today"
    )

    found = health.assess(config, market, [vetoed], Memory(), at("20T15:14"))

    (trouble,) = found.troubles
    assert trouble.sentence.startswith("this market is always open, but the figures are of 2026-11-02")
    assert trouble.sentence.endswith(": see whether its source still works")


def test_a_rest_does_not_hide_what_it_came_from(tmp_path: Path) -> None:
    """A tick that asked nothing ends with 0, and mends nothing; until when is told."""
    blocks = to_plain({"nse": BlockRecord(3, at("20T11:02").isoformat())})
    resting = RunOutcome("nse-fno", at("20T11:07"), 0, "resting", "left alone")
    found = judged(tmp_path, at("20T11:08"), failed(at("20T11:02")), resting, sources=blocks)

    assert 75 == found.code
    assert [health.Cooldown("nse", at("20T11:12"), 3)] == [*found.rests]
    assert "nse is left alone until Fri 20 Nov 2026 11:12 IST" in found.troubles[0].sentence


@pytest.mark.parametrize(
    ("memory", "now", "parts"),
    [
        (Memory(), "2026-12-02T11:04", ["ends on 2026-12-31", "once a day"]),
        (
            Memory(holidays_asked_on="2026-12-02", holidays_lack="it still lists 2026"),
            "2026-12-02T11:04",
            ["ends on 2026-12-31", "but it still lists 2026"],
        ),
        (
            Memory(
                holidays_asked_on="2027-01-04",
                holidays_failing_since="2026-12-02",
                holidays_lack="it answered 403",
            ),
            "2027-01-04T11:04",
            ["ended on 2026-12-31", "failed since 2026-12-02: it answered 403", "presumed"],
        ),
    ],
)
def test_the_calendars_end(tmp_path: Path, memory: Memory, now: str, parts: list[str]) -> None:
    """It is to be known, with what the exchange's list last came to, and fails nothing: the map goes on."""
    config = configuration(tmp_path, MemorySource(), MemoryPublisher())
    market = config.markets[0]._replace(sources=(NamedSource("nse", "nse", MemorySource()),))
    when = at(now)

    found = health.assess(config, market, [good(when - timedelta(minutes=2))], memory, when)

    assert (0, 1) == (found.code, len(found.troubles))
    assert all(part in found.troubles[0].sentence for part in parts)


def test_a_calendar_that_cannot_be_renewed(tmp_path: Path) -> None:
    """Without a source of the exchange, or with hours of one's own, it says what a person is to do."""
    when = at("2026-12-02T11:04")
    relayed = judged(tmp_path, when, good(when))
    config = configuration(tmp_path, MemorySource(), MemoryPublisher())
    own = config.markets[0]._replace(session=SessionOptions(open="9:15", close="15:30"))

    assert "heatmap calendar update" in relayed.troubles[0].sentence
    assert "coverage_to" in str(health.assess(config, own, [good(when)], Memory(), when).troubles)


def test_a_clock_from_before_the_calendar(tmp_path: Path) -> None:
    """Nothing is known of that time: it is wrong, with 78."""
    found = judged(tmp_path, at("2001-01-01T11:04"))

    assert (78, 1) == (found.code, len(found.troubles))
    assert "check this machine's clock" in found.troubles[0].sentence


def test_a_veto_past_the_calendars_end(tmp_path: Path) -> None:
    """A holiday that a presumed calendar does not know is right, and said as such."""
    when = at("2027-01-26T11:04")
    vetoed = RunOutcome("nse-fno", at("2027-01-26T11:02"), 0, "skipped", "the figures are of 2027-01-25")

    found = judged(tmp_path, when, vetoed)

    assert 0 == found.code
    assert any("right on a holiday" in trouble.sentence for trouble in found.troubles)


def test_a_clock_that_ran_ahead(tmp_path: Path) -> None:
    """The last tick cannot be of tomorrow."""
    found = judged(tmp_path, at("20T11:04"), good(at("20T11:02")), good(at("21T11:07")))

    assert (0, ["the last run is dated in the future: look at this machine's clock"]) == (
        found.code,
        [trouble.sentence for trouble in found.troubles],
    )


@pytest.mark.parametrize("text", ["", "yesterday", "2026-11-20T11:00:00"])
def test_a_time_that_is_none(tmp_path: Path, text: str) -> None:
    """A text that somebody wrote into the state by hand is no time, and no bug."""
    found = judged(tmp_path, at("20T11:04"), good(at("20T11:02")), published_at=text)

    assert (0, None) == (found.code, found.published_at)


def test_codes_that_differ() -> None:
    """Then it is 75, as for a run; what is only to be known does not count."""
    one, other, known = health.Issue("a", 65), health.Issue("b", 78), health.Issue("c")

    assert [0, 65, 75] == [
        health.worst_exit_code(each) for each in ([known], [one, one, known], [one, other])
    ]


def test_when_a_tick_counts_as_missed(tmp_path: Path) -> None:
    """Two intervals after the last one, and what the next may be late and take: its deadline, 30 seconds here."""
    interval_and_spare = timedelta(minutes=5 + 5 + 2, seconds=30)
    last = at("20T11:00")

    assert 0 == judged(tmp_path, last + interval_and_spare, good(last)).code
    assert 75 == judged(tmp_path, last + interval_and_spare + timedelta(seconds=1), good(last)).code


@pytest.mark.parametrize("now", ["20T18:00", "21T12:00", "23T09:00"])
def test_a_closing_page_that_never_came(tmp_path: Path, now: str) -> None:
    """No tick failed, and yet the day has no closing page: that is told, until the next session begins."""
    skipped = RunOutcome("nse-fno", at("20T17:02"), 0, "skipped", "the figures are of 2026-11-19")
    found = judged(tmp_path, at(now), good(at("20T15:02")), skipped)
    there = judged(tmp_path, at(now), skipped, final_date="2026-11-20")

    assert 0 == found.code
    assert [True] == ["of 20 Nov 2026 has no closing page" in each.sentence for each in found.troubles]
    assert "for the figures are of 2026-11-19" in found.troubles[0].sentence
    assert () == there.troubles


def test_a_source_that_others_stand_in_for(tmp_path: Path) -> None:
    """The page is right, but not from the first source: who looks twice a year is told, and why."""
    config = configuration(tmp_path, MemorySource(), MemoryPublisher())
    sources = tuple(NamedSource("memory", name, MemorySource()) for name in ("first", "second"))
    market = config.markets[0]._replace(calendar=NSE, sources=sources)
    first = good(at("20T11:02"))._replace(source="first")
    second = first._replace(source="second", sentence="first: it was renamed")

    found = health.assess(config, market, [second], Memory(), at("20T11:04"))

    assert 0 == found.code
    assert ["the page came from second, for first gave nothing (first: it was renamed)"] == [
        trouble.sentence for trouble in found.troubles
    ]
    assert () == health.assess(config, market, [first], Memory(), at("20T11:04")).troubles


def test_what_follows_the_page_and_failed(tmp_path: Path) -> None:
    """It is only to be known, with what the target said; a part that is switched off is of no interest."""
    good = RunOutcome("nse-fno", at("20T15:47"), 0, "published")
    memory = {
        "final_date": "2026-11-20",
        "closed_date": "2026-11-20",
        "archive_date": "2026-11-19",
        "bars_date": "2026-11-20",
        "faults": {
            "archive": "file:/srv: 2026 is a file, where a folder is due: remove or rename it",
            "status": "file:/srv: status.json is a folder, where a file is to be put: remove or rename it",
            "alerts": "movers: the web hook answered 503",
        },
    }
    found = judged(tmp_path, at("20T20:00"), good, **memory)

    assert 0 == found.code
    told = [trouble.sentence for trouble in found.troubles]
    assert 2 == len(told)
    assert told[0].startswith(
        "the archive's map of the day failed, though the page is out: file:/srv: 2026 is a file"
    )
    assert told[0].endswith(
        "of 2026-11-20 it is still missing, and later runs try again until the next close"
    )
    assert told[1].startswith(
        "status.json failed, though the page is out: file:/srv: status.json is a folder"
    )
    assert told[1].endswith("remove or rename it")
