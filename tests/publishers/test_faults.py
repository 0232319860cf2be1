"""What goes wrong on the way to a server, and what is said about it."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from heatmap.errors import PublishError, PublishRefused
from heatmap.model import Page
from heatmap.publishers.ftp import FtpPublisher, FtpsPublisher
from heatmap.publishers.sftp import SftpPublisher
from tests.conftest import started
from tests.servers import certificates
from tests.servers.ftp import Proftpd, Vsftpd
from tests.servers.pyftpd import Pyftpd
from tests.servers.ssh import Sshd

SECRET = "HEATMAP_TEST_PASSWORD"
PAGES = [Page("index.html", b"x" * 100_000)]


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECRET, Pyftpd.password)


def test_an_unknown_authority_is_refused(vsftpd_tls: Vsftpd) -> None:
    """Without the test authority the certificate is not accepted, and nothing arrives."""
    with pytest.raises(PublishRefused, match="certificate is not accepted"):
        FtpsPublisher(vsftpd_tls.url(), password_env=SECRET).publish(PAGES)

    assert [] == list(vsftpd_tls.root.iterdir())


def test_a_certificate_for_another_host_is_refused(tmp_path: Path) -> None:
    """The name in the certificate must be the host's."""
    other = certificates.make(tmp_path / "other", "DNS:www.example.org")
    with started(lambda: Proftpd(tmp_path / "proftpd", other)) as server:
        publisher = FtpsPublisher(server.url(), password_env=SECRET, ca_file=other.ca_file)
        with pytest.raises(PublishRefused, match="certificate is not accepted"):
            publisher.publish(PAGES)


def test_there_is_no_downgrade(proftpd: Proftpd) -> None:
    """A server without TLS gets neither password nor page."""
    url = proftpd.url().replace("ftp:", "ftps:")
    with pytest.raises(PublishRefused, match="no TLS"):
        FtpsPublisher(url, password_env=SECRET).publish(PAGES)

    assert [] == list(proftpd.root.iterdir())


def test_a_server_that_will_not_overwrite(tmp_path: Path) -> None:
    """It is said so, the old page stays, and the temporary file goes."""
    with started(lambda: Proftpd(tmp_path / "proftpd", allow_overwrite=False)) as server:
        (server.root / "index.html").write_bytes(b"old")
        with pytest.raises(PublishError, match="overwrite"):
            FtpPublisher(server.url(), password_env=SECRET).publish(PAGES)

        assert {"index.html": b"old"} == {path.name: path.read_bytes() for path in server.root.iterdir()}


def test_a_private_passive_address_is_ignored(tmp_path: Path) -> None:
    """A server behind NAT names an address inside it; the control connection's host is used."""
    with Pyftpd(tmp_path, masquerade_address="10.255.255.1") as server:
        FtpPublisher(server.url(), password_env=SECRET, timeout_seconds=3).publish(PAGES)

        assert PAGES[0].content == (server.root / "index.html").read_bytes()


def test_ipv6(tmp_path: Path) -> None:
    """An address in brackets works, by EPSV."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6 loopback: enable it to run this test")
    with Pyftpd(tmp_path, host="::1") as server:
        FtpPublisher(server.url(), password_env=SECRET, timeout_seconds=3).publish(PAGES)

        assert PAGES[0].content == (server.root / "index.html").read_bytes()


def test_a_data_connection_cut_halfway(tmp_path: Path) -> None:
    """The old page stays whole, and the sentence names the step."""
    with Pyftpd(tmp_path) as server:
        (server.root / "index.html").write_bytes(b"old")
        with Cutter(server.port) as port:
            url = server.url().replace(str(server.port), str(port))
            with pytest.raises(PublishError, match="cannot be stored"):
                FtpPublisher(url, password_env=SECRET, timeout_seconds=2).publish(
                    [Page("index.html", b"x" * 5_000_000)]
                )

        assert b"old" == (server.root / "index.html").read_bytes()


def test_an_unknown_host_key(sshd: Sshd) -> None:
    """A host that nobody vouched for is refused."""
    sshd.known_hosts_file.write_text("", "utf-8")
    with pytest.raises(PublishRefused, match="is not known"):
        sftp(sshd).publish(PAGES)


def test_a_changed_host_key(sshd: Sshd) -> None:
    """A host with another key than before is refused."""
    sshd.trust((sshd.folder / "client_key.pub").read_text("utf-8"))
    with pytest.raises(PublishRefused, match="has changed"):
        sftp(sshd).publish(PAGES)


def test_nothing_is_shown_of_a_secret(proftpd: Proftpd) -> None:
    """Neither the publisher nor its name nor an error holds the password."""
    publisher = FtpPublisher(proftpd.url("\u00e9"), password_env=SECRET)
    proftpd.stop()
    with pytest.raises(PublishError) as caught:
        publisher.publish(PAGES)

    assert Pyftpd.password not in f"{publisher!r}{publisher.name}{caught.value!r}{caught.value.__cause__!r}"


def sftp(server: Sshd) -> SftpPublisher:
    """A publisher for this server."""
    files = {"identity_file": server.identity_file, "known_hosts_file": server.known_hosts_file}
    return SftpPublisher(server.url(), **files)


class Cutter:
    """Passes an FTP control connection on, and answers PASV with a data port that hangs up."""

    def __init__(self, port: int) -> None:
        self._behind = port
        self._front = socket.create_server(("127.0.0.1", 0))
        self._data = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._pass, self._cut)]

    def __enter__(self) -> int:
        for thread in self._threads:
            thread.start()
        return int(self._front.getsockname()[1])

    def __exit__(self, *_: object) -> None:
        for server in (self._front, self._data):
            server.shutdown(socket.SHUT_RDWR)
            server.close()
        for thread in self._threads:
            thread.join(5)

    def _pass(self) -> None:
        try:
            client, _ = self._front.accept()
        except OSError:
            return
        with client, socket.create_connection(("127.0.0.1", self._behind)) as server:
            replies, commands = server.makefile("rb"), client.makefile("rb")
            client.sendall(replies.readline())
            for command in commands:
                verb = command.split()[0].upper()
                if verb == b"PASV":
                    high, low = divmod(self._data.getsockname()[1], 256)
                    client.sendall(f"227 Entering (127,0,0,1,{high},{low})\r\n".encode())
                elif verb == b"STOR":
                    client.sendall(b"150 Go on\r\n")
                else:
                    server.sendall(command)
                    client.sendall(replies.readline())

    def _cut(self) -> None:
        try:
            connection, _ = self._data.accept()
        except OSError:
            return
        with connection:
            connection.recv(1000)
