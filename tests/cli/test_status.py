"""`heatmap status` as people and programs read it, after real ticks against the stand-in exchange."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shlex
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from heatmap import cli
from heatmap.history.options import HistoryOptions
from heatmap.history.store import open_store
from heatmap.market.bars import Bar
from heatmap.state import run_log
from heatmap.state.run_log import RunOutcome
from tests.servers.exchange import Exchange

OPEN = datetime.fromisoformat("2026-11-20T11:02:00+05:30")
NIGHT = datetime.fromisoformat("2026-11-20T22:00:00+05:30")
FIVE_MINUTES = timedelta(minutes=5)


class Here:
    """An installation in a folder, and the exchange that it asks."""

    def __init__(self, folder: Path, exchange: Exchange, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.exchange = exchange
        self.capsys = capsys

    def tick(self, now: datetime) -> int:
        """Run one, as cron would; the exchange's figures are of that moment."""
        self.exchange.now = now
        code = cli.main(["run", "--now", now.isoformat()])
        self.capsys.readouterr()
        return code

    def status(self, now: datetime, *more: str) -> tuple[int, str]:
        """Ask: the code and what is said; nothing goes to stderr."""
        code = cli.main(["status", "--now", now.isoformat(), *more])
        out, err = self.capsys.readouterr()
        assert "" == err
        return code, out

    def document(self, now: datetime, *more: str) -> dict[str, Any]:
        """Ask as a program does."""
        code, out = self.status(now, "--json", *more)
        document: dict[str, Any] = json.loads(out)
        assert code == document["exit_code"]
        return document


@pytest.fixture
def here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Here]:
    """An installation, as the current folder."""
    monkeypatch.chdir(tmp_path)
    with Exchange() as exchange:
        (tmp_path / "heatmap.toml").write_text(
            f'[page]\npng = false\n[[market]]\nname = "nse-fno"\n[market.source]\ntype = "nse"\nbase_url = "{exchange.url}"\n'
        )
        yield Here(tmp_path, exchange, capsys)


def test_all_is_well(here: Here) -> None:
    """The first line says so; below it stand page, tick, market, calendar, history, disk."""
    here.tick(OPEN)
    code, out = here.status(OPEN + FIVE_MINUTES)

    lines = out.splitlines()
    assert (0, "All is well.", "nse-fno") == (code, lines[0], lines[2])
    assert "  page       210 quotes as of Fri 20 Nov 2026 11:02 IST, 5 minutes ago, from nse" in lines
    assert "  last run   Fri 20 Nov 2026 11:02 IST, 5 minutes ago: published" in lines
    assert "  market     open. Trading until 15:15." in lines
    assert any(line.startswith("  next open  Mon 23 Nov 2026 09:15 IST") for line in lines)
    assert "  calendar   nse-equity-fno, known until 31 Dec 2026" in lines
    assert "    20 Nov  11:02           published" in lines
    assert re.search(r"^  history    [\d.]+ kB$", out, re.MULTILINE)
    assert re.search(r"^  disk       [\d,.]+ GB of [\d,.]+ GB free$", out, re.MULTILINE)
    assert re.search(rf"^  state      [\d.]+ kB in {re.escape(str(here.folder))}/state$", out, re.MULTILINE)
    assert all(len(line) <= 100 for line in lines if str(here.folder) not in line)


def test_a_block_is_told_first_with_what_to_do(here: Here) -> None:
    """Status names the failure, how often it came, until when the source rests, the page, and the last good run."""
    here.tick(OPEN)
    here.exchange.fault = "403"
    codes = [here.tick(OPEN + number * FIVE_MINUTES) for number in (1, 2, 3, 4)]
    now = OPEN + 4 * FIVE_MINUTES + timedelta(minutes=1)
    code, out = here.status(now)

    assert [75, 75, 75, 0] == codes
    flat = " ".join(out.split())
    assert (75, "Something is wrong:") == (code, out.splitlines()[0])
    assert "- nse-fno: the last run failed (blocked, as the 2 before it): the exchange gave no quotes" in flat
    assert "nse is left alone until Fri 20 Nov 2026 11:27 IST, so that a ban is not prolonged" in flat
    assert "nse blocked 3 times in a row: not used until Fri 20 Nov 2026 11:27 IST" in flat
    assert "last good Fri 20 Nov 2026 11:02 IST, 21 minutes ago" in flat
    assert "20 Nov 11:07 to 11:17 3 times blocked: " in flat
    assert "20 Nov 11:22 resting: " in flat
    (market,) = here.document(now)["markets"]
    assert [{"source": "nse", "until": "2026-11-20T05:57:00+00:00", "blocks": 3}] == market["resting"]
    assert ["published", "blocked", "blocked", "blocked", "resting"] == [
        each["outcome"] for each in market["ticks"]
    ]


def test_a_failure_of_each_kind_has_its_code(here: Here) -> None:
    """The code of the last tick is that of the status; when it goes well again, so does the status."""
    for number, (fault, code) in enumerate([(None, 0), ("empty", 65), ("403", 75), (None, 0)]):
        here.exchange.fault = fault
        now = OPEN + number * FIVE_MINUTES
        assert code == here.tick(now)
        assert code == here.status(now)[0]


def test_where_cron_has_stopped(here: Here) -> None:
    """That no tick comes is said plainly, though nothing has failed."""
    here.tick(OPEN)
    code, out = here.status(OPEN + timedelta(hours=1))

    flat = " ".join(out.split())
    assert 75 == code
    assert (
        "no run has come since Fri 20 Nov 2026 11:02 IST, though the market is open: check that cron" in flat
    )


def test_a_command_is_never_broken(here: Here) -> None:
    """A command of a long sentence stands whole on one line, with the program's and the configuration's paths."""
    here.tick(OPEN)
    _, out = here.status(OPEN + timedelta(hours=1))

    (line,) = (
        line.strip() for line in out.splitlines() if line.endswith("heatmap.toml") and " --config " in line
    )
    program, *words = shlex.split(line)
    assert Path(program).is_file()
    installed_or_not = ([], ["-m", "heatmap"])  # then with the interpreter and PYTHONPATH before it
    assert ["schedule", "--config", str(here.folder / "heatmap.toml")] == words[-3:]
    assert words[:-3][-2:] in installed_or_not


def test_a_run_has_one_line(here: Here) -> None:
    """However long its sentence is, and also one of several lines; the document has all of it."""
    here.tick(OPEN)
    path = here.folder / "state" / run_log.FILE_NAME
    kept = json.loads(path.read_text("utf-8").splitlines()[-1])
    sentence = "FIRST " + "word " * 60 + "\nLAST"
    outcomes_now = {
        **kept,
        "at": (OPEN + FIVE_MINUTES).isoformat(),
        "exit_code": 78,
        "outcome": "configuration",
        "sentence": sentence,
    }
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(outcomes_now) + "\n")
    _, out = here.status(OPEN + 2 * FIVE_MINUTES)

    ticks = out[out.index("oldest first") : out.index("this machine")].strip().splitlines()[1:]
    assert ["11:02", "11:07"] == [line.split()[2] for line in ticks]
    assert all(len(line) <= 100 for line in ticks)
    assert ticks[1].endswith("…")


def test_which_configuration(
    here: Here, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is named; in another folder, where the defaults apply, the first lines say that there is none."""
    here.tick(OPEN)
    assert f"  config     {here.folder / 'heatmap.toml'}\n" in here.status(OPEN + FIVE_MINUTES)[1]

    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.chdir(elsewhere)
    flat = " ".join(here.status(NIGHT)[1].split())
    assert flat.startswith("All is well, but:")
    assert f"configuration: none. There is no heatmap.toml in {elsewhere}" in flat
    assert here.document(NIGHT)["configuration"] is None


def test_before_anything(here: Here) -> None:
    """A fresh installation, on a closed market: nothing is wrong, and nothing is made."""
    code, out = here.status(NIGHT)

    assert (0, "All is well, but:") == (code, out.splitlines()[0])
    assert "  page       none yet" in out
    assert not (here.folder / "state").exists()


def test_as_a_document(here: Here) -> None:
    """Every fact as a program wants it: times in ISO 8601, sizes in bytes, ages in seconds."""
    here.tick(OPEN)
    found = here.document(OPEN + FIVE_MINUTES)

    (market,) = found.pop("markets")
    (tick,) = market.pop("ticks")
    assert 0 < found.pop("state_bytes") < 10_000_000
    assert 0 < found.pop("history_bytes") < 10_000_000
    assert 0 < found.pop("free_bytes") < found.pop("disk_bytes")
    assert {
        "schema": "market-heatmap-health/1",
        "now": "2026-11-20T11:07:00+05:30",
        "exit_code": 0,
        "troubles": [],
        "configuration": str(here.folder / "heatmap.toml"),
        "state_directory": str(here.folder / "state"),
        "running_pid": None,
    } == found
    assert {
        "market": "nse-fno",
        "exit_code": 0,
        "as_of": "2026-11-20T11:02:00+05:30",
        "age_seconds": 300,
        "source": "nse",
        "published_at": "2026-11-20T11:02:00+05:30",
        "phase": "open",
        "reason": "Trading until 15:15.",
        "next_open": "2026-11-23T09:15:00+05:30",
        "calendar_end": "2026-12-31",
        "calendar_is_presumed": False,
        "resting": [],
        "pending_actions": [],
        "archive": [],
    } == market
    assert 0 < tick.pop("seconds") < 60
    assert {
        "at": "2026-11-20T11:02:00+05:30",
        "exit_code": 0,
        "outcome": "published",
        "sentence": "",
        "source": "nse",
        "quotes": 210,
        "as_of": "2026-11-20T11:02:00+05:30",
    } == tick


def test_archived_days_that_a_target_lacks(here: Here) -> None:
    """Which days are still to be brought, by their dates; how many are kept no longer; nothing once all is there."""
    with (here.folder / "heatmap.toml").open("a") as file:
        file.write('[[publish]]\nurl = "file:site"\n[[publish]]\nurl = "file:mnt/disk/site"\n')
    final = datetime.fromisoformat("2026-11-20T15:47:00+05:30")
    later = final + timedelta(hours=1)
    assert [75, 75] == [here.tick(moment) for moment in (OPEN, final)]

    target = f"file:{here.folder}/mnt/disk/site"
    told = " ".join(here.status(final + FIVE_MINUTES)[1].split())
    assert (
        f"- nse-fno: {target} lacks the archived map of 20 Nov 2026: the next runs that reach it upload it"
        in told
    )
    (market,) = here.document(final + FIVE_MINUTES)["markets"]
    assert [{"target": target, "pending": ["2026-11-20"], "missing": []}] == market["archive"]

    kept = here.folder / "state" / "archive-nse-fno-2026-11-20.zip"
    aside = kept.rename(here.folder / "aside.zip")
    told = " ".join(here.status(final + FIVE_MINUTES)[1].split())
    assert (
        f"archive {target} lacks the archived map of 20 Nov 2026, which this machine no longer has: copy nse-fno/2026/11/20/ and so on"
        in told
    )
    aside.rename(kept)
    (here.folder / "mnt" / "disk").mkdir(parents=True)
    assert 0 == here.tick(later)
    assert (here.folder / "mnt/disk/site/nse-fno/2026/11/20/snapshot.csv").exists()
    code, told = here.status(later + FIVE_MINUTES)
    assert (0, True) == (code, told.startswith("All is well.\n"))


def before_actions(here: Here) -> None:
    """Give the history two sessions: on the second the price of RELIANCE broke, and TCS may have been split."""
    here.tick(OPEN)
    (here.folder / "overrides.toml").write_text("")
    config = (here.folder / "heatmap.toml").read_text()
    (here.folder / "heatmap.toml").write_text(f'{config}[market.session]\noverrides = "overrides.toml"\n')
    with open_store(HistoryOptions(), here.folder / "state", pytest.fail) as store:
        rows = store.ticks("nse-fno", OPEN.date())[-1].rows
        bars = []
        for symbol, times in (("RELIANCE", 2.7), ("TCS", 2.0)):
            close = round((rows[symbol].last_price or 0) / (1 + rows[symbol].percent_change / 100), 2)
            first = round(close * times, 2)
            bars += [
                Bar(symbol, date(2026, 11, 18), first, first, first, first, first, 1e6, 1e9),
                Bar(symbol, date(2026, 11, 19), close, close, close, close, first, 1e6, 1e9),
            ]
        store.add_bars("nse-fno", bars)
    here.tick(OPEN + FIVE_MINUTES)


def test_what_waits_for_an_action_is_told_with_the_lines_to_write(here: Here) -> None:
    """Unexplained ones first, and in the first lines; a probable one may be confirmed. What is written is settled."""
    before_actions(here)
    now = OPEN + 2 * FIVE_MINUTES

    code, out = here.status(now)

    lines = out.splitlines()
    assert (0, "All is well, but:") == (code, lines[0])
    assert lines[1].startswith("  - nse-fno: RELIANCE needs an [[action]] in your overrides file")
    begin = lines.index("  actions    please confirm them in your overrides file (docs/calendar.md):")
    asked = [
        "[[action]]", 'symbol = "RELIANCE"', "date = 2026-11-19",
        'factor = "?"    # what earlier prices count, such as "3/8"; "1" if they are comparable',
        "[[action]]", 'symbol = "TCS"', "date = 2026-11-19", 'factor = "1/2"  # or "1" if there was none',
    ]  # fmt: skip
    assert asked == [line.strip() for line in lines[begin:] if line.startswith(" " * 8)]
    assert "no split or bonus explains it" in " ".join(out.split())
    assert "probably a bonus of 1:1" in " ".join(
        out.split()
    ) or "probably a split or a bonus of 1:1" in " ".join(out.split())
    pending = here.document(now)["markets"][0]["pending_actions"]
    assert [("RELIANCE", "2026-11-19", None), ("TCS", "2026-11-19", "1/2")] == [
        (each["symbol"], each["date"], each["factor"]) for each in pending
    ]

    # The lines as they are, with a factor in the place of the question mark.
    (here.folder / "overrides.toml").write_text("\n".join(asked).replace("?", "10/27"))
    assert [] == here.document(now)["markets"][0]["pending_actions"]  # before the next run
    here.tick(now)
    assert "actions" not in here.status(now)[1]


def test_history_status_tells_the_same(here: Here) -> None:
    """From the history itself, of the stocks of the market alone."""
    before_actions(here)
    with open_store(HistoryOptions(), here.folder / "state", pytest.fail) as store:
        for day, close in ((date(2026, 11, 18), 100.0), (date(2026, 11, 19), 30.0)):
            store.add_bars("nse-fno", [Bar("OTHER", day, close, close, close, close, 100.0, 1e6, 1e8)])

    assert 0 == cli.main(["history", "status"])

    out = here.capsys.readouterr().out
    assert ['symbol = "RELIANCE"', 'symbol = "TCS"'] == [
        line.strip() for line in out.splitlines() if "symbol" in line
    ]


def test_how_many_ticks_are_told(here: Here) -> None:
    """The last so many; those that ended alike share a line."""
    ticks = [
        RunOutcome(
            "nse-fno",
            OPEN + number * FIVE_MINUTES,
            0 if number % 10 else 75,
            "published" if number % 10 else "network",
        )
        for number in range(20)
    ]
    run_log.append(here.folder / "state", ticks)
    now = ticks[-1].at

    assert 20 == len(here.document(now)["markets"][0]["ticks"])
    assert 3 == len(here.document(now, "--ticks", "3")["markets"][0]["ticks"])
    assert [] == here.document(now, "--ticks", "0")["markets"][0]["ticks"]
    told = [line.strip() for line in here.status(now)[1].splitlines() if line.startswith("    20 Nov")]
    assert [
        "20 Nov  11:02           network",
        "20 Nov  11:07 to 11:47  9 times published",
        "20 Nov  11:52           network",
        "20 Nov  11:57 to 12:37  9 times published",
    ] == told


@pytest.mark.parametrize(
    "options", [["--ticks", "-1"], ["--ticks", "x"], ["--market", "nowhere"], ["--now", "noon"]]
)
def test_what_cannot_be_asked(here: Here, options: list[str]) -> None:
    """Exit 64 and a sentence."""
    assert 64 == cli.main(["status", *options])
    assert 1 == len(here.capsys.readouterr().err.splitlines())


def test_a_run_at_work_is_told_and_one_that_outlives_itself(here: Here) -> None:
    """Status names the run that holds the lock; beyond its deadline it says what to do."""
    run_log.append(here.folder / "state", [RunOutcome("nse-fno", OPEN - FIVE_MINUTES, 0, "published")])
    with (here.folder / "state/lock").open("w") as file:
        file.write(run_log.write_marker({"nse-fno": OPEN}))
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX)
        code, out = here.status(OPEN + timedelta(seconds=20))
        assert (0, True) == (
            code,
            f"  lock       a run is active: process {os.getpid()}" in out.splitlines(),
        )
        code, out = here.status(OPEN + timedelta(minutes=4))
    assert 75 == code
    assert f"process {os.getpid()} holds the lock long after its deadline" in " ".join(out.split())
    assert "All is well" not in out


def test_a_run_that_was_killed_is_known_at_once(here: Here) -> None:
    """Before the next tick has found its mark; asking changes nothing."""
    run_log.append(here.folder / "state", [RunOutcome("nse-fno", OPEN - FIVE_MINUTES, 0, "published")])
    (here.folder / "state/lock").write_text(run_log.write_marker({"nse-fno": OPEN}))
    before = {path: path.read_bytes() for path in (here.folder / "state").iterdir()}
    code, out = here.status(OPEN + timedelta(seconds=20))

    assert 75 == code
    assert "the last run failed (killed): the run ended without a word" in " ".join(out.split())
    assert before == {path: path.read_bytes() for path in (here.folder / "state").iterdir()}


def test_markets_are_told_apart(here: Here) -> None:
    """Each has its own page, ticks and troubles; the code is what they share, or 75."""
    text = (here.folder / "heatmap.toml").read_text()
    (here.folder / "heatmap.toml").write_text(
        text + '[[market]]\nname = "other"\n[market.source]\ntype = "recording"\n'
    )
    run_log.append(
        here.folder / "state",
        [RunOutcome("nse-fno", OPEN, 65, "changed", "no"), RunOutcome("other", OPEN, 0, "published")],
    )

    assert (65, 0) == (here.status(OPEN)[0], here.status(OPEN, "--market", "other")[0])
    run_log.append(here.folder / "state", [RunOutcome("other", OPEN, 77, "untrusted", "no")])
    assert 75 == here.status(OPEN)[0]
    assert "2 things are wrong:" == here.status(OPEN)[1].splitlines()[0]


def test_a_disk_with_little_room_is_told(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing has failed yet."""
    here.tick(OPEN)
    monkeypatch.setattr(
        "shutil.disk_usage", lambda _: type("Usage", (), {"free": 5_000_000, "total": 10**10})
    )
    code, out = here.status(OPEN)

    assert (0, "All is well, but:") == (code, out.splitlines()[0])
    assert "only 5.0 MB are free" in out


def test_a_state_that_cannot_be_read(here: Here) -> None:
    """It may be another user's, and is no bug: exit 78 and what to do."""
    (here.folder / "state/outcomes.jsonl").mkdir(parents=True)

    assert 78 == cli.main(["status"])
    out, err = here.capsys.readouterr()
    assert ("", 1) == (out, len(err.splitlines()))
    file = here.folder / "state/outcomes.jsonl"
    assert f"{file} cannot be read (it is a folder, not a file): use the account of the cron job" in err
