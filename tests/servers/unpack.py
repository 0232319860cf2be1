"""Unpacks real servers for the tests into tests/.servers, leaving the system as it is.

`python tests/servers/unpack.py`, as root or not; quick when all is there. Where apt or dpkg is missing it
says so and ends well: the tests that need a server then skip by name.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
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
    "nginx",
    "cron",
    # libraries that those need and a small system lacks
    "libwrap0",
    "libhiredis0.14",
    "libmemcached11",
    "libmemcachedutil2",
    "libhashkit2",
    "libpcre2-posix3",
)
SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])


def program(name: str) -> Path | None:
    """Return a server's path: the system's own, the unpacked one, or None."""
    found = shutil.which(name, path=SEARCH_PATH)
    if found:
        return Path(found)
    unpacked = ROOT / "usr/sbin" / name
    return unpacked if unpacked.is_file() else None


def environment() -> dict[str, str]:
    """Return an environment in which the unpacked servers find their libraries."""
    folders = {str(file.parent) for file in ROOT.glob("**/*.so*")}
    return {**os.environ, "LD_LIBRARY_PATH": os.pathsep.join(sorted(folders))}


def main() -> int:
    """Unpack what is not there yet; return the exit code."""
    wanted = "\n".join(PACKAGES)
    if DONE.is_file() and DONE.read_text("utf-8") == wanted:
        return 0
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        print("apt-get and dpkg are not here, so no test servers are unpacked: the tests that need one skip")
        return 0
    packages = FOLDER / "packages"
    for folder in (packages / "partial", FOLDER / "lists/partial", ROOT):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        if not _download(packages):
            print("no test servers could be downloaded: the tests that need one skip", file=sys.stderr)
            return 0
        for package in sorted(packages.glob("*.deb")):
            subprocess.run(["dpkg", "-x", package, ROOT], check=True)
    except subprocess.CalledProcessError as error:
        print(f"the test servers could not be unpacked: {error}", file=sys.stderr)
        return 1
    DONE.write_text(wanted, "utf-8")
    print(f"test servers unpacked into {FOLDER}")
    return 0


def _download(packages: Path) -> bool:
    """Fetch by the system's package lists, or where those are missing or stale by lists of our own."""
    own = [f"-oDir::State::lists={FOLDER}/lists", f"-oDir::Cache={FOLDER}", "-oAPT::Sandbox::User="]
    fetch = ["download", *PACKAGES]
    quiet = ["apt-get", "-qq", "-oAPT::Sandbox::User=", f"-oDir::Cache={FOLDER}"]
    if subprocess.run([*quiet, *fetch], cwd=packages, check=False, stderr=subprocess.DEVNULL).returncode == 0:
        return True
    subprocess.run([*quiet, *own, "update"], cwd=packages, check=False)
    return subprocess.run([*quiet, *own, *fetch], cwd=packages, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
