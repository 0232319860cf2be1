"""The settings for libpq: they demand TLS and SCRAM, and detect a dead connection."""

from __future__ import annotations

from ipaddress import ip_address
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from heatmap.errors import HistoryImpossible

if TYPE_CHECKING:
    from collections.abc import Mapping

REQUIRE_AUTH_SINCE = 160000  # libpq's version: since it a client can name the methods that it accepts
CHANNEL_BINDING_SINCE = 130000  # since this version a client can demand SCRAM over TLS
VERIFYING = ("verify-ca", "verify-full")  # values of sslmode that check the server's identity
SYSTEM_ROOTS = "system"  # a value of sslrootcert: libpq's sslmode is then verify-full


def make_settings(psycopg: Any, url: str, seconds: float) -> dict[str, Any]:  # noqa: ANN401 -- it may not be here
    """Return the settings for psycopg.connect beside `url`, without those in the URL itself.

    A connection without any answer counts as dead after `seconds`. Raises HistoryImpossible if libpq is too
    old to protect the password, and for a URL that libpq does not understand.
    """
    try:
        url_settings = {name: str(value) for name, value in psycopg.conninfo.conninfo_to_dict(url).items()}
    except psycopg.ProgrammingError as error:
        raise HistoryImpossible(f"[history] url is none that libpq understands: {error}") from error
    # An environment variable may name another host, or demand more than these settings.
    effective = _read_defaults(psycopg) | url_settings
    settings: dict[str, Any] = (
        {} if _is_local(effective) else _make_protection(psycopg.pq.version(), url_settings, effective)
    )
    pause = max(1, round(seconds / 3))
    settings |= {
        "keepalives_idle": pause,
        "keepalives_interval": pause,
        "keepalives_count": 2,
        "tcp_user_timeout": round(seconds * 1000),
    }
    return {name: value for name, value in settings.items() if name not in url_settings}


def make_server_settings(seconds: float, idle_seconds: float | None) -> Mapping[str, str]:
    """Return the settings for the server's end of the connection, for one session.

    The server ends the session after `idle_seconds` without a statement; None: never.
    """
    pause = str(max(1, round(seconds / 3)))
    settings = {
        "tcp_keepalives_idle": pause,
        "tcp_keepalives_interval": pause,
        "tcp_keepalives_count": "2",
        "tcp_user_timeout": f"{round(seconds * 1000)}",
    }
    if idle_seconds is not None:
        settings["idle_session_timeout"] = f"{round(idle_seconds * 1000)}"
    return settings


def _is_local(effective: Mapping[str, str]) -> bool:
    """Whether every host is this machine: a socket's folder, or a loopback address."""
    if effective.get("service"):
        return False  # only libpq knows its host
    hosts, addresses = (effective.get(name, "").split(",") for name in ("host", "hostaddr"))
    pairs = zip_longest(hosts, addresses, fillvalue="")
    return all(_is_this_machine(address or host) for host, address in pairs)


def _is_this_machine(host: str) -> bool:
    if host.startswith(("/", "@")) or host in ("", "localhost"):  # "": libpq's own socket
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _make_protection(
    version: int, url_settings: Mapping[str, str], effective: Mapping[str, str]
) -> dict[str, str]:
    """Return the settings that protect the password, unless the URL has others."""
    mode, roots = effective.get("sslmode", ""), effective.get("sslrootcert")
    if mode in VERIFYING or ("sslmode" not in url_settings and roots == SYSTEM_ROOTS):
        return {}  # only the right server gets the password
    settings = {} if "sslmode" in url_settings else {"sslmode": "require"}
    if version >= REQUIRE_AUTH_SINCE:
        settings["require_auth"] = "scram-sha-256"
    elif version >= CHANNEL_BINDING_SINCE and url_settings.get("sslmode", "require") == "require":
        settings["channel_binding"] = "require"
    else:
        raise HistoryImpossible(
            f"[history] url: libpq {version // 10000} cannot demand that the password is kept from others: "
            "`pip install 'market-heatmap[postgres]'` brings a newer one; or add sslmode=verify-full to it"
        )
    return settings


def _read_defaults(psycopg: Any) -> dict[str, str]:  # noqa: ANN401 -- it may not be here
    """Return libpq's settings without a URL: from environment variables, and its own defaults."""
    options = psycopg.pq.Conninfo.get_defaults()
    return {option.keyword.decode(): option.val.decode() for option in options if option.val is not None}
