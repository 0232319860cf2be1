"""A market's sources, asked in turn: which one's figures are drawn, and which is left alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from heatmap.config.loader import Config, NamedSource
from heatmap.errors import (
    EXIT_DATA,
    EXIT_OK,
    EXIT_TEMPORARY,
    SourceBlocked,
    SourceError,
    SourceOverloaded,
    SourcePassed,
    SourceRenamed,
)
from heatmap.market.calendar.session import Phase, Session
from heatmap.market.quotes import Quote, Snapshot
from heatmap.run import fetching, one_run
from heatmap.state import circuit_breaker
from heatmap.state.memory import State
from tests.checkout import CHECKOUT
from tests.doubles import MemoryPublisher, MemorySource, configuration
from tests.servers.archives import Archives, share
from tests.servers.exchange import Exchange

OPEN = datetime.fromisoformat("2026-09-17T11:00:00+05:30")
FINAL = datetime.fromisoformat("2026-09-17T15:50:00+05:30")
EVENING = datetime.fromisoformat("2026-09-17T19:30:00+05:30")
TICK = timedelta(minutes=5)
SECRET = "a-query-that-nobody-may-see"


@dataclass
class Archive(MemorySource):
    """A source of closing figures alone, which notes what it was asked for."""

    known: list[Collection[str]] = field(default_factory=list)
    listed_on: list[date | None] = field(default_factory=list)

    def closing(
        self,
        session: Session,
        *,
        symbols: Collection[str] = (),
        listed_on: date | None = None,
        folder: Path | None = None,
    ) -> Snapshot:
        """As of when the session settled."""
        self.known.append(symbols)
        self.listed_on.append(listed_on)
        assert session.settles is not None
        return self.fetch(now=session.settles, folder=folder)


def several(
    tmp_path: Path, *sources: MemorySource, target: MemoryPublisher | None = None, **more: Any
) -> Config:
    """A configuration of one market with these sources, called first, second, …"""
    config = configuration(tmp_path, sources[0], target or MemoryPublisher())
    names = ("first", "second", "third")
    named = tuple(NamedSource("memory", *pair) for pair in zip(names, sources, strict=False))
    return config._replace(markets=(config.markets[0]._replace(sources=named),), **more)


def remembered(config: Config) -> dict[str, circuit_breaker.BlockRecord]:
    """The remembered records of the market's sources."""
    return circuit_breaker.from_plain(State(config.state_directory)["nse-fno"].sources)


@pytest.mark.parametrize(
    "bad",
    [
        MemorySource(error=SourceBlocked("it does not let this address in")),
        MemorySource(as_of=OPEN - timedelta(days=1)),
        MemorySource(as_of=OPEN + timedelta(hours=1)),
        MemorySource(is_open=False),
    ],
    ids=["blocked", "of yesterday", "still to come", "says it is closed"],
)
def test_the_next_source_steps_in(tmp_path: Path, bad: MemorySource) -> None:
    """For one that fails, and for one whose figures cannot be drawn: nothing is reported as a failure."""
    bad.asked = 0
    good, target = MemorySource(quotes=(Quote("GOOD", 1.0),)), MemoryPublisher()

    report = one_run.run(several(tmp_path, bad, good, target=target), now=OPEN)

    assert (report.exit_code, bad.asked, good.asked) == (EXIT_OK, 1, 1)
    assert b"GOOD" in target.pages["index.html"]
    assert report.sources == {"nse-fno": "second"}


def test_a_source_that_fails_a_gate_gives_way(tmp_path: Path) -> None:
    """The first has lost most of its instruments since the last page: the second has them."""
    many = tuple(Quote(f"S{n}", 1.0 + n) for n in range(20))
    first, second, target = MemorySource(quotes=many), MemorySource(quotes=many), MemoryPublisher()
    config = several(tmp_path, first, second, target=target)
    one_run.run(config, now=OPEN)
    assert second.asked == 0
    first.quotes = many[:5]

    report = one_run.run(config, now=OPEN + TICK)

    assert (report.exit_code, second.asked, report.sources["nse-fno"]) == (EXIT_OK, 1, "second")


@pytest.mark.serial
def test_a_source_that_hangs_leaves_the_next_its_time(tmp_path: Path) -> None:
    """Each may take its share of what is left."""
    release = Event()
    first, second = MemorySource(before=lambda: void(release.wait(60))), MemorySource()
    began = time.monotonic()

    report = one_run.run(several(tmp_path, first, second, deadline_seconds=6), now=OPEN)

    release.set()
    assert (report.exit_code, report.sources) == (EXIT_OK, {"nse-fno": "second"})
    assert time.monotonic() - began < 4


def test_a_market_that_hangs_leaves_the_next_its_time(tmp_path: Path) -> None:
    """Markets share the time as sources do."""
    release = Event()
    hanging, other = MemorySource(before=lambda: void(release.wait(60))), MemorySource()
    config = configuration(tmp_path, hanging, MemoryPublisher(), more=(("other", other),))

    report = one_run.run(config._replace(deadline_seconds=6), now=OPEN)

    release.set()
    assert (report.exit_code, list(report.figures)) == (EXIT_TEMPORARY, ["other"])


def test_a_long_silence_is_a_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is long enough counts as a hang; where there was hardly time to ask, it proves nothing."""
    release = Event()
    config = several(tmp_path, MemorySource(before=lambda: void(release.wait(60))), deadline_seconds=3)

    one_run.run(config, now=OPEN)
    assert remembered(config) == {}
    monkeypatch.setattr(fetching, "SILENCE_SECONDS", 1.0)
    one_run.run(config, now=OPEN)

    release.set()
    assert remembered(config)["first"].consecutive == 1


def void(_: object) -> None:
    """Nothing, of whatever it is given."""


def test_the_first_answer_decides_what_became_of_it(tmp_path: Path) -> None:
    """A failure of the first is told with what the second said; a first that says closed is no failure."""
    broken, stale = (
        MemorySource(error=SourceRenamed("it is gone")),
        MemorySource(as_of=OPEN - timedelta(days=1)),
    )

    failed = one_run.run(several(tmp_path / "1", broken, stale), now=OPEN)
    passed = one_run.run(several(tmp_path / "2", stale, broken), now=OPEN)

    assert failed.exit_code == EXIT_DATA
    assert [str(error) for error in failed.errors] == [
        "nse-fno: it is gone; second: the figures are of 2026-09-16, not of the session of 2026-09-17"
    ]
    assert (passed.exit_code, passed.passed["nse-fno"][0]) == (EXIT_OK, "skipped")


def test_closing_figures_are_for_the_end_of_the_day(tmp_path: Path) -> None:
    """They are not asked for while the market is open, and then for the last page's instruments."""
    first, archive = MemorySource(), Archive(is_open=False)
    config = several(tmp_path, first, archive)
    one_run.run(config, now=OPEN)
    first.error = SourceBlocked("no")

    failed = one_run.run(config, now=OPEN + TICK)
    assert (failed.exit_code, archive.asked) == (EXIT_TEMPORARY, 0)
    final = one_run.run(config, now=FINAL)
    one_run.run(config, now=FINAL + TICK)

    assert (final.exit_code, archive.known) == (EXIT_OK, [{"UP", "DOWN"}])
    assert [OPEN.date()] == archive.listed_on
    assert State(config.state_directory)["nse-fno"].final_date == "2026-09-17"


def test_an_archive_that_comes_in_the_evening_is_waited_for(tmp_path: Path) -> None:
    """Each tick looks again, and the page becomes final once it is there."""
    first, archive = MemorySource(error=SourceError("down")), Archive(error=SourcePassed("not there yet"))
    config = several(tmp_path, first, archive)

    assert one_run.run(config, now=FINAL).exit_code == EXIT_TEMPORARY
    archive.error = None
    assert one_run.run(config, now=EVENING).exit_code == EXIT_OK

    assert State(config.state_directory)["nse-fno"].final_date == "2026-09-17"


def test_only_closing_figures(tmp_path: Path) -> None:
    """A market that has no other source is left alone until the evening, which is no failure."""
    archive = Archive(is_open=False)
    config = several(tmp_path, archive)

    assert one_run.run(config, now=OPEN).exit_code == EXIT_OK
    assert archive.asked == 0
    assert one_run.run(config, now=FINAL).sources == {"nse-fno": "first"}


def test_a_source_that_blocks_rests_and_comes_back(tmp_path: Path) -> None:
    """After three blocks it is left alone, asked once, and asked again each tick once it answers."""
    first, second = MemorySource(error=SourceBlocked("no")), MemorySource()
    config = several(tmp_path, first, second)
    asked = []
    for number in range(10):  # 11:00 to 11:45
        assert one_run.run(config, now=OPEN + number * TICK).exit_code == EXIT_OK
        asked.append(first.asked)

    assert asked == [1, 2, 3, 3, 4, 4, 4, 4, 5, 5]  # rests of ten, of twenty, of forty minutes
    assert second.asked == 10
    first.error = None
    now = OPEN + 9 * TICK + timedelta(hours=1)
    one_run.run(config, now=now)
    assert (remembered(config), second.asked) == ({}, 10)
    one_run.run(config, now=now + TICK)
    assert first.asked == 7


def test_who_stood_in_is_told_with_the_reason(tmp_path: Path) -> None:
    """The outcome of a good run says what the sources before had to say, while they fail and while they rest."""
    config = several(tmp_path, MemorySource(error=SourceBlocked("it is shut")), MemorySource())

    told = [
        one_run.run(config, now=OPEN + number * TICK).outcomes[0]
        for number in range(circuit_breaker.BLOCKS + 1)
    ]

    assert ["second"] * len(told) == [outcome.source for outcome in told]
    assert ["first: it is shut"] * circuit_breaker.BLOCKS == [outcome.sentence for outcome in told[:-1]]
    assert "first until 11:20 IST: left alone, for it blocked again and again" == told[-1].sentence


def test_when_all_rest_the_run_leaves(tmp_path: Path) -> None:
    """Without a failure, and says why to whoever reads along."""
    source, said = MemorySource(error=SourceBlocked("no")), list[str]()
    config = several(tmp_path, source)
    codes = [one_run.run(config, now=OPEN + number * TICK).exit_code for number in range(3)]

    report = one_run.run(config, now=OPEN + 3 * TICK, say=said.append)

    assert codes == [EXIT_TEMPORARY] * 3
    assert (report.exit_code, source.asked) == (EXIT_OK, 3)
    assert report.passed["nse-fno"][0] == "resting"
    assert report.passed["nse-fno"][1].endswith("first until 11:20 IST")
    assert "nse-fno: leaving first until 11:20 IST: 3 blocks in a row" in said


def test_what_rests_is_no_good_day(tmp_path: Path) -> None:
    """Where the others have nothing either, it is the rest that keeps the page from being drawn, and said so."""
    first, archive = MemorySource(error=SourceBlocked("no")), Archive(error=SourcePassed("not there yet"))
    config = several(tmp_path, first, archive)
    for number in range(3):
        one_run.run(config, now=FINAL + number * TICK)

    report = one_run.run(config, now=FINAL + 3 * TICK)

    assert (report.exit_code, first.asked, archive.asked) == (EXIT_OK, 3, 4)
    word, why = report.passed["nse-fno"]
    assert (word, "first until 16:10 IST" in why, why.endswith("; not there yet")) == ("resting", True, True)


@pytest.mark.parametrize("how", [{"force": True}, {"interactive": True, "only": "nse-fno"}])
def test_a_person_may_ask_all_the_same(tmp_path: Path, how: dict[str, Any]) -> None:
    """By --force, and by --market on a terminal; a terminal alone waits like any other run."""
    source = MemorySource()
    config = several(tmp_path, source)
    one_run.run(config, now=OPEN - TICK)
    source.error = SourceBlocked("no")
    for number in range(3):
        one_run.run(config, now=OPEN + number * TICK)
    one_run.run(config, now=OPEN + 3 * TICK, interactive=True)
    assert source.asked == 4

    one_run.run(config, now=OPEN + 3 * TICK, **how)

    assert source.asked == 5


def test_a_wish_to_be_left_alone_is_heeded(tmp_path: Path) -> None:
    """Of somebody who names a time: not a second less, and six hours at most."""
    error = SourceOverloaded("too often")
    error.retry_after_seconds = 3600
    source = MemorySource(error=error)
    config = several(tmp_path, source)
    for number in range(3):
        one_run.run(config, now=OPEN + number * TICK)
    last = OPEN + 2 * TICK

    one_run.run(config, now=last + timedelta(minutes=59))
    assert source.asked == 3
    one_run.run(config, now=last + timedelta(minutes=60))
    assert source.asked == 4


@pytest.mark.parametrize("jump", [timedelta(hours=-1), timedelta(hours=2)])
def test_a_clock_that_jumps_prolongs_no_rest(tmp_path: Path, jump: timedelta) -> None:
    """Back, and the rest counts for nothing; forward, and it is over."""
    source = MemorySource(error=SourceBlocked("no"))
    config = several(tmp_path, source)
    for number in range(3):
        one_run.run(config, now=OPEN + number * TICK)

    one_run.run(config, now=OPEN + 2 * TICK + jump)

    assert source.asked == 4


def test_a_dry_run_leaves_nothing_behind(tmp_path: Path) -> None:
    """It counts no block."""
    config = several(tmp_path, MemorySource(error=SourceBlocked("no")))

    one_run.run(config, now=OPEN, dry_run=True)

    assert remembered(config) == {}


def test_a_source_that_is_no_more_is_forgotten(tmp_path: Path) -> None:
    """Its remembered record goes with the next change of the records."""
    config = several(
        tmp_path, MemorySource(error=SourceBlocked("no")), MemorySource(error=SourceBlocked("no"))
    )
    one_run.run(config, now=OPEN)
    assert set(remembered(config)) == {"first", "second"}

    one_run.run(several(tmp_path, MemorySource(error=SourceBlocked("no"))), now=OPEN + TICK)

    assert {label: blocks.consecutive for label, blocks in remembered(config).items()} == {"first": 2}


@pytest.mark.parametrize(
    ("relayed", "as_of", "published"),
    [
        (Phase.AUCTION, FINAL - timedelta(minutes=20), False),
        (Phase.FINAL, FINAL - timedelta(minutes=20), True),
        (Phase.CLOSED, FINAL - timedelta(minutes=1), True),
        (None, FINAL - timedelta(minutes=20), True),
    ],
)
def test_a_relay_is_waited_for(
    tmp_path: Path, relayed: Phase | None, as_of: datetime, published: bool
) -> None:
    """A relay's page from before prices had settled is no final page."""

    @dataclass
    class Relay(MemorySource):
        def fetch(self, *, now: datetime, folder: Path | None = None) -> Snapshot:
            return Snapshot("nse", as_of, self.quotes, is_open=False, relayed_phase=relayed)

    target = MemoryPublisher()

    report = one_run.run(several(tmp_path, Relay(), target=target), now=FINAL)

    assert (report.exit_code, bool(target.order)) == (EXIT_OK, published)


# --- The real command --------------------------------------------------------------------------------


def heatmap(folder: Path, command: str, now: datetime | None = None) -> tuple[int, str, str]:
    """Run the command in a folder as cron would: exit code, output, errors."""
    argv = [*command.split(), *(["--now", now.isoformat()] if now else [])]
    environment = {"PYTHONPATH": str(CHECKOUT), "PATH": os.defpath}
    done = subprocess.run(
        [sys.executable, "-m", "heatmap", *argv],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def write(folder: Path, *sources: str) -> None:
    """Write a configuration of these tables' contents."""
    folder.mkdir(exist_ok=True)
    tables = "".join(f"[[market.source]]\n{source}\n" for source in sources)
    (folder / "heatmap.toml").write_text(f'[[market]]\nname = "nse-fno"\n{tables}', "utf-8")


def snapshot(folder: Path) -> dict[str, Any]:
    """The published figures."""
    found: dict[str, Any] = json.loads((folder / "site/nse-fno/snapshot.json").read_text("utf-8"))
    return found


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a folder's web server."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Stay silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = Thread(target=partial(server.serve_forever, 0.05), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.mark.process
def test_a_relay_is_whole(tmp_path: Path) -> None:
    """One machine publishes, another that the exchange blocks draws the same market with two lines."""
    there, here = tmp_path / "there", tmp_path / "here"
    with Exchange(now=OPEN) as exchange, served(tmp_path) as site:
        write(there, f'type = "nse"\nbase_url = "{exchange.url}"')
        assert heatmap(there, "run", OPEN) == (0, "", "")
        exchange.fault = "403"
        relay = f'type = "file"\nurl = "{site}/there/site/nse-fno/snapshot.json?key={SECRET}"'
        write(here, f'type = "nse"\nbase_url = "{exchange.url}"', relay)
        assert heatmap(here, "run", OPEN + timedelta(minutes=2)) == (0, "", "")

        code, told, _ = heatmap(here, "run -v --force", OPEN + timedelta(minutes=2))
        (there / "site/nse-fno/snapshot.json").rename(there / "snapshot.json")
        failed, _, complaint = heatmap(here, "run", OPEN + timedelta(minutes=7))
        (there / "snapshot.json").rename(there / "site/nse-fno/snapshot.json")

    first, second = snapshot(there), snapshot(here)
    of_its_own = ("generated_at", "session")
    assert {k: v for k, v in first.items() if k not in of_its_own} == {
        k: v for k, v in second.items() if k not in of_its_own
    }
    assert (second["source"], second["session"]["phase"], code) == ("nse", "open", 0)
    page = (here / "site/index.html").read_text("utf-8")
    assert "Source: National Stock Exchange of India, relayed by another site" in page
    assert "Source: National Stock Exchange of India<" in (there / "site/index.html").read_text("utf-8")
    assert "asking file" in told
    for path in [*here.rglob("*")]:
        if path.is_file() and path.name != "heatmap.toml":
            assert SECRET.encode() not in path.read_bytes(), path
    assert SECRET not in told + complaint
    assert failed == EXIT_TEMPORARY  # as the first one has it
    assert "; file: " in complaint
    assert "snapshot.json answered 404" in complaint


@pytest.mark.process
def test_a_relay_that_stands_still(tmp_path: Path) -> None:
    """Its session phase is judged by our own calendar: the next day its figures are no page, and no failure."""
    there, here = tmp_path / "there", tmp_path / "here"
    with Exchange(now=OPEN) as exchange:
        write(there, f'type = "nse"\nbase_url = "{exchange.url}"')
        heatmap(there, "run", OPEN)
    write(here, f'type = "file"\npath = "{there}/site/nse-fno/snapshot.json"')

    assert heatmap(here, "run", OPEN + TICK)[0] == 0
    before = (here / "site/index.html").read_bytes()
    assert heatmap(here, "run", OPEN + timedelta(days=1)) == (0, "", "")

    assert (here / "site/index.html").read_bytes() == before
    code, _, told = heatmap(here, "run", OPEN + timedelta(minutes=50))
    assert (code, "nse-fno" in told) == (EXIT_DATA, True)  # the same day it is a gate that says so


@pytest.mark.process
def test_a_blocked_machine_has_its_final_map(tmp_path: Path) -> None:
    """From the archive, in the evening, with true figures; then the day is done."""
    stocks = [f"STOCK{n}" for n in range(60)]
    shares = [share(symbol, 100.0, 100.0 + n) for n, symbol in enumerate(stocks)]
    with Exchange(now=FINAL, fault="403") as exchange, Archives({}, lots=stocks) as archives:
        nse = f'type = "nse"\nbase_url = "{exchange.url}"'
        write(tmp_path, nse, f'type = "nse-archive"\nbase_url = "{archives.url}"')
        code, _, told = heatmap(tmp_path, "run", FINAL)
        assert code == EXIT_TEMPORARY
        assert "nse-archive: the archive of 17 Sep 2026 is not there yet" in told
        with Archives({date(2026, 9, 17): shares}) as later:
            archives.bodies |= later.bodies
        assert heatmap(tmp_path, "run", EVENING) == (0, "", "")
        asked = len(archives.paths)
        assert heatmap(tmp_path, "run", EVENING + TICK) == (0, "", "")
        assert len(archives.paths) == asked

    document = snapshot(tmp_path)
    assert document["session"]["phase"] == "final"
    assert (document["source"], document["as_of"]) == ("nse-archive", "2026-09-17T15:45:00+05:30")
    changes = {quote["symbol"]: quote["percent_change"] for quote in document["quotes"]}
    assert changes == {symbol: float(n) for n, symbol in enumerate(stocks)}
    page = (tmp_path / "site/index.html").read_text("utf-8")
    assert "Source: daily archive of the National Stock Exchange of India" in page
    assert "Closing prices" in page


@pytest.mark.process
def test_under_cron_a_rest_is_silent(tmp_path: Path) -> None:
    """Three failures, then nothing until the rest is over; and the state of before is understood."""
    (tmp_path / "state").mkdir()
    (tmp_path / "site").mkdir()  # as the run before left it
    (tmp_path / "state/state.json").write_text(
        '{"version": 1, "markets": {"nse-fno": {"published_at": "2026-09-16T15:30:00+05:30"}}}'
    )
    with Exchange(now=OPEN, fault="403") as exchange:
        write(tmp_path, f'type = "nse"\nbase_url = "{exchange.url}"')
        codes = [heatmap(tmp_path, "run", OPEN + number * TICK)[0] for number in range(3)]
        seen = len(exchange.seen)

        assert codes == [EXIT_TEMPORARY] * 3
        assert heatmap(tmp_path, "run", OPEN + 3 * TICK) == (0, "", "")
        assert len(exchange.seen) == seen
        exchange.fault, exchange.now = None, OPEN + 4 * TICK
        assert heatmap(tmp_path, "run", OPEN + 4 * TICK) == (0, "", "")

    assert len(snapshot(tmp_path)["quotes"]) == 210


@pytest.mark.process
def test_check_asks_all(tmp_path: Path) -> None:
    """One that fails is a failure only where no other has live quotes."""
    stocks = [f"STOCK{n}" for n in range(60)]
    yesterday = datetime.now().astimezone().date() - timedelta(days=1)
    days = {
        yesterday - timedelta(days=n): [share(symbol, 100.0, 101.0) for symbol in stocks] for n in range(5)
    }
    with Exchange(fault="403") as exchange, Archives(days, lots=stocks) as archives:
        nse = f'type = "nse"\nbase_url = "{exchange.url}"'
        archive = f'type = "nse-archive"\nbase_url = "{archives.url}"'
        write(tmp_path, nse, archive)
        code, told, _ = heatmap(tmp_path, "check")
        (tmp_path / "saved.json").write_bytes(exchange.body())
        write(tmp_path, nse, 'type = "file"\npath = "saved.json"')
        healed, told_then, _ = heatmap(tmp_path, "check")

    assert code == EXIT_TEMPORARY
    assert "FAIL  nse-fno source: nse: " in told
    assert "ok    nse-fno source: nse-archive answers: 60 quotes" in told
    assert healed == EXIT_OK
    assert "WARN  nse-fno source: nse: " in told_then
