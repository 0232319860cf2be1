"""Backfilling from a stand-in for the exchange and from folders: the requests, the stored bars, the sentences."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from heatmap.errors import (
    HistoryError,
    HistoryImpossible,
    HistoryNonsense,
    SourceBlocked,
    SourceError,
    SourceOverloaded,
    SourceRenamed,
)
from heatmap.history import backfill
from heatmap.history.backfill import BackfillResult
from heatmap.history.options import HistoryOptions
from heatmap.history.store import Store, open_store
from heatmap.market.bars import Bar
from heatmap.market.calendar import packaged
from heatmap.market.calendar.packaged import SessionOptions
from heatmap.market.calendar.phases import Calendar, SymbolChange
from heatmap.market.calendar.session import Phase
from heatmap.market.quotes import Quote, Snapshot
from heatmap.sources.nse import archive_files, bhavcopy
from heatmap.sources.nse.archive_files import ArchiveFolder, ArchiveServer
from heatmap.sources.nse.site import BROWSER_HEADERS
from heatmap.system.http import client
from tests.checkout import CHECKOUT
from tests.servers.archives import CHANGES, FULL, UDIFF, Archives, Share, full, packed, share, udiff

MARKET = "nse-fno"
NOW = datetime(2026, 2, 20, 20, 0, tzinfo=UTC)
# A holiday on the Monday, and a session on the budget's Sunday.
FIRST, LAST = date(2026, 1, 26), date(2026, 2, 3)
SESSIONS = [date(2026, 1, 27), date(2026, 1, 28), date(2026, 1, 29), date(2026, 1, 30), date(2026, 2, 1), date(2026, 2, 2), date(2026, 2, 3)]  # fmt: skip


def shares(day: date) -> list[Share]:
    """Three shares whose closes follow from the day: each previous close is the close of the session before."""
    place = SESSIONS.index(day)
    return [
        share("TCS", 2000.0 + place, 2001.0 + place),
        share("M&M", 3000.0 + 2 * place, 3002.0 + 2 * place),
        share("BAJAJ-AUTO", 8000.0, 8000.0),
    ]


def bars(day: date) -> set[tuple[object, ...]]:
    """Return the bars of a session that must be stored."""
    return {
        (s.symbol, day, s.close, s.previous_close, float(s.volume), s.turnover_lakhs * 100_000)
        for s in shares(day)
    }


def stored_bars(store: Store) -> dict[date, set[tuple[object, ...]]]:
    """Return the stored bars, by session."""
    return {
        day: {
            (b.symbol, b.date, b.close, b.previous_close, b.volume, b.turnover)
            for b in store.bars(MARKET, day, 1)
        }
        for day in store.archived_sessions(MARKET)
    }


@pytest.fixture
def calendar(tmp_path: Path) -> Calendar:
    """The exchange's calendar."""
    return packaged.load(SessionOptions(), tmp_path)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty history."""
    with open_store(HistoryOptions(), tmp_path / "state", pytest.fail) as opened:
        yield opened


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries after temporary errors do not wait long."""
    monkeypatch.setattr(client, "BACKOFF_SECONDS", 0.0)
    monkeypatch.setattr(archive_files, "DEADLINE_SECONDS", 0.8)


class Output:
    """Records the sentences and the progress of a backfill."""

    def __init__(self) -> None:
        self.sentences: list[str] = []
        self.steps: list[tuple[date, int, int]] = []

    def progress(self, day: date, done: int, total: int) -> None:
        """Record a step."""
        self.steps.append((day, done, total))


def fill(
    store: Store,
    archives: ArchiveFolder | ArchiveServer,
    days: Sequence[date] = SESSIONS,
    aliases: Sequence[SymbolChange] = (),
) -> tuple[BackfillResult, Output]:
    """Backfill, and return the result."""
    output = Output()
    result = backfill.fill(
        store, MARKET, days, archives, aliases=aliases, say=output.sentences.append, progress=output.progress
    )
    return result, output


def exchange(server: Archives) -> ArchiveServer:
    """Return the archive server of the stand-in."""
    return ArchiveServer(server.url, server.url, BROWSER_HEADERS)


def server_of(days: Sequence[date] = SESSIONS, **options: object) -> Archives:
    """Return a stand-in with these days."""
    return Archives({day: shares(day) for day in days}, **options)  # type: ignore[arg-type]


def test_sessions_are_those_of_the_calendar(calendar: Calendar) -> None:
    """No holiday, no ordinary weekend, but the special Sunday; only sessions whose prices are final."""
    assert SESSIONS == backfill.find_settled_sessions(calendar, FIRST, LAST, NOW)
    before = datetime(
        2026, 2, 3, 10, 14, tzinfo=UTC
    )  # a minute before the session settles, at 15:45 in India
    assert SESSIONS[:-1] == backfill.find_settled_sessions(calendar, FIRST, LAST, before)
    assert SESSIONS == backfill.find_settled_sessions(calendar, FIRST, LAST, before.replace(minute=15))
    # The Muhurat session of 8 Nov 2026, whose hours the calendar does not know, counts from the next day on.
    diwali = date(2026, 11, 8)
    assert [] == backfill.find_settled_sessions(
        calendar, diwali, diwali, datetime(2026, 11, 8, 18, 0, tzinfo=UTC)
    )
    assert [diwali] == backfill.find_settled_sessions(
        calendar, diwali, diwali, datetime(2026, 11, 8, 18, 30, tzinfo=UTC)
    )


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("forms", [("full",), ("udiff",), ("full", "udiff")])
def test_every_session_is_kept_whole(store: Store, forms: tuple[str, ...]) -> None:
    """With any forms on the server the bars are the same; each day is requested once, a closed day never."""
    with server_of(forms=forms) as server, exchange(server) as archives:
        result, output = fill(store, archives)

    assert BackfillResult(7, 21, 0, (), (), None) == result
    assert {day: bars(day) for day in SESSIONS} == stored_bars(store)
    assert [(day, done, 7) for done, day in enumerate(SESSIONS)] == output.steps
    wanted = [
        path
        for day in SESSIONS
        for path in (f"{FULL}{day:%d%m%Y}.csv", f"{UDIFF}{day:%Y%m%d}_F_0000.csv.zip")
    ]
    assert (wanted if forms == ("udiff",) else wanted[::2]) == server.paths


@pytest.mark.serial
@pytest.mark.paced
def test_no_more_than_three_requests_a_second(store: Store) -> None:
    """Each request comes a third of a second after the one before: after an answer, a 404 and a refusal."""
    with server_of(SESSIONS[:2], forms=("udiff",), needs_cookie=True) as server, exchange(server) as archives:
        fill(store, archives, SESSIONS[:2])

    times = [moment for moment, _ in server.seen]
    assert 6 == len(times)
    assert times[3] - times[0] >= 1
    assert times[5] - times[2] >= 1


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("forms", "asked"), [(("full",), 7), (("udiff",), 14)])
def test_cookies_are_fetched_where_they_are_asked_for(
    store: Store, forms: tuple[str, ...], asked: int
) -> None:
    """After a refusal the page is visited once, and the archive is requested again, whether it exists or not."""
    with server_of(forms=forms, needs_cookie=True) as server, exchange(server) as archives:
        result, _ = fill(store, archives)

    assert 7 == result.stored
    assert 1 == server.paths.count("/all-reports")
    assert asked + 2 == len(server.paths)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("fault", "kind", "asked"),
    [
        ("403", SourceBlocked, 3),  # twice, with the page between
        ("html", SourceBlocked, 3),
        ("hang", SourceBlocked, 3),
        ("429", SourceOverloaded, 1),
        ("500", SourceOverloaded, 3),
        ("short", SourceError, 3),
    ],
)
def test_what_ends_a_backfill(store: Store, fault: str, kind: type[Exception], asked: int) -> None:
    """Blocked, throttled or down: no more requests, stored sessions stay, and a later run continues."""
    with server_of() as server:
        server.faults[f"{SESSIONS[2]:%d%m%Y}"] = fault
        with exchange(server) as archives:
            result, _ = fill(store, archives)
        assert 2 + asked == len(server.paths)
        assert (2, kind) == (result.stored, type(result.stopped))
        assert set(SESSIONS[:2]) == set(stored_bars(store))
        server.faults.clear()
        with exchange(server) as archives:
            result, _ = fill(store, archives, SESSIONS[2:])

    assert (5, None) == (result.stored, result.stopped)
    assert {day: bars(day) for day in SESSIONS} == stored_bars(store)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("fault", ["500", "short"])
def test_trouble_that_passes_is_not_told(store: Store, fault: str) -> None:
    """After two failures of one archive in a row, the third attempt reads it."""
    with server_of() as server, exchange(server) as archives:
        server.faults[f"{SESSIONS[1]:%d%m%Y}"] = fault
        server.faulty_times = 2
        result, _ = fill(store, archives)

    assert (7, None, 9) == (result.stored, result.stopped, len(server.paths))


@pytest.mark.usefixtures("quick")
def test_a_damaged_form_is_replaced_by_the_other(store: Store) -> None:
    """If the first form is cut, of another day or no archive, the second is read, with a sentence."""
    with server_of() as server, exchange(server) as archives:
        for day, body in zip(SESSIONS, [full(LAST, shares(LAST)), b"SYMBOL, SERIES\n", b""], strict=False):
            server.faults[f"{FULL}{day:%d%m%Y}"] = body
        result, output = fill(store, archives)

    assert (7, ()) == (result.stored, result.problems)
    assert {day: bars(day) for day in SESSIONS} == stored_bars(store)
    assert 3 == len(output.sentences)
    assert "is of 03 Feb 2026, not of 27 Jan 2026" in output.sentences[0]
    assert all("was read instead" in sentence for sentence in output.sentences)


@pytest.mark.usefixtures("quick")
def test_a_day_that_cannot_be_used_is_a_problem_of_its_own(store: Store) -> None:
    """Both forms damaged: one sentence, nothing of that day is stored, all other days are."""
    with server_of() as server, exchange(server) as archives:
        server.faults[f"{SESSIONS[1]:%d%m%Y}"] = server.faults[f"{SESSIONS[1]:%Y%m%d}"] = b"nothing"
        result, _ = fill(store, archives)

    assert (6, 1) == (result.stored, len(result.problems))
    assert 2 == str(result.problems[0]).count("lacks the columns of an archive of shares")
    assert SESSIONS[1] not in stored_bars(store)


@pytest.mark.usefixtures("quick")
def test_sessions_without_an_archive(store: Store) -> None:
    """One archive is missing, and the others are read; after three in a row there are no more requests."""
    with server_of([SESSIONS[0], SESSIONS[2]]) as server, exchange(server) as archives:
        result, _ = fill(store, archives)

    assert (2, (SESSIONS[1], *SESSIONS[3:6])) == (result.stored, result.missing)
    assert isinstance(result.stopped, SourceRenamed)
    assert not any(f"{SESSIONS[6]:%d%m%Y}" in path for path in server.paths)


@pytest.mark.usefixtures("quick")
def test_an_archive_that_is_not_whole_is_refused(store: Store) -> None:
    """A file with less than half of the shares of the archive before was cut at the end of a line."""
    with server_of(forms=("full",)) as server, exchange(server) as archives:
        day = SESSIONS[1]
        server.bodies[f"{FULL}{day:%d%m%Y}.csv"] = full(day, shares(day)[:1])
        result, _ = fill(store, archives)

    assert 6 == result.stored
    assert "holds 1 shares, the archive of 27 Jan 2026 3: it is not whole" in str(result.problems[0])


def test_an_archive_is_compared_with_the_one_after_it_too(store: Store, tmp_path: Path) -> None:
    """Earlier sessions are read last, as a rule; an incomplete one that was stored before is reported."""
    first, second, third = SESSIONS[:3]
    files = {day: (f"sec_bhavdata_full_{day:%d%m%Y}.csv", full(day, shares(day))) for day in SESSIONS[:3]}
    small = (files[first][0], full(first, shares(first)[:1]))
    fill(store, ArchiveFolder(write(tmp_path / "second", files[second])), [second])

    result, _ = fill(store, ArchiveFolder(write(tmp_path / "first", small)), [first])
    assert 0 == result.stored
    assert "holds 1 shares, the archive of 28 Jan 2026 3: it is not whole" in str(result.problems[0])

    with open_store(HistoryOptions(), tmp_path / "other", pytest.fail) as other:
        _, output = fill(
            other,
            ArchiveFolder(write(tmp_path / "both", small, files[second], files[third])),
            [first, second, third],
        )
        assert [True, True] == [
            "there is no other session" in output.sentences[0],
            "27 Jan 2026 holds 1 shares only" in output.sentences[1],
        ]
        assert 2 == len(output.sentences)


def add_tick_of(store: Store, symbols: Sequence[str]) -> None:
    """Store a tick of the last session with these instruments."""
    as_of = datetime(2026, 2, 3, 10, 0, tzinfo=UTC)
    quotes = tuple(Quote(symbol, 0.0, last_price=5.0) for symbol in symbols)
    store.add_tick(MARKET, Snapshot("test", as_of, quotes), as_of.date(), Phase.OPEN)


def folder_of(path: Path, day: date, symbols: Sequence[str]) -> ArchiveFolder:
    """Return a folder with one archive of these shares."""
    body = full(day, [share(symbol, 5.0, 5.0) for symbol in symbols])
    return ArchiveFolder(write(path, (f"sec_bhavdata_full_{day:%d%m%Y}.csv", body)))


NAMES = [f"S{number}" for number in range(50)]


def test_an_archive_without_the_market_s_instruments_is_refused(store: Store, tmp_path: Path) -> None:
    """A trimmed file is refused, even as the first one: it has 24 of 50 instruments of the last tick."""
    add_tick_of(store, NAMES)
    day = SESSIONS[0]

    result, _ = fill(store, folder_of(tmp_path / "trimmed", day, NAMES[:24]), [day])

    assert (0, ()) == (result.stored, store.archived_sessions(MARKET))
    assert "holds 24 of the 50 instruments of the market: it is not whole" in str(result.problems[0])
    assert 1 == fill(store, folder_of(tmp_path / "half", day, NAMES[:25]), [day])[0].stored


def test_a_few_young_stocks_say_nothing_about_an_archive(store: Store, tmp_path: Path) -> None:
    """Of 49 stocks, one was listed by then: the archive is good, because only neighbouring archives count."""
    add_tick_of(store, NAMES[:49])
    first, second = SESSIONS[:2]
    others = [f"OTHER{number}" for number in range(9)]

    assert 1 == fill(store, folder_of(tmp_path / "first", first, [*others, NAMES[0]]), [first])[0].stored
    result, _ = fill(store, folder_of(tmp_path / "second", second, others[:4]), [second])
    assert "holds 4 shares, the archive of 27 Jan 2026 10: it is not whole" in str(result.problems[0])


def test_an_archive_has_the_symbols_of_its_day(store: Store, tmp_path: Path) -> None:
    """Instruments are recognized by changed symbols: changed before the tick, after it, or twice."""
    day, later, last = SESSIONS[0], SESSIONS[1], date(2026, 2, 10)
    add_tick_of(store, NAMES)
    aliases = [
        *(SymbolChange(f"OLD{number}", f"S{number}", later) for number in range(20)),
        *(SymbolChange(f"OLDER{number}", f"OLD{number}", later) for number in range(10)),
        *(SymbolChange(f"S{number}", f"NEW{number}", last) for number in range(20, 25)),
    ]
    symbols = [
        *(f"OLDER{number}" for number in range(10)),
        *(f"OLD{number}" for number in range(10, 20)),
        *NAMES[20:25],
    ]

    assert 1 == fill(store, folder_of(tmp_path / "files", day, symbols), [day], aliases)[0].stored
    assert set(symbols) == {bar.symbol for bar in store.bars(MARKET, day, 1)}  # kept as the exchange has it


EX_DAY = SESSIONS[2]


@pytest.mark.parametrize("phase", [Phase.OPEN, Phase.FINAL])
@pytest.mark.parametrize("is_archive_first", [False, True])
@pytest.mark.parametrize(
    ("last_price", "percent_change", "previous_close"),
    [
        (410.0, 2.5, 400.0),  # a bonus of 1:4 after 500.00
        (420.0, 0.8, 416.67),  # 1:5
        (450.0, -1.0, 454.55),  # 1:10
        (505.0, 1.0, 500.0),
        (290.0, 0.17, 289.51),  # adjusted to no ratio: to what the percent change counts from
    ],
)
def test_what_ticks_tell_of_a_split_is_kept(
    store: Store,
    tmp_path: Path,
    phase: Phase,
    is_archive_first: bool,  # noqa: FBT001 -- a case
    last_price: float,
    percent_change: float,
    previous_close: float,
) -> None:
    """The archive of an ex-date has the old previous close, 500; the day's quotes had the exchange's own."""
    as_of = datetime(EX_DAY.year, EX_DAY.month, EX_DAY.day, 10, 0, tzinfo=UTC)
    quote = Quote("TCS", percent_change, last_price=last_price, previous_close=previous_close, volume=5.0)
    body = full(EX_DAY, [share("TCS", 500.0, last_price, open=last_price), *shares(EX_DAY)[1:]])
    folder = ArchiveFolder(write(tmp_path / "files", (f"sec_bhavdata_full_{EX_DAY:%d%m%Y}.csv", body)))
    if is_archive_first and phase is Phase.FINAL:  # as where a final was late
        assert 1 == fill(store, folder, [EX_DAY])[0].stored
        assert 500.0 == store.bars(MARKET, EX_DAY, 1, ["TCS"])[0].previous_close
    store.add_tick(MARKET, Snapshot("test", as_of, (quote,)), EX_DAY, phase)

    for _ in range(2):  # and again
        assert 1 == fill(store, folder, [EX_DAY])[0].stored
        (kept_bar,) = store.bars(MARKET, EX_DAY, 1, ["TCS"])
        assert previous_close == pytest.approx(kept_bar.previous_close, abs=0.011)
        assert (last_price, 1000.0) == (kept_bar.close, kept_bar.volume)  # the archive's


class FullStore:
    """A store on a full disk: it stores a number of sessions, then no more."""

    def __init__(self, store: Store, room: int) -> None:
        self.store, self.room = store, room

    def __getattr__(self, name: str) -> object:
        """Return the store's attribute."""
        return getattr(self.store, name)

    def add_bars(self, _: str, bars: Sequence[Bar]) -> int:
        """Store a session, or raise as on a full disk."""
        self.room -= 1
        if self.room < 0:
            raise HistoryError("the disk is full")
        return len(bars)


@pytest.mark.usefixtures("quick")
def test_a_full_disk_ends_it_all(store: Store) -> None:
    """After the first failure of the store there are no more requests."""
    with server_of() as server, exchange(server) as archives:
        result, _ = fill(FullStore(store, 2), archives)  # type: ignore[arg-type] -- what is used of a store

    assert (2, 3, "the disk is full") == (result.stored, len(server.paths), str(result.stopped))


def write(folder: Path, *files: tuple[str, bytes]) -> Path:
    """Return a folder with these files."""
    folder.mkdir(exist_ok=True)
    for name, content in files:
        (folder / name).write_bytes(content)
    return folder


def test_a_folder_of_files_by_any_of_their_names(store: Store, tmp_path: Path) -> None:
    """Full and UDiFF, zipped or not, unsorted, among other files: all are read, in the order of time."""
    folder = write(
        tmp_path / "files",
        *((f"sec_bhavdata_full_{day:%d%m%Y}.csv", full(day, shares(day))) for day in SESSIONS[4:2:-1]),
        *(
            (f"BhavCopy_NSE_CM_0_0_0_{day:%Y%m%d}_F_0000.csv.zip", packed(udiff(day, shares(day))))
            for day in SESSIONS[:2]
        ),
        (f"BhavCopy_NSE_CM_0_0_0_{SESSIONS[2]:%Y%m%d}_F_0000.csv", udiff(SESSIONS[2], shares(SESSIONS[2]))),
        (f"sec_bhavdata_full_EQ_{SESSIONS[5]}.csv", full(SESSIONS[5], shares(SESSIONS[5]))),
        ("BhavCopy_NSE_FO_0_0_0_20260127_F_0000.csv.zip", b"another market"),
        ("notes.txt", b"mine"),
    )
    archives = ArchiveFolder(folder)

    result, output = fill(store, archives)

    assert SESSIONS[:6] == archives.days
    assert BackfillResult(6, 18, 0, (SESSIONS[6],), (), None) == result
    assert {day: bars(day) for day in SESSIONS[:6]} == stored_bars(store)
    first = "BhavCopy_NSE_CM_0_0_0_20260127_F_0000.csv.zip holds 3 shares, and there is no other session"
    assert [first] == [sentence[: len(first)] for sentence in output.sentences]


def test_files_of_the_wrong_day_and_twice(store: Store, tmp_path: Path) -> None:
    """A file of another day than its name has is refused; of two files of a day the complete one is read."""
    first, second, third = SESSIONS[:3]
    folder = write(
        tmp_path / "files",
        (f"sec_bhavdata_full_{first:%d%m%Y}.csv", full(second, shares(second))),
        (f"sec_bhavdata_full_{second:%d%m%Y} (1).csv", full(second, shares(second))[:-40]),
        (f"sec_bhavdata_full_{second:%d%m%Y}.csv", full(second, shares(second))),
        (f"sec_bhavdata_full_{third:%d%m%Y}.csv", full(third, shares(third))),
        (f"BhavCopy_NSE_CM_{third:%Y%m%d}.csv", udiff(third, [])),
    )

    result, output = fill(store, ArchiveFolder(folder), SESSIONS[:3])

    assert (
        2,
        ["sec_bhavdata_full_27012026.csv is of 28 Jan 2026, not of 27 Jan 2026: give the file of that day"],
    ) == (
        result.stored,
        [str(problem) for problem in result.problems],
    )
    assert {day: bars(day) for day in (second, third)} == stored_bars(store)
    cut = "sec_bhavdata_full_28012026 (1).csv breaks off in its last line: download it again"
    assert f"{cut}; sec_bhavdata_full_28012026.csv was read instead" == output.sentences[-1]


def test_a_folder_without_archives(tmp_path: Path) -> None:
    """An empty folder, or only other files: one sentence with the expected names."""
    with pytest.raises(HistoryImpossible, match="cannot be read"):
        ArchiveFolder(tmp_path / "nowhere")
    with pytest.raises(HistoryImpossible, match="sec_bhavdata_full_20072026"):
        ArchiveFolder(write(tmp_path / "files", ("notes.txt", b"mine")))


def test_a_file_that_cannot_be_read_is_a_problem_of_its_day(store: Store, tmp_path: Path) -> None:
    """A folder of that name, like a file without permission: one sentence; the other day is read."""
    first, second = SESSIONS[:2]
    folder = write(
        tmp_path / "files", (f"sec_bhavdata_full_{second:%d%m%Y}.csv", full(second, shares(second)))
    )
    (folder / f"sec_bhavdata_full_{first:%d%m%Y}.csv").mkdir()

    result, _ = fill(store, ArchiveFolder(folder), SESSIONS[:2])

    assert (1, HistoryNonsense) == (result.stored, type(result.problems[0]))


def test_closes_are_compared_across_backfills(store: Store, calendar: Calendar, tmp_path: Path) -> None:
    """An earlier span, read later, joins the sessions after it; a split between the two is found."""
    split = date(2026, 1, 30)
    files = []
    for day in SESSIONS:
        row = share(
            "TCS",
            400.2 if day == split else 2001.0 if day < split else 400.0,
            2001.0 if day < split else 400.0,
        )
        files.append((f"sec_bhavdata_full_{day:%d%m%Y}.csv", full(day, [row, *shares(day)[1:]])))
    archives = ArchiveFolder(write(tmp_path / "files", *files))

    fill(store, archives, SESSIONS[3:])
    later = backfill.verify(store, MARKET, calendar, SESSIONS[3], SESSIONS[6])
    fill(store, archives, SESSIONS[:3])
    earlier = backfill.verify(store, MARKET, calendar, SESSIONS[0], SESSIONS[2])

    assert (9, 9, ()) == later
    assert [("TCS", split, "1/5", 2001.0, 400.2)] == [
        (a.symbol, a.date, str(a.factor), a.earlier_close, a.price) for a in earlier.actions
    ]
    assert earlier.actions == backfill.verify(store, MARKET, calendar, split, LAST).actions
    assert [] == backfill.find_gaps(calendar, store.sessions(MARKET))
    assert [SESSIONS[4]] == backfill.find_gaps(calendar, (SESSIONS[3], SESSIONS[5]))


@pytest.mark.process
def test_a_kill_at_any_time_costs_nothing(tmp_path: Path) -> None:
    """The real command is killed during the third session; the next run requests only the remaining ones."""
    command = [
        sys.executable,
        "-m",
        "heatmap",
        "history",
        "backfill",
        "--from",
        str(FIRST),
        "--to",
        str(LAST),
    ]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    with server_of() as server:
        command += ["--archive-url", server.url]
        server.hold_after = 2
        running = subprocess.Popen(command, cwd=tmp_path, env=environment)
        try:
            assert server.reached.wait(30)
        finally:
            running.send_signal(signal.SIGKILL)
            running.wait(10)
        with open_store(HistoryOptions(), tmp_path / "state", pytest.fail) as store:
            assert {day: bars(day) for day in SESSIONS[:2]} == stored_bars(store)

        server.hold_after = sys.maxsize
        server.held.set()
        server.seen.clear()
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
        )

        assert (0, "") == (done.returncode, done.stderr)
        assert "5 sessions stored (15 bars), 2 already there" in done.stdout
        wanted = [f"{FULL}{day:%d%m%Y}.csv" for day in SESSIONS[2:]]
        assert [*wanted, CHANGES] == server.paths  # at the end it looks for symbols that changed
    with open_store(HistoryOptions(), tmp_path / "state", pytest.fail) as store:
        assert {day: bars(day) for day in SESSIONS} == stored_bars(store)


@pytest.mark.process
def test_kills_at_any_instant_leave_whole_sessions(tmp_path: Path) -> None:
    """Killed six times at seeded instants while it reads a folder, it never leaves half a session, and completes."""
    folder = tmp_path / "files"
    many = [share(f"S{number:03}", 100, 101) for number in range(600)]
    for day in SESSIONS:
        write(folder, (f"sec_bhavdata_full_{day:%d%m%Y}.csv", full(day, many)))
    command = [sys.executable, "-m", "heatmap", "history", "backfill", "--folder", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    instants = random.Random(20260720)
    stored = 0
    for _ in range(6):
        running = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL)
        with suppress(subprocess.TimeoutExpired):
            running.wait(instants.uniform(0.1, 0.5))
        running.kill()
        running.wait(10)
        with open_store(HistoryOptions(), tmp_path / "state", pytest.fail) as store:
            days = store.archived_sessions(MARKET)
            assert stored <= len(days)
            assert SESSIONS[: len(days)] == list(days)
            assert {600} >= {len(store.bars(MARKET, day, 1)) for day in days}
            stored = len(days)
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, timeout=60)
    with open_store(HistoryOptions(), tmp_path / "state", pytest.fail) as store:
        assert [600] * 7 == [len(store.bars(MARKET, day, 1)) for day in SESSIONS]


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_twenty_real_sessions_through_a_server(
    store: Store, calendar: Calendar, recorded_bodies: Path
) -> None:
    """The exchange's own files, served as by the exchange: every row is stored, no closed day is requested."""
    first, last = date(2026, 7, 20), date(2026, 8, 16)
    with Archives({}) as server, exchange(server) as archives:
        for file in (recorded_bodies / "bhavcopy").glob("sec_bhavdata_full_*.csv"):
            day = bhavcopy.find_date(file.name)
            server.bodies[f"{FULL}{day:%d%m%Y}.csv"] = file.read_bytes()
        days = backfill.find_settled_sessions(calendar, first, last, datetime(2026, 8, 17, tzinfo=UTC))
        result, _ = fill(store, archives, days)
        assert sorted(server.bodies) == sorted(server.paths)

    assert BackfillResult(20, 48_327, 0, (), (), None) == result
    assert 9 == len(backfill.verify(store, MARKET, calendar, first, last).actions)
    reliance = [bar.close for bar in store.bars(MARKET, last, 20, ["RELIANCE"])]
    texts = [server.bodies[f"{FULL}{day:%d%m%Y}.csv"].decode() for day in days]
    rows = [text.partition("\nRELIANCE,")[2].partition("\n")[0].split(",") for text in texts]
    assert [float(row[7]) for row in rows] == reliance
