"""Every kind of target on a real server of its own: what a configuration says of it, and what it holds."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

from heatmap import config
from heatmap.deadline import Deadline
from tests.servers import unpack
from tests.servers.process import free_ports
from tests.servers.proxy import Fault, FtpProxy, Proxy

if TYPE_CHECKING:
    from heatmap.interfaces import Publisher
    from heatmap.model import Page
    from heatmap.publishers.delivery import Delivery
    from tests.servers.certificates import Certificate

FOLDER = "heatmap"
PASSIVE_PORTS = 24
PUBLISH_SECONDS = 60
OURS = re.compile(r"(\.in\.)?\.heatmap-[0-9a-f]{8}-[0-9a-f]{16}\.tmp(\.\d*)?")


@dataclass
class Place:
    """A target that runs. `options` are the keys of its [[publish]] table beside the URL.

    `renames`: a page takes another's place in one step, so that visitors always meet one.
    """

    kind: str
    folder: Path  # for what the tests write beside the server
    root: Path  # where the server keeps what is uploaded
    address: Callable[[int | None, str], str]  # the URL by way of a port and a host; None: its own port
    options: Mapping[str, str] = field(default_factory=dict)
    server: str = ""  # name and version
    port: int | None = None
    passive_ports: range = range(0)
    renames: bool = True
    trust: Callable[[int, str], None] = lambda port, host: None

    @property
    def is_ftp(self) -> bool:
        """Whether it opens further connections for its data."""
        return self.kind.startswith("ftp")

    def table(self, port: int | None = None, host: str = "127.0.0.1", under: str = "", **more: str) -> str:
        """Its [[publish]] table, for the server itself or by way of a proxy; `under`: a folder in the folder."""
        url = self.address(port, host) + (under and f"/{under}")
        options = {"url": url, **self.options, **more}
        return "[[publish]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in options.items())

    def publisher(self, port: int | None = None, host: str = "127.0.0.1") -> Publisher:
        """The publisher that a configuration with that table makes."""
        path = Path(mkdtemp(dir=self.folder)) / "heatmap.toml"
        path.write_text(self.table(port, host), "utf-8")
        return config.load(path).publishers[0]

    def publish(self, pages: Sequence[Page], via: Proxy | None = None) -> Delivery:
        """Publish as a run does. Raises PublishError."""
        target = self.publisher(via.port, via.host) if via else self.publisher()
        return target.publish(pages, Deadline(PUBLISH_SECONDS))

    def proxy(self, fault: Fault | None = None) -> Proxy:
        """A way there on which something happens to connections: with FTP, to those of the commands."""
        assert self.port is not None
        proxy = Proxy(self.port, fault)
        self.trust(proxy.port, proxy.host)
        return proxy

    def ftp_proxy(self, data: Fault | None = None) -> FtpProxy:
        """A way there by which FTP's data go, too. One at a time."""
        assert self.port is not None
        return FtpProxy(self.port, data=data, passive_ports=self.passive_ports)

    def wrong_login(self) -> dict[str, str]:
        """What a [[publish]] table would say that the server does not let in."""
        from tests.servers.ssh import make_key

        wrong = self.folder / "wrong"
        if "password_file" in self.options:
            wrong.touch(0o600)
            wrong.write_text("wrong", "utf-8")
            return {"password_file": str(wrong)}
        make_key(wrong)
        return {"identity_file": str(wrong)}

    def files(self, under: str = "") -> dict[str, bytes]:
        """All that lies in the target's folder or a folder in it, hidden files too."""
        top = self.root / FOLDER / under
        return {str(path.relative_to(top)): path.read_bytes() for path in top.rglob("*") if path.is_file()}

    def leftovers(self) -> list[str]:
        """The files on their way, by their names."""
        return [path for path in self.files() if OURS.fullmatch(path.rpartition("/")[2])]

    def publishing(self) -> Callable[[], bool]:
        """Return what tells whether, from now on, a file is or was on its way."""
        before = self._hidden()
        return lambda: not self._hidden() <= before

    def _hidden(self) -> set[str]:
        top = self.root / FOLDER
        folders = [folder for folder in (top, *top.glob("*/")) if folder.is_dir()]
        return {name for folder in folders for name in os.listdir(folder) if name.startswith(".")}

    def age(self, path: str) -> None:
        """Make a leftover's name two hours older, as if that much time had passed."""
        file = self.root / FOLDER / path
        found = re.search(r"(?<=heatmap-)[0-9a-f]{8}", file.name)
        assert found
        older = f"{int(found[0], 16) - 7200:08x}"
        file.rename(file.with_name(file.name.replace(found[0], older, 1)))

    @contextmanager
    def visited(self) -> Iterator[str]:
        """The address at which visitors find `index.html`, by a web server as we tell people to set it up."""
        from tests.servers.web import Nginx

        with Nginx(Path(mkdtemp(dir=self.folder)) / "nginx") as nginx:
            (self.root / FOLDER).mkdir(exist_ok=True)
            (nginx.root / FOLDER).symlink_to(self.root / FOLDER)
            yield nginx.url(f"{FOLDER}/index.html")


LOCAL = ("file",)
Start = Callable[[Path, "Certificate"], AbstractContextManager[Place]]


def version(package: str) -> str:
    """The version of a Debian package, unpacked or installed."""
    unpacked = sorted((unpack.FOLDER / "packages").glob(f"{package}_*.deb"))
    if unpacked:
        return unpacked[-1].name.split("_")[1].replace("%3a", ":")
    query = ["dpkg-query", "-W", "-f", "${Version}", package]
    return subprocess.run(query, capture_output=True, check=False, text=True).stdout or "of this system"


@contextmanager
def _file(folder: Path, _: Certificate) -> Iterator[Place]:
    yield Place(
        "file",
        folder,
        folder / "root",
        lambda _port, _host: f"file:{folder}/root/{FOLDER}",
        server="this machine's file system",
    )


def _ftp(kind: str, make: Callable[..., Any], package: str, **options: str) -> Start:
    """Return the start of an FTP server; `options` are further keys of the [[publish]] table."""

    @contextmanager
    def start(folder: Path, certificate: Certificate) -> Iterator[Place]:
        ports = free_ports(PASSIVE_PORTS)
        with make(folder / "server", certificate, ports) as server:
            secret = folder / "password"
            secret.touch(0o600)
            secret.write_text(server.password, "utf-8")
            keys = {"password_file": str(secret), **options}
            if kind.startswith("ftps"):
                keys["ca_file"] = str(server.ca_file)
            yield Place(
                kind,
                folder,
                server.root,
                lambda port, host: server.url(FOLDER, port, host),
                keys,
                f"{package} {version(package)}",
                server.port,
                ports,
                renames="replace" not in options,
            )

    return start


def _vsftpd(folder: Path, _: Certificate, ports: range) -> object:
    from tests.servers.ftp import Vsftpd

    return Vsftpd(folder, passive_ports=ports)


def _vsftpd_tls(folder: Path, certificate: Certificate, ports: range) -> object:
    from tests.servers.ftp import Vsftpd

    return Vsftpd(folder, certificate, passive_ports=ports)


def _proftpd(folder: Path, _: Certificate, ports: range) -> object:
    from tests.servers.ftp import Proftpd

    return Proftpd(folder, passive_ports=ports)


def _proftpd_strict(folder: Path, _: Certificate, ports: range) -> object:
    from tests.servers.ftp import Proftpd

    return Proftpd(folder, passive_ports=ports, allow_overwrite=False)


def _proftpd_tls(folder: Path, certificate: Certificate, ports: range) -> object:
    from tests.servers.ftp import Proftpd

    return Proftpd(folder, certificate, passive_ports=ports)


def _pureftpd(folder: Path, _: Certificate, ports: range) -> object:
    from tests.servers.pureftpd import Pureftpd

    return Pureftpd(folder, passive_ports=ports)


def _pureftpd_tls(folder: Path, certificate: Certificate, ports: range) -> object:
    from tests.servers.pureftpd import Pureftpd

    return Pureftpd(folder, certificate, passive_ports=ports)


def _sftp(kind: str, make: Callable[[Path], Any], package: str) -> Start:
    @contextmanager
    def start(folder: Path, _: Certificate) -> Iterator[Place]:
        with make(folder / "server") as server:
            known, (_host, key_kind, key) = server.known_hosts_file, _words(server.known_hosts_file)

            def trust(port: int, host: str) -> None:
                with known.open("a", encoding="utf-8") as file:
                    file.write(f"[{host}]:{port} {key_kind} {key}\n")

            yield Place(
                kind,
                folder,
                server.root,
                lambda port, host: server.url(FOLDER, port, host),
                {"identity_file": str(server.identity_file), "known_hosts_file": str(known)},
                f"{package} {version(package)}",
                server.port,
                trust=trust,
            )

    return start


def _words(known_hosts: Path) -> list[str]:
    return known_hosts.read_text("utf-8").split()[:3]


def _openssh(folder: Path) -> object:
    from tests.servers.ssh import Sshd

    return Sshd(folder)


def _proftpd_sftp(folder: Path) -> object:
    from tests.servers.ftp import ProftpdSftp

    return ProftpdSftp(folder)


KINDS: dict[str, Start] = {
    "file": _file,
    "ftp@vsftpd": _ftp("ftp@vsftpd", _vsftpd, "vsftpd"),
    "ftp@proftpd": _ftp("ftp@proftpd", _proftpd, "proftpd-core"),
    "ftp@pure-ftpd": _ftp("ftp@pure-ftpd", _pureftpd, "pure-ftpd"),
    "ftp@proftpd, delete-then-rename": _ftp(
        "ftp@proftpd, delete-then-rename", _proftpd_strict, "proftpd-core", replace="delete-then-rename"
    ),
    "ftps@vsftpd": _ftp("ftps@vsftpd", _vsftpd_tls, "vsftpd"),
    "ftps@proftpd": _ftp("ftps@proftpd", _proftpd_tls, "proftpd-core"),
    "ftps@pure-ftpd": _ftp("ftps@pure-ftpd", _pureftpd_tls, "pure-ftpd"),
    "sftp@openssh": _sftp("sftp@openssh", _openssh, "openssh-server"),
    "sftp@proftpd": _sftp("sftp@proftpd", _proftpd_sftp, "proftpd-mod-crypto"),
}


@contextmanager
def started(kind: str, folder: Path) -> Iterator[Place]:
    """Start a target of this kind with all it needs in `folder`. Raises process.Missing."""
    from tests.servers import certificates

    folder.mkdir(parents=True, exist_ok=True)
    with KINDS[kind](folder, certificates.make(folder / "certificate")) as place:
        yield place
