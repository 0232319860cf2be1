"""Quotes from files and other installations."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from heatmap.errors import (
    ConfigError,
    SourceBlocked,
    SourceError,
    SourceImpossible,
    SourceNonsense,
)
from heatmap.market.calendar.session import MarketStatus, Phase
from heatmap.pages import snapshot_files
from heatmap.pictures.context import PageContext
from heatmap.pictures.market_map.table import TableView
from heatmap.sources.nse.live import Nse
from heatmap.sources.recording import Recording
from heatmap.sources.snapshot_file import SnapshotFile
from heatmap.system.limits import SNAPSHOT_BYTES
from tests.drawings import ranking_of
from tests.servers.exchange import RECORDING, Exchange

INDIA = timezone(timedelta(hours=5, minutes=30))
NOW = datetime(2026, 9, 18, 11, 0, tzinfo=INDIA)
RELAYED = replace(Recording().fetch(now=NOW), relayed_phase=Phase.FINAL)  # which says that it was one


def test_recorded_answer_of_the_exchange(tmp_path: Path) -> None:
    """A saved answer of the exchange is understood."""
    with Exchange(now=NOW) as exchange:
        (tmp_path / "saved.json").write_bytes(exchange.body())
    snapshot = SnapshotFile(path="saved.json").resolve_paths(tmp_path).fetch(now=NOW)
    assert (snapshot.source, snapshot.as_of, len(snapshot.quotes)) == ("nse", NOW, 210)


def test_snapshot_of_ours() -> None:
    """A snapshot.json is recognized by its content."""
    assert SnapshotFile(path=str(RECORDING)).fetch(now=NOW) == RELAYED


def test_second_hand(tmp_path: Path) -> None:
    """A snapshot.json of another installation gives the same quotes, unknown values included."""
    with Exchange(now=NOW, fault="one bad row") as exchange:
        first = Nse(base_url=exchange.url).fetch(now=NOW)
    view = TableView()
    verdict = MarketStatus(Phase.OPEN, None, None, "")
    page_context = PageContext("nse-fno", "Title", "Asia/Kolkata", NOW, verdict, 5)
    published = snapshot_files.to_json(first, view.draw(first, ranking_of(first, "change")), page_context)
    (tmp_path / "snapshot.json").write_bytes(published)
    second = SnapshotFile(path="snapshot.json").resolve_paths(tmp_path).fetch(now=NOW)

    assert (second.source, second.as_of, second.is_open, second.dropped) == ("nse", NOW, True, 1)
    assert {quote.symbol: quote for quote in second.quotes} == {quote.symbol: quote for quote in first.quotes}
    assert (
        snapshot_files.to_json(second, view.draw(second, ranking_of(second, "change")), page_context)
        == published
    )


def test_over_http(tmp_path: Path) -> None:
    """One installation draws from another's snapshot.json, and reports where it was missing."""

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    (tmp_path / "snapshot.json").write_bytes(RECORDING.read_bytes())
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(tmp_path)))
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        base = f"http://127.0.0.1:{server.server_address[1]}"
        assert SnapshotFile(url=f"{base}/snapshot.json?x=1").fetch(now=NOW) == RELAYED
        with pytest.raises(SourceNonsense, match=f"^{base}/gone.json answered 404"):
            SnapshotFile(url=f"{base}/gone.json").fetch(now=NOW)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_missing_file(tmp_path: Path) -> None:
    """A missing file is an error of the configuration, exit code 78, with its whole path."""
    with pytest.raises(SourceError, match=str(tmp_path)) as caught:
        SnapshotFile(path="gone.json").resolve_paths(tmp_path).fetch(now=NOW)
    assert caught.value.exit_code == 78


def test_what_is_no_file(tmp_path: Path) -> None:
    """A folder and a pipe are errors of the configuration, and cause no wait."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(SourceImpossible, match="is no file") as caught:
            SnapshotFile(path=str(path)).fetch(now=NOW)
        assert caught.value.exit_code == 78


def test_unreadable_file(tmp_path: Path) -> None:
    """A file without permission is an error of the configuration."""
    file = tmp_path / "secret.json"
    file.write_text("{}")
    file.chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)  # root may read every file; nobody may not
    try:
        with pytest.raises(SourceImpossible, match="cannot be read"):
            SnapshotFile(path=str(file)).fetch(now=NOW)
    finally:
        os.seteuid(user)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", SourceNonsense),
        (b"<!doctype html>", SourceBlocked),
        (b'{"schema": "market-heatmap/9"}', SourceNonsense),
        (b'{"data": {}}', SourceNonsense),
        (b" " * (SNAPSHOT_BYTES + 1), SourceNonsense),
    ],
    ids=["empty", "a web page", "a later schema", "no data", "too large"],
)
def test_content(tmp_path: Path, content: bytes, kind: type[SourceError]) -> None:
    """Content without quotes is refused, with the file's name in front."""
    file = tmp_path / "x.json"
    file.write_bytes(content)
    with pytest.raises(kind) as caught:
        SnapshotFile(path=str(file)).fetch(now=NOW)
    assert str(caught.value).startswith(f"{file} holds")


@pytest.mark.parametrize(
    "table",
    [
        {},
        {"path": "a", "url": "https://a.example/"},
        {"path": ""},
        {"path": "a\0b"},
        {"url": "file:///etc/passwd"},
        {"url": "https://me:pw@a.example/"},
        {"url": "https://"},
        {"url": "https://[::1"},
        {"path": "a", "fetch_timeout_seconds": 0.0},
    ],
    ids=str,
)
def test_configuration(table: dict[str, str]) -> None:
    """Exactly one place; an address with a password is refused and not repeated."""
    with pytest.raises(ConfigError) as caught:
        SnapshotFile(**table)  # type: ignore[arg-type]  # wrong on purpose
    assert "pw" not in str(caught.value)


def test_resolve_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative paths start at the given folder, ~ at home; absolute paths and URLs do not change."""
    monkeypatch.setenv("HOME", "/home/me")
    assert SnapshotFile(path="a/b.json").resolve_paths(tmp_path).path == str(tmp_path / "a/b.json")
    assert SnapshotFile(path="/a/b.json").resolve_paths(tmp_path).path == "/a/b.json"
    assert SnapshotFile(path="~/b.json").resolve_paths(tmp_path).path == "/home/me/b.json"
    assert SnapshotFile(url="https://a.example/b").resolve_paths(tmp_path) == SnapshotFile(
        url="https://a.example/b"
    )
