"""The contract of every source."""

from __future__ import annotations

import dataclasses
import inspect
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from math import isfinite
from pathlib import Path
from typing import Any

import pytest

from heatmap.config import plugins
from heatmap.errors import ConfigError, SourceError
from heatmap.market.quotes import Change
from heatmap.sources.interface import Source
from heatmap.sources.nse.archive import NseArchive
from heatmap.sources.nse.live import Nse
from heatmap.sources.recording import Recording
from heatmap.sources.snapshot_file import SnapshotFile
from tests.servers.archives import Archives, share
from tests.servers.exchange import Exchange

INDIA = timezone(timedelta(hours=5, minutes=30))
NOW = datetime(2026, 9, 17, 11, 0, tzinfo=INDIA)
HEAVY = (
    "requests",
    "urllib3",
    "jinja2",
    "colour",
    "http",
    "subprocess",
    "logging",
    "typing_extensions",
    "json",
)

Made = tuple[Source, Callable[[], None]]  # a source, and how to break what it reads


@pytest.fixture(params=sorted(plugins.SOURCES))
def made(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Made]:
    """Each source, ready to fetch. A new source needs a branch here."""
    if request.param == "nse":
        with Exchange(now=NOW) as exchange:
            yield Nse(base_url=exchange.url), lambda: setattr(exchange, "fault", "truncated JSON")
    elif request.param == "file":
        file = tmp_path / "saved.json"
        with Exchange(now=NOW) as exchange:
            file.write_bytes(exchange.body())
        yield SnapshotFile(path=str(file)), file.unlink
    elif request.param == "recording":
        broken = tmp_path / "broken.json"
        broken.write_bytes(b'{"schema"')
        yield Recording(), lambda: monkeypatch.setattr(Recording, "_path", lambda _: broken)
    elif request.param == "nse-archive":
        shares = [share(symbol, 100.0, 101.0) for symbol in ("TMPV", *(f"S{n}" for n in range(209)))]
        with Archives(
            {NOW.date() - timedelta(days=1): shares}, lots=[each.symbol for each in shares]
        ) as archives:
            yield NseArchive(base_url=archives.url), lambda: archives.faults.update({"/": "html"})
    else:
        pytest.fail(f"the contract is not tried on the source {request.param!r}")


def test_snapshot(made: Made) -> None:
    """A snapshot has quotes with symbols of their own, an aware time, and finite figures; None, not 0."""
    source, _ = made
    snapshot = source.fetch(now=NOW)
    symbols = [quote.symbol for quote in snapshot.quotes]

    assert len(symbols) == len(set(symbols)) == 210
    assert snapshot.as_of.utcoffset() is not None
    assert snapshot.as_of <= NOW
    assert snapshot.source
    for quote in snapshot.quotes:
        figures = [value for value in dataclasses.astuple(quote) if isinstance(value, (int, float))]
        assert all(isinstance(value, float) and isfinite(value) for value in figures)
        prices = (quote.last_price, quote.previous_close, quote.open, quote.high, quote.low)
        assert all(price is None or price > 0 for price in prices)
        assert all(
            text is None or text == " ".join(text.split()) != "" for text in (quote.name, quote.sector)
        )


def test_unknown_is_none(made: Made) -> None:
    """TMPV has no price of a year ago: its yearly change is unknown, not flat."""
    source, _ = made
    quote = next(quote for quote in source.fetch(now=NOW).quotes if quote.symbol == "TMPV")
    unknown = Change(None, None)
    assert quote.changes.get("1y", unknown) == unknown


def test_fault(made: Made) -> None:
    """Every failure is a SourceError of one line, with its exit code."""
    source, break_it = made
    break_it()
    with pytest.raises(SourceError) as caught:
        source.fetch(now=NOW)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code in (65, 75, 78)


def test_fetches_again(made: Made) -> None:
    """A second fetch gives the same result."""
    source, _ = made
    assert source.fetch(now=NOW) == source.fetch(now=NOW)


@pytest.mark.parametrize("name", sorted(plugins.SOURCES))
def test_plugin(name: str) -> None:
    """A source is a frozen, slotted dataclass whose only arguments are the keys of its configuration table."""
    plugin: Any = plugins.source_class(name)
    assert hasattr(plugin, "__slots__")
    assert plugin.__dataclass_params__.frozen
    assert [*inspect.signature(plugin.fetch).parameters] == ["self", "now", "folder"]
    with pytest.raises((TypeError, ConfigError)):
        plugin(no_such_key=1)


@pytest.mark.process
@pytest.mark.parametrize("name", sorted(plugins.SOURCES))
def test_cheap_to_build(name: str) -> None:
    """Creating a source imports no slow module, because a closed market does it, too."""
    arguments = {"file": "path='x'"}.get(name, "")
    module, _, cls = plugins.SOURCES[name].partition(":")
    code = f"import sys; from {module} import {cls}; {cls}({arguments}); print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert [heavy for heavy in HEAVY if heavy in loaded] == []
