"""The tables of the history, and the migrations from every older version."""

from __future__ import annotations

# The scripts by schema version. Each one migrates from the version before. One statement for each item.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE ticks (
            market TEXT NOT NULL, as_of TEXT NOT NULL, session TEXT NOT NULL, phase TEXT NOT NULL,
            figures BLOB NOT NULL, PRIMARY KEY (market, as_of))""",
        "CREATE INDEX ticks_of_session ON ticks (market, session, as_of)",
        # One row for each session with bars: as_of of the final that they came from, and whether they are an
        # archive's. Archives have the exchange's definitive figures.
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
        # Other values that machines with a shared history exchange.
        """CREATE TABLE notes (
            market TEXT NOT NULL, name TEXT NOT NULL, content BLOB NOT NULL, PRIMARY KEY (market, name))""",
    ),
)
TABLES = frozenset({"ticks", "sessions", "bars"})  # of every version
