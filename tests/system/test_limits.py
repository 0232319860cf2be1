"""How much is accepted of what is read, and that no process takes 100 MB for what is just accepted."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from heatmap.cli import main
from heatmap.config.loader import load
from heatmap.errors import EXIT_DATA, HistoryNonsense, SourceReshaped
from heatmap.history import pending_actions, period_starts
from heatmap.history.corporate_actions import CorporateAction
from heatmap.history.options import HistoryOptions
from heatmap.history.store import open_store
from heatmap.market import snapshot_json
from heatmap.market.bars import Bar
from heatmap.market.calendar import phases
from heatmap.market.quotes import Quote
from heatmap.run import one_run
from heatmap.sources.nse import bhavcopy, lots
from heatmap.sources.nse import body as nse_body
from heatmap.system import limits
from tests.checkout import CHECKOUT
from tests.doubles import MemoryPublisher, MemorySource, configuration
from tests.servers.archives import FULL_HEADER

MOST_MEGABYTES = 100
DAY = date(2026, 7, 20)
OPEN = datetime.fromisoformat("2026-09-17T11:00:10+05:30")
CONFIGURATION = '[[market]]\nname = "all"\n[[market.source]]\ntype = "file"\npath = "relay.json"\n'
# The page, its state and its history are written by the run itself. Prints the peak in megabytes.
MEASURED = """
import re, sys
from pathlib import Path
{work}
print(int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) // 1024)
"""
RUN = "from heatmap.cli import main\ncode = main(['run', '--now', sys.argv[1]])\nprint(code)"
PARSE = """
from datetime import date
from heatmap.errors import HistoryNonsense
from heatmap.sources.nse import bhavcopy
try:
    print(len(bhavcopy.parse(Path(sys.argv[1]).read_bytes(), date(2026, 7, 20)).bars))
except HistoryNonsense as error:
    print(0)
"""


def quote(number: int, **changes: Any) -> dict[str, Any]:
    """A quote with every figure there is, and the longest symbol that may be."""
    percent = round(number % 400 / 20 - 10, 2)
    return {
        "symbol": f"S{number:05d}".ljust(32, "X"),
        "name": f"Company {number} of India Limited",
        "sector": f"Sector {number % limits.SECTORS}",
        "percent_change": percent,
        "last_price": round(1000 * (1 + percent / 100), 2),
        "previous_close": 1000.0,
        "open": 1000.5,
        "high": 1200.2,
        "low": 800.1,
        "volume": 9_374_431 + number,
        "turnover": 1_234_567_890.12 + number,
        "free_float_market_cap": 1e11 + number,
        "year_high": 3000.5,
        "year_low": 500.5,
        "changes": {"1mo": {"percent": 1.5, "since": "2026-08-18"}, "1y": {"percent": 9.5, "since": None}},
        **changes,
    }


def relay(count: int, make: Callable[[int], dict[str, Any]] = quote, minute: int = 0) -> bytes:
    """A snapshot.json of so many quotes."""
    document = {
        "schema": snapshot_json.SCHEMA,
        "source": "nse",
        "as_of": f"2026-09-17T11:{minute:02d}:00+05:30",
        "session": {"phase": "open"},
        "quotes": [make(number) for number in range(count)],
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def measured(folder: Path, work: str, argument: str) -> tuple[int, int]:
    """Do work in a process of its own; return what it printed, and its peak in megabytes."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURED.format(work=work), argument],
        cwd=folder,
        env={"PYTHONPATH": str(CHECKOUT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "" == done.stderr
    answer, megabytes = done.stdout.split()
    return int(answer), int(megabytes)


FULL: dict[str, Callable[[int], dict[str, Any]]] = {
    "all figures": quote,
    "wide names": lambda number: quote(
        number,
        symbol=f"\u0915{number:05d}".ljust(32, "\u0915"),
        name=f"{number}".ljust(120, "\U00020000"),
        sector=f"{number % limits.SECTORS}".ljust(120, "\U00020001"),
    ),
    "names to be escaped": lambda number: quote(
        number, name='"' * 120, sector="<" * 110 + str(number % limits.SECTORS)
    ),
    "doubts": lambda number: (
        quote(number, percent_change=None, doubts={f"p{place}": "w" * 290 for place in range(3)})
        if number % 2
        else quote(number)
    ),
    "periods": lambda number: quote(
        number,
        changes={
            f"p{place}xxxxxxxx": {"percent": 1.5, "since": "2026-01-01"} for place in range(limits.PERIODS)
        },
    ),
}


@pytest.mark.process
@pytest.mark.process
@pytest.mark.parametrize("kind", FULL)
def test_a_market_as_large_as_may_be(tmp_path: Path, kind: str) -> None:
    """A run of the most quotes there may be is drawn with less than 100 MB, and so is the next of the session."""
    (tmp_path / "heatmap.toml").write_text(CONFIGURATION)
    for minute in (0, 5):
        body = relay(limits.QUOTES, FULL[kind], minute)
        if kind == "doubts":  # a quote without a percent change stands in a list of its own
            document = json.loads(body)
            quotes = document["quotes"]
            document["quotes"], document["unknown"] = quotes[::2], quotes[1::2]
            body = json.dumps(document).encode()
        assert len(body) <= limits.SNAPSHOT_BYTES
        (tmp_path / "relay.json").write_bytes(body)

        code, megabytes = measured(tmp_path, RUN, f"2026-09-17T11:{minute:02d}:10+05:30")

        assert 0 == code
        assert megabytes < MOST_MEGABYTES


@pytest.mark.process
@pytest.mark.slow
def test_a_year_of_an_index_of_500(tmp_path: Path) -> None:
    """The first run of a session reads a year of bars of each instrument; of 500 they take less than 100 MB."""
    (tmp_path / "heatmap.toml").write_text(CONFIGURATION)
    (tmp_path / "relay.json").write_bytes(relay(500))
    symbols, day, kept = [quote(number)["symbol"] for number in range(500)], date(2026, 9, 16), 0
    calendar = load(tmp_path / "heatmap.toml").markets[0].calendar
    with open_store(HistoryOptions(), tmp_path / "state", print) as store:
        while kept < period_starts.YEAR_SESSIONS:
            if phases.session_on(calendar, day):
                close = 1000.0 + kept  # yesterday was always a rupee more
                figures = (day, close, close + 9, close - 9, close, close + 1, 1e6, 1e9)
                kept += store.add_bars("all", [Bar(symbol, *figures) for symbol in symbols]) // 500
            day -= timedelta(days=1)

    code, megabytes = measured(tmp_path, RUN, "2026-09-17T11:00:10+05:30")

    assert 0 == code
    assert megabytes < MOST_MEGABYTES
    assert b'"60d"' in (tmp_path / "site/all/history.json").read_bytes()


@pytest.mark.server
@pytest.mark.parametrize(
    ("body", "said"),
    [
        (relay(95_000, lambda number: {"symbol": f"A{number}", "percent_change": 1}), "95,000 quotes"),
        (relay(limits.QUOTES + 1), "2,501 quotes, and 2,500 are the most"),
        (relay(limits.SECTORS + 1, lambda number: quote(number, sector=f"sector {number}")), "251 sectors"),
        (
            relay(50, lambda number: quote(number, changes={f"p{number}": {"percent": 1, "since": None}})),
            "50 periods, more than 24",
        ),
        (relay(50, lambda number: quote(number, doubts={f"p{number}": "why"})), "periods, more than 24"),
    ],
    ids=["quotes", "one quote more", "sectors", "periods", "doubts"],
)
def test_a_market_that_is_too_large(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], body: bytes, said: str
) -> None:
    """It is refused as other bad data is: one sentence, exit 65, and the last good page stays."""
    arguments = ["run", "--config", str(tmp_path / "heatmap.toml"), "--now"]
    (tmp_path / "heatmap.toml").write_text(CONFIGURATION)
    (tmp_path / "relay.json").write_bytes(relay(60))
    assert 0 == main([*arguments, OPEN.isoformat()])
    page = (tmp_path / "site/index.html").read_bytes()
    (tmp_path / "relay.json").write_bytes(body)
    capfd.readouterr()

    assert EXIT_DATA == main([*arguments, "2026-09-17T11:05:10+05:30"])

    out, err = capfd.readouterr()
    assert ("", 1) == (out, err.count("\n"))
    assert said in err
    assert page == (tmp_path / "site/index.html").read_bytes()


def test_a_source_of_any_kind(tmp_path: Path) -> None:
    """The limit also holds for a plugin, and for an archive with a long list of stocks."""
    quotes = tuple(Quote(f"S{number}", 1.0) for number in range(limits.QUOTES + 1))
    config = configuration(tmp_path, MemorySource(quotes=quotes), MemoryPublisher())

    report = one_run.run(config, now=OPEN)

    assert EXIT_DATA == report.exit_code
    assert "it has 2,501 quotes, and 2,500 are the most" in str(report.errors[0])


def test_an_answer_of_the_exchange() -> None:
    """The exchange's answers are bounded by their rows, too."""
    rows = [{"symbol": f"A{number}", "pChange": 1} for number in range(limits.QUOTES + 1)]

    with pytest.raises(SourceReshaped, match="2,501 rows, and 2,500 are the most"):
        nse_body.parse({"data": rows, "timestamp": "17-Sep-2026 16:00:28"})


def archive_rows(row: Callable[[int], str]) -> bytes:
    """An archive as large as may be, of these rows."""
    rows = f"{FULL_HEADER}\n".encode()
    number = 0
    while len(rows) < limits.ARCHIVE_BYTES:
        rows += b"".join(row(each).encode() for each in range(number, number + 1000))
        number += 1000
    return rows[: limits.ARCHIVE_BYTES]


SHARE = "A{0}, EQ, 20-Jul-2026, 10, 10, 11, 9, 10, 10, 10, 5, 1, 1, 5, 100\n"
ARCHIVES: dict[str, Callable[[], bytes]] = {
    "rows": lambda: archive_rows(SHARE.format),
    "short rows": lambda: archive_rows(lambda _: "a\n"),
    "columns": lambda: ",".join(f"c{number}" for number in range(limits.ARCHIVE_BYTES // 9)).encode(),
    "one row": lambda: f"{FULL_HEADER}\n".encode() + b"a," * (limits.ARCHIVE_BYTES // 2 - 100),
    "one row of many lines": lambda: archive_rows(lambda _: '"a\n",'),
    "wide characters": lambda: archive_rows(lambda _: "\U00020000" * 90 + "\n"),
}


@pytest.mark.process
@pytest.mark.process
@pytest.mark.parametrize("kind", ARCHIVES)
def test_an_archive_as_large_as_may_be(tmp_path: Path, kind: str) -> None:
    """Any bytes are refused, and take less than 100 MB."""
    path = tmp_path / "archive"
    path.write_bytes(ARCHIVES[kind]())

    shares, megabytes = measured(tmp_path, PARSE, str(path))

    assert 0 == shares
    assert megabytes < MOST_MEGABYTES


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            f"{FULL_HEADER}\n".encode() + "".join(map(SHARE.format, range(limits.ARCHIVE_ROWS + 1))).encode(),
            "more than 20,000 rows",
        ),
        (",".join(f"c{number}" for number in range(201)).encode(), "201 columns, and 200 are the most"),
        (b" " * (limits.ARCHIVE_BYTES + 1), "more than 4,194,304 bytes"),
    ],
    ids=["rows", "columns", "bytes"],
)
def test_an_archive_that_is_too_large(body: bytes, said: str) -> None:
    """One sentence says which limit it is beyond."""
    with pytest.raises(HistoryNonsense, match=said):
        bhavcopy.parse(body, DAY)


@pytest.mark.parametrize(
    ("body", "said"),
    [(b"x" * (limits.LOTS_BYTES + 1), "1,048,576 bytes"), (b"x,y\n" * (limits.LOTS + 1), "5,000 rows")],
    ids=["bytes", "rows"],
)
def test_a_list_of_lots_that_is_too_large(body: bytes, said: str) -> None:
    """It is refused before anything is made of it."""
    with pytest.raises(SourceReshaped, match=said):
        lots.parse(body)


def test_actions_that_wait() -> None:
    """Of thousands, as odd archives give, the newest are kept: a file of 90 MB was read by every tick."""
    found = [
        CorporateAction(
            f"S{number:04d}", date(2025, 1, 1) + timedelta(days=number % 300), None, None, 100.0, 10.0
        )
        for number in range(3000)
    ]

    kept = pending_actions.select(found)

    assert limits.PENDING_ACTIONS == len(kept)
    assert min(each.date for each in kept) == date(2025, 1, 1) + timedelta(days=250)
    assert sorted(kept) == list(kept)
