"""This machine's clock against the source's: what is believed, what is said, and what the pages and the final are."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from heatmap.cli import check
from heatmap.run import health, one_run
from heatmap.sources.nse.live import Nse
from heatmap.sources.snapshot_file import SnapshotFile
from heatmap.state import run_log
from heatmap.state.memory import State
from heatmap.state.report import Messages, Report
from heatmap.system import clocks
from tests.checkout import CHECKOUT
from tests.doubles import MemoryPublisher, MemorySource, configuration
from tests.promises.year import runs
from tests.servers.exchange import Exchange, recorded_rows
from tests.servers.process import Missing

RECORDING = CHECKOUT / "heatmap/data/recordings/nse-fno-2026-09-17.json"
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def at(text: str) -> datetime:
    """A moment of 17 September 2026 in India."""
    return datetime.fromisoformat(f"2026-09-17T{text}+05:30")


NOON = at("12:00:00")


# By themselves


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"date": "Thu, 17 Sep 2026 06:30:00 GMT"}, 0),
        ({"date": "Thu, 17 Sep 2026 06:19:00 GMT"}, -660),
        ({"date": "Thu, 17 Sep 2026 06:41:00 GMT"}, 660),
        ({"date": "Thursday, 17-Sep-26 06:19:00 GMT"}, -660),  # the older forms of RFC 9110, 5.6.7
        ({"date": "Thu Sep 17 06:19:00 2026"}, -660),
        ({"date": "Thu, 17 Sep 2026 06:19:00 GMT", "age": "600"}, -60),  # a cache that left the Date
        ({"date": "Thu, 17 Sep 2026 06:19:00 GMT", "age": "900"}, 0),  # one that rounds, or set its own
        ({"date": "Thu, 17 Sep 2026 06:30:00 GMT", "age": "900"}, 0),  # one that set its own
        ({"date": "Thu, 17 Sep 2026 06:41:00 GMT", "age": "900"}, 660),
        ({"date": "Thu, 17 Sep 2026 06:19:00 GMT", "age": "-5"}, -660),
        ({"date": "Wed, 16 Sep 2026 06:29:00 GMT", "age": "9" * 5000}, -60),  # a day at most is believed
        ({"date": "yesterday"}, None),
        ({"date": ""}, None),
        ({"date": "Thu, 99 Sep 2026 06:30:00 GMT"}, None),
        ({"date": "Thu, 17 Sep 99999 06:30:00 GMT"}, None),
        ({"date": "Fri, 31 Dec 9999 23:59:59 GMT"}, None),
        ({}, None),
    ],
)
def test_the_clock_of_a_server(headers: dict[str, str], seconds: int | None) -> None:
    """It is its Date, by which Age may have gone by; what is none says nothing."""
    expected = None if seconds is None else timedelta(seconds=seconds)
    assert expected == clocks.read_offset(headers, NOON)


@pytest.mark.parametrize(
    ("offset", "figures", "by_source", "told"),
    [
        (None, 0, False, False),
        (2 * MINUTE, 0, False, False),  # two clocks that are kept well
        (-2 * MINUTE, 0, False, False),
        (-11 * MINUTE, -11, True, True),  # this machine's is ahead
        (-11 * MINUTE, -26, True, True),  # and the figures are old
        (-11 * MINUTE, 0, False, False),  # the source's is behind, as its own figures tell
        (11 * MINUTE, 11, True, True),  # this machine's is behind, as the figures tell
        (11 * MINUTE, 0, False, False),  # the source's is ahead: the figures confirm ours
        (11 * MINUTE, -30, False, True),  # nothing tells which is right: the earlier one counts
        (-330 * MINUTE, -330, True, True),  # by a time zone
        (330 * MINUTE, 330, True, True),
        (-DAY, -1440, True, True),
        (DAY, 1440, True, True),
        (400 * DAY, 400 * 1440, True, True),
        (-400 * DAY, -400 * 1440, True, True),
        (-400 * DAY, 0, False, False),
        (400 * DAY, 0, False, False),
        (400 * DAY, -30, False, False),
        (400 * DAY, 30, False, False),  # figures of a time to come, and nowhere near the source's own
    ],
)
def test_which_clock_counts(offset: timedelta | None, figures: int, *, by_source: bool, told: bool) -> None:
    """The earlier one, unless the figures are of later than it; what is wrong is told."""
    as_of = NOON + figures * MINUTE

    assert (NOON + (offset or timedelta(0)) if by_source else NOON) == clocks.correct(NOON, offset, as_of)
    assert (offset if told else None) == clocks.find_difference(NOON, offset, as_of)


@pytest.mark.parametrize(
    ("difference", "words"),
    [
        (-11 * MINUTE, "11 minutes ahead of that of the server"),
        (11 * MINUTE, "11 minutes behind that"),
        (330 * MINUTE, "5.5 hours behind"),
        (-400 * DAY, "400 days ahead"),
    ],
)
def test_how_it_is_said(difference: timedelta, words: str) -> None:
    """In minutes, hours or days, and with what to do."""
    assert words in clocks.describe(difference)
    assert "NTP" in clocks.describe(difference)


# Whole runs


class Machine:
    """A machine whose clock is `wrong` ahead of the exchange's, which has the right time."""

    def __init__(self, tmp_path: Path, exchange: Exchange, wrong: timedelta) -> None:
        self.exchange, self.wrong, self.target = exchange, wrong, MemoryPublisher()
        self.source = Nse(base_url=exchange.url)
        self.config = configuration(tmp_path, self.source, self.target)  # type: ignore[arg-type]
        exchange.date = lambda: datetime.now(UTC) - wrong

    def run(self, right: datetime, **options: bool) -> int:
        """Run when it is really `right`; the exit code."""
        self.exchange.now = right
        self.report: Report = one_run.run(self.config, now=right + self.wrong, **options)
        return self.report.exit_code

    @property
    def page(self) -> dict[str, str]:
        """The times that the page shows."""
        document = json.loads(self.target.pages["nse-fno/snapshot.json"])
        return {
            "phase": document["session"]["phase"],
            **{key: document[key] for key in ("as_of", "generated_at")},
        }

    @property
    def final_date(self) -> str | None:
        """The session whose final is out."""
        return State(self.config.state_directory)["nse-fno"].final_date


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    """The exchange, which may have another clock than this machine."""
    with Exchange(rows=recorded_rows()[:20]) as server:
        yield server


WRONG = [11 * MINUTE, -11 * MINUTE, 150 * MINUTE, -90 * MINUTE, DAY, -DAY, 365 * DAY]


@pytest.mark.parametrize("wrong", WRONG)
def test_a_page_of_a_machine_whose_clock_is_wrong(
    tmp_path: Path, exchange: Exchange, wrong: timedelta
) -> None:
    """It goes by the source's clock: its own time and its phase are right; and the operator is told, once a day."""
    machine = Machine(tmp_path, exchange, wrong)

    assert 0 == machine.run(NOON)

    page = machine.page
    assert ("open", NOON.isoformat()) == (page["phase"], page["as_of"])
    assert abs(datetime.fromisoformat(page["generated_at"]) - NOON) < MINUTE / 6
    behind = "behind" if wrong < timedelta(0) else "ahead of"
    assert 1 == sum(f"{behind} that of the server" in line for line in machine.report.warnings)
    assert 0 == machine.run(NOON + 5 * MINUTE)
    assert [] == machine.report.warnings


def test_no_final_before_prices_have_settled(tmp_path: Path, exchange: Exchange) -> None:
    """Eleven minutes ahead, it is made when the exchange's clock says so, of the figures of then."""
    machine = Machine(tmp_path, exchange, 11 * MINUTE)
    assert 0 == machine.run(at("15:00:00"))
    published = machine.target.runs

    for right in ("15:36:00", "15:41:00"):
        assert 0 == machine.run(at(right))
        assert "by the source's clock" in machine.report.passed["nse-fno"][1]
    assert (None, published) == (machine.final_date, machine.target.runs)

    assert 0 == machine.run(at("15:46:00"))
    assert ("2026-09-17", "final", at("15:46:00").isoformat()) == (
        *(machine.final_date, machine.page["phase"], machine.page["as_of"]),
    )
    assert 0 == machine.run(at("15:51:00"))
    assert published + 1 == machine.target.runs


def test_a_final_of_a_clock_that_is_behind(tmp_path: Path, exchange: Exchange) -> None:
    """While this machine's clock says open, the exchange's has settled: the final is made, and once."""
    machine = Machine(tmp_path, exchange, -HOUR)

    assert [0, 0] == [machine.run(at("15:50:00")), machine.run(at("15:55:00"))]

    assert ("2026-09-17", "final") == (machine.final_date, machine.page["phase"])
    assert 1 == machine.target.runs
    assert 0 == machine.run(at("16:55:00"))
    assert 1 == machine.target.runs


@pytest.mark.parametrize("ahead", [HOUR, -HOUR, DAY, -DAY, -20_000 * DAY, 1_000 * DAY])
@pytest.mark.parametrize("right", ["12:00:00", "15:50:00"])
def test_a_server_whose_date_is_wrong(
    tmp_path: Path, exchange: Exchange, ahead: timedelta, right: str
) -> None:
    """Its own figures refute it, or confirm this machine: the run is as without it, and says nothing."""
    machine = Machine(tmp_path, exchange, timedelta(0))
    exchange.date = lambda: datetime.now(UTC) + ahead

    assert 0 == machine.run(at(right))

    assert "final" if right > "15:45" else "open" == machine.page["phase"]
    assert abs(datetime.fromisoformat(machine.page["generated_at"]) - at(right)) < MINUTE / 6
    assert [] == machine.report.warnings


def test_a_cache_is_no_clock(tmp_path: Path, exchange: Exchange) -> None:
    """An answer that lay in a cache for ten minutes is dated so, and its Age says so."""
    machine = Machine(tmp_path, exchange, timedelta(0))
    exchange.date, exchange.age = (lambda: datetime.now(UTC) - 10 * MINUTE), 600
    exchange.now = at("11:50:00")

    assert 0 == one_run.run(machine.config, now=NOON).exit_code

    assert abs(datetime.fromisoformat(machine.page["generated_at"]) - NOON) < MINUTE / 6


def test_a_pretended_time_is_not_doubted(tmp_path: Path, exchange: Exchange) -> None:
    """With --now the time is the user's, whatever the clocks say."""
    machine = Machine(tmp_path, exchange, 11 * MINUTE)

    assert 0 == machine.run(NOON, pretended=True)

    assert (NOON + machine.wrong).isoformat() == machine.page["generated_at"]
    assert [] == machine.report.warnings


def test_a_relay_has_a_clock_too(tmp_path: Path) -> None:
    """That of the server where another installation's figures lie."""
    body = RECORDING.read_bytes()

    class Relay(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response_only(200)
            moment = datetime.now(UTC) - 11 * MINUTE
            self.send_header("Date", format_datetime(moment, usegmt=True))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with HTTPServer(("127.0.0.1", 0), Relay) as server:
        thread = Thread(target=server.handle_request)
        thread.start()
        snapshot = SnapshotFile(url=f"http://127.0.0.1:{server.server_port}/snapshot.json").fetch(now=NOON)
        thread.join()

    assert snapshot.clock_offset is not None
    assert abs(snapshot.clock_offset + 11 * MINUTE) < MINUTE / 6
    path = tmp_path / "snapshot.json"
    path.write_bytes(body)
    assert SnapshotFile(path=str(path)).fetch(now=NOON).clock_offset is None


def test_status_and_check_say_it(
    tmp_path: Path, exchange: Exchange, capsys: pytest.CaptureFixture[str]
) -> None:
    """While the clock is wrong; after a run by a right one no more."""
    machine = Machine(tmp_path, exchange, 11 * MINUTE)
    assert 0 == machine.run(NOON)

    def sentences(now: datetime) -> list[str]:
        ended = run_log.read(machine.config.state_directory)
        (market,) = machine.config.markets
        memory = State(machine.config.state_directory)["nse-fno"]
        found = health.assess(machine.config, market, ended, memory, now)
        assert 0 == found.code
        return [trouble.sentence for trouble in found.troubles]

    assert [True] == [
        "clock is 11 minutes ahead of that of the server" in each for each in sentences(NOON + 12 * MINUTE)
    ]
    exchange.now = datetime.now(UTC) - 11 * MINUTE
    check._check_market(machine.config.markets[0], datetime.now(UTC), Report(Messages(print)))
    assert "WARN  clock: this machine's clock is 11 minutes ahead of" in capsys.readouterr().out

    machine.wrong, exchange.date = timedelta(0), None
    assert 0 == machine.run(NOON + 15 * MINUTE)
    assert [] == [each for each in sentences(NOON + 16 * MINUTE) if "clock" in each]


@pytest.mark.real
def test_the_command_itself(tmp_path: Path, exchange: Exchange) -> None:
    """By a clock that is eleven minutes ahead, cron's runs make the final at the right time, and say why."""
    try:
        runs.environment(NOON)
    except Missing as missing:
        pytest.skip(str(missing))
    (tmp_path / "heatmap.toml").write_text(
        f"""
        [[market]]
        name = "nse-fno"
        title = "Test"
        [market.source]
        type = "nse"
        base_url = "{exchange.url}"
        [[publish]]
        url = "file:site"
        create = true
        """
    )

    def run(right: str, *options: str) -> tuple[int, str, str | None]:
        exchange.now, exchange.date = at(right), lambda: at(right)
        ended = subprocess.run(
            [sys.executable, "-m", "heatmap", "run", "--config", tmp_path / "heatmap.toml", *options],
            env=runs.environment(at(right) + 11 * MINUTE),
            capture_output=True,
            text=True,
            timeout=120,
        )
        return ended.returncode, ended.stderr, State(tmp_path / "state")["nse-fno"].final_date

    code, said, final_date = run("15:36:00")
    assert (0, None) == (code, final_date)
    assert "this machine's clock is 11 minutes ahead of" in said
    assert (0, "", "2026-09-17") == run("15:46:00")
    page = json.loads((tmp_path / "site/nse-fno/snapshot.json").read_bytes())
    assert ("final", at("15:46:00").isoformat()) == (page["session"]["phase"], page["as_of"])
    assert abs(datetime.fromisoformat(page["generated_at"]) - at("15:46:00")) < 2 * MINUTE


# The final of a machine that nobody tells the time


class Finals:
    """A source without a clock of its own, and a machine that is eleven minutes ahead."""

    def __init__(self, tmp_path: Path, **more: object) -> None:
        self.source, self.target = MemorySource(is_open=False), MemoryPublisher()
        self.config = configuration(tmp_path, self.source, self.target, **more)._replace(  # type: ignore[arg-type]
            public_url="https://www.example.org/map/"
        )

    def run(self, now: str, as_of: str, **options: bool) -> int:
        """Run at `now` by this machine's clock, with figures of then; how often pages were published."""
        self.source.as_of = at(as_of)
        self.report = one_run.run(self.config, now=at(now), **options)
        assert 0 == self.report.exit_code
        return self.target.runs

    def as_of(self, path: str = "nse-fno/snapshot.json") -> str:
        """The time of the figures that visitors see."""
        return str(json.loads(self.target.pages[path])["as_of"])


def test_a_final_of_early_figures_is_made_again(tmp_path: Path) -> None:
    """Of each newer figures, until they are of when prices had settled; the archived day, too."""
    machine = Finals(tmp_path)
    day = "nse-fno/2026/09/17/snapshot.json"

    assert [1, 2, 3, 3] == [
        machine.run("15:47:00", "15:36:00"),
        machine.run("15:52:00", "15:41:00"),
        machine.run("15:57:00", "15:46:00"),
        machine.run("16:02:00", "15:51:00"),
    ]

    assert [at("15:46:00").isoformat()] * 2 == [machine.as_of(), machine.as_of(day)]
    assert machine.source.asked == 3
    memory = State(machine.config.state_directory)["nse-fno"]
    assert ("2026-09-17", None) == (memory.final_date, memory.early_final)


def test_figures_that_stay_early(tmp_path: Path) -> None:
    """A source whose closing prices are of the close is asked until they must have settled, and then no more."""
    machine = Finals(tmp_path)

    runs = [
        machine.run(f"{15 + minute // 60}:{minute % 60:02}:00", "15:35:00") for minute in range(47, 120, 5)
    ]

    assert {1} == set(runs)
    assert 7 >= machine.source.asked > 2
    assert 1 == machine.run("20:00:00", "16:00:00")  # whatever it has later


def test_later_figures_are_found_in_the_evening(tmp_path: Path) -> None:
    """Where no run came in between; older ones never take the page's place."""
    machine = Finals(tmp_path)
    assert 1 == machine.run("15:47:00", "15:36:00")
    assert 1 == machine.run("15:52:00", "15:36:00", dry_run=True)

    assert 2 == machine.run("21:00:00", "16:00:00")

    assert at("16:00:00").isoformat() == machine.as_of()


def test_a_target_that_failed_gets_the_later_final(tmp_path: Path) -> None:
    """It is not done until every target has it."""
    other = MemoryPublisher("other:")
    machine = Finals(tmp_path)
    machine.config = machine.config._replace(publishers=(machine.target, other))
    machine.run("15:47:00", "15:36:00")
    from heatmap.errors import PublishError

    other.error = PublishError("it broke, because the test wants it: mend the test")
    machine.source.as_of = at("15:46:00")
    assert 75 == one_run.run(machine.config, now=at("15:57:00")).exit_code
    other.error = None

    machine.run("16:02:00", "15:46:00")

    assert at("15:46:00").isoformat() == json.loads(other.pages["nse-fno/snapshot.json"])["as_of"]


@pytest.mark.parametrize("kept", ["soon", "2026-09-17T15:36:00", 7])
def test_a_state_that_makes_no_sense(tmp_path: Path, kept: object) -> None:
    """The page stays, the run is well, and the source is asked no more."""
    machine = Finals(tmp_path)
    machine.run("15:47:00", "15:36:00")
    path = machine.config.state_directory / "state.json"
    document = json.loads(path.read_bytes())
    document["markets"]["nse-fno"]["early_final"] = kept
    path.write_text(json.dumps(document))

    machine.run("15:52:00", "15:36:00")
    asked = machine.source.asked
    machine.run("15:57:00", "15:36:00")

    assert asked >= machine.source.asked - 1
