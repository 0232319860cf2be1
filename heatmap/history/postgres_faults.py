"""Translates errors of a PostgreSQL server or of libpq into errors of the history, with advice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heatmap.errors import HistoryError, HistoryImpossible, HistoryRefused
from heatmap.system.redaction import redact

if TYPE_CHECKING:
    from typing import Any

LONGEST_REASON = 300  # characters of the server's message
# Beginnings of SQLSTATE: a lock timeout; a deadlock or another conflict of transactions.
BUSY = ("55P03", "40")
SLOW = "57014"  # the server ended a statement that took too long
PERMISSION = "42501"
FULL = "53100"
# libpq has no SQLSTATE for a failed connection, only a message.
REFUSED = (
    "authentication failed",
    "no password supplied",
    "pg_hba.conf",
    "certificate",
    "is not permitted to log",
)
UNPROTECTED = ("SSL was required", "authentication method requirement", "channel binding")
NO_DATABASE = ("does not exist", "invalid")


def no_reply(name: str, seconds: float, *, is_last_part: bool) -> HistoryError:
    """Return the error of a database that did not answer within `seconds`.

    `is_last_part`: this was all that was left of its part of the run's time.
    """
    addition = ", all that was left of its part of the run's time" if is_last_part else ""
    return HistoryError(
        f"the history {name} gave no answer within {seconds:.2g} seconds{addition}: this run goes without "
        "it; check the server, the network, and a pooler that stands between"
    )


def no_time_left(name: str) -> HistoryError:
    """Return the error of a run without time left for the database."""
    return HistoryError(
        f"the history {name} has used up its part of the run's time: this run goes on without it; check the "
        "server and the network, or raise deadline_seconds"
    )


def explain(name: str, password: str | None, error: Any) -> HistoryError:  # noqa: ANN401 -- psycopg.Error
    """Return the error of the history for a psycopg.Error; `name` is the database's."""
    code = error.sqlstate or ""
    reason = " ".join(redact(str(error), [password]).split())[:LONGEST_REASON]
    if code.startswith(BUSY):
        return HistoryError(
            f"the history {name} is busy ({reason}): another machine is writing it, so this run goes "
            "without it"
        )
    if code == SLOW:
        return HistoryError(
            f"the history {name} takes too long ({reason}): this run goes without it; check the server's load"
        )
    if code == FULL:
        return HistoryError(f"the history {name} is full ({reason}): make room on the server's disk")
    if code == PERMISSION:
        return HistoryImpossible(
            f"the history {name} may not be used ({reason}): have the database's owner run "
            "CREATE SCHEMA heatmap AUTHORIZATION for this user"
        )
    if not code:
        return _explain_connection_failure(name, reason)
    return _make_unreachable_error(name, reason)


def _explain_connection_failure(name: str, reason: str) -> HistoryError:
    if any(words in reason for words in UNPROTECTED):
        return HistoryRefused(
            f"the history {name} would not protect the password, so it was not sent ({reason}): let the "
            "server offer TLS and keep the password as scram-sha-256; to allow less, say so in [history] url "
            "(sslmode, require_auth)"
        )
    if any(words in reason for words in REFUSED):
        return HistoryRefused(
            f"the history {name} refuses us ({reason}): check the user in [history] url, and the "
            "password in the variable that password_env names"
        )
    if any(words in reason for words in NO_DATABASE):
        return HistoryImpossible(
            f"the history {name} cannot be opened ({reason}): check the database in [history] url"
        )
    return _make_unreachable_error(name, reason)


def _make_unreachable_error(name: str, reason: str) -> HistoryError:
    return HistoryError(
        f"the history {name} cannot be reached or failed ({reason}): this run goes without it; "
        "check the server"
    )
