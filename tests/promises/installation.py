"""An installation with every part on, and what must be true of it after a run that was ended from outside.

Four targets on real servers, a history in SQLite or PostgreSQL, an archive with its feed, an alert with a web
hook, pings, a textfile and pictures. The figures follow from the session and the tick, so that all that must
be there is known without a record of it.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from shutil import copyfile
from tempfile import mkdtemp
from xml.etree import ElementTree as ET

from tests.history import markets
from tests.history.figures import MARKET, at
from tests.promises import kinds
from tests.promises.places import Branch, Place
from tests.servers.hooks import Hooks
from tests.servers.postgresql import Postgresql

KINDS = ("file", "sftp@openssh", "ftp@vsftpd", "git+file")
SYMBOLS = tuple(f"STOCK{number}" for number in range(210))
TIMES = ((9, 20), (10, 30), (12, 0), (15, 50))  # of a session's ticks; the last one is its final
FINAL = len(TIMES) - 1
LATER = timedelta(minutes=5)  # until cron's next run
MOVERS = 3  # instruments that each tick finds beyond the alert's threshold for the first time
MOVE_PERCENT = 5.0
AGED_SECONDS = 7200
HOOK, PING = "/hook", "/ping"


@dataclass
class Installation:
    """One that runs, with its servers. `moments` are the ticks whose run ended with exit code 0."""

    folder: Path
    places: list[Place]
    hooks: Hooks
    postgresql: Postgresql | None
    sessions: tuple[date, ...]
    database: str = ""
    moments: list[datetime] = field(default_factory=list)
    closes: dict[str, float] = field(
        default_factory=lambda: {name: 100.0 + n for n, name in enumerate(SYMBOLS)}
    )
    finals: int = 0  # how many sessions are over

    def __post_init__(self) -> None:
        """Write the configuration."""
        for name in ("tmp", "metrics"):
            (self.folder / name).mkdir(parents=True)
        for name, path in (("hook", HOOK), ("ping", PING)):
            (self.folder / name).touch(0o600)
            (self.folder / name).write_text(self.hooks.url + path, "utf-8")
        history = ""
        if self.postgresql:
            url = self.postgresql.url()
            self.database = url.rpartition("/")[2]
            history = f'[history]\nurl = "{url}"\npassword_env = "TEST_PASSWORD"\n'
        (self.folder / "heatmap.toml").write_text(
            f'public_url = "https://example.org/"\n[[market]]\nname = "{MARKET}"\n[market.source]\ntype = "file"\n'
            f'path = "figures.json"\n{history}[monitor]\nping_url_file = "ping"\ntextfile = "metrics/heatmap.prom"\n'
            f'[[alert]]\nname = "moves"\nchange_percent = {MOVE_PERCENT - 1}\nurl_file = "hook"\n'
            + "".join(place.table() for place in self.places),
            "utf-8",
        )

    def figures(self, session: int, tick: int) -> dict[str, tuple[float, float]]:
        """Price and percent change of each instrument at a session's tick."""
        movers = {
            SYMBOLS[(session * len(TIMES) * MOVERS + number) % len(SYMBOLS)]
            for number in range(MOVERS * (tick + 1))
        }
        found = {}
        for number, symbol in enumerate(SYMBOLS):
            before = self.closes[symbol]
            percent = MOVE_PERCENT if symbol in movers else ((number + session + tick) % 9 - 4) / 10
            last = round(before * (1 + percent / 100), 2)
            found[symbol] = (last, round((last / before - 1) * 100, 2))
        return found

    def movers(self, session: int, tick: int) -> set[str]:
        """The instruments of which the alert must have told by a session's tick."""
        return {
            name for name, (_, percent) in self.figures(session, tick).items() if percent > MOVE_PERCENT - 1
        }

    def prepare(self, session: int, tick: int, moment: datetime) -> None:
        """Write the source's answer of a moment."""
        is_final = tick == FINAL
        as_of = at(self.sessions[session], *TIMES[FINAL]) if is_final else moment
        quotes = [
            {
                "symbol": symbol, "percent_change": percent, "last_price": last,
                "previous_close": self.closes[symbol], "open": last, "high": last + 1, "low": last - 1,
                "volume": 1000 * (as_of.hour - 8) + as_of.minute, "turnover": 1e6 + as_of.minute,
            }
            for symbol, (last, percent) in self.figures(session, tick).items()
        ]  # fmt: skip
        document = {
            "schema": "market-heatmap/1", "source": "test", "as_of": as_of.isoformat(), "currency": "INR",
            "session": {"phase": "final" if is_final else "open"}, "is_open": not is_final, "quotes": quotes,
        }  # fmt: skip
        (self.folder / "figures.json").write_text(json.dumps(document), "utf-8")

    def end_session(self, session: int) -> None:
        """Take over the closes of a session that is over."""
        self.closes = {name: last for name, (last, _) in self.figures(session, FINAL).items()}
        self.finals = session + 1

    @property
    def environment(self) -> Mapping[str, str]:
        """What a run of it has in its environment."""
        secret = {"TEST_PASSWORD": self.postgresql.password} if self.postgresql else {}
        return {**os.environ, **secret, "TMPDIR": str(self.folder / "tmp")}

    def told(self, day: date) -> list[str]:
        """The instruments of which the web hook was told in a session, as often as it was told."""
        bodies = [json.loads(call.body) for call in tuple(self.hooks.calls) if call.path == HOOK]
        return [
            event["symbol"]
            for body in bodies
            if body["session"] == day.isoformat()
            for event in body["events"]
        ]

    def faults(self, possible: set[datetime]) -> list[str]:
        """What is wrong at this moment, be it just after the end of a run; `possible`: of when pages may be."""
        return [
            *(fault for place in self.places for fault in _faults_of(place, possible)),
            *self._faults_of_state(),
            *self._faults_of_database(),
        ]

    def faults_at_rest(self, as_of: datetime, final_days: set[date]) -> list[str]:
        """What is wrong after a run that ended well: all of one run, at every target; nothing is left behind."""
        faults = []
        first, *others = [_pages(place) for place in self.places]
        for place, files in zip(self.places[1:], others, strict=True):
            different = sorted(
                name for name in first.keys() | files.keys() if first.get(name) != files.get(name)
            )
            faults += [f"{place.kind}: differs from file: {different}"] if different else []
        if _as_of(first) != {as_of}:
            faults.append(f"pages of {_as_of(first)}, not of {as_of}")
        listed = {date.fromisoformat("-".join(each)) for each in _listed(first)}
        if listed != final_days:
            faults.append(f"the archive lists {sorted(listed ^ final_days)} wrongly")
        for place in self.places:
            faults += [
                f"{place.kind}: {name} is left behind" for name in place.files() if name.endswith(".tmp")
            ]
            if isinstance(place, Branch):
                faults += [f"{path} is left behind" for path in place.root.rglob("*.lock")]
        for top in ("state", "tmp", "metrics"):
            found = [path for path in (self.folder / top).rglob("*") if ".tmp" in path.name or top == "tmp"]
            faults += [f"{path.relative_to(self.folder)} is left behind" for path in found]
        return faults

    def age(self) -> None:
        """Make what a killed run left behind two hours older, as if that much time had passed."""
        then = time.time() - AGED_SECONDS
        for place in self.places:
            if isinstance(place, Branch):
                for path in place.root.rglob("*.lock"):
                    os.utime(path, (then, then))
                continue
            for name in place.leftovers():
                place.age(name)
        if self.postgresql:  # the turn of a killed run ends by itself, before cron's next run
            passed = f"UPDATE heatmap.turns SET ends = ends - interval '{AGED_SECONDS} seconds'"
            self.postgresql.sql(passed, self.database)
        for path in (self.folder / "tmp").iterdir():  # a temporary folder's name says when it was made
            named = re.fullmatch(r"(heatmap-)([0-9a-f]{8})(-.+)", path.name)
            if named:
                path.rename(path.with_name(f"{named[1]}{int(named[2], 16) - AGED_SECONDS:08x}{named[3]}"))
            else:
                os.utime(path, (then, then), follow_symlinks=False)

    def is_known(self, moment: datetime) -> bool:
        """Whether an outcome of a run is kept, or its mark, of which the next one that is due makes one."""
        lines = (self.folder / "state/outcomes.jsonl").read_text("utf-8").splitlines()
        mark = (self.folder / "state/lock").read_text("utf-8")
        return (
            moment.isoformat() in {kept["at"] for kept in map(json.loads, lines)}
            or moment.isoformat() in mark
        )

    def has_begun(self, moment: datetime) -> bool:
        """Whether a run of a moment, which was ended, has left its mark or pages."""
        mark = (self.folder / "state/lock").read_text("utf-8")
        return moment.isoformat() in mark or any(moment in _as_of(_pages(place)) for place in self.places)

    def _faults_of_state(self) -> list[str]:
        faults = []
        for path in (self.folder / "state").rglob("*.json"):
            try:
                json.loads(path.read_text("utf-8"))
            except ValueError as error:
                faults.append(f"{path.name} cannot be read: {error}")
        return faults

    def _faults_of_database(self) -> list[str]:
        """What the database's own check says of a copy: to open it is to repair it."""
        if self.postgresql:
            doubled = (
                "SELECT count(*) FROM (SELECT 1 FROM heatmap.turns GROUP BY market HAVING count(*) > 1) AS d"
            )
            return [] if self.postgresql.sql(doubled, self.database) == "0" else ["a market has two turns"]
        copy = Path(mkdtemp(dir=self.folder)) / "history.sqlite"
        for end in ("", "-wal", "-journal"):
            if (self.folder / f"state/history.sqlite{end}").exists():
                copyfile(self.folder / f"state/history.sqlite{end}", f"{copy}{end}")
        with closing(sqlite3.connect(copy)) as connection:
            said = [row[0] for row in connection.execute("PRAGMA integrity_check")]
        return [] if said == ["ok"] else [f"the history: {said}"]


@contextmanager
def started(folder: Path, sessions: int, *, shared: bool) -> Iterator[Installation]:
    """Start an installation with its servers; `shared`: with a history in PostgreSQL."""
    with ExitStack() as stack:
        places = []
        for number, kind in enumerate(KINDS):
            places.append(stack.enter_context(kinds.started(kind, folder / f"place{number}")))
        hooks = stack.enter_context(Hooks())
        postgresql = stack.enter_context(Postgresql(folder / "postgresql")) if shared else None
        days = tuple(markets.sessions_before(markets.nse(), markets.SESSION, sessions))
        yield Installation(folder / "it", places, hooks, postgresql, days)


def _pages(place: Place) -> dict[str, bytes]:
    """The files that visitors may get."""
    return {name: content for name, content in place.files().items() if "/." not in f"/{name}"}


def _faults_of(place: Place, possible: set[datetime]) -> list[str]:
    files = _pages(place)
    faults = [
        f"{place.kind}: {name} is not whole"
        for name, content in files.items()
        if not _is_whole(name, content)
    ]
    if isinstance(place, Branch):
        if len(_as_of(files)) > 1:
            faults.append(f"{place.kind}: parts of different runs: {_as_of(files)}")
        checked = subprocess.run(
            ["git", "-C", place.root, "fsck", "--strict", "--no-dangling"], capture_output=True, check=False
        )
        faults += [f"{place.kind}: {checked.stderr.decode()}"] if checked.returncode else []
    if not _as_of(files) <= possible:
        faults.append(f"{place.kind}: pages of {_as_of(files) - possible}")
    faults += [
        f"{place.kind}: the archive lists {day}, which is not there"
        for day in _listed(files)
        if f"{MARKET}/{'/'.join(day)}/index.html" not in files
    ]
    return faults


def _is_whole(name: str, content: bytes) -> bool:
    """Whether a file has its end, and is what its name says."""
    try:
        if name.endswith(".json"):
            json.loads(content)
        if name.endswith((".xml", ".svg")):
            ET.fromstring(content)
    except (ValueError, ET.ParseError):
        return False
    ends = {".html": b"</html>\n", ".png": b"IEND\xaeB`\x82", ".csv": b"\n"}
    return all(content.endswith(end) for kind, end in ends.items() if name.endswith(kind))


def _as_of(files: Mapping[str, bytes]) -> set[datetime]:
    """Of when the page of the market is, and the figures beside it."""
    shown = re.search(rb'as of <time datetime="([^"]+)"', files[f"{MARKET}/index.html"])
    assert shown
    beside = json.loads(files[f"{MARKET}/snapshot.json"])["as_of"]
    return {datetime.fromisoformat(shown[1].decode()), datetime.fromisoformat(beside)}


def _listed(files: Mapping[str, bytes]) -> set[tuple[str, ...]]:
    """The days that the archive's list links to: year, month, day."""
    content = files.get(f"{MARKET}/archive.html", b"").decode()
    return {found for found in re.findall(r'href="(?:\./)?(\d{4})/(\d\d)/(\d\d)/', content)}
