"""The tables of the history, and the way to them from every older version."""

from __future__ import annotations

# The tables by schema version, each script what leads there from the one before. One statement an item.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE ticks (
            market TEXT NOT NULL, as_of TEXT NOT NULL, session TEXT NOT NULL, phase TEXT NOT NULL,
            figures BLOB NOT NULL, PRIMARY KEY (market, as_of))""",
        "CREATE INDEX ticks_of_session ON ticks (market, session, as_of)",
        # One row a session that has bars: as_of of the final they came from, and whether an archive has
        # spoken, which is the exchange's last word.
        """CREATE TABLE sessions (
            market TEXT NOT NULL, date TEXT NOT NULL, final_as_of TEXT, archived INTEGER NOT NULL,
            PRIMARY KEY (market, date)) WITHOUT ROWID""",
        """CREATE TABLE bars (
            market TEXT NOT NULL, date TEXT NOT NULL, symbol TEXT NOT NULL,
            open DOUBLE PRECISION, high DOUBLE PRECISION, low DOUBLE PRECISION,
            close DOUBLE PRECISION NOT NULL, previous_close DOUBLE PRECISION,
            volume DOUBLE PRECISION, turnover DOUBLE PRECISION,
            PRIMARY KEY (market, date, symbol)) WITHOUT ROWID""",
    ),
    (
        # What machines that share a history tell each other beside it.
        """CREATE TABLE notes (
            market TEXT NOT NULL, name TEXT NOT NULL, content BLOB NOT NULL, PRIMARY KEY (market, name))""",
    ),
)
TABLES = frozenset({"ticks", "sessions", "bars"})  # of every version
