"""The history's file: damaged in every way, locked, newer, full, without permission, of an older version."""

from __future__ import annotations

import gzip
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import pytest

from heatmap.errors import EXIT_CONFIGURATION, EXIT_TEMPORARY, HistoryError, HistoryImpossible
from heatmap.history import sqlite as module
from heatmap.history.options import HistoryOptions
from heatmap.history.schema import MIGRATIONS
from heatmap.history.sqlite import APPLICATION_ID, prepare_tables
from heatmap.market.calendar.session import Phase
from heatmap.state import cache
from tests.checkout import CHECKOUT
from tests.history.conftest import Place
from tests.history.figures import MARKET, MONDAY, at, bar, price, rows, sessions_from, snapshot, utc

FLIPS = 60
SYMBOLS = tuple(f"SYMBOL{number}" for number in range(60))
DAYS = sessions_from(MONDAY - timedelta(days=28), 20)
TODAY = MONDAY


def file_of(place: Place) -> Path:
    """Return the path of the database."""
    return place.folder / "history.sqlite"


def fill(place: Place) -> None:
    """A month of history, of several hundred pages, closed properly."""
    with place.open() as store:
        for day in DAYS:
            for hour in (10, 11, 12):
                store.add_tick(MARKET, snapshot(at(day, hour), SYMBOLS), day, Phase.OPEN)
            store.add_tick(MARKET, snapshot(at(day, 16), SYMBOLS), day, Phase.FINAL)


def use(place: Place) -> None:
    """Use every operation of a run."""
    with place.open() as store:
        store.status()
        for day in DAYS:
            store.ticks(MARKET, day)
        store.bars(MARKET, TODAY, 250)
        store.add_tick(MARKET, snapshot(at(TODAY, 10)), TODAY, Phase.OPEN)
        store.prune(HistoryOptions())


def check_in_use(place: Place) -> None:
    """Check that a tick of `use` is there."""
    with place.open() as store:
        assert rows(at(TODAY, 10)) == store.ticks(MARKET, TODAY)[0].rows


def zeros(start: float, end: float) -> Callable[[Path], None]:
    """Damage: zeros from one share of the file to another, in whole pages, as a disk or a file system leaves them."""

    def damage(path: Path) -> None:
        size = path.stat().st_size
        first, last = (int(size * share) // 4096 * 4096 for share in (start, end))
        with path.open("r+b") as file:
            file.seek(first)
            file.write(b"\0" * (last - first))

    return damage


def cut(share: float) -> Callable[[Path], None]:
    """Damage: cut off the end of the file."""
    return lambda path: os.truncate(path, int(path.stat().st_size * share))


def other_program(path: Path) -> None:
    """Damage: a valid database of another program."""
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")
        connection.commit()


def table_missing(path: Path) -> None:
    """Damage: one of the tables was dropped."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE bars")


def not_text(path: Path) -> None:
    """Damage: a date that is not valid UTF-8."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "UPDATE sessions SET date = CAST(x'ff' || date AS TEXT) WHERE date = (SELECT min(date) FROM sessions)"
        )
        connection.commit()


DAMAGES = {
    "half": cut(0.5),
    "hundred bytes": lambda path: os.truncate(path, 100),
    "one byte": lambda path: os.truncate(path, 1),
    "odd length": lambda path: os.truncate(path, path.stat().st_size - 777),
    "zeros": zeros(0, 1),
    "zeros at the start": zeros(0, 0.1),
    "zeros in the middle": zeros(0.3, 0.7),
    "zeros at the end": zeros(0.8, 1),
    "text": lambda path: path.write_text("symbol,price\nTCS,3000\n" * 500),
    "gzip": lambda path: path.write_bytes(gzip.compress(path.read_bytes())),
    "another program's": other_program,
    "a table missing": table_missing,
    "no text": not_text,
    "noise": lambda path: path.write_bytes(random.Random(7).randbytes(50_000)),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_set_aside(sqlite: Place, damage: str) -> None:
    """One sentence; the file is renamed with its content, and a new one in its place stores the present tick."""
    fill(sqlite)
    DAMAGES[damage](file_of(sqlite))
    content = file_of(sqlite).read_bytes()

    use(sqlite)
    check_in_use(sqlite)

    aside = sqlite.folder / "history.damaged-1.sqlite"
    assert content == aside.read_bytes()
    assert 1 == len(sqlite.warnings)
    assert f"the history {file_of(sqlite)} is damaged (" in sqlite.warnings[0]
    assert "it is set aside as history.damaged-1.sqlite and begins anew" in sqlite.warnings[0]
    assert ["history.sqlite"] == [
        name for name in os.listdir(sqlite.folder) if not name.startswith(aside.name)
    ]


def test_damaged_again_and_again(sqlite: Place) -> None:
    """Each damaged file stays under a name of its own."""
    for number in range(3):
        sqlite.folder.mkdir(exist_ok=True)
        file_of(sqlite).write_text(f"not a database {number}\n" * 40)
        with sqlite.open() as store:
            store.add_tick(MARKET, snapshot(at(MONDAY, 10)), MONDAY, Phase.OPEN)

    kept = [(sqlite.folder / f"history.damaged-{number}.sqlite").read_text()[:16] for number in (1, 2, 3)]
    assert ["not a database 0", "not a database 1", "not a database 2"] == kept
    assert 3 == len(sqlite.warnings)


def test_bytes_changed_anywhere(sqlite: Path, tmp_path: Path) -> None:
    """With any changed bytes, only the store's own errors are raised, and the run continues."""
    assert isinstance(sqlite, Place)
    fill(sqlite)
    whole = file_of(sqlite).read_bytes()
    dice = random.Random(20260914)
    aside = 0
    for number in range(FLIPS):
        place = Place(tmp_path / str(number))
        place.folder.mkdir()
        content = bytearray(whole)
        for _ in range(dice.choice((1, 20, 400))):
            content[dice.randrange(len(content))] = dice.randrange(256)
        file_of(place).write_bytes(content)

        try:
            use(place)
        except HistoryError as error:
            assert "\n" not in str(error)
        aside += (place.folder / "history.damaged-1.sqlite").exists()
        shutil.rmtree(place.folder)

    assert aside > FLIPS / 10


def test_another_process_has_set_it_aside_already(sqlite: Place) -> None:
    """Two processes that find the same damage rename the file once, and both use the new one."""
    fill(sqlite)
    zeros(0.3, 0.7)(file_of(sqlite))
    with sqlite.open() as one, sqlite.open() as two:
        for day in DAYS:
            one.ticks(MARKET, day)
        one.add_tick(MARKET, snapshot(at(TODAY, 10)), TODAY, Phase.OPEN)
        for day in DAYS:
            two.ticks(MARKET, day)

        assert 1 == len(two.ticks(MARKET, TODAY))
    assert 1 == len(sqlite.warnings)
    with sqlite.open() as store:
        assert 1 == len(store.ticks(MARKET, TODAY))
    assert not (sqlite.folder / "history.damaged-2.sqlite").exists()


def killed_writer(place: Place) -> list[bytes]:
    """Leave a log of six ticks that is not written into the file yet; return the log after each tick."""
    script = (
        "import os, sys\nfrom heatmap.market.calendar.session import Phase\nfrom tests.history.conftest import Place\n"
        "from tests.history.figures import MARKET, MONDAY, at, snapshot\nfrom pathlib import Path\n"
        "folder = Path(sys.argv[1])\nstore = Place(folder).open()\n"
        "for minute in range(6):\n"
        "    store.add_tick(MARKET, snapshot(at(MONDAY, 10, minute)), MONDAY, Phase.OPEN)\n"
        "    (folder / f'log{minute}').write_bytes((folder / 'history.sqlite-wal').read_bytes())\n"
        "os.kill(os.getpid(), 9)\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(CHECKOUT), *sys.path])}
    subprocess.run([sys.executable, "-c", script, place.folder], cwd=CHECKOUT, env=environment, check=False)
    logs = [place.folder / f"log{minute}" for minute in range(6)]
    contents = [log.read_bytes() for log in logs]
    for log in logs:
        log.unlink()
    return contents


@pytest.mark.process
@pytest.mark.parametrize("torn", ["cut", "zeros", "noise"])
def test_a_torn_log(sqlite: Place, torn: str) -> None:
    """A log that is cut within a frame, or has a foreign end: all complete frames before count."""
    sqlite.folder.mkdir()
    logs = killed_writer(sqlite)
    log = Path(f"{file_of(sqlite)}-wal")
    assert logs[5] == log.read_bytes()
    whole = len(logs[3])  # four ticks
    rest = logs[5][whole : whole + 700]
    log.write_bytes(
        logs[3] + {"cut": rest, "zeros": b"\0" * 5000, "noise": random.Random(3).randbytes(9000)}[torn]
    )

    with sqlite.open() as store:
        assert [utc(at(MONDAY, 10, minute)) for minute in range(4)] == [
            tick.as_of for tick in store.ticks(MARKET, MONDAY)
        ]
        assert store.add_tick(MARKET, snapshot(at(MONDAY, 10, 4)), MONDAY, Phase.OPEN).is_new
    with sqlite.open() as store:
        assert 5 == len(store.ticks(MARKET, MONDAY))
    assert [] == sqlite.warnings
    assert ["history.sqlite"] == os.listdir(sqlite.folder)


@pytest.mark.parametrize("end", ["-wal", "-journal"])
def test_a_log_that_is_none(sqlite: Place, end: str) -> None:
    """With a foreign file in place of the log, the database is as good as before."""
    fill(sqlite)
    Path(f"{file_of(sqlite)}{end}").write_bytes(random.Random(5).randbytes(5000))

    use(sqlite)
    check_in_use(sqlite)

    with sqlite.open() as store:
        assert 4 == len(store.ticks(MARKET, DAYS[0]))
    assert [] == sqlite.warnings


@pytest.mark.process
def test_a_damaged_file_takes_its_log_along(sqlite: Place) -> None:
    """A remaining log would be read into the new file: it is renamed together with the old one."""
    sqlite.folder.mkdir()
    killed_writer(sqlite)
    log = Path(f"{file_of(sqlite)}-wal").read_bytes()
    file_of(sqlite).write_text("not a database at all\n" * 400)

    with sqlite.open() as store:
        assert () == store.status()

    assert 1 == len(sqlite.warnings)
    assert log == (sqlite.folder / "history.damaged-1.sqlite-wal").read_bytes()


def test_an_empty_file_is_a_new_one(sqlite: Place) -> None:
    """An empty file after a kill at the very first instant is no damage."""
    sqlite.folder.mkdir()
    file_of(sqlite).touch()

    use(sqlite)
    check_in_use(sqlite)

    assert [] == sqlite.warnings


def test_a_file_that_was_emptied_is_reported(sqlite: Place) -> None:
    """A cache beside it shows that there was a history."""
    sqlite.folder.mkdir()
    file_of(sqlite).touch()
    cache.write(sqlite.folder / cache.replay_track_name(MARKET), "a key", ["a tape"])

    use(sqlite)
    check_in_use(sqlite)

    assert [
        (
            f"the history {file_of(sqlite)} was found empty and begins anew. To bring the daily bars back: "
            "`heatmap history backfill`"
        )
    ] == sqlite.warnings


def test_a_newer_version_is_left_alone(sqlite: Place) -> None:
    """The file is not changed or renamed; the sentence says what to do; the exit code is the configuration's."""
    fill(sqlite)
    with closing(sqlite3.connect(file_of(sqlite))) as connection:
        connection.execute("PRAGMA user_version = 99")
    content = file_of(sqlite).read_bytes()

    with pytest.raises(HistoryImpossible) as caught:
        sqlite.open()

    assert (
        "was written by a newer version of this program (its tables are of version 99, this one knows 2)"
        in str(caught.value)
    )
    assert EXIT_CONFIGURATION == caught.value.exit_code
    assert content == file_of(sqlite).read_bytes()
    assert ["history.sqlite"] == os.listdir(sqlite.folder)
    assert [] == sqlite.warnings


@pytest.fixture
def writer(sqlite: Place) -> Iterator[Place]:
    """Another process in the middle of a transaction."""
    with sqlite.open() as store:
        store.add_tick(MARKET, snapshot(at(MONDAY, 10)), MONDAY, Phase.OPEN)
    script = "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1], isolation_level=None)\nc.execute('BEGIN IMMEDIATE')\nprint('writing', flush=True)\nsys.stdin.read()\n"
    process = subprocess.Popen(
        [sys.executable, "-c", script, file_of(sqlite)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout
    assert b"writing\n" == process.stdout.readline()
    yield sqlite
    process.communicate()


@pytest.mark.process
def test_locked_by_another_process(writer: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Writing waits, then fails with a temporary error; reading continues; nothing is renamed."""
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.3)
    with writer.open() as store:
        assert 1 == len(store.ticks(MARKET, MONDAY))
        with pytest.raises(HistoryError) as caught:
            store.add_tick(MARKET, snapshot(at(MONDAY, 11)), MONDAY, Phase.OPEN)

    assert "is busy: another process has been writing it" in str(caught.value)
    assert EXIT_TEMPORARY == caught.value.exit_code
    assert [] == writer.warnings
    assert not (writer.folder / "history.damaged-1.sqlite").exists()


def test_a_folder_where_the_file_should_be(sqlite: Place) -> None:
    """It cannot be opened: one sentence, and the folder stays."""
    file_of(sqlite).mkdir(parents=True)

    with pytest.raises(HistoryImpossible, match="cannot be used"):
        sqlite.open()

    assert file_of(sqlite).is_dir()


CLOSED = """
import os, stat, sys
from pathlib import Path
import heatmap.history.sqlite
from heatmap.errors import HistoryError
from heatmap.market.calendar.session import Phase
from tests.history.conftest import Place
from tests.history.figures import MARKET, MONDAY, at, snapshot
sys.path[:] = []
folder, case = Path(sys.argv[1]), sys.argv[2]
if os.geteuid() == 0:
    os.chown(folder, 65534, 65534)
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
place = Place(folder)
if case != "new":
    with place.open() as store:
        store.add_tick(MARKET, snapshot(at(MONDAY, 10)), MONDAY, Phase.OPEN)
if case != "folder":
    (folder / "history.sqlite").exists() and (folder / "history.sqlite").chmod(0o444)
if case != "file":
    folder.chmod(0o555)
try:
    with place.open() as store:
        store.add_tick(MARKET, snapshot(at(MONDAY, 11)), MONDAY, Phase.OPEN)
    print("kept")
except HistoryError as error:
    print(error.exit_code, error)
folder.chmod(0o755)
print(sorted(os.listdir(folder)), place.warnings)
"""


@pytest.mark.process
@pytest.mark.parametrize("case", ["new", "file", "folder"])
def test_a_folder_or_file_that_is_read_only(case: str) -> None:
    """An error of the configuration; nothing is renamed. The test runs as an ordinary user."""
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to others
        folder = Path(name)
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(CHECKOUT), *sys.path])}
        done = subprocess.run(
            [sys.executable, "-c", CLOSED, folder, case],
            cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert "" == done.stderr
        said, listing = done.stdout.splitlines()
        assert said.startswith(f"{EXIT_CONFIGURATION} the history {folder}/history.sqlite cannot be used (")
        assert "damaged" not in listing
        assert listing.endswith(" []")
        assert (case != "new") == listing.startswith("['history.sqlite'")


FULL = """
import os, resource, sys
from pathlib import Path
import heatmap.history.sqlite
from heatmap.errors import HistoryError
from heatmap.market.calendar.session import Phase
from tests.history.conftest import Place
from tests.history.figures import MARKET, MONDAY, at, snapshot
folder = Path(sys.argv[1])
symbols = tuple(f"S{n}" for n in range(300))
place = Place(folder)
if sys.argv[2] == "limit":
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
kept, said = [], ""
try:
    with place.open() as store:
        for minute in range(240):
            store.add_tick(MARKET, snapshot(at(MONDAY, 10 + minute // 60, minute % 60), symbols), MONDAY, Phase.OPEN)
            kept.append(minute)
except HistoryError as error:
    said = f"{error.exit_code} {error}"
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
if len(sys.argv) > 3:
    os.unlink(sys.argv[3])  # make room
with place.open() as store:
    found = len(store.ticks(MARKET, MONDAY))
    store.add_tick(MARKET, snapshot(at(MONDAY, 15)), MONDAY, Phase.OPEN)
print(said)
print(len(kept), found, place.warnings, sorted(os.listdir(folder)))
"""


def check_full(done: subprocess.CompletedProcess[str]) -> None:
    """Check the history after a disk was full and had space again."""
    assert "" == done.stderr
    said, counts = done.stdout.splitlines()
    kept, found, rest = counts.split(" ", 2)
    assert said.startswith(f"{EXIT_TEMPORARY} the history ")
    assert "make room on the disk" in said
    assert 0 < int(kept) < 240
    assert kept == found
    assert "[] ['history.sqlite']" == rest


@pytest.mark.process
def test_a_file_that_may_not_grow(tmp_path: Path) -> None:
    """A limit on the size of files: one sentence; stored ticks stay, and later ticks are stored again."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(CHECKOUT), *sys.path])}
    check_full(
        subprocess.run(
            [sys.executable, "-c", FULL, tmp_path, "limit"],
            cwd=CHECKOUT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip
    )


@pytest.mark.real
def test_a_full_disk(tmp_path: Path) -> None:
    """A real file system without room: the same."""
    own = ["unshare", "-m" if os.geteuid() == 0 else "-rm", "sh", "-c"]
    mount = f"mount -t tmpfs -o size=1m none {tmp_path}"
    if (
        not shutil.which("unshare")
        or subprocess.run([*own, mount], capture_output=True, check=False).returncode
    ):
        pytest.skip("no file system may be mounted here: run the tests as root, or allow user namespaces")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(CHECKOUT), *sys.path])}
    ballast = tmp_path / "ballast"
    command = f'{mount} && mkdir {tmp_path}/state && head -c 300000 /dev/zero >{ballast} && exec "$@"'
    check_full(
        subprocess.run(
            [*own, command, "sh", sys.executable, "-c", FULL, tmp_path / "state", "disk", ballast],
            cwd=CHECKOUT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip
    )


def test_a_migration_keeps_what_was_there(sqlite: Place) -> None:
    """A file of an older version is migrated to the newest in one transaction, once."""
    fill(sqlite)
    more = (*MIGRATIONS, ("ALTER TABLE sessions ADD COLUMN note TEXT", "UPDATE sessions SET note = 'old'"))
    for _ in range(2):
        with closing(sqlite3.connect(file_of(sqlite), isolation_level=None)) as connection:
            prepare_tables(connection, more, "it")

            assert [(20, "old")] == connection.execute("SELECT count(*), max(note) FROM sessions").fetchall()
            assert (len(more), APPLICATION_ID) == tuple(
                connection.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("user_version", "application_id")
            )


def test_a_file_of_the_first_version(sqlite: Place) -> None:
    """It keeps its content, and supports the new operations."""
    sqlite.folder.mkdir(parents=True)
    with closing(sqlite3.connect(file_of(sqlite), isolation_level=None)) as connection:
        prepare_tables(connection, MIGRATIONS[:1], "it")
        connection.execute("INSERT INTO sessions VALUES ('nse', '2026-07-20', NULL, 1)")

    with sqlite.open() as store:
        store.share_values("nse", {"a": b"1"})
        assert ((date(2026, 7, 20),), b"1") == (store.sessions("nse"), store.shared_value("nse", "a"))
    assert [] == sqlite.warnings


def test_a_migration_that_fails_changes_nothing(sqlite: Place) -> None:
    """After half a migration the file is whole and of the old version."""
    fill(sqlite)
    more = (*MIGRATIONS, ("DROP TABLE bars", "SELECT nonsense"))
    with closing(sqlite3.connect(file_of(sqlite), isolation_level=None)) as connection:
        with pytest.raises(sqlite3.OperationalError):
            prepare_tables(connection, more, "it")

    with sqlite.open() as store:
        assert 20 * len(SYMBOLS) == len(store.bars(MARKET, TODAY, 250))
    assert [] == sqlite.warnings


def test_made_by_several_at_once(sqlite: Place) -> None:
    """The first process creates the tables; no process fails or finds damage."""
    for number in range(5):
        place = Place(sqlite.folder / str(number))
        start = threading.Barrier(4)
        failed: list[Exception] = []

        def work(
            place: Place = place, start: threading.Barrier = start, failed: list[Exception] = failed
        ) -> None:
            start.wait()
            try:
                with place.open() as store:
                    store.add_tick(MARKET, snapshot(at(MONDAY, 10)), MONDAY, Phase.OPEN)
            except Exception as error:
                failed.append(error)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert [] == failed
        assert [] == place.warnings


@pytest.mark.slow
def test_room_is_given_back(sqlite: Place) -> None:
    """After many deletions the file shrinks, and all other rows are whole."""
    symbols = tuple(f"SYMBOL{number}" for number in range(4000))
    days = sessions_from(MONDAY, 3)
    with sqlite.open() as store:
        for day in days:
            for minute in range(15):
                store.add_tick(MARKET, snapshot(at(day, 10, minute), symbols), day, Phase.OPEN)
            store.add_bars(MARKET, [bar("TCS", day, 5.0)])
    before = file_of(sqlite).stat().st_size

    with sqlite.open() as store:
        store.prune(HistoryOptions(tick_sessions=1))

    with sqlite.open() as store:
        assert 15 == len(store.ticks(MARKET, days[2]))
        assert price(7, at(days[2], 10, 3)) == store.ticks(MARKET, days[2])[3].rows["SYMBOL7"].last_price
    assert file_of(sqlite).stat().st_size < before / 2
    assert ["history.sqlite"] == os.listdir(sqlite.folder)


def test_what_is_added_is_in_the_file_at_the_end(sqlite: Place) -> None:
    """A closed history is one file that can be copied; it has no log."""
    with sqlite.open() as store:
        store.add_tick(MARKET, snapshot(at(MONDAY, 10)), MONDAY, Phase.OPEN)
        assert "history.sqlite-wal" in os.listdir(sqlite.folder)

    assert ["history.sqlite"] == os.listdir(sqlite.folder)
