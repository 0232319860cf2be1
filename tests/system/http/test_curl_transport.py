"""A browser's likeness: its hello, its headers, and what is said where the package is missing."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
import threading
from datetime import datetime, timedelta, timezone

import pytest

from heatmap.errors import SourceError, SourceImpossible
from heatmap.sources.nse.live import Nse
from heatmap.sources.options import BROWSERS
from heatmap.system.http.client import Client, FetchBudget
from tests.servers.exchange import Exchange

NOW = datetime(2026, 9, 18, 11, 0, tzinfo=timezone(timedelta(hours=5, minutes=30)))


@pytest.fixture
def curl() -> None:
    """The package."""
    pytest.importorskip("curl_cffi", reason="curl_cffi is not here: pip install market-heatmap[impersonate]")


def ciphers(likeness: str | None) -> list[int]:
    """The cipher suites that a client offers in its first words, from the bytes themselves (RFC 8446, 4.1.2)."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def listen() -> None:
            connection, _ = server.accept()
            with connection:
                record = connection.recv(5, socket.MSG_WAITALL)
                heard.append(connection.recv(struct.unpack("!H", record[3:])[0], socket.MSG_WAITALL))

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        with Client(impersonate=likeness) as asking, pytest.raises(SourceError):
            asking.get(f"https://127.0.0.1:{server.getsockname()[1]}/", FetchBudget(5, 0))
        thread.join(5)
    hello = heard[0]
    assert hello[0] == 1  # a ClientHello
    start = 4 + 2 + 32  # type and length, version, random
    start += 1 + hello[start]  # session
    size = struct.unpack("!H", hello[start : start + 2])[0]
    return list(struct.unpack(f"!{size // 2}H", hello[start + 2 : start + 2 + size]))


def is_grease(cipher: int) -> bool:
    """Whether a suite is one of those that browsers strew in (RFC 8701)."""
    return cipher & 0x0F0F == 0x0A0A and cipher >> 8 == cipher & 0xFF


@pytest.mark.real
@pytest.mark.usefixtures("curl")
def test_hello() -> None:
    """Chrome's first words differ from Python's: its suites, in its order, with its grease."""
    python, chrome = ciphers(None), ciphers("chrome")
    assert not any(is_grease(cipher) for cipher in python)
    assert is_grease(chrome[0])
    assert [0x1301, 0x1302, 0x1303, 0xC02B, 0xC02F] == chrome[1:6]
    assert python != [cipher for cipher in chrome if not is_grease(cipher)]


@pytest.mark.real
@pytest.mark.usefixtures("curl")
@pytest.mark.parametrize("browser", BROWSERS)
def test_headers(browser: str) -> None:
    """Its headers are that browser's own, not ours: they must fit its hello."""
    with Exchange(now=NOW) as exchange:
        assert 210 == len(Nse(base_url=exchange.url, impersonate=browser).fetch(now=NOW).quotes)
    headers = {name.lower(): value for name, value in exchange.seen[-1][1].items()}
    assert browser in headers["user-agent"].lower()
    assert "br" in headers["accept-encoding"].split(", ")
    assert "nsit=1" == headers["cookie"]
    assert headers["referer"].endswith("/market-data/live-equity-market")


def test_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence says what to install, and nothing is asked."""
    monkeypatch.setitem(sys.modules, "curl_cffi", None)
    with Exchange(now=NOW) as exchange:
        with pytest.raises(
            SourceImpossible, match=r"pip install 'market-heatmap\[impersonate\]'`$"
        ) as caught:
            Nse(base_url=exchange.url, impersonate="chrome").fetch(now=NOW)
    assert (78, []) == (caught.value.exit_code, exchange.seen)


@pytest.mark.process
def test_no_cost_without_it() -> None:
    """A client that imitates no browser does not load the package, and the other way round."""
    code = (
        "import sys; from datetime import UTC, datetime; from heatmap.sources.nse.live import Nse\n"
        "try: Nse(base_url=sys.argv[1], impersonate=sys.argv[2] or None).fetch(now=datetime.now(UTC))\n"
        "except Exception as error: print(error)\n"
        "print(*(name for name in ('requests', 'curl_cffi') if name in sys.modules))"
    )
    with Exchange(now=NOW) as exchange:
        plain = subprocess.run(
            [sys.executable, "-c", code, exchange.url, ""], capture_output=True, text=True, check=True
        )
    assert "requests\n" == plain.stdout
