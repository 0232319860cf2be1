"""Visitors: processes that fetch one page again and again while it is published, and judge what they get."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from threading import Event, Thread
from typing import NamedTuple, Self
from urllib.parse import urlsplit

from tests.checkout import CHECKOUT
from tests.promises.versions import number_of

PAUSE_SECONDS = 0.001  # between two reads, so that who publishes gets its turn
END_SECONDS = 30


class Reads(NamedTuple):
    """What visitors met: answers in all, torn pages among them, answers that were no page, versions seen."""

    reads: int
    torn: int
    not_found: int
    versions: int


class Readers:
    """`count` visitors of an address: http://..., or git:REPOSITORY:BRANCH:PATH for what a clone would get."""

    def __init__(self, address: str, count: int = 2) -> None:
        self._command = [sys.executable, "-m", "tests.promises.readers", address]
        self._count = count
        self._running: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Self:
        for _ in range(self._count):
            self._running.append(
                subprocess.Popen(
                    self._command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
                )
            )
        for reader in self._running:
            assert reader.stdout is not None
            reader.stdout.readline()  # its first read is done
        return self

    def stop(self) -> Reads:
        """End the visits; return what they met in all."""
        counts: Counter[str] = Counter()
        versions: set[int] = set()
        for reader in self._running:
            said = json.loads(reader.communicate(timeout=END_SECONDS)[0])
            versions.update(said.pop("versions"))
            counts.update(said)
        return Reads(counts["reads"], counts["torn"], counts["not_found"], len(versions))

    def __exit__(self, *_: object) -> None:
        for reader in self._running:
            if reader.poll() is None:
                reader.kill()
            reader.communicate()


def visit(fetch: Callable[[], bytes | None]) -> None:
    """Fetch until standard input ends; say in a line when the first read is done, and at the end what came."""
    counts = {"reads": 0, "torn": 0, "not_found": 0}
    versions: set[int] = set()
    over = Event()
    Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
    while not over.is_set():
        body = fetch()
        counts["reads"] += 1
        if counts["reads"] == 1:
            print(flush=True)
        if body is None:
            counts["not_found"] += 1
        elif (number := number_of(body)) is None:
            counts["torn"] += 1
        else:
            versions.add(number)
        time.sleep(PAUSE_SECONDS)
    print(json.dumps({**counts, "versions": sorted(versions)}))


def by_http(address: str) -> Callable[[], bytes | None]:
    """Return a visitor's fetch over one kept connection; None for any answer but 200."""
    parts = urlsplit(address)
    target = parts.path + (parts.query and f"?{parts.query}")
    connection = HTTPConnection(parts.netloc, timeout=10)

    def fetch() -> bytes | None:
        for attempt in range(2):  # a server may close a connection that it has kept for long
            try:
                connection.request("GET", target)
                answer = connection.getresponse()
                body = answer.read()
                return body if answer.status == 200 else None
            except (OSError, HTTPException):
                connection.close()
                if attempt:
                    return None
        return None

    return fetch


def by_git(repository: str, branch: str, path: str) -> Callable[[], bytes | None]:
    """Return a fetch of what the branch of a repository has at this instant."""
    command = ["git", "-C", repository, "show", f"{branch}:{path}"]

    def fetch() -> bytes | None:
        done = subprocess.run(command, capture_output=True, check=False)
        return done.stdout if done.returncode == 0 else None

    return fetch


if __name__ == "__main__":
    scheme, _, rest = sys.argv[1].partition(":")
    visit(by_git(*rest.split(":")) if scheme == "git" else by_http(sys.argv[1]))
