"""Uploads that are cut off at every part of their way, without a second attempt to hide it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import NamedTuple
from unittest import mock

from heatmap.errors import EXIT_TEMPORARY, PublishError
from tests.checkout import CHECKOUT
from tests.promises.places import Place
from tests.promises.versions import NAME, content, versioned
from tests.servers.proxy import Fault, FtpProxy, Proxy

SAMPLE, WHOLE = 6, 48
KILLED = -9
MOST_MISSES = 8  # offsets tried for each cut: one may lie behind what is sent this time


class Cut(NamedTuple):
    """A cut on a way; `make`: a version -> whether its publishing said it went well; None: never cut."""

    way: str
    make: Callable[[int], bool | None]


class Cuts(NamedTuple):
    """What so many cuts did."""

    cuts: int
    old_pages: int  # cuts after which the page was still the one before, byte by byte
    new_pages: int
    no_page: int  # deleted for its successor, which did not come: the price of delete-then-rename
    torn: int  # neither
    false_success: int  # "published", yet the page was the old one
    leftovers: int  # temporary files that stayed, all with names of ours
    swept: int  # of those, by a run an hour later
    strays: int  # files of other names: some servers obey a command line of which half arrived
    unhealed: int  # next runs that did not put the page in place

    @property
    def holds(self) -> bool:
        """Nothing is torn, told wrongly or left, and each next run heals."""
        lost = self.torn or self.false_success or self.unhealed
        return not lost and self.swept == self.leftovers and self.cuts > 0


def measure(place: Place, rng: Random, amount: int) -> Cuts:
    """Cut `amount` uploads of a page over another one, each at another byte, and more until each way had a cut."""
    place.publish(versioned(0))
    if place.port is None:
        return _count(place, _local(place, rng, amount), amount)
    with mock.patch.object(type(place.publisher()), "attempts", 1):
        return _count(place, _on_the_wire(place, rng, amount), amount)


def _count(place: Place, cuts: Iterator[Cut], amount: int) -> Cuts:
    done = old = new = missing = torn = false = unhealed = 0
    left: set[str] = set()
    strays: set[str] = set()
    places: Counter[str] = Counter()
    number = 0
    for cut in cuts:
        if done >= amount and all(places.values()):
            break
        number += 1
        success = cut.make(number)
        places[cut.way] += success is not None
        page = place.files().get(NAME)
        left.update(place.leftovers())
        strays.update(place.files().keys() - left - {NAME})
        if success is not None:
            done += 1
            old += page == content(number - 1)
            new += page == content(number)
            gone = page is None and not place.renames
            missing += gone
            torn += not gone and page not in (content(number - 1), content(number))
            false += success and page != content(number)
        place.publish(versioned(number))
        unhealed += place.files().get(NAME) != content(number)
    for name in place.leftovers():
        place.age(name)
    place.publish(versioned(number + 1))
    assert all(_is_half_name(name) for name in strays), strays
    assert done >= amount, f"only {done} of {amount} cuts struck"
    idle = [way for way, count in places.items() if not count]
    assert not idle, f"no cut struck: {idle}"
    swept = len(left) - len(place.leftovers())
    return Cuts(done, old, new, missing, torn, false, len(left), swept, len(strays), unhealed)


def _is_half_name(name: str) -> bool:
    return NAME.startswith(name) or name.startswith(".heatmap-")


def _spread(rng: Random, length: int, count: int) -> Iterator[int]:
    """Yield `count` offsets, one by chance in each part of equal size, then more by chance alone."""
    for part in range(count):
        yield int((part + rng.random()) * length / count)
    while True:
        yield rng.randrange(length)


def _on_the_wire(place: Place, rng: Random, amount: int) -> Iterator[Cut]:
    """Cut connections: both ways, commands and data, by a reset and by an orderly end in turn."""
    with place.ftp_proxy() if place.is_ftp else place.proxy() as proxy:
        place.publish(versioned(1), proxy)
        lengths = {"sent": len(proxy.sent), "received": len(proxy.received)}
        spared = {"sent": _mode_commands(proxy.sent)}
        if isinstance(proxy, FtpProxy):
            lengths |= {"data sent": len(proxy.data.sent), "data received": len(proxy.data.received)}
    place.publish(versioned(0))
    offsets = {way: _spread(rng, length, -(-amount // len(lengths))) for way, length in lengths.items()}
    for number in range(amount * MOST_MISSES):
        way = list(lengths)[number % len(lengths)]
        kind = (Fault.reset, Fault.end)[number // len(lengths) % 2]
        offset = next(offset for offset in offsets[way] if offset not in spared.get(way, ()))
        fault = kind(offset, way.removeprefix("data "))
        # Where each request has a connection of its own, the first one that gets so far is cut, or a later one.
        has_many = way.startswith("data") or not place.pooled
        yield _wire_cut(place, way, replace(fault, skip=rng.randrange(4)) if has_many else fault.on(1))


def _mode_commands(sent: bytes) -> set[int]:
    """Return the offsets within the FTP commands that set a mode.

    Proftpd obeys half a line. So a cut would change the mode of a folder above: of `/`, too, if the tests run
    as root.
    """
    lines = re.finditer(rb"SITE CHMOD [^\r]*\r?", sent)
    return {offset for line in lines for offset in range(line.start() + 1, line.end() + 1)}


def _wire_cut(place: Place, way: str, fault: Fault) -> Cut:
    def make(number: int) -> bool | None:
        if not way.startswith("data"):
            with place.proxy(fault) as proxy:
                success = _publishes(place, number, proxy)
                return success if proxy.faulted.is_set() else None
        # Lists and pages that are read have connections of their own: the first that gets so far is cut, or a
        # later one.
        with place.ftp_proxy(fault) as proxy:
            success = _publishes(place, number, proxy)
            return success if proxy.data.faulted.is_set() else None

    return Cut(way, make)


def _publishes(place: Place, number: int, proxy: Proxy) -> bool:
    try:
        place.publish(versioned(number), proxy)
    except PublishError:
        return False
    return True


def _local(place: Place, rng: Random, amount: int) -> Iterator[Cut]:
    """End a process inside its write: by a kill, or by a file system that takes no more.

    Git writes in processes of its own, whose writes are not ours to kill them in: those get the second alone.
    """
    offsets = _spread(rng, place.write_bytes, amount)
    ways = ("kill", "limit") if place.watched else ("limit",)
    for number in range(amount * MOST_MISSES):
        yield _local_cut(place, ways[number % len(ways)], next(offsets))


def _local_cut(place: Place, how: str, offset: int) -> Cut:
    def make(number: int) -> bool | None:
        command = [sys.executable, "-m", "tests.promises.cuts", how, str(offset), str(number)]
        done = subprocess.run(
            command, cwd=CHECKOUT, input=place.table(), capture_output=True, text=True, check=False
        )
        assert done.returncode in (0, KILLED if how == "kill" else EXIT_TEMPORARY), done.stderr
        return None if done.returncode == 0 else False

    return Cut(how, make)


def _be_cut(how: str, offset: int, number: int) -> None:
    """Publish within this process, which ends when `offset` bytes of the page are written."""
    import io
    import os
    import resource
    import signal
    from tempfile import TemporaryDirectory

    from heatmap.config import loader
    from heatmap.system.deadline import Deadline

    class Doomed(io.BufferedWriter):
        def write(self, data: bytes) -> int:  # type: ignore[override]
            super().write(data[:offset])
            self.flush()
            os.kill(os.getpid(), signal.SIGKILL)
            return 0

    with TemporaryDirectory() as folder:
        path = Path(folder) / "heatmap.toml"
        path.write_text(sys.stdin.read(), "utf-8")
        target = loader.load(path).publishers[0]
        pages = versioned(number)
        if how == "limit":
            resource.setrlimit(resource.RLIMIT_FSIZE, (offset, resource.RLIM_INFINITY))
        else:
            opened = os.fdopen  # files that are only read stay as they are
            os.fdopen = lambda descriptor, mode: (  # type: ignore[assignment,misc]
                Doomed(io.FileIO(descriptor, mode)) if "w" in mode else opened(descriptor, mode)
            )
        try:
            target.publish(pages, Deadline(60))
        except PublishError as error:
            sys.exit(error.exit_code)


if __name__ == "__main__":
    _be_cut(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
