"""The same page uploaded again and again to the same server by the tools people use, under the eyes of visitors."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.promises.places import FOLDER, Place
from tests.promises.readers import Readers
from tests.promises.versions import NAME, content, versioned
from tests.servers import unpack
from tests.servers.process import Missing

KIND = "ftp@vsftpd"
SAMPLE, WHOLE = 5, 150


class Rivalry(NamedTuple):
    """What two visitors met during so many uploads."""

    uploads: int
    reads: int
    torn: int
    not_found: int

    @property
    def holds(self) -> bool:
        """Others promise nothing."""
        return self.reads > 0


def ours(place: Place, number: int, _: Path) -> None:
    """By this program."""
    place.publish(versioned(number))


def lftp(place: Place, _: int, page: Path) -> None:
    """By lftp's put."""
    login = f"open -u {_user(place)},{_password(place)} 127.0.0.1:{place.port}"
    _call("lftp", "-c", f"set ssl:verify-certificate no; {login}; put {page} -o {FOLDER}/{NAME}")


def rclone(place: Place, _: int, page: Path) -> None:
    """By rclone's copyto."""
    hidden = _call("rclone", "obscure", _password(place)).strip()
    options = f"host=127.0.0.1,port={place.port},user={_user(place)},pass={hidden}"
    empty = "--config=/dev/null"
    _call("rclone", empty, "copyto", "--ignore-times", str(page), f":ftp,{options}:{FOLDER}/{NAME}")


def curl(place: Place, _: int, page: Path) -> None:
    """By curl's -T."""
    login = f"{_user(place)}:{_password(place)}"
    _call("curl", "-sS", "-u", login, "-T", str(page), f"ftp://127.0.0.1:{place.port}/{FOLDER}/{NAME}")


UPLOADS: dict[str, Callable[[Place, int, Path], None]] = {
    "heatmap": ours,
    "curl -T": curl,
    "lftp put": lftp,
    "rclone copyto": rclone,
}


def measure(upload: Callable[[Place, int, Path], None], place: Place, amount: int) -> Rivalry:
    """Upload `amount` versions under the eyes of two visitors."""
    page = place.folder / NAME
    place.publish(versioned(0))
    with place.visited() as address, Readers(address) as readers:
        for number in range(1, amount + 1):
            page.write_bytes(content(number))
            upload(place, number, page)
        found = Rivalry(amount, *readers.stop()[:3])
    assert upload is not ours or not (found.torn or found.not_found), found
    return found


def _call(name: str, *arguments: str) -> str:
    program = unpack.program(name)
    if program is None:
        raise Missing(f"{name} is not here: run python tests/servers/unpack.py --rivals")
    done = subprocess.run(
        [program, *arguments], env=unpack.environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{name}: {done.stderr}"
    return done.stdout


def _user(place: Place) -> str:
    return place.address(None, "127.0.0.1").partition("://")[2].partition("@")[0]


def _password(place: Place) -> str:
    return Path(place.options["password_file"]).read_text("utf-8").strip()
