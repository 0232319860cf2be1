"""The memory that a fetch takes, whatever comes: measured in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler

import pytest

from tests.servers.exchange import Exchange
from tests.system.http.conftest import Serving

pytestmark = pytest.mark.process

MOST_MEGABYTES = 100
FULL = 4 * 1024 * 1024 - 100  # as large as a body may be
FETCH = """
import re, sys
from datetime import UTC, datetime
from heatmap.errors import SourceError
from heatmap.sources.snapshot_file import SnapshotFile
from heatmap.sources.nse.live import (Nse)
likeness = sys.argv[3] if len(sys.argv) > 3 else None
source = {"nse": lambda url: Nse(base_url=url, impersonate=likeness), "file": lambda url: SnapshotFile(url=url)}[sys.argv[1]]
try:
    source(sys.argv[2]).fetch(now=datetime.now(UTC))
except SourceError as error:
    print(error.kind)
else:
    print("fine")
# What the process itself took: ru_maxrss also counts what its parent had when it began.
print(int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) // 1024)
"""


def fetched(*arguments: str) -> tuple[str, int]:
    """Fetch in a process; return what became of it, and its peak in megabytes."""
    done = subprocess.run(
        [sys.executable, "-c", FETCH, *arguments], capture_output=True, text=True, timeout=60, check=True
    )
    word, megabytes = done.stdout.split()
    return word, int(megabytes)


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        ("gzip bomb", "changed"),
        ("oversized", "changed"),
        ("redirect with bomb", "blocked"),
        ("double gzip", "changed"),
        ("deep nesting", "changed"),
        ("5,000 digits", "changed"),
        ("300 headers", "changed"),
        ("403", "blocked"),
    ],
)
def test_bombs(likeness: str | None, fault: str, word: str) -> None:
    """No bomb of the exchange's takes a hundred megabytes, one that comes with a redirect included."""
    with Exchange(fault=fault) as exchange:
        found, megabytes = fetched("nse", exchange.url, *filter(None, [likeness]))
    assert word == found
    assert megabytes < MOST_MEGABYTES


def values(count: int, value: Callable[[int], str]) -> bytes:
    """A list of so many values."""
    return f"[{','.join(value(number) for number in range(count))}]".encode()


BODIES: dict[str, Callable[[], bytes]] = {
    "lists": lambda: values(FULL // 3, lambda _: "[]"),
    "as many lists as may be": lambda: values(149_000, lambda _: "[]"),
    "as many objects as may be": lambda: values(149_000, lambda number: f'{{"k{number}":1.5}}'),
    "as many words as may be": lambda: values(290_000, lambda number: f'"w{number}"'),
    "wide characters": lambda: f'["\U0001f600{"a" * (FULL - 10)}"]'.encode(),
    "wide characters, escaped": lambda: f'["\\ud83d\\ude00{"a" * (FULL - 20)}"]'.encode(),
    "half a character": lambda: f'["\\ud83d{"a" * (FULL - 20)}"]'.encode(),
    "long numbers": lambda: values(1000, lambda _: "7" * 4000),
    "many stocks": lambda: json.dumps(
        {
            "data": [{"symbol": f"A{n}", "pChange": 1, "name": "x" * 60} for n in range(30_000)],
            "timestamp": "17-Sep-2026 16:00:28",
        }
    ).encode(),
}


@pytest.mark.parametrize("kind", BODIES)
def test_bodies(serving: Serving, kind: str) -> None:
    """Nor does any body that is small enough on its way, and large only once it is read."""
    body = BODIES[kind]()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    with serving(answer) as url:
        word, megabytes = fetched("file", url)
    assert "changed" == word
    assert megabytes < MOST_MEGABYTES
