"""The archive on real servers: a day's folders are created, and a day's page is replaced in place."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from heatmap.config import loader
from heatmap.errors import PublishError
from heatmap.publishers.delivery import Delivery
from heatmap.run import one_run
from heatmap.system.deadline import Deadline
from heatmap.system.web_file import WebFile
from tests.doubles import MemoryPublisher, MemorySource, configuration, failure
from tests.run.test_archive_delivery import dead_links

FINAL = datetime.fromisoformat("2026-09-17T15:45:00+05:30")


KINDS = ["vsftpd", "proftpd_tls", "pureftpd", "sshd"]


def published(tmp_path: Path, request: pytest.FixtureRequest, kind: str) -> tuple[Any, loader.Config]:
    """A server, and a configuration that publishes to it."""
    server = request.getfixturevalue(kind)
    table: dict[str, Any] = {"url": server.url("heatmap")}
    if kind == "sshd":
        table |= {name: str(getattr(server, name)) for name in ("identity_file", "known_hosts_file")}
    else:
        secret = tmp_path / "password"
        secret.write_text(server.password)
        secret.chmod(0o600)
        table |= {"password_file": str(secret)}
        if kind == "proftpd_tls":
            table |= {"ca_file": str(server.ca_file)}
    target = loader.read({"publish": [table]}, base=tmp_path).publishers
    return server, configuration(tmp_path, MemorySource(is_open=None))._replace(publishers=target)


@pytest.mark.real
@pytest.mark.parametrize("kind", KINDS)
def test_three_days_that_came_late(tmp_path: Path, request: pytest.FixtureRequest, kind: str) -> None:
    """The server was away for three closes: one run delivers all three folders, and they link to each other."""
    server, settings = published(tmp_path, request, kind)
    away = settings._replace(publishers=(NoPublisher(settings.publishers[0].name),))
    for days in (0, 1, 4):
        one_run.run(away, now=FINAL + timedelta(days=days))
    report = one_run.run(settings, now=FINAL + timedelta(days=4, hours=19))

    assert ([], []) == (report.errors, report.warnings)
    site = next(server.root.rglob("archive.html")).parent
    pages = {
        str(path.relative_to(site.parent)): path.read_bytes() for path in site.rglob("*") if path.is_file()
    }
    assert {f"nse-fno/2026/09/{day}/snapshot.csv" for day in (17, 18, 21)} < pages.keys()
    assert set() == dead_links(pages | {"index.html": b""})
    assert b'href="../../../2026/09/21/">21 Sep 2026' in pages["nse-fno/2026/09/18/index.html"]


class NoPublisher(MemoryPublisher):
    """A target that cannot be reached."""

    def publish(self, pages: Sequence[WebFile], deadline: Deadline) -> Delivery:
        """Raise."""
        raise failure(PublishError)


@pytest.mark.real
@pytest.mark.parametrize("kind", KINDS)
def test_two_days(tmp_path: Path, request: pytest.FixtureRequest, kind: str) -> None:
    """Both are there, whole, and the first links to the second; the second run replaced nothing else of the first."""
    server, settings = published(tmp_path, request, kind)

    assert [] == one_run.run(settings, now=FINAL).errors
    folder = next(server.root.rglob("2026"))
    first = {path.name: path.read_bytes() for path in (folder / "09/17").iterdir()}
    assert [] == one_run.run(settings, now=FINAL + timedelta(days=1)).errors
    again = {path.name: path.read_bytes() for path in (folder / "09/17").iterdir()}

    assert {"17", "18"} == {path.name for path in (folder / "09").iterdir()}
    assert first.keys() == again.keys() <= {path.name for path in (folder / "09/18").iterdir()}
    assert ["index.html"] == [name for name in first if first[name] != again[name]]
    assert b'href="../../../2026/09/18/">18 Sep 2026' in again["index.html"]
