"""Texts that a user writes, as functions of bytes."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

from heatmap.cli.now import parse_now
from heatmap.config import loader
from heatmap.market.calendar import overrides, phases, schedule
from heatmap.market.calendar import overrides_file as blocks
from heatmap.market.calendar.phases import Calendar
from heatmap.publishers import address
from heatmap.publishers.sftp import known_hosts
from tests.fuzz.soundness import TODAY, calendar, folder, refusing, text_of


def configuration(body: bytes) -> object:
    """heatmap.toml."""

    def parse() -> object:
        path = folder() / "heatmap.toml"
        path.write_bytes(body)
        found = loader.load(path)
        assert found.markets
        assert found.publishers
        assert len({market.name for market in found.markets}) == len(found.markets)
        assert found.title.isprintable()
        assert math.isfinite(found.deadline_seconds)
        for market in found.markets:
            judged(market.calendar)
        return found

    return refusing(parse)


def overrides_file(body: bytes) -> object:
    """A file of overrides over the packaged calendar, with the blocks that the program keeps in it."""

    def parse() -> object:
        path = folder() / "overrides.toml"
        path.write_bytes(body)
        text = overrides.read(path)
        problems: list[str] = []
        merged = overrides.merge(calendar(), text, "overrides.toml", problems)
        assert all(problem.isprintable() for problem in problems), problems
        lines = ["[[closed]]", "date = 2027-01-26", 'name = "Republic Day"']
        with_block = blocks.replace_block(text, 2027, lines, None)
        if not problems:
            assert blocks.replace_block(with_block, 2027, lines, None) == with_block
            return merged, overrides.read_dates(text), judged(merged)
        return problems

    return refusing(parse)


def judged(merged: Calendar) -> list[object]:
    """Return what the guard says of a calendar on ordinary and on odd days, and when it is to be asked."""
    days = sorted({TODAY, date(2027, 1, 1), *list(merged.special)[:20], *list(merged.closed)[-20:]})
    moments = [datetime.combine(day, time(4), UTC) for day in days if 1900 < day.year < 9000]
    found: list[object] = [
        phases.coverage_end(merged),
        schedule.run_hours([replace(merged, first=TODAY)], UTC, TODAY, timedelta(minutes=15)),
    ]
    for moment in moments:
        verdict = phases.phase_at(merged, moment)
        assert verdict.reason.isprintable()
        assert verdict.next_open is None or verdict.next_open > moment
        assert verdict.next_regular_open is None or verdict.next_regular_open > moment
        assert verdict.next_open in (None, verdict.next_regular_open)
        found += [verdict, phases.is_ending_soon(merged, moment)]
    return found


def clock(body: bytes) -> object:
    """A time as --now has it."""

    def parse() -> object:
        now = parse_now(text_of(body[:1000]))  # its refusal repeats the user's own words
        return now, phases.phase_at(calendar(), now), phases.is_ending_soon(calendar(), now)

    return refusing(parse)


def addresses(body: bytes) -> object:
    """The address of a target, and the paths below it."""

    def parse() -> object:
        found = address.parse(text_of(body))
        assert found.name.isprintable()
        assert ".." not in found.folder.split("/")
        assert list(address.list_levels(found.folder))[-1:] in ([], [found.folder])
        return found

    return refusing(parse)


def host_keys(body: bytes) -> object:
    """A line of a host's key, as ssh writes it down."""
    found: list[object] = []
    for line in body.decode("utf-8", "replace").splitlines()[:50]:
        try:
            key = known_hosts.parse(line)
            assert key.fingerprint.startswith("SHA256:")  # which servers' own keys always have
        except ValueError:
            continue
        found.append(key)
    return found
