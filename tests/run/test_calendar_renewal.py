"""The calendar at the turn of a year: whole runs against a stand-in exchange, with a list, late, wrong and blocked."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from heatmap import cli
from heatmap.state import idle
from heatmap.state.memory import State, lock
from tests.publishers.test_folder import as_nobody
from tests.servers.exchange import Exchange, recorded_rows
from tests.servers.exchange_holidays import ENDPOINT, LISTED_2026, MADE_UP_2027, holiday_master

IN_STATE = Path("state/holidays-nse-equity-fno.toml")
OWN = '# What I learnt myself.\n[[closed]]\ndate = 2027-01-04   # on the radio\nname = "Election"\n'
SENTENCE = re.compile(r"heatmap: nse-fno: .*\n")


def at(text: str) -> datetime:
    """A moment in India."""
    return datetime.fromisoformat(f"{text}:00+05:30")


class Installation:
    """A configuration in the current directory that asks `exchange`, and its runs."""

    def __init__(self, exchange: Exchange, capsys: pytest.CaptureFixture[str], overrides: str = "") -> None:
        self.exchange = exchange
        self._capsys = capsys
        line = '[market.session]\noverrides = "own.toml"\n' if overrides else ""
        Path("heatmap.toml").write_text(
            f'[[market]]\nname = "nse-fno"\n[market.source]\ntype = "nse"\nbase_url = "{exchange.url}"\n'
            f"{line}[page]\npng = false\n[history]\nenabled = false\n[gates]\nstale_minutes = 0\n"
        )
        if overrides:
            Path("own.toml").write_text(overrides)

    def run(self, now: str, *, as_of: str | None = None, status: str | None = None) -> tuple[int, str]:
        """Run once as cron does: the exit code, and what it wrote. The exchange's figures are of `as_of`."""
        self.exchange.now, self.exchange.status = at(as_of or now), status
        code = cli.main(["run", "--now", at(now).isoformat()])
        out, err = self._capsys.readouterr()
        assert "" == out
        return code, err

    def say(self, *words: str) -> str:
        """The output of a command; it must end well."""
        assert 0 == cli.main([*words])
        return self._capsys.readouterr().out

    @property
    def asked(self) -> int:
        """How often the list was asked for."""
        return self.exchange.paths.count(ENDPOINT)

    @property
    def figures_asked(self) -> int:
        """How often quotes were asked for."""
        return sum("marketWatchApi" in path for path in self.exchange.paths)


def page() -> dict[str, object]:
    """The clock of the published page."""
    found = re.search(r'id="heatmap-clock">(.*?)</script>', Path("site/index.html").read_text())
    assert found is not None
    clock: dict[str, object] = json.loads(found[1])
    return clock


def notes() -> str:
    """The notice of the published page that is shown without a script, "" where it is hidden."""
    found = re.search(r'<p class="note" data-live="presumed">(.*?)</p>', Path("site/index.html").read_text())
    return found[1] if found else ""


@pytest.fixture
def exchange(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Exchange]:
    """An exchange that still lists 2026, and an empty current directory."""
    monkeypatch.chdir(tmp_path)
    with Exchange(rows=recorded_rows()[:20]) as server:
        yield server


@pytest.fixture
def installed(exchange: Exchange, capsys: pytest.CaptureFixture[str]) -> Installation:
    """An installation without an overrides file."""
    return Installation(exchange, capsys)


def test_the_list_of_december_is_merged(installed: Installation) -> None:
    """After the pages of one run, in one line, into the state directory; then nobody asks any more."""
    assert (0, "") == installed.run("2026-11-30T11:00")
    assert (0, "") == installed.run("2026-12-01T11:00")  # the exchange still lists 2026
    assert 1 == installed.asked
    installed.exchange.holidays = holiday_master(MADE_UP_2027)
    assert (0, "") == installed.run("2026-12-01T11:05")  # once a day
    assert 1 == installed.asked
    assert (0, "") == installed.run("2026-12-02T03:00")  # and not by a run that publishes nothing
    assert 1 == installed.asked

    code, err = installed.run("2026-12-02T11:00")
    assert (0, 1) == (code, err.count("\n"))
    assert all(part in err for part in ("ends on 2027-12-31", "2027-10-29", str(IN_STATE)))
    assert ["marketWatchApi", "holiday-master"] == [
        path.rpartition("/")[2] for path in installed.exchange.paths if "/api/" in path
    ][-2:]
    assert (0, "") == installed.run("2026-12-03T11:00")
    assert 2 == installed.asked
    assert "2028-01-01T00:00:00+05:30" == page()["calendar_end"]


def test_a_new_year_with_its_list(installed: Installation) -> None:
    """On 1 and 4 January the map is made; on Republic Day nothing is asked, nor on the list's other days."""
    installed.exchange.holidays = holiday_master(MADE_UP_2027)
    installed.run("2026-12-14T11:00")

    for day in ("2027-01-01", "2027-01-04"):
        assert (0, "") == installed.run(f"{day}T11:00")
        assert ("open", day) == (page()["phase"], page()["session_date"])
        assert (0, "") == installed.run(f"{day}T15:52")
        assert "final" == page()["phase"]
    assert "" == notes()
    before = len(installed.exchange.seen)
    assert (0, "") == installed.run("2027-01-26T11:00", as_of="2027-01-25T16:00")
    assert before == len(installed.exchange.seen)
    assert "Muhurat" in installed.say("session", "--now", "2027-10-29T11:00:00+05:30")


@pytest.mark.parametrize("fault", [None, "403"])
def test_a_new_year_without_its_list(installed: Installation, fault: str | None) -> None:
    """The map goes on by presumption, exit 0; it asks for the list once a day, and says once a day that it lacks."""
    installed.exchange.faults = {"holiday-master": fault} if fault else {}
    installed.run("2026-12-31T15:52")

    for number, day in enumerate(("2027-01-01", "2027-01-04")):
        asked = installed.asked
        code, err = installed.run(f"{day}T08:32")
        assert (0, 1) == (code, err.count("\n"))
        assert SENTENCE.fullmatch(err)
        assert "presumed" in err
        assert asked < installed.asked
        asked = installed.asked
        assert (0, "") == installed.run(f"{day}T11:00")
        assert ("unknown", day) == (page()["phase"], page()["session_date"])
        assert notes().startswith("Presumed trading calendar: the holidays after 31 Dec 2026")
        assert (0, "") == installed.run(f"{day}T15:35", status="Closed")  # the closing auction
        assert at(f"{day}T15:35").isoformat() == page()["generated_at"]
        assert (0, "") == installed.run(f"{day}T15:52")
        assert "final" == page()["phase"]
        assert Path(f"site/nse-fno/{day.replace('-', '/')}/index.html").exists()
        assert asked == installed.asked, number

    installed.run("2027-01-26T08:32", as_of="2027-01-25T16:00")
    made = Path("site/index.html").read_bytes()
    for time in ("11:00", "15:35", "15:52"):  # a holiday that only the source knows
        asked = installed.figures_asked
        assert (0, "") == installed.run(f"2027-01-26T{time}", as_of="2027-01-25T16:00")
        assert asked < installed.figures_asked
    assert made == Path("site/index.html").read_bytes()


def test_status_and_session_say_that_the_calendar_is_presumed(installed: Installation) -> None:
    """And why there is no list; status ends with 0."""
    installed.run("2027-01-04T08:32")
    installed.run("2027-01-04T11:00")
    now = ("--now", "2027-01-04T11:01:00+05:30")

    status, session = " ".join(installed.say("status", *now).split()), installed.say("session", *now)

    assert "presumed trading calendar" in session
    assert "unknown" in session
    assert "presumed trading calendar" in status
    assert "it still lists 2026" in status
    assert str(IN_STATE) in status
    market = json.loads(installed.say("status", "--json", *now))["markets"][0]
    assert (True, "2026-12-31") == (market["calendar_is_presumed"], market["calendar_end"])
    assert "(presumed)" in installed.say("session", "--now", "2027-01-04T16:00:00+05:30")


def test_a_list_that_comes_late(installed: Installation) -> None:
    """The first run of a date that the calendar does not cover asks, though the market is closed."""
    installed.run("2027-01-01T08:32")
    installed.exchange.holidays = holiday_master(MADE_UP_2027)
    assert (0, "") == installed.run("2027-01-01T11:00")  # the list was asked for today
    assert "presumed" in installed.say("session", "--now", "2027-01-26T08:35:00+05:30")

    code, err = installed.run("2027-01-26T08:32", as_of="2027-01-25T16:00")  # before the open
    assert (0, 1) == (code, err.count("\n"))
    before = len(installed.exchange.seen)
    assert (0, "") == installed.run("2027-01-26T11:00", as_of="2027-01-25T16:00")
    assert before == len(installed.exchange.seen)
    assert "Closed for Republic Day." in installed.say("session", "--now", "2027-01-26T11:00:00+05:30")


def test_two_years_at_once(installed: Installation) -> None:
    """As an exchange may list them late in December: the running year stays, the next is merged."""
    installed.exchange.holidays = holiday_master({**LISTED_2026, **MADE_UP_2027})

    code, err = installed.run("2026-12-14T11:00")

    assert (0, 1) == (code, err.count("\n"))
    assert "2027-12-31" in err
    assert "2026" not in IN_STATE.read_text()


def test_what_is_left_of_a_year_with_the_next_one(installed: Installation) -> None:
    """The running year may have lost the days that are over: the next one is whole, and is merged."""
    left = {day: name for day, name in LISTED_2026.items() if day >= "2026-12"}
    installed.exchange.holidays = holiday_master({**left, **MADE_UP_2027})

    code, err = installed.run("2026-12-14T11:00")

    assert (0, 1) == (code, err.count("\n"))
    assert "2027-12-31" in err
    assert "2026" not in IN_STATE.read_text()


def test_a_closure_of_this_year_is_merged_too(installed: Installation) -> None:
    """The running year's list may have a day that was closed at short notice."""
    installed.exchange.holidays = holiday_master({**LISTED_2026, "2026-12-24": "Election"})

    code, err = installed.run("2026-12-14T11:00")

    assert (0, 1) == (code, err.count("\n"))
    assert "Closed for Election." in installed.say("session", "--now", "2026-12-24T11:00:00+05:30")


WRONG = {
    "not whole": holiday_master({day: name for day, name in MADE_UP_2027.items() if day < "2027-08"}),
    "of a year too far": holiday_master({day.replace("2027", "2029"): "X" for day in MADE_UP_2027}),
    "contradicts the past": holiday_master({**LISTED_2026, **MADE_UP_2027, "2026-12-10": "No session"}),
    "shrunk": holiday_master({day: name for day, name in LISTED_2026.items() if day < "2026-12"}),
    "no JSON": b"{",
    "not one holiday": b'{"CM": []}',
}


@pytest.mark.parametrize("body", WRONG.values(), ids=WRONG)
def test_a_wrong_list(installed: Installation, body: bytes) -> None:
    """Nothing is written, no run fails for it, and the map goes on by what is known."""
    installed.exchange.holidays = body
    for day in ("2026-12-14", "2027-01-04"):
        code, _ = installed.run(f"{day}T11:00")
        assert (0, day) == (code, page()["session_date"])
        with suppress(FileNotFoundError):
            assert "coverage_to" not in IN_STATE.read_text()
    assert 2 == installed.asked


def test_a_list_that_fails_for_days_is_reported_once_a_day(installed: Installation) -> None:
    """From the fourth day on, with the reason and the way out; until then it may pass."""
    installed.exchange.faults = {"holiday-master": "404"}
    told = {day: installed.run(f"2026-12-{day:02}T11:00") for day in (1, 2, 3, 4, 7)}

    assert {0} == {code for code, _ in told.values()}
    assert [0, 0, 0, 1, 1] == [err.count("\n") for _, err in told.values()]
    assert "failed since 2026-12-01" in told[7][1]
    assert "404" in told[7][1]
    assert (0, "") == installed.run("2026-12-07T11:05")
    installed.exchange.faults = {}
    assert (0, "") == installed.run("2026-12-08T11:00")  # the exchange answers, and has not listed it yet
    assert State(Path("state"))["nse-fno"].holidays_failing_since is None


def test_a_list_that_is_not_there_yet_is_reported_at_the_end(installed: Installation) -> None:
    """In the last ten days of the year, once a day."""
    told = [installed.run(f"2026-12-{day}T11:00")[1].count("\n") for day in (14, 21, 22, 23)]

    assert [0, 0, 1, 1] == told


def test_a_site_that_blocks_is_left_alone(installed: Installation) -> None:
    """Its list is not asked for in a run that it has just blocked, nor while it rests; after that it is."""
    installed.exchange.fault = "403"
    assert [75, 75, 75, 0] == [installed.run(f"2027-01-04T11:{minute:02}")[0] for minute in (0, 5, 10, 15)]
    assert 0 == installed.asked

    installed.exchange.fault = None
    installed.run("2027-01-05T08:32")
    assert 1 == installed.asked


def test_blocks_of_the_list_count(installed: Installation) -> None:
    """A block of the list's address counts as a block of the same site, also on a day without quotes."""
    installed.exchange.faults = {"holiday-master": "403"}
    installed.run("2027-01-02T08:32")  # a Saturday

    assert 1 == State(Path("state"))["nse-fno"].sources["nse"]["in_a_row"]  # type: ignore[index]
    State(Path("state")).remember(
        "nse-fno",
        sources={"nse": {"in_a_row": 9, "last_at": at("2027-01-03T08:00").isoformat(), "wish_seconds": None}},
    )
    asked = installed.asked
    installed.run("2027-01-03T08:32")
    assert asked == installed.asked


def test_it_goes_into_the_overrides_file(exchange: Exchange, capsys: pytest.CaptureFixture[str]) -> None:
    """Where there is one, exactly as heatmap calendar update writes it; entries of the user's win."""
    installed = Installation(exchange, capsys, OWN)
    exchange.holidays = holiday_master(MADE_UP_2027)
    assert "own.toml" in installed.run("2026-12-14T11:00")[1]
    written = Path("own.toml").read_text()

    assert written.startswith(f"coverage_to = 2027-12-31\n{OWN}\n# >>> holidays of 2027")
    assert not IN_STATE.exists()
    before = len(exchange.seen)
    assert (0, "") == installed.run("2027-01-04T11:00")
    assert before == len(exchange.seen)
    Path("own.toml").write_text(OWN)
    installed.say("calendar", "update", "--now", "2026-12-14T12:00:00+05:30")
    assert written == Path("own.toml").read_text()


def test_an_overrides_file_that_is_read_only(
    exchange: Exchange, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list is kept in the state directory; the user's entries still win, and the next year trades."""
    exchange.holidays = holiday_master(MADE_UP_2027)
    Installation(exchange, capsys, OWN).run("2026-12-14T11:00")  # imports, which this user may not read later
    with TemporaryDirectory() as name:
        monkeypatch.chdir(name)
        Path(name).chmod(0o777)
        installed = Installation(exchange, capsys, OWN)
        Path("own.toml").chmod(0o444)
        with as_nobody():
            code, err = installed.run("2026-12-14T11:00")
            assert (0, 1) == (code, err.count("\n"))
            assert str(IN_STATE) in err
            assert OWN == Path("own.toml").read_text()
            assert "2027-01-04" not in IN_STATE.read_text()
            before = len(exchange.seen)
            for day in ("2027-01-04", "2027-01-26"):
                assert (0, "") == installed.run(f"{day}T11:00", as_of="2027-01-01T16:00")
            assert before == len(exchange.seen)
            assert (0, "") == installed.run("2027-01-05T11:00")
            assert "open" == page()["phase"]
            IN_STATE.unlink()
            told = installed.say("calendar", "update", "--now", "2026-12-14T11:00:00+05:30")
            assert "own.toml cannot be written, so the list is in the state directory" in told
            IN_STATE.unlink()
            IN_STATE.parent.chmod(0o555)
            assert 77 == cli.main(["calendar", "update", "--now", "2026-12-14T11:00:00+05:30"])
        monkeypatch.chdir("/")


@pytest.mark.parametrize("damage", ["[[closed", "# >>> holidays of 2027\n", "coverage_to = 7\n", "\udcff"])
def test_a_damaged_list_in_the_state_heals(installed: Installation, damage: str) -> None:
    """It counts for nothing, stops no run, and the next list that is asked for takes its place."""
    IN_STATE.parent.mkdir()
    IN_STATE.write_bytes(damage.encode("utf-8", "surrogateescape"))
    installed.exchange.holidays = holiday_master(MADE_UP_2027)

    assert 0 == installed.run("2027-01-04T08:32")[0]
    assert (0, "") == installed.run("2027-01-04T11:00")
    assert "open" == page()["phase"]


def test_a_dry_run_asks_for_no_list(installed: Installation) -> None:
    """It publishes and remembers nothing."""
    installed.exchange.now = at("2027-01-04T11:00")
    for now in ("2027-01-04T08:32:00+05:30", "2027-01-04T11:00:00+05:30"):
        assert 0 == cli.main(["run", "--dry-run", "--now", now])
    assert 0 == installed.asked


def test_markets_without_a_list(exchange: Exchange, capsys: pytest.CaptureFixture[str]) -> None:
    """Another source, hours of one's own, no closing at all: no list is asked for, and the maps go on."""
    installed = Installation(exchange, capsys)
    Path("own.toml").write_text("coverage_to = 2026-12-31\n")
    session = 'time_zone = "Asia/Kolkata"\noverrides = "own.toml"\n'
    source = f'[market.source]\ntype = "nse"\nbase_url = "{exchange.url}"\n'
    Path("heatmap.toml").write_text(
        '[history]\nenabled = false\n[gates]\nstale_minutes = 0\n[[market]]\nname = "recorded"\n[market.source]\ntype = "recording"\n'
        f'[[market]]\nname = "own"\n{source}[market.session]\nopen = "09:00"\nclose = "15:00"\n{session}'
        f'[[market]]\nname = "always"\n{source}[market.session]\ncalendar = "always"\n'
    )

    code, err = installed.run("2027-01-04T11:00")

    assert (0, 0) == (code, installed.asked)
    assert ["own", "recorded"] == sorted(line.split(": ")[1] for line in err.splitlines())
    assert Path("site/own/index.html").exists()
    assert Path("site/always/index.html").exists()


def test_markets_that_share_a_calendar(exchange: Exchange, capsys: pytest.CaptureFixture[str]) -> None:
    """The list is asked for once, and told of in one line; both have it."""
    installed = Installation(exchange, capsys)
    with Path("heatmap.toml").open("a") as file:
        file.write(
            f'[[market]]\nname = "nifty"\n[market.source]\ntype = "nse"\nbase_url = "{exchange.url}"\n'
        )
    exchange.holidays = holiday_master(MADE_UP_2027)

    code, err = installed.run("2026-12-14T11:00")

    assert (0, 1, 1) == (code, err.count("\n"), installed.asked)
    assert 2 == installed.say("session", "--now", "2027-01-26T11:00:00+05:30").count("Republic Day")


@pytest.fixture
def looks(installed: Installation, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], bool]:
    """Whether a run looks at the market at all."""

    def run(now: str) -> bool:
        lasts = idle.is_idle(["run", "--now", at(now).isoformat()])
        assert 0 == installed.run(now)[0]
        return not lasts

    return run


def test_what_idles_past_the_calendars_end(looks: Callable[[str], bool]) -> None:
    """Nothing is read between the final page and the date's end, nor from the first look to the usual open."""
    looks("2026-12-31T15:52")
    looks("2026-12-31T16:00")
    assert not looks("2026-12-31T20:00")
    assert looks("2027-01-01T00:00")  # which asks for the list
    assert not looks("2027-01-01T00:05")
    assert not looks("2027-01-01T09:10")
    assert looks("2027-01-01T09:15")
    looks("2027-01-01T15:52")
    looks("2027-01-01T16:00")
    assert not looks("2027-01-01T23:55")
    assert looks("2027-01-02T00:00")  # a Saturday
    assert not looks("2027-01-02T12:00")


def test_a_night_before_unknown_hours_is_slept_through(looks: Callable[[str], bool]) -> None:
    """Until the date of the Muhurat session begins; on it every run looks."""
    looks("2026-11-06T11:00")
    looks("2026-11-07T03:00")
    assert not looks("2026-11-07T23:55")
    assert looks("2026-11-08T00:00")
    assert looks("2026-11-08T00:05")


def test_another_run_at_work(installed: Installation) -> None:
    """A run that finds the state directory held neither fails nor idles: the next one asks."""
    installed.run("2026-12-31T11:00")
    asked = installed.asked
    with lock(Path("state")):
        assert (0, "") == installed.run("2027-01-02T08:32")
    assert asked == installed.asked
    assert not idle.is_idle(["run", "--now", at("2027-01-02T08:37").isoformat()])
    installed.run("2027-01-02T08:37")
    assert asked < installed.asked


def test_a_new_calendar_ends_the_rest(installed: Installation) -> None:
    """The run that merges a list notes nothing of the calendar before it."""
    installed.exchange.holidays = holiday_master(MADE_UP_2027)
    installed.run("2027-01-02T08:32")

    assert not idle.is_idle(["run", "--now", (at("2027-01-02T08:32") + timedelta(seconds=1)).isoformat()])
