"""The archive on real servers: folders are made as deep as a day needs, and a day's page is replaced in place."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from heatmap import config, tick
from tests.doubles import MemorySource, configuration

FINAL = datetime.fromisoformat("2026-09-17T15:45:00+05:30")


@pytest.mark.real
@pytest.mark.parametrize("kind", ["vsftpd", "proftpd_tls", "pureftpd", "sshd"])
def test_two_days(tmp_path: Path, request: pytest.FixtureRequest, kind: str) -> None:
    """Both are there, whole, and the first leads to the second; the second run replaced nothing else of the first."""
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
    target = config.read({"publish": [table]}, base=tmp_path).publishers
    settings = configuration(tmp_path, MemorySource(is_open=None))._replace(publishers=target)

    assert [] == tick.run(settings, now=FINAL).errors
    folder = next(server.root.rglob("2026"))
    first = {path.name: path.read_bytes() for path in (folder / "09/17").iterdir()}
    assert [] == tick.run(settings, now=FINAL + timedelta(days=1)).errors
    again = {path.name: path.read_bytes() for path in (folder / "09/17").iterdir()}

    assert {"17", "18"} == {path.name for path in (folder / "09").iterdir()}
    assert first.keys() == again.keys() <= {path.name for path in (folder / "09/18").iterdir()}
    assert ["index.html"] == [name for name in first if first[name] != again[name]]
    assert b'href="../../../2026/09/18/">18 Sep 2026' in again["index.html"]
