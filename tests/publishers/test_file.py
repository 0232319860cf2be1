"""What is particular to publishing into a folder of this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from heatmap.deadline import Deadline
from heatmap.errors import ConfigError, PublishError
from heatmap.model import Page
from heatmap.publishers.file import FilePublisher


def test_the_three_forms(tmp_path: Path) -> None:
    """Relative to the configuration, and absolute with one slash or three."""
    urls = ("file:site", "file:/srv/web", "file:///srv/web")

    assert [f"file:{tmp_path}/site", "file:/srv/web", "file:/srv/web"] == [
        FilePublisher(url).located(tmp_path).name for url in urls
    ]


@pytest.mark.parametrize("url", ["file:", "file://host/site", "file:a%0ab", "file:a?b"])
def test_what_cannot_be(url: str) -> None:
    """Each is a ConfigError."""
    with pytest.raises(ConfigError):
        FilePublisher(url)


def test_what_is_there_is_not_written_again(tmp_path: Path) -> None:
    """The same content leaves the file as it is."""
    publisher = FilePublisher(f"file:{tmp_path}")
    publisher.publish([Page("index.html", b"x")], Deadline(30))
    before = (tmp_path / "index.html").stat().st_ino
    publisher.publish([Page("index.html", b"x")], Deadline(30))

    assert before == (tmp_path / "index.html").stat().st_ino


def test_a_symbolic_link_is_kept(tmp_path: Path) -> None:
    """A link in the place of a page is told, and neither it nor its target is changed."""
    (tmp_path / "other").write_bytes(b"mine")
    (tmp_path / "index.html").symlink_to("other")
    with pytest.raises(PublishError, match="symbolic link"):
        FilePublisher(f"file:{tmp_path}").publish([Page("index.html", b"x")], Deadline(30))

    assert (b"mine", True) == ((tmp_path / "other").read_bytes(), (tmp_path / "index.html").is_symlink())


def test_a_file_in_the_place_of_the_folder(tmp_path: Path) -> None:
    """It is one sentence."""
    (tmp_path / "site").write_bytes(b"mine")
    with pytest.raises(PublishError, match="cannot be written"):
        FilePublisher(f"file:{tmp_path}/site").publish([Page("index.html", b"x")], Deadline(30))
