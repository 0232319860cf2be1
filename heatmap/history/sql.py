"""The SQL of the store, for both databases; parameters stand as `?`."""

from __future__ import annotations

BAR_FIGURES = ("open", "high", "low", "close", "previous_close", "volume", "turnover")
BAR_COLUMNS = ", ".join(("symbol", "date", *BAR_FIGURES))

PHASE = "SELECT phase FROM ticks WHERE market = ? AND as_of = ?"
NEWEST_TICK = "SELECT max(as_of) FROM ticks WHERE market = ? AND session = ?"
ADD_TICK = (
    "INSERT INTO ticks (market, as_of, session, phase, figures) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (market, as_of) DO UPDATE SET"
    " session = excluded.session, phase = excluded.phase, figures = excluded.figures"
)
TICKS = "SELECT as_of, phase, figures FROM ticks WHERE market = ? AND session = ? ORDER BY as_of"
TICK_AT = (
    "SELECT as_of, phase, figures FROM ticks WHERE market = ? AND session = ? AND as_of <= ?"
    " ORDER BY as_of DESC LIMIT 1"
)
TICK_SESSIONS = "SELECT DISTINCT session FROM ticks WHERE market = ? ORDER BY session"

SESSION = "SELECT final_as_of, archived FROM sessions WHERE market = ? AND date = ?"
SESSIONS = "SELECT date FROM sessions WHERE market = ? ORDER BY date"
ARCHIVED_SESSIONS = "SELECT date FROM sessions WHERE market = ? AND archived = 1 ORDER BY date"
LATEST_FINAL = "SELECT max(date) FROM sessions WHERE market = ? AND final_as_of IS NOT NULL"
ADD_FINAL = (
    "INSERT INTO sessions (market, date, final_as_of, archived) VALUES (?, ?, ?, 0)"
    " ON CONFLICT (market, date) DO UPDATE SET final_as_of = excluded.final_as_of"
)
ADD_ARCHIVED_SESSION = (
    "INSERT INTO sessions (market, date, archived) VALUES (?, ?, 1)"
    " ON CONFLICT (market, date) DO UPDATE SET archived = 1"
)

_ADD_BAR = (
    f"INSERT INTO bars (market, {BAR_COLUMNS}) VALUES (?{', ?' * 9})"  # noqa: S608 -- constants
    " ON CONFLICT (market, date, symbol) DO "
)
REPLACE_BAR = _ADD_BAR + "UPDATE SET " + ", ".join(f"{name} = excluded.{name}" for name in BAR_FIGURES)
# An archive's figures stay, except the previous close: on an ex-date an archive has it on the old terms.
FILL_BAR = _ADD_BAR + "UPDATE SET previous_close = coalesce(excluded.previous_close, bars.previous_close)"

SHARED_VALUE = "SELECT content FROM notes WHERE market = ? AND name = ?"
SET_SHARED_VALUE = (
    "INSERT INTO notes (market, name, content) VALUES (?, ?, ?)"
    " ON CONFLICT (market, name) DO UPDATE SET content = excluded.content"
)

MARKETS = "SELECT market FROM sessions UNION SELECT market FROM ticks ORDER BY market"
COUNT_SESSIONS = "SELECT count(*), min(date), max(date) FROM sessions WHERE market = ?"
COUNT_TICKS = "SELECT count(*), min(as_of), max(as_of) FROM ticks WHERE market = ?"
NTH_NEWEST_TICK_SESSION = (
    "SELECT DISTINCT session FROM ticks WHERE market = ? ORDER BY session DESC LIMIT 1 OFFSET ?"
)
NTH_NEWEST_SESSION = "SELECT date FROM sessions WHERE market = ? ORDER BY date DESC LIMIT 1 OFFSET ?"
# The last tick of a session without daily bars stays: it has the only figures of the session.
THIN_TICKS = (
    "DELETE FROM ticks WHERE market = ? AND session < ? AND ("
    "EXISTS (SELECT 1 FROM sessions AS s WHERE s.market = ticks.market AND s.date = ticks.session)"
    " OR as_of < (SELECT max(as_of) FROM ticks AS t"
    " WHERE t.market = ticks.market AND t.session = ticks.session))"
)
DELETE_TICKS = "DELETE FROM ticks WHERE market = ? AND session < ?"
DELETE_BARS = "DELETE FROM bars WHERE market = ? AND date < ?"
DELETE_SESSIONS = "DELETE FROM sessions WHERE market = ? AND date < ?"


def select_bars(columns: str, symbols: int | None) -> str:
    """Return the statement that selects these columns for a number of symbols; None: for all symbols.

    Its parameters: market, last date, market, last date, the number of sessions, the symbols.
    """
    condition = "" if symbols is None else f" AND symbol IN (?{', ?' * (symbols - 1)})"
    return (
        f"SELECT {columns} FROM bars WHERE market = ? AND date <= ? AND date >= (SELECT min(date) FROM"  # noqa: S608 -- our own columns
        " (SELECT date FROM sessions WHERE market = ? AND date <= ? ORDER BY date DESC LIMIT ?) AS since)"
        f"{condition} ORDER BY date, symbol"
    )
