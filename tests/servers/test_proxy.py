"""The fault proxy of the tests does to connections exactly what it is told, seen with plain sockets and ftplib."""

from __future__ import annotations

import ftplib
import io
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from tests.conftest import started
from tests.servers.certificates import Certificate
from tests.servers.clients import log_in
from tests.servers.ftp import Vsftpd
from tests.servers.process import free_port, free_ports
from tests.servers.proxy import Fault, FtpProxy, Proxy
from tests.servers.scripted_ftp import ScriptedFtp

SECONDS = 5
PAGE = bytes(range(256)) * 400


class Echo:
    """Sends back what it gets; `got` is all that came, `ended` how each connection did: b"" or an error."""

    def __init__(self) -> None:
        self.got = b""
        self.ended: list[object] = []
        self.over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                self._echo(connection)
            self.over.set()

    def _echo(self, connection: socket.socket) -> None:
        connection.settimeout(SECONDS)
        try:
            while data := connection.recv(65536):
                self.got += data
                connection.sendall(data)
            self.ended.append(b"")
        except OSError as error:
            self.ended.append(type(error))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


@pytest.fixture
def echo() -> Iterator[Echo]:
    """A server that says what it is told."""
    with Echo() as server:
        yield server


def connect(proxy: Proxy) -> socket.socket:
    """Return a connection through the proxy, with a timeout."""
    return socket.create_connection((proxy.host, proxy.port), SECONDS)


def read(connection: socket.socket) -> bytes:
    """Return what comes until the end."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


def test_without_a_fault_all_passes(echo: Echo) -> None:
    """Both ways, byte by byte, counted and kept; each side's end reaches the other."""
    with Proxy(echo.port) as proxy, connect(proxy) as client:
        client.sendall(PAGE)
        client.shutdown(socket.SHUT_WR)

        assert PAGE == read(client) == proxy.sent == proxy.received == echo.got
        assert (1, False) == (proxy.connections, proxy.faulted.is_set())
        assert echo.over.wait(SECONDS)
        assert [b""] == echo.ended


@pytest.mark.parametrize("after", [1, 1000, 65537])
def test_a_reset_comes_at_its_byte(echo: Echo, after: int) -> None:
    """So many bytes pass, and then both sides see the connection broken."""
    with Proxy(echo.port, Fault.reset(after)) as proxy, connect(proxy) as client:
        with pytest.raises(ConnectionResetError):
            client.sendall(PAGE)
            read(client)
        assert proxy.faulted.wait(SECONDS)
        assert echo.over.wait(SECONDS)

    assert PAGE[:after] == proxy.sent
    assert PAGE[:after].startswith(echo.got)
    assert echo.ended in ([ConnectionResetError], [BrokenPipeError])


def test_a_reset_on_the_way_back(echo: Echo) -> None:
    """The client gets no more than so many bytes, and an error."""
    with Proxy(echo.port, Fault.reset(10, "received")) as proxy, connect(proxy) as client:
        client.sendall(b"0123456789abcdef")
        got = b""
        with pytest.raises(ConnectionResetError):
            while True:
                got += client.recv(1)

    assert b"0123456789" == proxy.received
    assert b"0123456789".startswith(got)


@pytest.mark.parametrize("after", [0, 1, 1000])
def test_an_end_looks_orderly(echo: Echo, after: int) -> None:
    """The server sees a whole but shorter upload, the client an end and no error."""
    with Proxy(echo.port, Fault.end(after)) as proxy, connect(proxy) as client:
        client.sendall(PAGE)
        read(client)
        assert echo.over.wait(SECONDS)

    assert [b""] == echo.ended
    assert PAGE[:after] == echo.got == proxy.sent


def test_a_stall_fills_the_senders_buffers(echo: Echo) -> None:
    """Nothing is read any more, so sending stops at a timeout; nothing comes back."""
    with Proxy(echo.port, Fault.stall(1000)) as proxy, connect(proxy) as client:
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.sendall(PAGE * 400)
        assert proxy.faulted.wait(SECONDS)

        assert PAGE[:1000] == proxy.sent
    assert len(proxy.received) <= 1000


def test_what_is_swallowed_is_taken(echo: Echo) -> None:
    """All is read, so that the sender thinks that it was sent, and no answer comes."""
    with Proxy(echo.port, Fault.swallow(0)) as proxy, connect(proxy) as client:
        client.sendall(PAGE * 400)
        client.settimeout(0.1)
        with pytest.raises(TimeoutError):
            client.recv(1)

    assert (b"", b"", b"") == (echo.got, proxy.sent, proxy.received)


def test_a_pause(echo: Echo) -> None:
    """The rest arrives, but later."""
    with Proxy(echo.port, Fault.pause(0.3, after=3)) as proxy, connect(proxy) as client:
        since = time.monotonic()
        client.sendall(b"abcdef")
        client.shutdown(socket.SHUT_WR)
        answer = read(client)

    assert b"abcdef" == answer
    assert time.monotonic() - since >= 0.3


def test_a_drip(echo: Echo) -> None:
    """Byte after byte, each after its time."""
    with Proxy(echo.port, Fault.drip(0.05, after=4, way="received")) as proxy, connect(proxy) as client:
        since = time.monotonic()
        client.sendall(b"0123456789")
        client.shutdown(socket.SHUT_WR)
        chunks = list(iter(lambda: client.recv(100), b""))

    assert b"0123456789" == b"".join(chunks)
    assert [b"0123", b"4", b"5", b"6", b"7", b"8", b"9"] == chunks
    assert time.monotonic() - since >= 0.05 * 5


def test_a_fault_for_some_connections_only(echo: Echo) -> None:
    """The second of three is struck; the fault may be taken away at any time."""
    heard = []
    with Proxy(echo.port, Fault.end().on(1, skip=1)) as proxy:
        for _ in range(3):
            with connect(proxy) as client:
                client.sendall(b"x")
                client.shutdown(socket.SHUT_WR)
                heard.append(read(client))
        proxy.fault = Fault.end()
        proxy.fault = None
        with connect(proxy) as client:
            client.sendall(b"x")
            heard.append(client.recv(1))

    assert [b"x", b"", b"x", b"x"] == heard
    assert 4 == proxy.connections


def test_a_server_that_is_not_there() -> None:
    """The client is thrown out."""
    with Proxy(free_port()) as proxy, pytest.raises(ConnectionResetError), connect(proxy) as client:
        client.recv(1)


def test_nothing_is_left() -> None:
    """With the proxy go its thread, its port and its connections, stalled ones too."""
    before = set(threading.enumerate())
    with Echo() as echo, Proxy(echo.port, Fault.stall()) as proxy:
        client = connect(proxy)
        assert proxy.faulted.wait(SECONDS)
    with client:
        assert b"" == client.recv(1)

    assert before == set(threading.enumerate())
    with pytest.raises(ConnectionRefusedError):
        connect(proxy)


def test_a_banner_that_never_comes() -> None:
    """A stall at once: the connection stands, and nobody speaks."""
    with ScriptedFtp() as server, FtpProxy(server.port, Fault.stall()) as proxy:
        with ftplib.FTP(timeout=0.2) as ftp, pytest.raises(TimeoutError):
            ftp.connect(proxy.host, proxy.port)

    assert b"" == proxy.received


@pytest.mark.parametrize("extended", [False, True])
def test_data_goes_through_the_proxy(extended: bool) -> None:
    """Passive answers of both kinds are rewritten, whether the client believes the address or not."""
    with (
        ScriptedFtp() as server,
        FtpProxy(server.port) as proxy,
        log_in(server, proxy.host, proxy.port) as ftp,
    ):
        if extended:
            ftp.af = socket.AF_INET6  # makes ftplib say EPSV
        ftp.trust_server_pasv_ipv4_address = True
        ftp.storbinary("STOR page", io.BytesIO(PAGE))
        back = io.BytesIO()
        ftp.retrbinary("RETR page", back.write)

    assert PAGE == back.getvalue() == proxy.data.sent == proxy.data.received
    assert 2 == proxy.data.connections
    assert extended == (b"EPSV\r\n" in proxy.sent)
    assert server.password.encode() in proxy.sent


def test_faults_of_the_data_alone() -> None:
    """An upload cut by an orderly end is a 226 with a part of the file; a broken one is an error."""
    with ScriptedFtp() as server, FtpProxy(server.port, data=Fault.end(1000).on(1)) as proxy:
        with log_in(server, proxy.host, proxy.port) as ftp:
            assert "226 All done." == ftp.storbinary("STOR page", io.BytesIO(PAGE))
            assert PAGE[:1000] == server.files["/page"]
            proxy.data.fault = Fault.reset(2000)
            with pytest.raises((ftplib.Error, OSError)):
                ftp.storbinary("STOR other", io.BytesIO(PAGE * 100))

        assert proxy.data.faulted.is_set()
        assert not proxy.faulted.is_set()
        assert len(server.files.get("/other", b"")) <= 2000


@pytest.mark.real
def test_data_under_tls(tmp_path: Path, certificate: Certificate) -> None:
    """Doubled passive ports carry what cannot be read; neither password nor page crosses in clear."""
    ports = free_ports(5)
    with (
        started(lambda: Vsftpd(tmp_path / "vsftpd", certificate, passive_ports=ports)) as server,
        FtpProxy(server.port, passive_ports=ports) as proxy,
        log_in(server, proxy.host, proxy.port) as ftp,
    ):
        ftp.storbinary("STOR page", io.BytesIO(PAGE))
        stored = (server.root / "page").read_bytes()

    assert PAGE == stored
    assert ("127.0.0.2", 1) == (proxy.host, proxy.data.connections)
    assert len(proxy.data.sent) > len(PAGE)
    assert PAGE[:16] not in proxy.data.sent
    assert server.password.encode() not in proxy.sent
