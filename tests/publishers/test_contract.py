"""The promises of all publishers, on each kind of server."""

from __future__ import annotations

import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from heatmap.errors import PublishError, PublishImpossible, PublishRefused
from heatmap.publishers import delivery, ownership
from heatmap.publishers.delivery import Delivery
from heatmap.publishers.folder import FolderPublisher
from heatmap.publishers.ftp.publisher import FtpPublisher, FtpsPublisher
from heatmap.publishers.s3.publisher import S3Publisher
from heatmap.publishers.sftp.publisher import SftpPublisher
from heatmap.system.deadline import Deadline
from heatmap.system.web_file import WebFile
from tests.conftest import started
from tests.servers.certificates import Certificate
from tests.servers.ftp import PASSWORD, Proftpd, ProftpdSftp, Vsftpd
from tests.servers.process import free_port
from tests.servers.pureftpd import Pureftpd
from tests.servers.pyftpd import Pyftpd
from tests.servers.scripted_s3 import ScriptedS3
from tests.servers.ssh import Sshd, make_key

SECRET, WRONG_SECRET = "HEATMAP_TEST_PASSWORD", "HEATMAP_TEST_WRONG_PASSWORD"
WRONG = "wrong-canary"
DEAD_SECONDS = 5


@dataclass
class Target:
    """A publisher, made for a folder, and `root`, where its files arrive on this machine.

    `refused` gives it a login that the server refuses, `at_port` sends it to another port of this machine;
    None: there are no logins or ports. Not `has_modes`: files have no modes, and folders are but names.
    """

    make: Callable[[str], Any]
    root: Path
    refused: Callable[[Any], Any] | None = None
    at_port: Callable[[Any, int], Any] | None = None
    has_modes: bool = True

    def files(self) -> dict[str, bytes]:
        """Return every file that arrived, also the hidden ones."""
        paths = [path for path in self.root.rglob("*") if path.is_file()]
        return {str(path.relative_to(self.root)): path.read_bytes() for path in paths}

    def own(self, path: Path) -> Path:
        """Give a file or folder of the test to the server's user."""
        there = self.root.stat()
        os.chown(path, there.st_uid, there.st_gid)
        return path


@dataclass
class Place:
    """A server's folder and certificate."""

    folder: Path
    certificate: Certificate


Kind = Callable[[Place], AbstractContextManager[Target]]


def other_port(publisher: Any, port: int) -> Any:
    """The same publisher for another port of the same host."""
    before, colon, after = publisher.url.rpartition(":")
    return replace(publisher, url=f"{before}{colon}{port}/{after.partition('/')[2]}")


@contextmanager
def by_file(place: Place) -> Iterator[Target]:
    """A folder of this machine."""
    root = place.folder / "site"
    yield Target(lambda folder: FolderPublisher(f"file:{root}/{folder}", create=True), root)


@contextmanager
def by_ftp(start: Callable[..., Any], place: Place) -> Iterator[Target]:
    """FTP, everything in clear."""
    with started(lambda: start(place.folder / "server")) as server:
        yield Target(
            lambda folder: FtpPublisher(server.url(folder), password_env=SECRET),
            server.root,
            partial(replace, password_env=WRONG_SECRET),
            other_port,
        )


@contextmanager
def by_ftps(start: Callable[..., Any], place: Place, *, implicit: bool = False) -> Iterator[Target]:
    """FTP over TLS."""
    more = {"implicit": True} if implicit else {}
    with started(lambda: start(place.folder / "server", place.certificate, **more)) as server:
        make = partial(FtpsPublisher, password_env=SECRET, ca_file=server.ca_file, implicit=implicit)
        yield Target(
            lambda folder: make(server.url(folder)),
            server.root,
            partial(replace, password_env=WRONG_SECRET),
            other_port,
        )


@contextmanager
def by_sftp(start: Callable[..., Any], place: Place) -> Iterator[Target]:
    """SFTP by a key."""
    with started(lambda: start(place.folder / "server")) as server:
        make = partial(
            SftpPublisher, identity_file=server.identity_file, known_hosts_file=server.known_hosts_file
        )
        stranger = place.folder / "stranger"
        make_key(stranger)
        yield Target(
            lambda folder: make(server.url(folder)),
            server.root,
            partial(replace, identity_file=stranger),
            other_port,
        )


@contextmanager
def by_sftp_password(start: Callable[..., Any], place: Place) -> Iterator[Target]:
    """SFTP by a password."""
    with started(lambda: start(place.folder / "server")) as server:
        make = partial(SftpPublisher, password_env=SECRET, known_hosts_file=server.known_hosts_file)
        yield Target(
            lambda folder: make(server.url(folder)),
            server.root,
            partial(replace, password_env=WRONG_SECRET),
            other_port,
        )


@contextmanager
def by_s3(place: Place) -> Iterator[Target]:
    """A bucket of a store that keeps its objects as files. One that checks keys is in test_s3.py."""
    root = place.folder / "bucket"
    root.mkdir()
    with ScriptedS3(place.certificate, root) as server:
        keys = {"access_key_id": "AKID", "secret_access_key_env": SECRET}
        make = partial(S3Publisher, endpoint_url=server.url, ca_file=place.certificate.ca_file, **keys)
        yield Target(
            lambda folder: make(f"s3://pages/{folder}"),
            root,
            at_port=lambda publisher, port: replace(publisher, endpoint_url=f"https://127.0.0.1:{port}"),
            has_modes=False,
        )


KINDS: dict[str, Kind] = {
    "file": by_file,
    "ftp@vsftpd": partial(by_ftp, Vsftpd),
    "ftp@proftpd": partial(by_ftp, Proftpd),
    "ftp@pure-ftpd": partial(by_ftp, Pureftpd),
    "ftp@pyftpdlib": partial(by_ftp, Pyftpd),
    "ftps@vsftpd": partial(by_ftps, Vsftpd),
    "ftps@vsftpd-implicit": partial(by_ftps, Vsftpd, implicit=True),
    "ftps@proftpd": partial(by_ftps, Proftpd),
    "ftps@proftpd-implicit": partial(by_ftps, Proftpd, implicit=True),
    "ftps@pure-ftpd": partial(by_ftps, Pureftpd),
    "sftp@openssh": partial(by_sftp, Sshd),
    "sftp@openssh-chroot": partial(by_sftp, partial(Sshd, chroot=True)),
    "sftp@openssh-password": partial(by_sftp_password, partial(Sshd, by_password=True)),
    "sftp@proftpd": partial(by_sftp, ProftpdSftp),
    "sftp@proftpd-password": partial(by_sftp_password, ProftpdSftp),
    "s3": by_s3,
}
WITH_MODES = [kind for kind in KINDS if kind != "s3"]  # and with folders that are more than names
# Where no server answers it does not matter which one it would have been.
ONE_OF_EACH = (
    "ftp@pyftpdlib",
    "ftps@vsftpd",
    "ftps@vsftpd-implicit",
    "sftp@openssh",
    "sftp@proftpd-password",
    "s3",
)


def each(kinds: Iterable[str]) -> list[Any]:
    """Return these kinds as parameters of `target`. All except the folder need a real server."""
    return [pytest.param(kind, marks=() if kind == "file" else pytest.mark.real) for kind in kinds]


@pytest.fixture(params=each(KINDS))
def target(
    request: pytest.FixtureRequest, tmp_path: Path, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Target]:
    """Each publisher, on each server."""
    monkeypatch.setenv(SECRET, PASSWORD)
    monkeypatch.setenv(WRONG_SECRET, WRONG)
    monkeypatch.setattr(delivery, "BACKOFF_SECONDS", 0.01)
    with KINDS[request.param](Place(tmp_path, certificate)) as made:
        yield made


def soon() -> Deadline:
    """Return a deadline that is long enough if nothing fails."""
    return Deadline(30)


@pytest.mark.process
def test_puts_replaces_and_leaves_nothing_else(target: Target) -> None:
    """New pages appear in new folders, older pages are replaced, and no temporary file stays."""
    publisher = target.make("web/heat")
    first = [WebFile("nse/index.html", b"one" * 50_000), WebFile("index.html", b"first")]
    second = [WebFile("nse/index.html", b"two"), WebFile("index.html", b"")]

    assert [Delivery(2, 0), Delivery(2, 0)] == [publisher.publish(pages, soon()) for pages in (first, second)]
    assert {"web/heat/nse/index.html": b"two", "web/heat/index.html": b""} == target.files()


def test_what_is_there_is_not_put_again(target: Target) -> None:
    """A repeated run changes nothing. Only a file that differs is put, of the same size or another."""
    publisher = target.make("web")
    publisher.publish([WebFile("a.json", b"same"), WebFile("index.html", b"one")], soon())
    before = (target.root / "web/a.json").stat()

    assert Delivery(0, 2) == publisher.publish(
        [WebFile("a.json", b"same"), WebFile("index.html", b"one")], soon()
    )
    assert Delivery(1, 1) == publisher.publish(
        [WebFile("a.json", b"same"), WebFile("index.html", b"two")], soon()
    )
    after = (target.root / "web/a.json").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert {"web/a.json": b"same", "web/index.html": b"two"} == target.files()


@pytest.mark.parametrize("target", each(WITH_MODES), indirect=True)
def test_visitors_may_read(target: Target) -> None:
    """Files are 0644 and new folders 0755, whatever the server's umask."""
    target.make("web").publish([WebFile("nse/index.html", b"x")], soon())

    file = target.root / "web/nse/index.html"
    assert [0o755, 0o755, 0o644] == [
        path.stat().st_mode & 0o777 for path in (file.parents[1], file.parent, file)
    ]


@pytest.mark.parametrize("target", each(WITH_MODES), indirect=True)
def test_a_folder_that_is_there_keeps_its_mode(target: Target) -> None:
    """The user's own folders are not touched."""
    folder = target.root / "web"
    folder.mkdir(parents=True)
    target.own(folder).chmod(0o750)
    target.make("web").publish([WebFile("nse/index.html", b"x")], soon())

    assert 0o750 == folder.stat().st_mode & 0o777


@pytest.mark.parametrize("target", each(WITH_MODES), indirect=True)
def test_folders_that_are_made_are_told(target: Target) -> None:
    """The target's folder and those above it are named once, so that a spelling mistake is seen."""
    (target.root / "web").mkdir(parents=True, exist_ok=True)
    target.own(target.root / "web")
    publisher, pages = target.make("web/publichtml/heat"), [WebFile("nse/index.html", b"x")]
    first, second = publisher.publish(pages, soon()), publisher.publish(pages, soon())
    folders = [re.sub(r"^the folder .*?(?=web/)", "", place) for place in first.new_places]

    assert ["web/publichtml", "web/publichtml/heat"] == folders
    assert str(first).endswith("publichtml/heat, not there before")
    assert () == second.new_places
    assert "made the folder" in target.make("web/other").check(soon())
    assert "made the folder" not in target.make("web/other").check(soon())


def test_a_file_is_shown_to_visitors(target: Target) -> None:
    """During the check the file is there under its name, not hidden. After it the file is gone."""
    target.root.mkdir(exist_ok=True)
    seen: list[tuple[str, bool]] = []

    def visit(name: str, content: bytes) -> None:
        seen.append((name, content == target.files()[f"web/{name}"]))

    target.make("web").check(soon(), visit=visit)

    assert [True] == [found for _, found in seen]
    assert not seen[0][0].startswith(".")
    assert {} == target.files()


def test_order_is_kept(target: Target) -> None:
    """The page that refers to the others arrives last."""
    names = ["c.html", "a.html", "d/b.html", "index.html"]
    target.make("").publish([WebFile(name, name.encode()) for name in names], soon())

    assert names == sorted(names, key=lambda name: (target.root / name).stat().st_mtime_ns)


def test_spaces_and_other_alphabets(target: Target) -> None:
    """A folder's name may hold any character, percent-encoded in the address."""
    target.make("my%20site/%C3%A9t%C3%A9%20%5B1%5D").publish([WebFile("a.html", b"x")], soon())

    assert {"my site/été [1]/a.html": b"x"} == target.files()


def test_files_are_found_without_changing_anything(target: Target) -> None:
    """Only files that visitors get are returned. Before the first page there is none."""
    publisher = target.make("web/heat")
    names = [f"nse/2026/09/{day}/index.html" for day in (17, 18, 21)]
    assert frozenset() == publisher.find(names, soon())
    assert {} == target.files()
    publisher.publish(
        [WebFile(names[0], b"<p>1"), WebFile(names[2], b"<p>3"), WebFile("index.html", b"x")], soon()
    )
    before = target.files()

    assert {names[0], names[2]} == publisher.find(names, soon())
    assert before == target.files()


def test_check_leaves_nothing(target: Target) -> None:
    """The probe is written, replaced, read back and deleted. The result is one line."""
    target.root.mkdir(exist_ok=True)
    description = target.make("").check(soon())

    assert description
    assert description.isprintable()
    assert {} == target.files()


def test_old_temporary_files_of_ours_are_swept(target: Target) -> None:
    """Fresh files may belong to another run, and files with other names are not ours: they stay."""
    if not target.has_modes:
        return  # there each file arrives in one step, and nothing ever bears a temporary name
    publisher = target.make("web")
    publisher.publish([WebFile("index.html", b"x")], soon())
    old, fresh = int(time.time()) - 4000, int(time.time()) - 600
    stale = [f".heatmap-{old:08x}-{'a' * 16}.tmp", f".heatmap-{old:08x}-{'b' * 16}.probe"]
    others = [f".heatmap-{fresh:08x}-{'c' * 16}.tmp", f".heatmap-{old:08x}.tmp", ".hidden.tmp", "mine.html"]
    for name in stale + others:
        (target.root / "web" / name).write_bytes(b"y")
        target.own(target.root / "web" / name)
    publisher.publish([WebFile("index.html", b"x")], soon())

    assert {"web/index.html": b"x", **{f"web/{name}": b"y" for name in others}} == target.files()


@pytest.mark.parametrize("target", each(WITH_MODES), indirect=True)
def test_a_folder_in_the_place_of_a_file(target: Target) -> None:
    """The error is one sentence, the folder does not change, and the temporary file is removed."""
    folder = target.root / "index.html"
    folder.mkdir(parents=True)
    (target.own(folder) / "mine").write_bytes(b"mine")
    with pytest.raises(PublishError, match=r"index\.html is a folder") as caught:
        target.make("").publish([WebFile("index.html", b"x")], soon())

    assert "\n" not in str(caught.value)
    assert {"index.html/mine": b"mine"} == target.files()


def _with_parts() -> list[WebFile]:
    """A market's page, its day in the archive with the list of days, its feed that links there, its status."""
    page = ownership.SAMPLE
    return [
        WebFile("nse/2026/09/17/snapshot.csv", b"day", "archive"),
        WebFile("nse/2026/09/17/index.html", page, "archive"),
        WebFile("nse/archive.html", page, "archive"),
        WebFile("nse/feed.xml", b"<generator>market-heatmap</generator>", "feed", needs="archive"),
        WebFile("nse/status.json", b"status", "status"),
        WebFile("nse/index.html", page),
        WebFile("index.html", page),
    ]


@pytest.mark.parametrize("target", each(WITH_MODES), indirect=True)
def test_what_stands_in_the_way_of_a_part(target: Target) -> None:
    """The page and the other parts are put. Each part that fails is reported, with its path and advice.

    Nothing links to what is not there: neither the list of days nor the feed is put without the day.
    """
    (target.root / "nse").mkdir(parents=True)
    target.own(target.root / "nse")
    (target.root / "nse/2026").write_bytes(b"mine")
    target.own(target.root / "nse/2026")
    (target.root / "nse/status.json").mkdir()
    target.own(target.root / "nse/status.json")
    first = target.make("").publish(_with_parts(), soon())

    assert {"index.html", "nse/index.html", "nse/2026"} == set(target.files())
    assert b"mine" == target.files()["nse/2026"]
    sentences = {part: sentence for _, part, sentence in first.missing_parts}
    assert ["archive", "feed", "status"] == sorted(sentences)
    assert "it waits for the archive, to which it links" == sentences["feed"]
    assert re.search(r"nse/2026 is a file, where a folder is due: remove or rename it$", sentences["archive"])
    assert re.search(
        r"nse/status.json is a folder, where a file is .*: remove or rename it$", sentences["status"]
    )
    assert (2, 0) == (first.put, first.unchanged)

    (target.root / "nse/2026").unlink()
    (target.root / "nse/status.json").rmdir()
    (target.root / "nse/feed.xml").mkdir()
    target.own(target.root / "nse/feed.xml")
    second = target.make("").publish(_with_parts(), soon())

    assert [("nse", "feed")] == [(lack.market, lack.part) for lack in second.missing_parts]
    assert {page.path for page in _with_parts()} - {"nse/feed.xml"} == set(target.files())
    (target.root / "nse/feed.xml").rmdir()
    assert Delivery(1, 6) == target.make("").publish(_with_parts(), soon())


def test_a_reader_never_sees_half_a_file(target: Target) -> None:
    """While 30 publishes run, every read gives a whole file."""
    publisher = target.make("")
    versions = [bytes([65 + n % 26]) * 200_000 for n in range(30)]
    publisher.publish([WebFile("index.html", versions[0])], soon())
    seen: set[bytes] = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.add((target.root / "index.html").read_bytes())
            time.sleep(0.001)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for version in versions:
            publisher.publish([WebFile("index.html", version)], soon())
    finally:
        done.set()
        reader.join()

    assert len(seen) > 1
    assert seen <= set(versions)


def marked(text: str, mark: str = '<meta name="generator" content="heatmap (market-heatmap)">') -> bytes:
    """A page of ours."""
    return f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n{mark}\n{text}'.encode()


THEIRS = b"<!DOCTYPE html><title>My blog</title><p>See the heatmap by market-heatmap.</p>"
OURS = [
    WebFile("nse/snapshot.json", b'{"schema": "market-heatmap/1"}'),
    WebFile("nse/index.html", marked("market")),
    WebFile("index.html", marked("first")),
]


def lay(target: Target, path: str, content: bytes, mode: int = 0o644) -> Path:
    """Put a foreign file there, as the server's user would."""
    file = target.root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    for each_path in (file.parent, file):
        target.own(each_path)
    file.chmod(mode)
    return file


def test_a_page_of_somebody_else_is_never_replaced(target: Target) -> None:
    """Exit 78, in a run and in check. The sentence has advice, and nothing is put. `overwrite` replaces it."""
    lay(target, "web/index.html", THEIRS)
    lay(target, "web/post.html", b"a post")
    before = target.files()
    publisher = target.make("web")
    for attempt in (publisher.publish, lambda pages, deadline: publisher.check(deadline, pages)):
        with pytest.raises(
            PublishImpossible, match=r"index\.html .*another folder.*overwrite = true"
        ) as caught:
            attempt(OURS, soon())
        assert 78 == caught.value.exit_code
        assert str(caught.value).startswith(publisher.name)
        assert before == target.files()

    assert 3 == replace(publisher, overwrite=True).publish(OURS, soon()).put
    assert {f"web/{page.path}": page.content for page in OURS} | {
        "web/post.html": b"a post"
    } == target.files()


def test_the_page_of_a_markets_folder_is_looked_at_too(target: Target) -> None:
    """The first page there may be ours, and a folder of the market's name foreign."""
    lay(target, "index.html", marked("ours"))
    lay(target, "nse/index.html", THEIRS)
    before = target.files()
    with pytest.raises(PublishImpossible, match=r"nse/index\.html"):
        target.make("").publish(OURS, soon())

    assert before == target.files()


def test_another_file_where_there_is_no_page(target: Target) -> None:
    """In a folder without a page of ours, a file with one of our names is foreign, too."""
    lay(target, "web/nse/snapshot.json", b'{"cameras": ["front door"]}')
    before = target.files()
    with pytest.raises(PublishImpossible, match=r"nse/snapshot\.json"):
        target.make("web").publish(OURS, soon())

    assert before == target.files()


def test_pages_of_ours_are_replaced(target: Target) -> None:
    """Pages of this version and of earlier ones; torn, empty, or missing beside files of a killed run."""
    old = '<meta name="heatmap-script" content="sha256-x">'
    olds = {
        "index.html": [marked("old" * 100_000), marked("old", old), marked("")[:130], b""],
        "nse/index.html": [marked("old"), marked("old", "<meta name=viewport>" * 9 + old), b"", None],
    }
    publisher = target.make("web")
    for root, market in zip(*olds.values(), strict=True):
        lay(target, "web/index.html", root)
        if market is None:
            (target.root / "web/nse/index.html").unlink()
        else:
            lay(target, "web/nse/index.html", market)
        publisher.publish(OURS, soon())

        assert {f"web/{page.path}": page.content for page in OURS} == target.files()
        lay(target, "web/nse/snapshot.json", b'{"schema": "market-heatmap/1", "market": "nse"}')


def test_a_large_page_of_ours(target: Target) -> None:
    """Its beginning shows whose it is. The read may stop there, and the delivery goes on."""
    lay(target, "index.html", marked("0" * 5_000_000))

    assert 3 == target.make("").publish(OURS, soon()).put
    assert {page.path: page.content for page in OURS} == target.files()


def test_a_large_page_of_somebody_else(target: Target) -> None:
    """It is refused without being read to its end, and it stays."""
    file = lay(target, "index.html", b"")
    with file.open("wb") as stream:
        stream.truncate(40 * 1024 * 1024)
    started_at = time.monotonic()
    with pytest.raises(PublishImpossible, match=r"index\.html"):
        target.make("").publish(OURS, soon())

    assert time.monotonic() - started_at < DEAD_SECONDS
    assert ["index.html"] == [*target.files()]


@pytest.mark.parametrize("target", each(WITH_MODES), indirect=True)
def test_a_page_that_only_its_owner_reads_is_not_nothing(target: Target) -> None:
    """Visitors do not see it, but it is foreign all the same."""
    lay(target, "index.html", THEIRS, 0o600)
    with pytest.raises(PublishImpossible, match=r"index\.html"):
        target.make("").publish(OURS, soon())

    assert {"index.html": THEIRS} == target.files()


@pytest.mark.parametrize("target", each(ONE_OF_EACH), indirect=True)
def test_a_dead_port_is_told_quickly(target: Target) -> None:
    """Nothing listens: PublishError, naming the target."""
    assert target.at_port is not None
    publisher = target.at_port(target.make(""), free_port())
    started_at = time.monotonic()
    with pytest.raises(PublishError) as caught:
        publisher.publish([WebFile("index.html", b"x")], soon())

    assert PublishError is type(caught.value)
    assert str(caught.value).startswith(publisher.name)
    assert time.monotonic() - started_at < DEAD_SECONDS


def test_a_refused_login(target: Target) -> None:
    """A wrong password or key is PublishRefused, and the password is nowhere in it."""
    if target.refused is None:
        return
    publisher = target.refused(target.make(""))
    with pytest.raises(PublishRefused, match="login was refused") as caught:
        publisher.publish([WebFile("index.html", b"x")], soon())

    assert WRONG not in f"{caught.value!r}{publisher!r}"


@pytest.mark.parametrize("target", each(ONE_OF_EACH), indirect=True)
@pytest.mark.parametrize(("timeout_seconds", "deadline_seconds"), [(1, 30), (30, 1.5)], ids=["wait", "run"])
def test_a_stalled_server_is_left(target: Target, timeout_seconds: float, deadline_seconds: float) -> None:
    """A server that accepts and sends nothing: each wait ends within its timeout, and within the deadline."""
    assert target.at_port is not None
    with socket.create_server(("127.0.0.1", 0)) as silent:
        publisher = target.at_port(target.make(""), silent.getsockname()[1])
        started_at = time.monotonic()
        with pytest.raises(PublishError) as caught:
            replace(publisher, timeout_seconds=timeout_seconds).publish(
                [WebFile("index.html", b"x")], Deadline(deadline_seconds)
            )

    assert PublishError is type(caught.value)
    assert time.monotonic() - started_at < DEAD_SECONDS
