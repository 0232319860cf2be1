"""Servers that fall silent, at every part of a real run's way, and when the run ends then."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from random import Random
from tempfile import mkdtemp
from threading import Lock
from typing import NamedTuple

from heatmap.errors import EXIT_OK, EXIT_TEMPORARY
from tests.promises.places import Place, is_temporary
from tests.promises.runs import Run, configuration, drawn, run
from tests.promises.versions import moment
from tests.servers.dns import SilentDns
from tests.servers.proxy import Fault, Way

SAMPLE, WHOLE = 5, 18
DEADLINE_SECONDS = 5
LATEST_SECONDS = DEADLINE_SECONDS + 5
AT_ONCE = 6  # runs; they mostly wait

NAME = "heatmap.example.org"  # nobody answers what its address is


ONE_NAME_SERVER = Lock()  # there is one port for it


class Address(NamedTuple):
    """By which port and host the server is reached, whether it fell silent, and who is asked for its address."""

    port: int
    host: str
    fell_silent: Callable[[], bool]
    dns: SilentDns | None = None


class Stalls(NamedTuple):
    """How runs with a deadline of 5 seconds ended whose server fell silent."""

    stalls: int
    exit_75: int
    exit_0: int  # the silence came when all was in place
    slowest_seconds: float  # from the process's start to its end
    too_late: int  # later than 5 seconds after the deadline
    wrong: int  # another code, not one sentence, a file that is neither old nor new, a process left
    unhealed: int  # next runs that did not end with exit code 0

    @property
    def holds(self) -> bool:
        """Every run ends in time, and says why."""
        return not (self.too_late or self.wrong or self.unhealed) and self.exit_75 > 0


def measure(place: Place, rng: Random, amount: int) -> Stalls:
    """Let the server fall silent at `amount` points of the way, each for a folder of its own."""
    pages = drawn(Path(mkdtemp(dir=place.folder)), moment(1))
    ways = [partial(_no_name, place), _black_hole, *_silences(place, rng, amount - 2)]
    with ThreadPoolExecutor(AT_ONCE) as threads:
        tried = list(threads.map(partial(_one, place, pages), range(len(ways)), ways))
    ended = [end for end in tried if end.silent]
    assert len(ended) * 2 > len(tried), f"of {len(tried)} servers only {len(ended)} fell silent in time"
    codes = [end.code for end in ended]
    return Stalls(
        len(ended),
        codes.count(EXIT_TEMPORARY),
        codes.count(EXIT_OK),
        round(max(end.seconds for end in ended), 1),
        sum(end.seconds > LATEST_SECONDS for end in ended),
        sum(not end.right for end in ended),
        sum(not end.healed for end in ended),
    )


Reached = Callable[[], AbstractContextManager[Address]]


class _End(NamedTuple):
    silent: bool  # else the run was over before its server would have been
    code: int
    seconds: float
    right: bool
    healed: bool


def _one(place: Place, pages: Mapping[str, bytes], number: int, way: Reached) -> _End:
    """Publish one moment's pages, then the next ones to a server that falls silent, then those again.

    `pages` are the next ones, as they must arrive.
    """
    folder, under = Path(mkdtemp(dir=place.folder)), f"stall{number}"
    direct = configuration(folder, [place.table(under=under)])
    assert run(direct, moment(0)).code == EXIT_OK
    old = place.files(under)
    with way() as (port, host, fell_silent, dns):
        path = configuration(
            folder / "stalled", [place.table(port, host, under=under)], deadline_seconds=DEADLINE_SECONDS
        )
        doomed = Run(path, moment(1), dns)
        ended = doomed.end()
        found = place.files(under)
        alone, silent = not doomed.children(), fell_silent()
    healed = run(direct, moment(1)).code == EXIT_OK
    new = {name: content for name, content in place.files(under).items() if not is_temporary(name)}
    healed = healed and new == pages
    whole = bool(old) and all(
        found[name] in (old[name], pages.get(name)) if name in found else not place.renames for name in old
    )
    told = ended.code == EXIT_TEMPORARY and len(ended.said.splitlines()) == 1
    done = ended.code == EXIT_OK and all(found.get(name) == pages[name] for name in old)
    return _End(silent, ended.code, ended.seconds, alone and whole and (told or done), healed)


def _silences(place: Place, rng: Random, amount: int) -> Iterator[Reached]:
    """Yield where to fall silent, on the connection and on FTP's data: from the first byte to the last."""
    with place.proxy() as proxy:
        folder = Path(mkdtemp(dir=place.folder))
        for number in (0, 1):
            sent, received = len(proxy.sent), len(proxy.received)
            path = configuration(folder, [place.table(proxy.port, proxy.host, under="dry")])
            assert run(path, moment(number)).code == EXIT_OK
        lengths = {"sent": len(proxy.sent) - sent, "received": len(proxy.received) - received}
    if not place.pooled:  # then no connection carries more than a file
        lengths = dict.fromkeys(lengths, place.write_bytes)
    data = amount // 3 if place.is_ftp else 0
    for number in range(amount - data):
        way: Way = ("received", "sent")[number % 2]
        share = number / (amount - data)
        offset = int((share + rng.random() / amount) * lengths[way]) if number else 0  # 0: no greeting
        fault = (Fault.stall, Fault.swallow)[number // 2 % 2](offset, way)
        yield partial(_silent, place, fault)
    one_at_a_time = Lock()  # a proxy doubles all passive ports
    for _ in range(data):
        fault = Fault.stall(rng.randrange(30_000), "sent").on(
            1, skip=rng.randrange(5)
        )  # while a file goes there
        yield partial(_silent_data, place, fault, one_at_a_time)


@contextmanager
def _silent(place: Place, fault: Fault) -> Iterator[Address]:
    with place.proxy(fault) as proxy:
        yield Address(proxy.port, proxy.host, proxy.faulted.is_set)


@contextmanager
def _silent_data(place: Place, fault: Fault, one_at_a_time: Lock) -> Iterator[Address]:
    with one_at_a_time, place.ftp_proxy(fault) as proxy:
        yield Address(proxy.port, proxy.host, proxy.data.faulted.is_set)


@contextmanager
def _no_name(place: Place) -> Iterator[Address]:
    """A host whose address no name server tells."""
    assert place.port is not None
    with ONE_NAME_SERVER, SilentDns(Path(mkdtemp(dir=place.folder)) / "dns") as dns:
        yield Address(place.port, NAME, lambda: not dns.real or dns.asked, dns)


@contextmanager
def _black_hole() -> Iterator[Address]:
    """A port that takes no connection and refuses none, as behind a firewall that drops."""
    with ExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(3):  # more than the system keeps waiting for it
            caller = stack.enter_context(socket.socket())
            caller.setblocking(False)
            with suppress(BlockingIOError):
                caller.connect(full.getsockname())
        time.sleep(0.1)
        yield Address(full.getsockname()[1], "127.0.0.1", lambda: True)
