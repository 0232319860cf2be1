"""Every kind of target on a real server of its own: what a configuration says of it, and what it holds."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

from heatmap import config
from heatmap.deadline import Deadline
from tests.servers import unpack
from tests.servers.process import Missing, free_ports
from tests.servers.proxy import Fault, FtpProxy, Proxy

if TYPE_CHECKING:
    from heatmap.interfaces import Publisher
    from heatmap.model import Page
    from heatmap.publishers.delivery import Delivery
    from tests.servers.certificates import Certificate

FOLDER = "heatmap"
BUCKET = "pages"
BRANCH = "gh-pages"
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
    options: Mapping[str, str | bool] = field(default_factory=dict)
    server: str = ""  # name and version
    port: int | None = None
    passive_ports: range = range(0)
    renames: bool = True
    trust: Callable[[int, str], None] = lambda port, host: None
    by_way_of: Callable[[int | None, str], Mapping[str, str]] = (
        lambda port, host: {}
    )  # keys that change with the way
    write_bytes: int = 150_000  # how much a process may have written when it is cut

    watched = True  # whether `publishing` can tell
    pooled = True  # whether all goes over one connection

    @property
    def is_ftp(self) -> bool:
        """Whether it opens further connections for its data."""
        return self.kind.startswith("ftp")

    def table(self, port: int | None = None, host: str = "127.0.0.1", under: str = "", **more: str) -> str:
        """Its [[publish]] table, for the server itself or by way of a proxy; `under`: a folder in the folder."""
        url = self.address(port, host) + (under and f"/{under}")
        options = {"url": url, **self.options, **self.by_way_of(port, host), **more}
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
        if not wrong.exists():
            make_key(wrong)
        return {"identity_file": str(wrong)}

    def files(self, under: str = "") -> dict[str, bytes]:
        """All that lies in the target's folder or a folder in it, hidden files too."""
        top = self.root / FOLDER / under
        found = {}
        for path in top.rglob("*"):
            with suppress(FileNotFoundError, IsADirectoryError):  # it may be renamed at this moment
                found[str(path.relative_to(top))] = path.read_bytes()
        return found

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


@dataclass
class Bucket(Place):
    """A store's bucket, in which no file bears another name on its way."""

    client: Any = None  # one by another hand than ours

    watched = False
    pooled = False

    def files(self, under: str = "") -> dict[str, bytes]:
        """All objects of the folder."""
        top = f"{FOLDER}/{under}/" if under else f"{FOLDER}/"
        listed = self.client.list_objects_v2(Bucket=BUCKET, Prefix=top).get("Contents", [])
        keys = [found["Key"] for found in listed]
        return {
            key.removeprefix(top): self.client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
            for key in keys
        }

    @contextmanager
    def visited(self) -> Iterator[str]:
        """The address by which the store itself serves the page."""
        page = {"Bucket": BUCKET, "Key": f"{FOLDER}/index.html"}
        yield self.client.generate_presigned_url("get_object", page)


@dataclass
class Branch(Place):
    """A branch of a repository, pushed to from a clone; visitors get what the branch has."""

    watched = False

    def table(self, port: int | None = None, host: str = "127.0.0.1", under: str = "", **more: str) -> str:
        """Its [[publish]] table."""
        return super().table(folder=f"{FOLDER}/{under}".rstrip("/"), **more)

    def files(self, under: str = "") -> dict[str, bytes]:
        """All files that the branch has in the folder. Raises CalledProcessError where it is damaged."""
        top = f"{FOLDER}/{under}".rstrip("/") + "/"
        names = self._git("ls-tree", "-r", "-z", "--name-only", BRANCH, top).decode().split("\0")[:-1]
        return {name.removeprefix(top): self._git("show", f"{BRANCH}:{name}") for name in names}

    @contextmanager
    def visited(self) -> Iterator[str]:
        """Where a clone would be made from."""
        yield f"git:{self.root}:{BRANCH}:{FOLDER}/index.html"

    def _git(self, *words: str) -> bytes:
        return subprocess.run(["git", "-C", self.root, *words], check=True, capture_output=True).stdout


LOCAL = ("file", "git+file")
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


def _ftp(kind: str, make: Callable[..., Any], package: str, **options: str | bool) -> Start:
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


def _vsftpd_implicit(folder: Path, certificate: Certificate, ports: range) -> object:
    from tests.servers.ftp import Vsftpd

    return Vsftpd(folder, certificate, implicit=True, passive_ports=ports)


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


def _sftp(kind: str, make: Callable[[Path], Any], package: str, *, by_password: bool = False) -> Start:
    @contextmanager
    def start(folder: Path, _: Certificate) -> Iterator[Place]:
        if by_password and find_spec("paramiko") is None:
            raise Missing("paramiko is not here: pip install 'market-heatmap[sftp-password]'")
        with make(folder / "server") as server:
            known, (_host, key_kind, key) = server.known_hosts_file, _words(server.known_hosts_file)

            def trust(port: int, host: str) -> None:
                with known.open("a", encoding="utf-8") as file:
                    file.write(f"[{host}]:{port} {key_kind} {key}\n")

            keys = {"known_hosts_file": str(known), "identity_file": str(server.identity_file)}
            if by_password:
                secret = folder / "password"
                secret.touch(0o600)
                secret.write_text(server.password, "utf-8")
                keys = {"known_hosts_file": str(known), "password_file": str(secret)}
            yield Place(
                kind,
                folder,
                server.root,
                lambda port, host: server.url(FOLDER, port, host),
                keys,
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


@contextmanager
def _s3(folder: Path, _: Certificate) -> Iterator[Place]:
    from tests.servers.moto import Moto

    secret = folder / "secret"
    secret.touch(0o600)
    secret.write_text("secret", "utf-8")
    with Moto(folder / "server") as server:
        client = server.client()
        client.create_bucket(Bucket=BUCKET)

        def by_way_of(port: int | None, host: str) -> dict[str, str]:
            scheme = "http" if host.startswith("127.") else "https"  # in clear to this machine alone
            return {"endpoint_url": f"{scheme}://{host}:{port or server.port}"}

        yield Bucket(
            "s3@moto",
            folder,
            server.root,
            lambda _port, _host: f"s3://{BUCKET}/{FOLDER}",
            {"access_key_id": "somebody", "secret_access_key_file": str(secret)},
            f"moto {metadata.version('moto')}",
            server.port,
            by_way_of=by_way_of,
            client=client,
        )


@contextmanager
def _git(folder: Path, _: Certificate) -> Iterator[Place]:
    if which("git") is None:
        raise Missing("git is not here: install it (Debian: apt-get install git)")
    bare, clone = folder / "origin.git", folder / "clone"
    for command in (
        ["git", "init", "-q", "--bare", bare],
        ["git", "init", "-q", clone],
        ["git", "-C", clone, "remote", "add", "origin", bare],
    ):
        subprocess.run(command, check=True, capture_output=True)
    yield Branch(
        "git+file",
        folder,
        bare,
        lambda _port, _host: f"git+file:{clone}",
        server="git",
        write_bytes=30_000,  # a page is stored compressed
    )


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
    "ftps@vsftpd, implicit": _ftp("ftps@vsftpd, implicit", _vsftpd_implicit, "vsftpd", implicit=True),
    "ftps@pure-ftpd": _ftp("ftps@pure-ftpd", _pureftpd_tls, "pure-ftpd"),
    "sftp@openssh": _sftp("sftp@openssh", _openssh, "openssh-server"),
    "sftp@proftpd": _sftp("sftp@proftpd", _proftpd_sftp, "proftpd-mod-crypto"),
    "sftp@proftpd, password": _sftp(
        "sftp@proftpd, password", _proftpd_sftp, "proftpd-mod-crypto", by_password=True
    ),
    "s3@moto": _s3,
    "git+file": _git,
}


@contextmanager
def started(kind: str, folder: Path) -> Iterator[Place]:
    """Start a target of this kind with all it needs in `folder`. Raises process.Missing."""
    from tests.servers import certificates

    folder.mkdir(parents=True, exist_ok=True)
    with KINDS[kind](folder, certificates.make(folder / "certificate")) as place:
        yield place
