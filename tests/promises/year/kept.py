"""Judges what is in the state directory after a run: files that read whole, the database, nothing half written."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from heatmap.errors import HistoryError
from heatmap.history import store
from heatmap.history.options import HistoryOptions
from heatmap.notify.alerts import memory
from heatmap.pages.archive import record
from heatmap.run.last_good import FOLDER
from heatmap.state.memory import FILE_NAME
from tests.promises.year.damages import KINDS, MARKET, SIDE_FILES, STATE_NAME, Damage
from tests.promises.year.market import Market, Price
from tests.promises.year.seen import Seen
from tests.promises.year.sessions import Session

HALF_WRITTEN = "*.tmp"
Violate = Callable[[str, str], None]


class Kept:
    """The judge of the state directory of an installation in `home`."""

    def __init__(self, home: Path, market: Market, violate: Violate) -> None:
        self._folder = home / STATE_NAME
        self._market = market
        self._violate = violate
        self._owed: dict[str, Damage] = {}  # by file name: damage of which nothing was said yet
        self._ticks: dict[date, dict[datetime, Seen]] = {}  # what the history must have, by session
        self._finals: dict[date, Mapping[str, Price]] = {}
        self._final_date: date | None = None
        self._are_days_forgotten = False  # the archive's record was set aside, and no final came since
        self._is_doubtful = False  # the history may hold damage that nobody can notice
        self.bars = 0  # that were found and are right

    def strike(self, damage: Damage) -> None:
        """Take over what was damaged before a run."""
        if damage.is_owed_a_sentence:
            self._owed[damage.path.name] = damage
        if damage.kind == "state.json":
            self._final_date = None
        if damage.kind == "history":
            self._forget_history()
            self._is_doubtful = not damage.is_owed_a_sentence

    def _forget_history(self) -> None:
        """Expect nothing of the history that is older than this moment."""
        self._ticks.clear()
        self._finals.clear()
        self._is_doubtful = False

    def look(self, said: str, *, is_done: bool, has_published: bool, is_final: bool = False) -> None:
        """Judge after a run that said this. `is_done`: it was not struck on its way."""
        self._owed = {name: damage for name, damage in self._owed.items() if name not in said}
        if record.path(Path(), MARKET).name in said:  # nobody reads the files of days that are forgotten
            self._are_days_forgotten = True
        if store.FILE_NAME in said:  # damage may be found long after it was done
            self._forget_history()
        if is_done and has_published:
            for name, damage in [*self._owed.items()]:
                is_due = is_final or not KINDS[damage.kind].is_read_at_finals
                if is_due and not (KINDS[damage.kind].is_read_at_finals and self._are_days_forgotten):
                    self._violate("silent", f"{name} was damaged ({damage.way}), and no run has said so")
                if is_due:
                    del self._owed[name]
            if is_final:
                self._are_days_forgotten = False
            for path in sorted(self._folder.rglob(HALF_WRITTEN)):
                self._violate("left behind", f"{path.relative_to(self._folder)} is there after a whole run")
            self._judge_documents()
        self._judge_final_date()

    def _judge_documents(self) -> None:
        """What a whole run leaves can be read."""
        names = (FILE_NAME, memory.FILE_NAME, f"{FOLDER}/{MARKET}.json", record.path(Path(), MARKET).name)
        for path in (self._folder / name for name in names):
            try:
                json.loads(path.read_text("utf-8"))["version"]
            except FileNotFoundError:
                continue  # set aside, and not yet needed again
            except (OSError, ValueError, KeyError, TypeError) as error:
                self._violate("unreadable", f"{path.name} after a whole run: {error!r}")

    def _judge_final_date(self) -> None:
        found = self.final_date()
        if found and self._final_date and found < self._final_date:
            self._violate("lost", f"the last final that is remembered went back to {found}")
        self._final_date = found or self._final_date

    def final_date(self) -> date | None:
        """Return the last session whose final page every target has, as the program remembers it."""
        try:
            document = json.loads((self._folder / FILE_NAME).read_text("utf-8"))
            return date.fromisoformat(document["markets"][MARKET]["final_date"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def publish(self, session: Session, page: Seen, *, is_final: bool) -> None:
        """Take over that a whole run published these figures: the history must have them."""
        assert page.as_of
        self._ticks.setdefault(session.date, {})[page.as_of] = page
        if is_final:
            self._finals[session.date] = page.prices

    def session_over(self, session: date) -> None:
        """Judge the database: whole, with each moment and each daily bar as visitors saw them."""
        if not (self._folder / store.FILE_NAME).exists():
            if self._ticks or self._finals:
                self._violate("history", "the history is gone")
            return
        warnings: list[str] = []
        with TemporaryDirectory() as copy:
            for end in ("", *SIDE_FILES):
                source = self._folder / f"{store.FILE_NAME}{end}"
                if source.exists():
                    shutil.copy(source, copy)
            try:
                with closing(sqlite3.connect(Path(copy) / store.FILE_NAME)) as connection:
                    (state,) = connection.execute("PRAGMA quick_check(1)").fetchone()
                if state != "ok" and not self._is_doubtful:
                    self._violate("history", f"the database is damaged: {state}")
                with store.open_store(HistoryOptions(), Path(copy), warnings.append) as opened:
                    self._judge_history(opened, session)
            except (HistoryError, sqlite3.Error) as error:
                self._violate("history", f"the database cannot be read: {error!r}")
        if warnings and not self._is_doubtful:
            self._violate("history", warnings[0])
        self._ticks.pop(session, None)

    def _judge_history(self, opened: store.Store, session: date) -> None:
        moments = {moment.as_of: moment for moment in opened.ticks(MARKET, session)}
        for as_of, page in self._ticks.get(session, {}).items():
            moment = moments.get(as_of)
            if moment is None:
                self._violate("history", f"the moment {as_of} of {session} is not kept")
                continue
            kept = {symbol: row.percent_change for symbol, row in moment.rows.items()}
            if kept != dict(page.percents):
                self._violate("history", f"the moment {as_of} of {session} is kept with other figures")
        known = opened.sessions(MARKET)
        missing = sorted(self._finals.keys() - {*known})
        if missing:
            self._violate("history", f"the session of {missing[-1]} is not kept")
        if session in self._finals and session not in missing:
            self._judge_bars(opened, session)

    def _judge_bars(self, opened: store.Store, session: date) -> None:
        bars = {bar.symbol: bar for bar in opened.bars(MARKET, session, 1) if bar.date == session}
        wrong = [
            symbol
            for symbol, price in self._finals[session].items()
            if symbol not in bars
            or (bars[symbol].close, bars[symbol].previous_close) != (price.last, price.previous_close)
        ]
        self.bars += len(bars)
        if wrong:
            self._violate("history", f"{len(wrong)} daily bars of {session} are missing or wrong: {wrong[0]}")
