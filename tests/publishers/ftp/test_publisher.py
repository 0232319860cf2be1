"""FTP and FTPS, on servers that people run."""

from __future__ import annotations

import ftplib
import os
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from heatmap.errors import ConfigError, PublishError, PublishImpossible, PublishRefused
from heatmap.publishers import delivery
from heatmap.publishers.delivery import Delivery
from heatmap.publishers.ftp import control as ftp_control
from heatmap.publishers.ftp.publisher import FtpPublisher, FtpsPublisher
from heatmap.system.deadline import Deadline
from heatmap.system.web_file import WebFile
from tests.conftest import started
from tests.servers import certificates, pyftpd
from tests.servers.certificates import Certificate
from tests.servers.ftp import PASSWORD, FtpServer, Proftpd, Vsftpd
from tests.servers.process import free_ports
from tests.servers.proxy import Fault, FtpProxy, Proxy
from tests.servers.pureftpd import Pureftpd
from tests.servers.pyftpd import Pyftpd

SECRET = "HEATMAP_TEST_PASSWORD"
OLD, NEW = b"<p>old page" * 9000, b"<p>new page" * 9000
PAGES = [WebFile("index.html", NEW)]
SERVERS = (Vsftpd, Proftpd, Pureftpd)
every_server = pytest.mark.parametrize("server", SERVERS, ids=lambda server: server.__name__.lower())
NO_CHMOD = {"ftp_SITE_CHMOD": lambda self, *_, **__: self.respond("504 Not here.")}
Start = Callable[..., Any]

pytestmark = pytest.mark.real


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECRET, PASSWORD)
    monkeypatch.setattr(delivery, "BACKOFF_SECONDS", 0.01)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a server of a class, which is stopped when the test ends."""
    from contextlib import ExitStack

    with ExitStack() as running:

        def begin(server: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
            folder = tmp_path / f"server{len(os.listdir(tmp_path))}"
            return running.enter_context(started(lambda: server(folder, *arguments, **options)))

        yield begin


def publisher(server: Any, folder: str = "", **options: Any) -> FtpPublisher:
    """A publisher for a folder of a server, by TLS where that has a certificate."""
    if getattr(server, "ca_file", None):
        options = {"ca_file": server.ca_file, **options}
        return FtpsPublisher(server.url(folder), password_env=SECRET, **options)
    return FtpPublisher(server.url(folder), password_env=SECRET, **options)


def publish(server: Any, folder: str = "", **options: Any) -> Delivery:
    """Publish, each wait a second at most."""
    return publisher(server, folder, **{"timeout_seconds": 1, **options}).publish(PAGES, Deadline(15))


def with_old_page(server: Any) -> Any:
    """The same server, with an older page in place."""
    page = server.root / "index.html"
    page.write_bytes(OLD)
    there = server.root.stat()
    os.chown(page, there.st_uid, there.st_gid)
    return server


def files(server: Any) -> dict[str, bytes]:
    """All that is there, hidden files too."""
    return {path.name: path.read_bytes() for path in server.root.iterdir() if path.is_file()}


# The ways data may take.


@every_server
@pytest.mark.parametrize("tls", [False, True], ids=["clear", "tls"])
def test_active_mode(server: type[FtpServer], tls: bool, start: Start, certificate: Certificate) -> None:
    """If `passive` is false, the server opens the data connections, secured like the others."""
    there = with_old_page(start(server, certificate if tls else None))

    assert [Delivery(1, 0), Delivery(0, 1)] == [publish(there, passive=False) for _ in range(2)]
    assert {"index.html": NEW} == files(there)


def test_a_server_that_is_active_only(start: Start) -> None:
    """PASV and EPSV are refused: the error says so. With passive = false it works."""
    there = with_old_page(start(Vsftpd, pasv_enable="NO"))
    with pytest.raises(PublishError, match="no data connection: 550"):
        publish(there)

    assert {"index.html": OLD} == files(there)
    assert Delivery(1, 0) == publish(there, passive=False)


@pytest.mark.parametrize("passive", [True, False], ids=["epsv", "eprt"])
def test_ipv6(passive: bool, tmp_path: Path) -> None:
    """An address in brackets works both ways."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6 loopback: enable it to run this test")
    with Pyftpd(tmp_path, host="::1") as there:
        assert Delivery(1, 0) == publish(there, passive=passive)
        assert {"index.html": NEW} == files(there)


@pytest.mark.parametrize(
    ("server", "options"),
    [
        (Vsftpd, {"pasv_address": "10.11.12.13"}),
        (Proftpd, {"settings": {"MasqueradeAddress": "10.11.12.13"}}),
        (Pureftpd, {"options": ("-P", "10.11.12.13")}),
        (Vsftpd, {"cmds_denied": "EPSV"}),
        (Vsftpd, {"cmds_denied": "PASV"}),
        (Pyftpd, pyftpd.MALFORMED_PASV),
        (Vsftpd, {"cmds_denied": "SIZE"}),
        (Pyftpd, pyftpd.NO_SIZE),
        (Vsftpd, {"cmds_denied": "FEAT"}),
        (Pyftpd, NO_CHMOD),
        (Proftpd, {"hidden_stores": True}),
    ],
    ids=[
        *("vsftpd-private-pasv", "proftpd-private-pasv", "pureftpd-private-pasv", "no-epsv", "no-pasv"),
        *("malformed-pasv", "vsftpd-no-size", "pyftpdlib-no-size", "no-feat", "no-chmod", "hidden-stores"),
    ],
)
def test_what_does_not_matter(server: Any, options: Any, start: Start) -> None:
    """The page is there at the first attempt, and a run repeated finds it."""
    there = with_old_page(start(server, **options))

    assert [Delivery(1, 0), Delivery(0, 1)] == [publish(there), publish(there)]
    assert {"index.html": NEW} == files(there)
    assert 0o644 == (there.root / "index.html").stat().st_mode & 0o777


# Never in clear, and never to another.


@every_server
def test_nothing_crosses_in_clear(server: type[FtpServer], start: Start, certificate: Certificate) -> None:
    """The password and the pages cross no connection in clear, in either direction."""
    there = with_old_page(start(server, certificate, passive_ports=free_ports(6)))
    with FtpProxy(there.port, passive_ports=there.passive_ports) as proxy:
        through = replace(publisher(there), url=there.url(port=proxy.port, host=proxy.host))
        assert Delivery(1, 0) == through.publish(PAGES, Deadline(15))
        assert Delivery(0, 1) == through.publish(PAGES, Deadline(15))

        assert len(proxy.data.sent) > len(NEW)  # so the data did come by here
        assert len(proxy.data.received) > len(NEW)
        user = f"USER {there.user}".encode()  # alone, "ftp" may be in the encrypted bytes by chance
        for seen in (proxy.sent, proxy.received, proxy.data.sent, proxy.data.received):
            for word in (PASSWORD.encode(), user, b"new page", b"old page", b"index.html"):
                assert word not in seen


def test_the_capture_sees_what_is_in_clear(start: Start) -> None:
    """The same words are seen where ftp: sends them: so the test above can fail."""
    there = start(Vsftpd)
    with FtpProxy(there.port) as proxy:
        through = replace(publisher(there), url=there.url(port=proxy.port, host=proxy.host))
        through.publish(PAGES, Deadline(15))

        assert PASSWORD.encode() in proxy.sent
        assert b"new page" in proxy.data.sent
        assert b"new page" in proxy.data.received


@every_server
def test_a_server_without_tls_gets_nothing(server: type[FtpServer], start: Start) -> None:
    """AUTH TLS refused: neither user, password nor page, and no second try."""
    there = start(server)
    with FtpProxy(there.port) as proxy:
        url = there.url(port=proxy.port, host=proxy.host).replace("ftp:", "ftps:")
        with pytest.raises(PublishRefused, match="offers no TLS"):
            FtpsPublisher(url, password_env=SECRET).publish(PAGES, Deadline(15))

        assert b"AUTH TLS\r\n" == proxy.sent
        assert 1 == proxy.connections


@pytest.mark.parametrize("command", ["PBSZ", "PROT"])
def test_data_that_cannot_be_protected_is_not_sent(
    command: str, start: Start, certificate: Certificate
) -> None:
    """A server that refuses to secure its data connections gets none."""
    there = with_old_page(start(Vsftpd, certificate, cmds_denied=command))
    with pytest.raises(PublishRefused, match="does not secure files by TLS"):
        publish(there)

    assert {"index.html": OLD} == files(there)


@pytest.mark.parametrize("implicit", [False, True], ids=["explicit", "implicit"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
@every_server
def test_sessions_are_reused(
    server: type[FtpServer],
    version: ssl.TLSVersion,
    implicit: bool,
    start: Start,
    certificate: Certificate,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every data connection resumes the session of the control connection, under either version of TLS."""
    if implicit and server is Pureftpd:
        return  # it speaks explicit TLS alone
    there = with_old_page(start(server, certificate, **({"implicit": True} if implicit else {})))
    make, secure = ssl.create_default_context, ftp_control.Control.start_tls
    reused: list[bool | None] = []
    versions: set[str | None] = set()

    def of_version(**options: Any) -> ssl.SSLContext:
        context = make(**options)
        context.maximum_version = version
        return context

    def start_tls(control: ftp_control.Control, connection: socket.socket) -> ssl.SSLSocket:
        made = secure(control, connection)
        reused.append(made.session_reused)
        versions.add(made.version())
        return made

    monkeypatch.setattr(ssl, "create_default_context", of_version)
    monkeypatch.setattr(ftp_control.Control, "start_tls", start_tls)

    assert Delivery(1, 0) == publish(there, **({"implicit": True} if implicit else {}))
    assert {version.name.replace("_", ".")} == versions
    control, *data = reused
    assert not control
    assert len(data) >= 3
    tickets = not (server is Pureftpd and version is ssl.TLSVersion.TLSv1_3)  # it gives none out there
    assert {tickets} == set(data)


def test_reuse_is_required(start: Start, certificate: Certificate) -> None:
    """The test server requires it: it refuses ftplib alone."""
    there = start(Vsftpd, certificate)
    with ftplib.FTP_TLS(context=ssl.create_default_context(cafile=there.ca_file), timeout=5) as plain:
        plain.connect("127.0.0.1", there.port)
        plain.login(there.user, PASSWORD)
        plain.prot_p()
        with pytest.raises((ftplib.error_perm, OSError), match=r"522|EOF"):
            plain.nlst()


@pytest.mark.parametrize(
    ("options", "port"),
    [
        ({"url": "ftp://u@h/"}, 21),
        ({"url": "ftps://u@h/"}, 21),
        ({"url": "ftps://u@h/", "implicit": True}, 990),
        ({"url": "ftps://u@h:2121/", "implicit": True}, 2121),
    ],
    ids=["ftp", "explicit", "implicit", "other"],
)
def test_default_ports(options: Any, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The port is 21; 990 if TLS starts with the first byte."""
    addresses: list[tuple[str, int]] = []

    def open_connection(_: ftp_control.Control, host: str, port: int) -> None:
        addresses.append((host, port))
        raise ConnectionRefusedError

    monkeypatch.setattr(ftp_control.Control, "open_connection", open_connection)
    make = FtpsPublisher if options["url"].startswith("ftps") else FtpPublisher
    with pytest.raises(PublishError):
        make(**options).publish(PAGES, Deadline(15))

    assert ("h", port) == addresses[0]


def test_port_990_is_implicit() -> None:
    """There a server says nothing before TLS."""
    implicit = [FtpsPublisher(f"ftps://u@h{port}/")._make_security().implicit for port in (":990", ":21", "")]

    assert [True, False, False] == implicit


@pytest.mark.parametrize("implicit", [True, False], ids=["server", "client"])
def test_implicit_on_one_side_alone(implicit: bool, start: Start, certificate: Certificate) -> None:
    """Either side may wait for the other: the error names the option, and only AUTH TLS is sent in clear."""
    there = start(Vsftpd, certificate, implicit=implicit)
    with Proxy(there.port) as proxy:
        through = replace(
            publisher(there), url=there.url(port=proxy.port), implicit=not implicit, timeout_seconds=1
        )
        with pytest.raises(PublishError, match="`implicit`"):
            through.publish(PAGES, Deadline(3))

        assert there.user.encode() not in proxy.sent


def test_an_old_tls_is_refused(start: Start, certificate: Certificate) -> None:
    """TLS 1.1 is refused, and nothing is sent without TLS."""
    there = start(Proftpd, certificate, settings={"TLSProtocol": "TLSv1.1"})
    with pytest.raises(PublishRefused, match="no TLS connection"):
        publish(there)

    assert {} == files(there)


@pytest.mark.parametrize("fault", ["unknown authority", "wrong name", "expired"])
def test_a_certificate_that_is_not_accepted(fault: str, start: Start, tmp_path: Path) -> None:
    """It is refused at once, nothing arrives, and the sentence says why."""
    made = certificates.make(
        tmp_path / "other", "DNS:www.example.org" if fault == "wrong name" else "IP:127.0.0.1"
    )
    if fault == "expired":
        expire(made)
    there = start(Vsftpd, made)
    trusted = {"ca_file": None} if fault == "unknown authority" else {}
    why = {"unknown authority": "unable to get", "wrong name": "mismatch", "expired": "has expired"}[fault]
    with pytest.raises(PublishRefused, match=rf"certificate is not accepted \(.*{why}"):
        publish(there, **trusted)

    assert {} == files(there)


def expire(made: Certificate) -> None:
    """Give a server's certificate a life that is over."""
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization

    old = x509.load_pem_x509_certificate(made.certificate.read_bytes())
    authority = serialization.load_pem_private_key((made.ca_file.parent / "ca.key").read_bytes(), None)
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(old.issuer, old.subject, old.public_key(), old.serial_number)
    builder = builder.not_valid_before(now - timedelta(days=2)).not_valid_after(now - timedelta(days=1))
    for extension in old.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    signed = builder.sign(authority, hashes.SHA256())  # type: ignore[arg-type]
    made.certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"no certificate", "holds no certificate in PEM: name a PEM file"),
        (b"", "holds no certificate in PEM: name a PEM file"),
        (
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "holds no certificate in PEM: name a PEM file",
        ),
        (None, r"cannot be read \(No such file or directory\): check its name and its owner"),
    ],
    ids=["text", "empty", "damaged", "missing"],
)
def test_a_ca_file_that_cannot_be_used(content: bytes | None, words: str, tmp_path: Path) -> None:
    """It is a fault of the configuration: one plain sentence, before any server is contacted."""
    ca_file = tmp_path / "ca.pem"
    if content is not None:
        ca_file.write_bytes(content)
    target = FtpsPublisher("ftps://u@127.0.0.1:1/web", password_env=SECRET, ca_file=ca_file)
    with pytest.raises(PublishImpossible) as caught:
        target.publish(PAGES, Deadline(5))

    assert re.fullmatch(
        rf"{re.escape(target.name)}: the ca_file {re.escape(str(ca_file))} {words}", str(caught.value)
    )


AUTH_BYTES = len("AUTH TLS\r\n")
SLOW: dict[str, tuple[Fault | None, Fault | None, str]] = {  # what befalls commands, and data; the step
    "greeting-drips": (Fault.drip(0.1, way="received"), None, "sends no greeting"),
    "control-tls-stalls": (Fault.stall(after=AUTH_BYTES), None, "no TLS connection"),
    "control-tls-drips": (Fault.drip(0.05, after=AUTH_BYTES), None, "no TLS connection"),
    "data-tls-stalls": (None, Fault.stall(), "index.html cannot be read back"),
    "data-comes-by-drips": (
        None,
        Fault.drip(0.02, after=5000, way="received"),
        "index.html cannot be read back",
    ),
    "data-is-swallowed": (None, Fault.swallow(after=5000).on(9, skip=1), "nothing can be stored"),
    "data-goes-by-drips": (None, Fault.drip(0.02, after=5000).on(9, skip=1), "nothing can be stored"),
}


@pytest.mark.serial
@pytest.mark.parametrize(("control", "data", "words"), SLOW.values(), ids=SLOW.keys())
def test_what_trickles_ends_by_the_deadline(
    control: Fault | None, data: Fault | None, words: str, start: Start, certificate: Certificate
) -> None:
    """Under TLS, too: no timeout ends bytes that keep coming one by one, but the deadline does."""
    there = with_old_page(start(Vsftpd, certificate, passive_ports=free_ports(6)))
    with FtpProxy(there.port, control, data=data, passive_ports=there.passive_ports) as proxy:
        through = replace(publisher(there), url=there.url(port=proxy.port, host=proxy.host))
        started_at = time.monotonic()
        with pytest.raises(PublishError, match=rf"{words}.* \(the run's 1 seconds are over\)"):
            through.publish(PAGES, Deadline(1))

        assert time.monotonic() - started_at < 2
        assert OLD == (there.root / "index.html").read_bytes()


# Servers that will not have it.


@pytest.mark.parametrize(
    ("server", "options"),
    [
        (Proftpd, {"allow_overwrite": False}),
        (Pyftpd, pyftpd.IIS),
        (Pyftpd, {**pyftpd.OLD_FILEZILLA, **NO_CHMOD}),
    ],
    ids=["proftpd", "iis", "old-filezilla"],
)
def test_a_server_that_does_not_overwrite(server: Any, options: Any, start: Start) -> None:
    """The sentence names the option and its price, the old page stays, no temporary does; the option works."""
    there = with_old_page(start(server, **options))
    with pytest.raises(
        PublishImpossible, match=r'replace = "delete-then-rename", at the price that visitors'
    ):
        publish(there)

    assert {"index.html": OLD} == files(there)
    assert [Delivery(1, 0), Delivery(0, 1)] == [
        publish(there, replace="delete-then-rename") for _ in range(2)
    ]
    assert {"index.html": NEW} == files(there)


def test_a_server_that_cannot_rename(start: Start) -> None:
    """Nothing is deleted, whatever the option: the old page stays."""
    there = with_old_page(start(Pyftpd, **pyftpd.NO_RENAMING))
    for way in ("rename", "delete-then-rename"):
        with pytest.raises(PublishImpossible, match="nothing can be renamed"):
            publish(there, replace=way)

    assert {"index.html": OLD} == files(there)


def test_pure_ftpd_that_renames_uploads(start: Start) -> None:
    """With -r it stores an upload over a file as NAME.1; our temporary names are never there, so it never does."""
    there = with_old_page(start(Pureftpd, autorename=True))

    assert Delivery(1, 0) == publish(there)
    assert {"index.html": NEW} == files(there)


def test_pure_ftpd_that_takes_no_hidden_names(start: Start) -> None:
    """With -x it refuses names that begin with a dot, as our temporary ones do: the sentence says to look at that."""
    there = with_old_page(start(Pureftpd, options=("-x",)))
    with pytest.raises(PublishError, match=r"\(553 .*\): .*whether it takes names that begin with a dot"):
        publish(there)

    assert {"index.html": OLD} == files(there)


@pytest.mark.parametrize(
    ("settings", "words"),
    [(pyftpd.STORES_HALF, "49,500 of 99,000 bytes arrived"), (pyftpd.STORES_ELSEWHERE, "under its name")],
    ids=["half", "elsewhere"],
)
def test_a_server_that_answers_226_all_the_same(settings: Any, words: str, start: Start) -> None:
    """The stored file is checked before it replaces the old page."""
    there = with_old_page(start(Pyftpd, **settings))
    with pytest.raises(PublishError, match=words):
        publish(there)

    assert OLD == files(there)["index.html"]


@every_server
@pytest.mark.parametrize("tls", [False, True], ids=["clear", "tls"])
def test_a_full_disk(server: type[FtpServer], tls: bool, start: Start, certificate: Certificate) -> None:
    """The old page stays, no temporary does, and the sentence says where to look; with room the next run heals."""
    there = start(server, certificate if tls else None, file_size_limit=len(NEW) // 2)
    (there.root / "index.html").write_bytes(b"old")
    with pytest.raises(PublishError, match=r"nothing can be stored|bytes arrived"):
        publish(there)

    assert {"index.html": b"old"} == files(there)
    there.limit_file_size(None)
    assert Delivery(1, 0) == publish(there)


@pytest.mark.parametrize(
    ("server", "options"),
    [(Proftpd, {"umask": "077"}), (Pureftpd, {"masks": "177:077"})],
    ids=["proftpd", "pureftpd"],
)
def test_visitors_may_read_whatever_the_umask(server: Any, options: Any, start: Start) -> None:
    """Modes are changed where the server lets them be."""
    there = start(server, **options)
    publish(there, "new/folder")

    page = there.root / "new/folder/index.html"
    assert [0o644, 0o755, 0o755] == [
        path.stat().st_mode & 0o777 for path in (page, page.parent, page.parents[1])
    ]


def test_pages_that_visitors_could_not_read_are_not_put(start: Start) -> None:
    """If modes cannot be changed, the error names the umask that hides files, and the old page stays."""
    there = with_old_page(start(Vsftpd, umask="077"))
    with pytest.raises(PublishImpossible, match=r"could not read .*-rw-------.* umask"):
        publish(there)

    assert {"index.html": OLD} == files(there)


def test_modes_that_only_machines_are_told(start: Start) -> None:
    """If LIST has the form of DOS, MLSD shows the mode, but only on request."""
    there = with_old_page(start(Pyftpd, **pyftpd.DOS_LISTS))
    with pytest.raises(PublishImpossible, match=r"could not read .*-rw-------.* umask"):
        publish(there)

    assert {"index.html": OLD} == files(there)


def test_modes_that_nobody_is_told(start: Start) -> None:
    """The page is put, and `check` says that nobody knows who may read it."""
    there = start(Pyftpd, **pyftpd.NO_MODES)

    assert "modes can neither be changed nor seen" in publisher(there).check(Deadline(15))
    assert Delivery(1, 0) == publish(there)


# What stands where the page is to be.


@every_server
def test_a_folder_in_its_place(server: type[FtpServer], start: Start) -> None:
    """It is an error at once, and the link stays."""
    there = start(server)
    (there.root / "index.html").mkdir()
    with pytest.raises(PublishImpossible, match=r"index\.html is a folder"):
        publish(there)

    assert ["index.html"] == [path.name for path in there.root.iterdir()]


@every_server
def test_a_symbolic_link_in_its_place(server: type[FtpServer], start: Start) -> None:
    """FTP does not tell it from a file: the page takes its place, and what it points at is untouched."""
    there = start(server)
    (there.root / "other.html").write_bytes(b"mine")
    (there.root / "index.html").symlink_to("other.html")
    publish(there)

    assert {"index.html": NEW, "other.html": b"mine"} == files(there)
    assert not (there.root / "index.html").is_symlink()


@every_server
def test_a_folder_that_is_a_link(server: type[FtpServer], start: Start) -> None:
    """As public_html often is: it is gone into."""
    there = start(server)
    (there.root / "real").mkdir()
    own = there.root.stat()
    os.chown(there.root / "real", own.st_uid, own.st_gid)
    (there.root / "public_html").symlink_to("real")
    publish(there, "public_html")

    assert NEW == (there.root / "real/index.html").read_bytes()


def test_a_file_in_the_place_of_the_folder(start: Start) -> None:
    """It is one sentence."""
    there = with_old_page(start(Vsftpd))
    with pytest.raises(PublishError, match="the folder index.html cannot be entered or made"):
        publish(there, "index.html")


@every_server
@pytest.mark.parametrize("way", ["as offered", "NLST"])
def test_hidden_files_are_seen(server: type[FtpServer], way: str, start: Start) -> None:
    """Or what we left behind could not be swept; with or without MLSD, and in a folder that a name hides."""
    there = start(server)
    expected = {".hidden", "a b.html", "\u00e9t\u00e9"}
    (there.root / "the folder").mkdir()
    for name in expected:
        (there.root / "the folder" / name).write_bytes(b"")
    session = publisher(there).make_connection(Deadline(5))
    session.open()
    if way == "NLST":
        session._features.clear()

    assert expected == set(session.list_names("the folder"))
    assert () == session.list_names("none")
    session.close()


# Logins, and what is said.


@pytest.mark.parametrize("secret", ["p\u00e4ss w\u00f6rd \u2603", "%41:@/?#\\\"'`$(x) ;", "-x"])
def test_any_password(secret: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is sent letter for letter, in UTF-8."""
    monkeypatch.setenv(SECRET, secret)
    monkeypatch.setattr(Pyftpd, "password", secret)
    with Pyftpd(tmp_path) as there:
        assert Delivery(1, 0) == publish(there)


def test_a_password_that_a_server_repeats_is_not_shown(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is it in the publisher, its name, or what caused the error."""
    import traceback

    from tests.servers.scripted_ftp import ScriptedFtp

    with ScriptedFtp({"PASS": f"530 No {PASSWORD} here."}) as there:
        target = publisher(there)
        with pytest.raises(
            PublishRefused, match=r"login was refused \(its reply holds the password\)"
        ) as caught:
            target.publish(PAGES, Deadline(5))

    assert PASSWORD not in f"{target!r}{target.name}{''.join(traceback.format_exception(caught.value))}"


@pytest.mark.parametrize(
    ("seconds", "options"),
    [
        (0, {"password_env": SECRET}),
        (0, {"password_command": ("sleep", "5")}),
        (0.2, {"password_command": ("sleep", "5")}),
    ],
    ids=["at once", "before a command is asked", "while a command is asked"],
)
def test_no_time_for_a_login(seconds: float, options: Any) -> None:
    """The error is the deadline, which another run may meet, and no refusal."""
    target = FtpPublisher("ftp://u@127.0.0.1:1/web", **options)
    with pytest.raises(PublishError, match=rf"the run's {seconds} seconds are over") as caught:
        target.publish(PAGES, Deadline(seconds))

    assert PublishError is type(caught.value)
    assert str(caught.value).startswith(f"{target.name}: ")


def test_a_password_command_that_fails_in_time() -> None:
    """It is a refusal, as without a deadline."""
    target = FtpPublisher("ftp://u@127.0.0.1:1/web", password_command=("false",))
    with pytest.raises(PublishRefused, match="ended with exit code 1"):
        target.publish(PAGES, Deadline(5))


@pytest.mark.parametrize(
    ("server", "words"),
    [
        (Vsftpd, '"(vsFTPd 3.0.3)", no TLS, reports sizes, lists by NLST, changes no modes'),
        (
            Proftpd,
            '"ProFTPD Server (ProFTPD) [127.0.0.1]", no TLS, reports sizes, lists by MLSD, changes modes',
        ),
        (Pureftpd, '"Welcome to Pure-FTPd'),
    ],
    ids=["vsftpd", "proftpd", "pureftpd"],
)
def test_check_tells_which_server_it_is(server: Any, words: str, start: Start) -> None:
    """Its name for itself, and what it can and cannot do."""
    description = publisher(start(server)).check(Deadline(15))

    assert description.startswith("an FTP server that calls itself ")
    assert words in description


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"url": "ftps://u@h/x", "verify": "some"}, "verify must be one of page, all, size"),
        ({"url": "ftps://u@h/x", "replace": "copy"}, "replace must be one of rename, delete-then-rename"),
        ({"url": "ftps://h/x", "password_env": "X"}, "url has no user"),
        ({"url": "ftps://u@h/x", "timeout_seconds": 0}, "timeout_seconds must be 1 to 300"),
        ({"url": "ftps://u:p4ss@h/x"}, "url holds a password"),
    ],
    ids=["verify", "replace", "user", "timeout", "password"],
)
def test_what_cannot_be(options: Any, words: str) -> None:
    """Each is a ConfigError."""
    with pytest.raises(ConfigError, match=words):
        FtpsPublisher(**options)
