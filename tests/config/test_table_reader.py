"""Tables become dataclasses; every relative path starts at the folder of the configuration."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from heatmap.config.table_reader import TableReader
from heatmap.errors import ConfigError
from heatmap.notify.alerts.options import AlertOptions
from heatmap.notify.monitoring.options import MonitorOptions
from heatmap.publishers.ftp.publisher import FtpsPublisher
from heatmap.publishers.s3.publisher import S3Publisher
from heatmap.publishers.sftp.publisher import SftpPublisher
from heatmap.sources.nse.live import Nse
from heatmap.sources.snapshot_file import SnapshotFile

BASE = Path("/etc/heatmap")
TABLES = [
    (MonitorOptions, {}, "ping_url_file"),
    (MonitorOptions, {}, "textfile"),
    (AlertOptions, {"name": "a", "year_high": True}, "url_file"),
    (FtpsPublisher, {"url": "ftps://me@host/x"}, "password_file"),
    (FtpsPublisher, {"url": "ftps://me@host/x"}, "ca_file"),
    (SftpPublisher, {"url": "sftp://me@host/x"}, "password_file"),
    (SftpPublisher, {"url": "sftp://me@host/x"}, "identity_file"),
    (SftpPublisher, {"url": "sftp://me@host/x"}, "known_hosts_file"),
    (SftpPublisher, {"url": "sftp://me@host/x"}, "config_file"),
    (S3Publisher, {"url": "s3://bucket/x"}, "secret_access_key_file"),
    (S3Publisher, {"url": "s3://bucket/x"}, "ca_file"),
    (Nse, {"proxy": "http://me@host:3128"}, "proxy_password_file"),
    (SnapshotFile, {"path": "x", "proxy": "http://me@host:3128"}, "proxy_password_file"),
]


@pytest.mark.parametrize(("cls", "table", "key"), TABLES)
@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a/b.prom", "/etc/heatmap/a/b.prom"),
        ("/srv/b.prom", "/srv/b.prom"),
        ("~/b.prom", "/home/me/b.prom"),
    ],
)
def test_a_path_starts_at_the_configuration(
    monkeypatch: pytest.MonkeyPatch, cls: type, table: dict[str, object], key: str, text: str, path: str
) -> None:
    """A relative path starts at the folder, `~` is the home directory, an absolute path stays."""
    monkeypatch.setenv("HOME", "/home/me")
    reader = TableReader(BASE, "heatmap.toml")

    options = reader.read(cls, {**table, key: text}, "table")

    assert [] == reader.problems
    assert Path(path) == getattr(options, key)


def test_a_default_path_starts_at_the_configuration() -> None:
    """The key is missing, so the default holds. A path that is None stays None."""
    options = TableReader(BASE, "heatmap.toml").read(SftpPublisher, {"url": "sftp://me@host/x"}, "publish 1")

    assert Path("/etc/heatmap/known_hosts") == options.known_hosts_file
    assert options.identity_file is None


def test_a_path_in_a_text_starts_at_the_configuration() -> None:
    """The class itself finds the path in its text."""
    source = TableReader(BASE, "heatmap.toml").read(SnapshotFile, {"path": "saved.json"}, "source")

    assert "/etc/heatmap/saved.json" == source.path


@dataclass
class Options:
    """Options whose path can be wrong only after it became absolute."""

    file: Path | None = None

    def __post_init__(self) -> None:
        """Raise ConfigError for a folder with a space in its name."""
        if self.file and " " in str(self.file.parent):
            raise ConfigError(["file has a space", "file is wrong"])


def test_a_problem_of_the_absolute_path_is_reported() -> None:
    """All problems are reported, each with the place of the table."""
    reader = TableReader(Path("/etc/my heatmap"), "heatmap.toml")

    assert reader.read(Options, {"file": "x"}, "options") is None
    assert [
        "heatmap.toml: [options] file has a space",
        "heatmap.toml: [options] file is wrong",
    ] == reader.problems


def test_one_table_is_a_list_of_one() -> None:
    """Any other value is a problem."""
    reader = TableReader(BASE, "heatmap.toml")

    assert [{"a": 1}] == reader.list_tables({"a": 1}, "market")
    assert [{"a": 1}, {}] == reader.list_tables([{"a": 1}, {}], "market")
    assert [] == reader.problems
    assert [{}] == reader.list_tables([3], "market")
    assert ["heatmap.toml: [market] must be written as [[market]]"] == reader.problems
