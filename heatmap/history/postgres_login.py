"""The settings for libpq: TLS and SCRAM are demanded, and a connection that is dead is noticed."""

from __future__ import annotations

from ipaddress import ip_address
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from heatmap.errors import HistoryImpossible

if TYPE_CHECKING:
    from collections.abc import Mapping

REQUIRE_AUTH_SINCE = 160000  # libpq's version: from here on a client can name the methods that it accepts
CHANNEL_BINDING_SINCE = 130000  # and from here on it can demand SCRAM over TLS, and nothing else
VERIFYING = ("verify-ca", "verify-full")  # values of sslmode that find out who answers
SYSTEM_ROOTS = "system"  # sslrootcert: libpq's sslmode is then verify-full


def make_settings(psycopg: Any, url: str, seconds: float) -> dict[str, Any]:  # noqa: ANN401 -- it may not be here
    """Return the settings for psycopg.connect beside `url`, without those that the URL itself has.

    `seconds` is how long a connection that carries nothing is believed in. Raises HistoryImpossible where
    libpq is too old to protect the password, and for a URL that libpq does not understand.
    """
    try:
        asked = {name: str(value) for name, value in psycopg.conninfo.conninfo_to_dict(url).items()}
    except psycopg.ProgrammingError as error:
        raise HistoryImpossible(f"[history] url is none that libpq understands: {error}") from error
    # An environment variable may name another host, or ask for more than we do.
    known = _read_defaults(psycopg) | asked
    found: dict[str, Any] = {} if _is_local(known) else _make_protection(psycopg.pq.version(), asked, known)
    pause = max(1, round(seconds / 3))
    found |= {
        "keepalives_idle": pause,
        "keepalives_interval": pause,
        "keepalives_count": 2,
        "tcp_user_timeout": round(seconds * 1000),
    }
    return {name: value for name, value in found.items() if name not in asked}


def make_server_settings(seconds: float, idle_seconds: float | None) -> Mapping[str, str]:
    """Return the same for the server's end of the connection, for one session.

    `idle_seconds` is after how long without a question the server ends the session; None: never.
    """
    pause = str(max(1, round(seconds / 3)))
    found = {
        "tcp_keepalives_idle": pause,
        "tcp_keepalives_interval": pause,
        "tcp_keepalives_count": "2",
        "tcp_user_timeout": f"{round(seconds * 1000)}",
    }
    if idle_seconds is not None:
        found["idle_session_timeout"] = f"{round(idle_seconds * 1000)}"
    return found


def _is_local(known: Mapping[str, str]) -> bool:
    """Whether every host is this machine: a socket's folder, or a loopback address."""
    if known.get("service"):
        return False  # its host is known to libpq alone
    hosts, addresses = (known.get(name, "").split(",") for name in ("host", "hostaddr"))
    pairs = zip_longest(hosts, addresses, fillvalue="")
    return all(_is_this_machine(address or host) for host, address in pairs)


def _is_this_machine(place: str) -> bool:
    if place.startswith(("/", "@")) or place in ("", "localhost"):  # "": libpq's own socket
        return True
    try:
        return ip_address(place).is_loopback
    except ValueError:
        return False


def _make_protection(version: int, asked: Mapping[str, str], known: Mapping[str, str]) -> dict[str, str]:
    """Return what keeps the password from others, where the URL does not say otherwise."""
    mode, roots = known.get("sslmode", ""), known.get("sslrootcert")
    if mode in VERIFYING or ("sslmode" not in asked and roots == SYSTEM_ROOTS):
        return {}  # nobody but the server itself gets the password, in whatever form it asks for it
    found = {} if "sslmode" in asked else {"sslmode": "require"}
    if version >= REQUIRE_AUTH_SINCE:
        found["require_auth"] = "scram-sha-256"
    elif version >= CHANNEL_BINDING_SINCE and asked.get("sslmode", "require") == "require":
        found["channel_binding"] = "require"
    else:
        raise HistoryImpossible(
            f"[history] url: libpq {version // 10000} cannot demand that the password is kept from others: "
            "`pip install 'market-heatmap[postgres]'` brings a newer one; or add sslmode=verify-full to it"
        )
    return found


def _read_defaults(psycopg: Any) -> dict[str, str]:  # noqa: ANN401
    """Return what libpq takes where a URL says nothing: its environment variables, and its own values."""
    options = psycopg.pq.Conninfo.get_defaults()
    return {each.keyword.decode(): each.val.decode() for each in options if each.val is not None}
