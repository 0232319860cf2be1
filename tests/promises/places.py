"""A target that runs: what a configuration says of it, what it holds, and how visitors come to it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

from heatmap.config import loader
from heatmap.system.deadline import Deadline
from tests.servers.proxy import Fault, FtpProxy, Proxy
from tests.servers.ssh import make_key
from tests.servers.web import Nginx

if TYPE_CHECKING:
    from heatmap.publishers.delivery import Delivery
    from heatmap.publishers.interface import Publisher
    from heatmap.system.web_file import WebFile

FOLDER = "heatmap"
BUCKET = "pages"
BRANCH = "gh-pages"
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
        return loader.load(path).publishers[0]

    def publish(self, pages: Sequence[WebFile], via: Proxy | None = None) -> Delivery:
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
        return [path for path in self.files() if is_temporary(path)]

    def publishing(self) -> Callable[[], bool]:
        """Return what tells whether, from now on, a file is or was on its way."""
        before = self._hidden()
        return lambda: not self._hidden() <= before

    def _hidden(self) -> set[str]:
        top = self.root / FOLDER
        folders = [folder for folder in (top, *top.glob("*/")) if folder.is_dir()]
        return {name for folder in folders for name in os.listdir(folder) if name.startswith(".")}

    def leave(self) -> str:
        """Put a file on its way there, as a killed run leaves it; return its name."""
        name = f".heatmap-{int(time.time()):08x}-{0:016x}.tmp"
        file = self.root / FOLDER / name
        file.write_bytes(b"half a page")
        owner = file.parent.stat()
        os.chown(file, owner.st_uid, owner.st_gid)
        return name

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


def is_temporary(path: str) -> bool:
    """Whether a file of ours on its way has such a name."""
    return OURS.fullmatch(path.rpartition("/")[2]) is not None
