"""The time to bring a run's files to each kind of target, on loopback; the median of all runs.

    python -m bench.publish [--runs N]

Against the plainest tool for the same files and server: curl -T or sftp's put in one connection, in place,
nothing compared, or cp. Their time holds the start of a process; ours is that within a tick. Ours also puts
each file under a temporary name, renames it, and reads the pages back.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tests.promises import kinds
from tests.promises.versions import moment, page_set
from tests.servers import unpack
from tests.servers.process import Missing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heatmap.system.web_file import WebFile
    from tests.promises.places import Place

SLOWEST_SECONDS = 60  # what one upload by a tool may take
PLAIN_FOLDER = "plain"


def ours(place: Place, pages: Sequence[WebFile], _: Path) -> None:
    """Publish as a tick does, every file anew."""
    delivery = place.publish(pages)
    if delivery.put != len(pages):
        raise RuntimeError(f"{place.kind}: {delivery}, so the time is not that of {len(pages)} files")


def by_cp(place: Place, _: Sequence[WebFile], files: Path) -> None:
    """Copy the files."""
    _call("cp", "-r", f"{files}/.", str(place.root / PLAIN_FOLDER))


def by_curl(place: Place, pages: Sequence[WebFile], files: Path) -> None:
    """Upload the files in place, over one connection."""
    password = Path(place.options["password_file"]).read_text("utf-8").strip()
    scheme, _, rest = place.address(None, "127.0.0.1").partition("://")
    user, _, host = rest.partition("/")[0].partition("@")
    words = ["-sS", "--ftp-create-dirs", "-u", f"{user}:{password}"]
    if scheme == "ftps":
        words += ["--ssl-reqd", "--tls-max", "1.2", "--cacert", place.options["ca_file"]]
    at = "ftps" if place.options.get("implicit") else "ftp"  # by ftps curl means TLS from the first byte
    for page in pages:
        words += ["-T", str(files / page.path), f"{at}://{host}/{PLAIN_FOLDER}/{page.path}"]
    _call("curl", *words)


def by_sftp(place: Place, pages: Sequence[WebFile], files: Path) -> None:
    """Upload the files in place, over one connection."""
    user, _, port = (
        place.address(None, "127.0.0.1").partition("://")[2].partition("/")[0].partition("@127.0.0.1:")
    )
    options = {
        "BatchMode": "yes",
        "Port": port,
        "User": user,
        "IdentityFile": place.options["identity_file"],
        "UserKnownHostsFile": place.options["known_hosts_file"],
    }
    folders = dict.fromkeys(page.path.rpartition("/")[0] for page in pages)
    batch = [f"-mkdir {PLAIN_FOLDER}/{folder}" for folder in sorted(folders)]
    batch += [f"put {files / page.path} {PLAIN_FOLDER}/{page.path}" for page in pages]
    arguments = [f"-o{key}={value}" for key, value in options.items()]
    _call("sftp", "-q", "-b", "-", *arguments, "127.0.0.1", words="\n".join(batch))


Upload = Callable[["Place", "Sequence[WebFile]", Path], None]
PLAINEST: dict[str, tuple[str, Upload]] = {  # by the scheme of the target
    "file": ("cp -r", by_cp),
    "ftp": ("curl -T", by_curl),
    "ftps": ("curl -T", by_curl),
    "sftp": ("sftp put", by_sftp),
}


def seconds(upload: Upload, place: Place, runs: int) -> float:
    """Return the median time of an upload in which every file is new."""
    times = []
    for number in range(runs + 1):
        pages = page_set(moment(number % 2))
        with TemporaryDirectory() as name:
            files = Path(name)
            for page in pages:
                (files / page.path).parent.mkdir(exist_ok=True)
                (files / page.path).write_bytes(page.content)
            start = time.perf_counter()
            upload(place, pages, files)
            if number:  # the first makes the folders
                times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=9)
    runs = parser.parse_args().runs
    pages = page_set(moment(0))
    size = sum(len(page.content) for page in pages)
    print(f"\nupload of a tick's {len(pages)} files, {size:,} bytes, over loopback; medians of {runs}")
    print(f"{'':34}{'ms':>8}   times the")
    for kind in kinds.KINDS:
        try:
            with TemporaryDirectory() as name, kinds.started(kind, Path(name)) as place:
                (place.root / PLAIN_FOLDER).mkdir(parents=True)
                os.chown(place.root / PLAIN_FOLDER, place.root.stat().st_uid, place.root.stat().st_gid)
                mine = seconds(ours, place, runs)
                against = ""
                by_password = kind.startswith("sftp") and "identity_file" not in place.options
                if kind.partition("@")[0] in PLAINEST and place.renames and not by_password:
                    tool, upload = PLAINEST[kind.partition("@")[0]]
                    plain = seconds(upload, place, runs)
                    against = f"{mine / plain:.2f} of {tool}, {plain * 1000:.1f} ms"
                print(f"{kind:34}{mine * 1000:8.1f}   {against}", flush=True)
        except Missing as missing:
            print(f"{kind:34} left out: {missing}", file=sys.stderr)


def _call(name: str, *arguments: str, words: str = "") -> None:
    program = unpack.program(name)
    if program is None:
        raise Missing(f"{name} is not here: install it (Debian: apt-get install {name})")
    done = subprocess.run(
        [program, *arguments],
        env=unpack.environment() if unpack.ROOT in program.parents else None,
        input=words,
        capture_output=True,
        text=True,
        timeout=SLOWEST_SECONDS,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{name}: {done.stderr}")


if __name__ == "__main__":
    main()
