"""Publishing into a folder of this machine: tests that only apply to folders."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from heatmap.errors import ConfigError, PublishError, PublishImpossible
from heatmap.publishers.folder import FolderPublisher
from heatmap.publishers.ownership import SAMPLE
from heatmap.system.deadline import Deadline
from heatmap.system.web_file import WebFile
from tests.servers.disk import SmallDisk


def test_the_three_forms(tmp_path: Path) -> None:
    """Relative to the configuration, and absolute with one slash or three."""
    urls = ("file:site", "file:/srv/web", "file:///srv/web")

    assert [f"file:{tmp_path}/site", "file:/srv/web", "file:/srv/web"] == [
        FolderPublisher(url).resolve_paths(tmp_path).name for url in urls
    ]


@pytest.mark.parametrize("url", ["file:", "file://host/site", "file:a%0ab", "file:a?b"])
def test_what_cannot_be(url: str) -> None:
    """Each is a ConfigError."""
    with pytest.raises(ConfigError):
        FolderPublisher(url)


def test_what_is_there_is_not_written_again(tmp_path: Path) -> None:
    """The same content leaves the file as it is."""
    publisher = FolderPublisher(f"file:{tmp_path}")
    publisher.publish([WebFile("index.html", b"x")], Deadline(30))
    before = (tmp_path / "index.html").stat().st_ino
    publisher.publish([WebFile("index.html", b"x")], Deadline(30))

    assert before == (tmp_path / "index.html").stat().st_ino


def test_a_symbolic_link_is_kept(tmp_path: Path) -> None:
    """A link in the place of a page is an error. The link and its target do not change."""
    (tmp_path / "other").write_bytes(b"mine")
    (tmp_path / "index.html").symlink_to("other")
    with pytest.raises(PublishError, match="symbolic link"):
        FolderPublisher(f"file:{tmp_path}").publish([WebFile("index.html", b"x")], Deadline(30))

    assert (b"mine", True) == ((tmp_path / "other").read_bytes(), (tmp_path / "index.html").is_symlink())


def test_a_file_in_the_place_of_the_folder(tmp_path: Path) -> None:
    """It is one sentence."""
    (tmp_path / "site").write_bytes(b"mine")
    with pytest.raises(PublishError, match="cannot be written"):
        FolderPublisher(f"file:{tmp_path}/site").publish([WebFile("index.html", b"x")], Deadline(30))


def test_a_folder_that_may_not_be_written() -> None:
    """It is one sentence, the page that is there stays, and a page that is the same already is no failure."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        publisher = FolderPublisher(f"file:{folder}")
        publisher.publish([WebFile("index.html", b"old")], Deadline(30))
        folder.chmod(0o555)
        with as_nobody():
            assert 1 == publisher.publish([WebFile("index.html", b"old")], Deadline(30)).unchanged
            with pytest.raises(
                PublishError, match=r"cannot be written \(Permission denied\): .*let this user write"
            ):
                publisher.publish([WebFile("index.html", b"new")], Deadline(30))

        assert {"index.html": b"old"} == {path.name: path.read_bytes() for path in folder.iterdir()}
        folder.chmod(0o755)


def test_a_folder_whose_parent_is_not_there(tmp_path: Path) -> None:
    """A disk that is not mounted, or a misspelt path: exit 78, the first missing folder is named, none is made."""
    for way in ("mnt/disk/site", "mnt/disk/site/", "mnt/gone/../site"):
        publisher = FolderPublisher(f"file:{tmp_path}/{way}")
        for attempt in (publisher.publish, lambda pages, deadline, it=publisher: it.check(deadline, pages)):
            with pytest.raises(PublishImpossible, match=f"folder {tmp_path}/mnt is not.*create = true"):
                attempt([WebFile("index.html", b"x")], Deadline(30))

    assert [] == list(tmp_path.iterdir())


def test_a_link_that_leads_nowhere(tmp_path: Path) -> None:
    """A parent behind it is missing, too."""
    (tmp_path / "www").symlink_to(tmp_path / "disk")
    with pytest.raises(PublishImpossible, match=f"folder {tmp_path}/www is not there"):
        FolderPublisher(f"file:{tmp_path}/www/site").publish([WebFile("index.html", b"x")], Deadline(30))

    assert ["www"] == [path.name for path in tmp_path.iterdir()]


def test_the_last_folder_is_made_where_its_parent_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the default `file:site` needs it; with create = true the others are made, too."""
    monkeypatch.chdir(tmp_path)
    near = FolderPublisher("file:site").publish([WebFile("index.html", b"x")], Deadline(30))
    far = FolderPublisher(f"file:{tmp_path}/a/b", create=True).publish(
        [WebFile("x.html", b"x")], Deadline(30)
    )

    assert ("the folder site",) == near.new_places
    assert (f"the folder {tmp_path}/a", f"the folder {tmp_path}/a/b") == far.new_places
    assert {"site/index.html", "a/b/x.html"} == {
        str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()
    }


def test_a_page_that_cannot_be_read() -> None:
    """It may be anybody's: refused with exit 78 and left alone; a snapshot of ours below it proves that it is ours."""
    ours = [WebFile("nse/snapshot.json", b'{"schema": "market-heatmap/1"}'), WebFile("index.html", SAMPLE)]
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "nse").mkdir()
        for path in (folder, folder / "nse"):
            path.chmod(0o777)
        page = folder / "index.html"
        page.write_bytes(b"mine")
        page.chmod(0)
        with as_nobody():
            with pytest.raises(
                PublishImpossible, match=r"index\.html there cannot be read.*overwrite = true"
            ):
                FolderPublisher(f"file:{folder}").publish(ours, Deadline(30))
            assert [] == list((folder / "nse").iterdir())
            (folder / "nse" / "snapshot.json").write_bytes(ours[0].content)
            FolderPublisher(f"file:{folder}").publish(ours, Deadline(30))

        assert SAMPLE == page.read_bytes()


@contextmanager
def as_nobody() -> Iterator[None]:
    """As root, who may write everywhere, become somebody else for the block; nobody else need."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_full_disk(tmp_path: Path, small_disk: Callable[[Path, int], SmallDisk]) -> None:
    """The old page stays, nothing else is left, and the error has advice."""
    small_disk(tmp_path / "site", 64)
    publisher = FolderPublisher(f"file:{tmp_path}/site")
    publisher.publish([WebFile("index.html", b"old" * 10_000)], Deadline(30))
    with pytest.raises(PublishError, match="No space left on device.*make room"):
        publisher.publish([WebFile("index.html", b"new" * 20_000)], Deadline(30))

    assert [("index.html", b"old" * 10_000)] == [
        (path.name, path.read_bytes()) for path in (tmp_path / "site").iterdir()
    ]


def test_a_mount_that_has_one_mode_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If modes cannot be changed, pages are put all the same: the mount decides who may read them."""
    monkeypatch.setattr(os, "fchmod", lambda *_: None)
    publisher = FolderPublisher(f"file:{tmp_path}")
    publisher.publish([WebFile("index.html", b"old")], Deadline(30))
    publisher.publish([WebFile("index.html", b"new")], Deadline(30))

    assert b"new" == (tmp_path / "index.html").read_bytes()


def test_a_page_that_visitors_may_not_read_is_put_anew(tmp_path: Path) -> None:
    """The cause does not matter."""
    publisher = FolderPublisher(f"file:{tmp_path}")
    publisher.publish([WebFile("index.html", b"x")], Deadline(30))
    (tmp_path / "index.html").chmod(0o600)

    assert 1 == publisher.publish([WebFile("index.html", b"x")], Deadline(30)).put
    assert 0o644 == (tmp_path / "index.html").stat().st_mode & 0o777
