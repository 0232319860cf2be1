"""The history's password crosses no network in clear, and no impostor of the server gets it."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import Any, Self

import pytest

from heatmap.errors import EXIT_REFUSED, HistoryError, HistoryImpossible, HistoryRefused
from heatmap.history import postgres_login
from heatmap.history.options import HistoryOptions
from heatmap.history.store import open_store
from tests.checkout import CHECKOUT
from tests.history.conftest import VARIABLE, Place
from tests.servers import certificates
from tests.servers.postgresql import PASSWORD, Postgresql
from tests.servers.process import Missing
from tests.servers.proxy import Proxy

OTHER_MACHINE = "0.0.0.0"  # noqa: S104 -- leads to this machine, and is no loopback address
TLS_QUESTION = struct.pack("!ii", 8, 80877103)
CLEAR, MD5, SCRAM = (
    struct.pack("!cii", b"R", 8, 3),
    struct.pack("!cii4s", b"R", 12, 5, b"salt"),
    struct.pack("!cii", b"R", 23, 10) + b"SCRAM-SHA-256\0\0",
)
pytestmark = pytest.mark.real
psycopg = pytest.importorskip("psycopg", reason="psycopg is not here: pip install 'market-heatmap[postgres]'")


class Impostor:
    """A man in the middle: it denies TLS, asks for the password in its own way, and records all bytes."""

    def __init__(self, question: bytes) -> None:
        self._question = question
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.got: list[bytes] = []

    def __enter__(self) -> Self:
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)  # `accept` ends; a message under way is taken first
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._socket.accept()
                client.settimeout(2)
                with client, suppress(OSError):
                    if self._take(client) == TLS_QUESTION:
                        client.sendall(b"N")
                        if not self._take(client):
                            continue
                    client.sendall(self._question)
                    self._take(client)

    def _take(self, client: socket.socket) -> bytes:
        message = client.recv(4096)
        self.got.append(message)
        return message


@contextmanager
def login(url: str) -> Iterator[None]:
    """Open the history there."""
    with open_store(HistoryOptions(url=url, password_env=VARIABLE), Path(), pytest.fail):
        yield


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the secret that no impostor may get."""
    monkeypatch.setenv(VARIABLE, PASSWORD)
    for name in [name for name in os.environ if name.startswith("PG")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("question", "more"),
    [
        (CLEAR, ""),
        (MD5, ""),
        (SCRAM, ""),
        (CLEAR, "?sslmode=prefer"),
        (CLEAR, "?sslmode=disable"),
        (MD5, "?sslmode=disable"),
        (CLEAR, "?sslmode=verify-full"),
        (CLEAR, "?sslmode=disable&require_auth=md5"),
        (MD5, "?sslmode=disable&require_auth=!md5"),
    ],
)
def test_an_impostor_gets_nothing(question: bytes, more: str) -> None:
    """It gets nothing from which the password could be computed; the sentence has the reason and advice."""
    with Impostor(question) as impostor, pytest.raises(HistoryRefused) as caught:
        with login(f"postgresql://blogger@{OTHER_MACHINE}:{impostor.port}/history{more}"):
            pass

    assert PASSWORD.encode() not in b"".join(impostor.got)
    assert not any(message.startswith(b"p") for message in impostor.got)  # the answer to the question
    if not more:
        assert [TLS_QUESTION, b""] == impostor.got
    assert EXIT_REFUSED == caught.value.exit_code
    assert "would not protect the password" in str(caught.value)
    assert "sslmode, require_auth" in str(caught.value)


@pytest.mark.parametrize(
    ("question", "url"),
    [
        (CLEAR, "postgresql://blogger@127.0.0.1:{}/history"),
        (CLEAR, "postgresql://blogger@localhost:{}/history"),
        (CLEAR, f"postgresql://blogger@{OTHER_MACHINE}:{{}}/history?sslmode=disable&require_auth=password"),
        (MD5, f"postgresql://blogger@{OTHER_MACHINE}:{{}}/history?sslmode=disable&require_auth=md5"),
    ],
)
def test_what_the_operator_allows(question: bytes, url: str) -> None:
    """On this machine, or with settings in the URL, the server's method is accepted."""
    with Impostor(question) as impostor, pytest.raises(HistoryError), login(url.format(impostor.port)):
        pass

    assert any(message.startswith(b"p") for message in impostor.got)


def test_over_tls(tmp_path: Path, postgresql: Postgresql) -> None:
    """A server with TLS is used with it, and nothing of the login can be read on the network."""
    with Postgresql(tmp_path / "tls", certificates.make(tmp_path / "certificates")) as server:
        with Proxy(server.port) as proxy:
            name = server.url().rpartition("/")[2]
            with login(f"postgresql://{server.user}@{OTHER_MACHINE}:{proxy.port}/{name}"):
                used = server.sql("SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)"
                                  f" WHERE datname = '{name}'")  # fmt: skip
            assert "t" == used
            assert PASSWORD.encode() not in proxy.sent
            assert server.user.encode() not in proxy.sent


def test_the_right_server_by_its_certificate(tmp_path: Path, postgresql: Postgresql) -> None:
    """With sslmode=verify-full in the URL, a server with another certificate is refused."""
    made, other = certificates.make(tmp_path / "one"), certificates.make(tmp_path / "two")
    with Postgresql(tmp_path / "tls", made) as server:
        with login(f"{server.url()}?sslmode=verify-full&sslrootcert={made.ca_file}"):
            pass
        with pytest.raises(HistoryRefused, match="certificate"):
            with login(f"{server.url()}?sslmode=verify-full&sslrootcert={other.ca_file}"):
                pass


def test_a_server_without_tls(postgresql: Postgresql) -> None:
    """A real server without TLS is refused until the URL allows it; SCRAM then protects the password."""
    name = postgresql.url().rpartition("/")[2]
    url = f"postgresql://{postgresql.user}@{OTHER_MACHINE}:{postgresql.port}/{name}"
    with pytest.raises(HistoryRefused, match="server does not support SSL, but SSL was required"), login(url):
        pass

    with login(f"{url}?sslmode=disable"):
        pass


DEMANDED = {"sslmode": "require", "require_auth": "scram-sha-256"}


@pytest.mark.parametrize(
    ("url", "demanded"),
    [
        ("postgresql://me@db.example.org/history", DEMANDED),
        ("postgresql://me@192.0.2.7:6432/history", DEMANDED),
        ("postgresql://me@127.0.0.1,db.example.org/history", DEMANDED),
        ("postgresql://me@127.0.0.1/history?hostaddr=192.0.2.7", DEMANDED),
        ("postgresql:///history?service=there", DEMANDED),
        ("postgresql://me@db.example.org/history?sslmode=disable", {"require_auth": "scram-sha-256"}),
        ("postgresql://me@db.example.org/history?require_auth=md5", {"sslmode": "require"}),
        ("postgresql://me@db.example.org/history?sslmode=verify-full", {}),
        ("postgresql://me@db.example.org/history?sslmode=verify-ca", {}),
        ("postgresql://me@db.example.org/history?sslrootcert=system", {}),
        ("postgresql:///history", {}),
        ("postgresql:///history?host=/run/postgresql", {}),
        ("postgresql://%2Frun%2Fpostgresql/history", {}),
        ("postgresql://me@[::1]/history", {}),
        ("postgresql://me@127.8.8.8,localhost/history", {}),
    ],
)
def test_what_is_demanded(url: str, demanded: dict[str, str]) -> None:
    """The settings hold for every host except this machine, unless the URL has others."""
    found = postgres_login.make_settings(psycopg, url, 20)

    assert demanded == {name: found[name] for name in found if name in {*DEMANDED, "channel_binding"}}


@pytest.mark.parametrize(
    ("variables", "demanded"),
    [
        ({"PGHOST": "db.example.org"}, DEMANDED),
        ({"PGHOSTADDR": "192.0.2.7"}, DEMANDED),
        ({"PGHOST": "db.example.org", "PGSSLMODE": "prefer"}, DEMANDED),
        ({"PGHOST": "db.example.org", "PGSSLMODE": "verify-full"}, {}),
        ({"PGHOST": "/run/postgresql"}, {}),
    ],
)
def test_what_the_environment_says(
    variables: dict[str, str], demanded: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An environment variable may name the host and demand more, but not less."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    found = postgres_login.make_settings(psycopg, "postgresql:///history", 20)

    assert demanded == {name: found[name] for name in found if name in DEMANDED}


class Older:
    """psycopg with a libpq of another version."""

    conninfo = psycopg.conninfo

    def __init__(self, version: int) -> None:
        class Pq:
            Conninfo = psycopg.pq.Conninfo
            version = staticmethod(lambda: version)

        self.pq = Pq


def test_a_libpq_that_cannot_name_methods() -> None:
    """From 13 on libpq can demand SCRAM over TLS; before that only the certificate protects the password."""
    url = "postgresql://me@db.example.org/history"

    older: Any = Older(150004)
    found = postgres_login.make_settings(older, url, 20)
    assert {"sslmode": "require", "channel_binding": "require"} == {
        name: found[name] for name in found if name in {*DEMANDED, "channel_binding"}
    }
    for version, address in ((120000, url), (150004, f"{url}?sslmode=disable")):
        with pytest.raises(HistoryImpossible, match="libpq 1[25] cannot demand"):
            postgres_login.make_settings(Older(version), address, 20)
    assert "require_auth" not in postgres_login.make_settings(Older(120000), f"{url}?sslmode=verify-full", 20)


def test_on_a_real_libpq_of_before(tmp_path: Path, postgresql: Postgresql) -> None:
    """The system's libpq, if older than 16: an impostor gets nothing, a server with TLS is used."""
    script = (
        "import sys, psycopg\nfrom pathlib import Path\nfrom heatmap.errors import HistoryError\n"
        "from heatmap.history.options import HistoryOptions\nfrom heatmap.history.store import open_store\n"
        "print(psycopg.pq.version())\n"
        "for url in sys.argv[1:]:\n"
        "    try:\n"
        f"        open_store(HistoryOptions(url=url, password_env='{VARIABLE}'), Path(), print).close()\n"
        "        print('open')\n"
        "    except HistoryError as error:\n        print(type(error).__name__)\n"
    )
    environment = os.environ | {
        "PSYCOPG_IMPL": "python",
        "PYTHONPATH": os.pathsep.join([str(CHECKOUT), *sys.path]),
    }
    try:
        server = Postgresql(tmp_path / "tls", certificates.make(tmp_path / "certificates"))
    except Missing as error:
        pytest.skip(str(error))
    with server, Impostor(CLEAR) as impostor:
        name = server.url().rpartition("/")[2]
        urls = [
            f"postgresql://{server.user}@{OTHER_MACHINE}:{port}/{name}"
            for port in (server.port, impostor.port)
        ]
        done = subprocess.run(
            [sys.executable, "-c", script, *urls],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        pytest.skip(f"there is no libpq of the system's own: {done.stderr.splitlines()[-1]}")
    version, *ended = done.stdout.split()
    if not 130000 <= int(version) < 160000:
        pytest.skip(f"the system's libpq is {version}, neither 13, 14 nor 15")

    assert ["open", "HistoryRefused"] == ended
    assert not any(message.startswith(b"p") for message in impostor.got)


def test_an_address_that_libpq_does_not_know(place: Place) -> None:
    """An unknown option is an error of the configuration."""
    with pytest.raises(HistoryImpossible, match=r"\[history\] url"), login("postgresql://me@db/history?no=1"):
        pass
