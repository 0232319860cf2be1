"""The command as a person runs it: backfill, status, export, prune."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import BinaryIO

import pytest

from heatmap import cli
from heatmap.cli import commands
from heatmap.cli.progress import Progress
from heatmap.history import export
from tests.checkout import CHECKOUT
from tests.servers.archives import CHANGES, Archives, full, share

DAYS = [date(2026, 7, day) for day in (20, 21, 22)]
EVENING = ("--now", "2026-07-22T20:00:00+05:30")
STRANGE = (date(2020, 1, 1), date(2026, 7, 19), date(2026, 7, 23))  # unknown, a Sunday, tomorrow
NO_PYARROW = "pyarrow is not here: pip install 'market-heatmap[parquet]'"
SPLIT = [  # TCS became five shares on the second day; a name changed on the third
    [share("TCS", 2000.0, 2010.0), share("OLDNAME", 400.0, 404.0)],
    [share("TCS", 402.0, 410.0), share("OLDNAME", 404.0, 408.0)],
    [share("TCS", 410.0, 420.0), share("TMPV", 408.0, 410.0)],
]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def server() -> Iterator[Archives]:
    """The exchange's archives of three days."""
    with Archives(
        dict(zip(DAYS, SPLIT, strict=True)), changes=[("OLDNAME", "TMPV", "22-JUL-2026")]
    ) as running:
        yield running


def backfill(server: Archives, *more: str, days: Sequence[date] = DAYS) -> int:
    """Run `heatmap history backfill` against the stand-in."""
    span = ("--from", str(days[0]), "--to", str(days[-1]))
    return cli.main(["history", "backfill", "--archive-url", server.url, *span, *EVENING, *more])


def test_a_backfill_tells_what_it_did(
    here: Path, server: Archives, capsys: pytest.CaptureFixture[str]
) -> None:
    """Sessions, bars, closes compared, the split; silent on stderr, for there is no terminal. A second run asks nothing."""
    assert 0 == backfill(server)
    out, err = capsys.readouterr()
    assert ("", "nse-fno: 3 sessions stored (6 bars), 0 already there") == (err, out.splitlines()[0])
    assert "compared   4 previous closes: 3 equal the close before them" in out
    assert "a split or a bonus of 4:1 (1 became 5), so earlier prices count 1/5" in out
    asked = len(server.seen)

    assert 0 == backfill(server)
    assert "0 sessions stored (0 bars), 3 already there" in capsys.readouterr().out
    assert asked == len(server.seen)
    assert 0 == backfill(server, "--again")
    assert "3 sessions stored (6 bars), 0 already there" in capsys.readouterr().out


def test_without_dates_a_year_is_asked_for(
    here: Path, server: Archives, capsys: pytest.CaptureFixture[str]
) -> None:
    """From a year ago to the last session that is over; where the exchange has none of it, three are asked for."""
    code = cli.main(["history", "backfill", "--archive-url", server.url, *EVENING])

    assert 65 == code
    assert "/products/content/sec_bhavdata_full_21072025.csv" == server.paths[0]
    assert "no archive of 3 sessions in a row" in capsys.readouterr().err


def test_an_archive_that_is_not_there_yet(
    here: Path, server: Archives, capsys: pytest.CaptureFixture[str]
) -> None:
    """Today's comes in the evening, so its lack is no failure; that of an earlier session is: 75."""
    del server.bodies["/products/content/sec_bhavdata_full_22072026.csv"]
    del server.bodies["/content/cm/BhavCopy_NSE_CM_0_0_0_20260722_F_0000.csv.zip"]
    assert 0 == backfill(server)
    assert "not yet    22 Jul 2026" in capsys.readouterr().out

    assert 75 == cli.main(
        [
            "history",
            "backfill",
            "--archive-url",
            server.url,
            "--from",
            "2026-07-22",
            "--to",
            "2026-07-22",
            "--now",
            "2026-07-23T20:00:00+05:30",
        ]
    )
    assert "the exchange has no archive of 22 Jul 2026" in capsys.readouterr().err


@pytest.mark.parametrize(("fault", "code"), [("403", 75), ("html", 75), (b"nothing", 65)])
def test_a_failure_is_one_sentence_and_a_code(
    here: Path, server: Archives, capsys: pytest.CaptureFixture[str], fault: str | bytes, code: int
) -> None:
    """Blocked is temporary, nonsense is not; what came before is stored and told."""
    server.faults["22072026"] = server.faults["20260722"] = fault

    assert code == backfill(server)

    out, err = capsys.readouterr()
    assert "2 sessions stored (4 bars)" in out
    assert ("heatmap: ", 1) == (err[:9], err.count("\n"))


def test_a_folder_needs_no_dates(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All its sessions are read; what is missing between is told, and files of days without a known session."""
    folder = here / "files"
    folder.mkdir()
    for day, shares in ((DAYS[0], SPLIT[0]), (DAYS[2], SPLIT[2]), *((day, SPLIT[0]) for day in STRANGE)):
        (folder / f"sec_bhavdata_full_{day:%d%m%Y}.csv").write_bytes(full(day, shares))

    assert 0 == cli.main(["history", "backfill", "--folder", str(folder), *EVENING])

    out, err = capsys.readouterr()
    assert "2 sessions stored (4 bars)" in out
    assert "missing    21 Jul 2026" in out
    assert [
        "heatmap: not read, because the calendar has no finished session on these days: 01 Jan 2020, 19 Jul 2026, 23 Jul 2026",
        (
            "heatmap: sec_bhavdata_full_20072026.csv holds 2 shares, and there is no other session to compare it with; "
            "the exchange's own archives have more than 1,000: if it is not whole, download it again and read it with --again"
        ),
    ] == err.splitlines()
    assert 0 == cli.main(["history", "backfill", "--folder", str(folder), *EVENING, "--from", "2026-07-22"])
    assert "0 sessions stored (0 bars), 1 already there" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        (["backfill", "--from", "20-07-2026"], 64, "no date"),
        (["backfill", "--from", "2026-07-21", "--to", "2026-07-20"], 64, "lies after"),
        (
            ["backfill", "--from", "2019-01-01"],
            64,
            "the calendar nse-equity-fno has sessions from 2023-01-01",
        ),
        (["backfill", "--to", "2031-01-01"], 64, "to 2026-12-31"),
        (["backfill", "--to", "2019-01-01"], 64, "from 2023-01-01"),
        (["backfill", "--from", "2031-01-01"], 64, "from 2023-01-01"),
        (["backfill", "--market", "nyse"], 64, "no market 'nyse'"),
        (["backfill", "--folder", "nowhere"], 78, "nowhere cannot be read"),
        (["backfill", "--archive-url", "ftp://x"], 64, "--archive-url must be https://"),
        (["backfill", "--now", "10:00"], 64, "--now"),
        (["export", "--format", "xls"], 64, "xls"),
        (["export", "--output", "nowhere/x.csv"], 78, "nowhere/x.csv cannot be written"),
        (["forget"], 64, "forget"),
    ],
)
def test_wrong_usage(
    here: Path, capsys: pytest.CaptureFixture[str], argv: list[str], code: int, said: str
) -> None:
    """One sentence each; nothing is made."""
    assert code == cli.main(["history", *argv])

    err = capsys.readouterr().err
    assert said in err
    assert 1 == err.count("\n")


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("[history]\nenabled = false\n", 78, "switched off"),
        ('[[market]]\nname = "coins"\n[market.session]\ncalendar = "always"\n', 64, "coins never closes"),
        (
            '[[market]]\nname = "mine"\n[market.source]\ntype = "recording"\n',
            64,
            "has the source 'recording'",
        ),
    ],
)
def test_markets_without_archives(
    here: Path, capsys: pytest.CaptureFixture[str], text: str, code: int, said: str
) -> None:
    """A history that is off, a market that never closes, a source whose archives nobody knows."""
    (here / "heatmap.toml").write_text(text)

    assert code == cli.main(["history", "backfill"])
    assert said in capsys.readouterr().err


def test_status(here: Path, server: Archives, capsys: pytest.CaptureFixture[str]) -> None:
    """The command lists the saved sessions, the first of them, and those that the calendar has and the history lacks."""
    assert 0 == cli.main(["history", "status"])
    assert "nse-fno: nothing yet. The first run with the day's figures creates it" in capsys.readouterr().out
    backfill(server, days=DAYS[:1])
    backfill(server, days=DAYS[2:])
    capsys.readouterr()

    assert 0 == cli.main(["history", "status"])

    lines = capsys.readouterr().out.splitlines()
    assert [
        "nse-fno: 2 sessions with daily bars", "  first      20 Jul 2026", "  last       22 Jul 2026",
        "  archives   2 of them", "  missing    21 Jul 2026", "  ticks      0",
    ] == [*lines[:5], lines[6]]  # fmt: skip
    assert lines[5].startswith("  periods    the longest needs 260 sessions. To get earlier ones: ")
    assert lines[5].endswith(" history backfill")
    assert lines[7].startswith("size: ")


def closes(text: str) -> dict[tuple[str, str], float]:
    """The closes of an exported CSV file, by symbol and day."""
    return {
        (row["symbol"], row["date"][-2:]): float(row["close"]) for row in csv.DictReader(io.StringIO(text))
    }


def test_export(here: Path, server: Archives, capfd: pytest.CaptureFixture[str]) -> None:
    """As they were, or on today's terms and under today's symbols; by date; into a file or along a pipe."""
    backfill(server)
    capfd.readouterr()

    assert 0 == cli.main(["history", "export"])
    plain = closes(capfd.readouterr().out)
    assert 0 == cli.main(["history", "export", "--adjusted"])
    adjusted = closes(capfd.readouterr().out)
    assert 0 == cli.main(
        ["history", "export", "--from", "2026-07-21", "--to", "2026-07-21", "--format", "json"]
    )
    middle = json.loads(capfd.readouterr().out)

    assert {
        ("TCS", "20"): 2010, ("TCS", "21"): 410, ("TCS", "22"): 420,
        ("OLDNAME", "20"): 404, ("OLDNAME", "21"): 408, ("TMPV", "22"): 410,
    } == plain  # fmt: skip
    assert {
        ("TCS", "20"): 402, ("TCS", "21"): 410, ("TCS", "22"): 420,
        ("TMPV", "20"): 404, ("TMPV", "21"): 408, ("TMPV", "22"): 410,
    } == pytest.approx(adjusted)  # fmt: skip
    assert [["OLDNAME", "2026-07-21"], ["TCS", "2026-07-21"]] == [row[:2] for row in middle["bars"]]


def test_export_as_parquet(here: Path, server: Archives, capfd: pytest.CaptureFixture[str]) -> None:
    """Into a file that is there whole, or along a pipe; the same bars by date and symbol."""
    reader = pytest.importorskip("pyarrow.parquet", reason=NO_PYARROW)
    backfill(server)
    capfd.readouterr()

    assert 0 == cli.main(["history", "export", "--format", "parquet", "--output", "bars.parquet"])

    assert ["bars.parquet", "state"] == sorted(path.name for path in here.iterdir())
    table = reader.read_table(here / "bars.parquet").select(["date", "symbol", "close"]).to_pydict()
    assert [
        (DAYS[0], "OLDNAME", 404), (DAYS[0], "TCS", 2010), (DAYS[1], "OLDNAME", 408),
        (DAYS[1], "TCS", 410), (DAYS[2], "TCS", 420), (DAYS[2], "TMPV", 410),
    ] == list(zip(*table.values(), strict=True))  # fmt: skip
    assert ("", "") == capfd.readouterr()


@pytest.mark.process
def test_export_as_parquet_along_a_pipe(
    here: Path, server: Archives, capsys: pytest.CaptureFixture[str]
) -> None:
    """The bytes of the file; a reader that leaves early and a full disk end as they do for the other formats."""
    pytest.importorskip("pyarrow", reason=NO_PYARROW)
    backfill(server)
    cli.main(["history", "export", "--format", "parquet", "--output", "bars.parquet"])
    capsys.readouterr()
    command = [sys.executable, "-m", "heatmap", "history", "export", "--format"]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}

    def export_into(file: BinaryIO | int, name: str) -> tuple[int, bytes, bytes]:
        done = subprocess.run(
            [*command, name], env=environment, stdout=file, stderr=subprocess.PIPE, check=False, timeout=60
        )
        return done.returncode, done.stdout or b"", done.stderr

    assert (0, (here / "bars.parquet").read_bytes(), b"") == export_into(subprocess.PIPE, "parquet")
    for_nobody, pipe = os.pipe()
    os.close(for_nobody)
    try:
        assert export_into(pipe, "csv") == export_into(pipe, "parquet")
    finally:
        os.close(pipe)
    with Path("/dev/full").open("wb") as full_disk:
        code, _, said = export_into(full_disk, "parquet")
    sentence = b"heatmap: standard output cannot be written (No space left on device): give another file with --output\n"
    assert (78, sentence) == (code, said)


def test_export_as_parquet_without_pyarrow(
    here: Path, server: Archives, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence has this installation's command for the extra: 78. The last export stays, and the others work."""
    backfill(server)
    capsys.readouterr()
    (here / "bars.parquet").write_text("yesterday's")
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    assert 78 == cli.main(["history", "export", "--format", "parquet", "--output", "bars.parquet"])

    wanted = f"heatmap: an export as Parquet needs pyarrow: {commands.install('parquet')}\n"
    assert ("", wanted) == capsys.readouterr()
    assert "yesterday's" == (here / "bars.parquet").read_text()
    assert ["bars.parquet", "state"] == sorted(path.name for path in here.iterdir())
    for name in ("csv", "json"):
        assert 0 == cli.main(["history", "export", "--format", name, "--output", "bars"])


@pytest.mark.parametrize("fault", ["403", "500", b"<html>", b"OLDNAME,TMPV\n", b""])
def test_a_backfill_does_without_the_list_of_symbols(
    here: Path, server: Archives, capfd: pytest.CaptureFixture[str], fault: str | bytes
) -> None:
    """A file that cannot be read is reported and fails nothing; earlier data stay."""
    assert 0 == backfill(server)
    kept = (here / "state/sources/nse-symbols.json").read_text()
    capfd.readouterr()
    server.faults[CHANGES] = fault

    assert 0 == backfill(server, "--again")

    told = capfd.readouterr().err
    assert (fault == b"") != ("the exchange's list of symbol changes is not used: " in told)
    assert kept == (here / "state/sources/nse-symbols.json").read_text()
    assert '["OLDNAME","TMPV","2026-07-22"]' in kept
    assert "OLD1" not in kept.replace("OLDNAME", "")  # of 2020, when no session was


def test_an_export_names_what_it_could_not_adjust(
    here: Path, server: Archives, capfd: pytest.CaptureFixture[str]
) -> None:
    """A demerger's bars are written as they were, and a sentence on stderr says of whom."""
    shares = [share("TCS", 2010.0, 900.0, open=890.0), SPLIT[1][1]]
    server.bodies[f"/products/content/sec_bhavdata_full_{DAYS[1]:%d%m%Y}.csv"] = full(DAYS[1], shares)
    backfill(server, days=DAYS[:2])
    capfd.readouterr()

    assert 0 == cli.main(["history", "export", "--adjusted"])

    out, err = capfd.readouterr()
    assert (2010, 900) == (closes(out)["TCS", "20"], closes(out)["TCS", "21"])
    assert err.startswith(
        "heatmap: the bars of TCS are on different terms before and after an event that no split or bonus"
    )
    assert 0 == cli.main(["history", "export"])
    assert "" == capfd.readouterr().err


def test_an_adjustment_after_the_span_does_not_count(
    here: Path, server: Archives, capfd: pytest.CaptureFixture[str]
) -> None:
    """Bars are on the terms of the last session written out."""
    backfill(server)
    capfd.readouterr()

    assert 0 == cli.main(["history", "export", "--adjusted", "--to", "2026-07-20"])
    assert 2010 == closes(capfd.readouterr().out)["TCS", "20"]


def test_a_failed_export_leaves_the_last_one(
    here: Path, server: Archives, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that fills up half-way: the file of yesterday is untouched, and nothing lies beside it."""

    def fill_up(_bars: object, _market: str, file: BinaryIO) -> None:
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setitem(export.FORMATS, "csv", fill_up)
    (here / "bars.csv").write_text("yesterday's")

    assert 78 == cli.main(["history", "export", "--output", "bars.csv"])

    assert "bars.csv cannot be written (No space left on device)" in capsys.readouterr().err
    assert "yesterday's" == (here / "bars.csv").read_text()
    assert ["bars.csv", "state"] == sorted(path.name for path in here.iterdir())


@pytest.mark.process
def test_a_full_disk_is_told(here: Path, server: Archives, capsys: pytest.CaptureFixture[str]) -> None:
    """Where standard output is a full disk, a sentence says so."""
    backfill(server)
    capsys.readouterr()
    command = [sys.executable, "-m", "heatmap", "history", "export"]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    with Path("/dev/full").open("wb") as full_disk:
        done = subprocess.run(
            command, env=environment, stdout=full_disk, stderr=subprocess.PIPE, check=False, timeout=30
        )

    assert (
        78,
        b"heatmap: standard output cannot be written (No space left on device): give another file with --output\n",
    ) == (
        done.returncode,
        done.stderr,
    )


def test_prune(here: Path, server: Archives, capsys: pytest.CaptureFixture[str]) -> None:
    """Ticks older than the configured number of sessions are deleted."""
    backfill(server)
    (here / "heatmap.toml").write_text("[history]\ntick_sessions = 1\nbar_sessions = 2\n")
    capsys.readouterr()

    assert 0 == cli.main(["history", "prune"])
    assert "0 ticks and the daily bars of 1 sessions are deleted" in capsys.readouterr().out
    assert 0 == cli.main(["history", "status", "--config", "heatmap.toml"])
    assert "first      21 Jul 2026" in capsys.readouterr().out


@pytest.mark.process
def test_on_a_terminal_one_line_tells_how_far_it_is(here: Path, server: Archives) -> None:
    """The line is redrawn in place, tells what is left, and is gone at the end."""
    command = [sys.executable, "-m", "heatmap", "history", "backfill", "--archive-url", server.url]
    command += ["--from", str(DAYS[0]), "--to", str(DAYS[-1]), *EVENING]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, stderr=theirs, check=True, timeout=60
        )
        os.close(theirs)
        screen = os.read(ours, 10_000).decode()
    finally:
        os.close(ours)

    drawn = screen.split("\r")
    assert "\n" not in screen
    assert "[------------------------] 20 Jul 2026: 0 done, 3 to go" == drawn[1]
    assert drawn[2].startswith("[########----------------] 21 Jul 2026: 1 done, 2 to go, ")
    assert drawn[2].rstrip().endswith(" s left")
    assert "" == drawn[-2].strip()
    assert b"3 sessions stored" in done.stdout


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Yes."""
        return True


def test_rate_and_time_left_follow_the_clock() -> None:
    """Two sessions in a second, 198 to go: a hundred seconds; a sentence between takes a line of its own."""
    times = iter([100.0, 100.0, 101.0, 7300.0])
    screen = Terminal()
    with Progress(screen, lambda: next(times)) as progress:
        progress(DAYS[0], 0, 200)
        progress(DAYS[0], 2, 200)
        progress.print_above("heatmap: a sentence")
        progress(DAYS[0], 100, 200)

    lines = [line.strip() for line in screen.getvalue().replace("\n", "\n\r").split("\r") if line.strip()]
    assert "2 done, 198 to go, 2.0/s, 2 min left" == lines[1].partition(": ")[2]
    assert "heatmap: a sentence" == lines[2]
    assert "100 done, 100 to go, 0.0/s, 2.0 h left" == lines[3].partition(": ")[2]
