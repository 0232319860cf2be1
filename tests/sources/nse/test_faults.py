"""The failures of a fetch: each fault of the exchange has its class, its sentence and its advice."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from heatmap.errors import (
    SourceBlocked,
    SourceEmpty,
    SourceError,
    SourceNonsense,
    SourceOverloaded,
    SourceRenamed,
    SourceReshaped,
    SourceUntrusted,
)
from heatmap.sources.nse.live import ADVICE, Nse
from tests.checkout import CHECKOUT
from tests.servers.dns import SilentDns
from tests.servers.exchange import Exchange

NOW = datetime(2026, 9, 17, 11, 0, tzinfo=timezone(timedelta(hours=5, minutes=30)))

CLASSES: dict[type[SourceError], tuple[str, ...]] = {
    SourceBlocked: ("401", "403", "421", "html", "redirect loop", "redirect away", "redirect to ftp",
                    "redirect to file", "redirect with bomb"),
    SourceOverloaded: ("429", "429 for 6 hours", "429 for good", "500", "503"),
    SourceRenamed: ("404",),
    SourceEmpty: ("no data", "zero rows"),
    SourceError: ("reset", "short body", "chunk cut"),
    SourceNonsense: ("oversized", "gzip bomb", "double gzip, named", "300 headers", "no HTTP"),
    SourceReshaped: ("truncated JSON", "not JSON", "empty", "double gzip", "deep nesting", "5,000 digits", "NaN", "1e999",
                     "duplicate keys", "lone surrogate", "booleans", "words", "nulls", "wrong rows", "wrong types",
                     "missing fields", "no timestamp"),
}  # fmt: skip
WORDS = {
    SourceBlocked: "blocked",
    SourceOverloaded: "overloaded",
    SourceRenamed: "renamed",
    SourceEmpty: "empty",
    SourceError: "network",
    SourceNonsense: "changed",
    SourceReshaped: "changed",
    SourceUntrusted: "untrusted",
}


@pytest.mark.parametrize(
    ("fault", "kind"), [(fault, kind) for kind, faults in CLASSES.items() for fault in faults]
)
def test_classes(fault: str, kind: type[SourceError]) -> None:
    """One line that ends with the advice of its class."""
    with Exchange(now=NOW, fault=fault) as exchange:
        begun = time.monotonic()
        with pytest.raises(SourceError) as caught:
            Nse(base_url=exchange.url).fetch(now=NOW)
    assert kind is type(caught.value)
    assert WORDS[kind] == caught.value.kind
    assert str(caught.value).endswith(f": {ADVICE[kind]}")
    assert "\n" not in str(caught.value)
    assert time.monotonic() - begun < 10


def test_advice() -> None:
    """No two classes have the same advice."""
    assert {*WORDS} == {*ADVICE}
    assert len(ADVICE) == len({*ADVICE.values()})


@pytest.mark.serial
@pytest.mark.process
def test_silent_name_server(tmp_path: Path, silent_dns: SilentDns) -> None:
    """The real command without an answering name server ends in its time, and does not report a block."""
    (tmp_path / "heatmap.toml").write_text(
        '[[market]]\nname = "nse-fno"\n[[market.source]]\nbase_url = "https://quotes.example.org"\n'
        "fetch_timeout_seconds = 4\n"
    )
    command = silent_dns.command(sys.executable, "-m", "heatmap", "run", "--now", NOW.isoformat())
    path = os.pathsep.join(filter(None, [str(CHECKOUT), silent_dns.environment().get("PYTHONPATH")]))
    begun = time.monotonic()
    done = subprocess.run(
        command,
        env={**silent_dns.environment(), "PYTHONPATH": path},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert 3.5 < time.monotonic() - begun < 8
    assert (75, 1) == (done.returncode, done.stderr.count("\n"))
    assert "for no name server answers" in done.stderr
    assert "blocked" not in done.stderr
    assert "if this goes on, check this machine's network" in done.stderr
    assert not silent_dns.real or silent_dns.asked
