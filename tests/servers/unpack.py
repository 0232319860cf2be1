"""Unpacks real servers for the tests into tests/.servers, leaving the system as it is.

`python tests/servers/unpack.py`, as root or not; quick when all is there, and fetches only what is new on
the list. With `--rivals` also the programs that other people upload with, for the side-by-side. Where apt or
dpkg is missing it says so and ends well: the tests that need a server then skip by name.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / ".servers"
ROOT = FOLDER / "root"
DONE = FOLDER / "done"
PACKAGES = (
    "vsftpd",
    "proftpd-core",
    "proftpd-mod-crypto",
    "openssh-server",
    "openssh-sftp-server",
    "pure-ftpd",
    "pure-ftpd-common",
    "nginx",
    "apache2-bin",
    "cron",
    "libfaketime",
    "logrotate",
    "shellcheck",
    "pgbouncer",
    # libraries that those need and a small system lacks
    "libwrap0",
    "libhiredis0.14",
    "libmemcached11",
    "libmemcachedutil2",
    "libhashkit2",
    "libpcre2-posix3",
    "libsodium23",
    "libapr1",
    "libaprutil1",
    "libgmp10",
    "libpopt0",
    "libevent-2.1-7",
    "libc-ares2",
)
RIVALS = ("lftp", "rclone", "curl")  # 16 MB, and no test of ours needs them
SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])


def program(name: str) -> Path | None:
    """Return a server's path: the system's own, the unpacked one, or None."""
    found = shutil.which(name, path=SEARCH_PATH)
    if found:
        return Path(found)
    unpacked = (ROOT / folder / name for folder in ("usr/sbin", "usr/bin"))
    return next((file for file in unpacked if file.is_file()), None)


def library(name: str) -> Path | None:
    """Return the folder or file below the system's or the unpacked library folders, or None."""
    system = (
        folder for top in ("/usr/lib", "/usr/lib64") for folder in (Path(top), *Path(top).glob("*-linux-*"))
    )
    own = ROOT / "usr/lib"
    found = (folder / name for folder in (*system, own, *own.glob("*-linux-*")))
    return next((path for path in found if path.exists()), None)


@cache
def _libraries() -> str:
    return os.pathsep.join(sorted({str(file.parent) for file in ROOT.glob("**/*.so*")}))


def environment() -> dict[str, str]:
    """Return an environment in which the unpacked servers find their libraries."""
    return {**os.environ, "LD_LIBRARY_PATH": _libraries()}


def main(arguments: Sequence[str] = ()) -> int:
    """Unpack what is not there yet; return the exit code."""
    rivals = [name for name in RIVALS if "--rivals" in arguments and not program(name)]
    done = DONE.read_text("utf-8").split() if DONE.is_file() else []
    wanted = [package for package in (*PACKAGES, *rivals) if package not in done]
    if not wanted:
        return 0
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        print("apt-get and dpkg are not here, so no test servers are unpacked: the tests that need one skip")
        return 0
    packages = FOLDER / "packages"
    for folder in (packages / "partial", FOLDER / "lists/partial", ROOT):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        if not _download(packages, wanted):
            print("no test servers could be downloaded: the tests that need one skip", file=sys.stderr)
            return 0
        for package in sorted(packages.glob("*.deb")):
            if package.name.split("_")[0] in wanted:
                subprocess.run(["dpkg", "-x", package, ROOT], check=True)
    except subprocess.CalledProcessError as error:
        print(f"the test servers could not be unpacked: {error}", file=sys.stderr)
        return 1
    DONE.write_text("\n".join([*done, *wanted]), "utf-8")
    print(f"test servers unpacked into {FOLDER}")
    return 0


def _download(packages: Path, wanted: Sequence[str]) -> bool:
    """Fetch by the system's package lists, or where those are missing or stale by lists of our own."""
    own = [f"-oDir::State::lists={FOLDER}/lists", f"-oDir::Cache={FOLDER}", "-oAPT::Sandbox::User="]
    fetch = ["download", *wanted]
    quiet = ["apt-get", "-qq", "-oAPT::Sandbox::User=", f"-oDir::Cache={FOLDER}"]
    if subprocess.run([*quiet, *fetch], cwd=packages, check=False, stderr=subprocess.DEVNULL).returncode == 0:
        return True
    subprocess.run([*quiet, *own, "update"], cwd=packages, check=False)
    return subprocess.run([*quiet, *own, *fetch], cwd=packages, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
