"""Figures as tables of docs/promises.md, each between two markers that bear its name."""

from __future__ import annotations

import platform
import re
import subprocess
from collections.abc import Mapping
from datetime import date
from importlib import metadata
from importlib.util import find_spec
from typing import Any

from tests.checkout import CHECKOUT
from tests.promises.matrix import Measurement
from tests.servers import unpack

DOCUMENT = CHECKOUT / "docs/promises.md"
PACKAGES = (
    "nginx",
    "vsftpd",
    "proftpd-core",
    "pure-ftpd",
    "openssh-server",
    "openssh-client",
    "git",
    "curl",
    "lftp",
    "rclone",
)
LIBRARIES = ("moto",)


def words(figures: Any) -> str:
    """Return a row's figures as one line."""
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in figures._asdict().items())


def markdown(measurement: Measurement, rows: Mapping[str, Any]) -> str:
    """Return a table with a heading."""
    if not rows:
        return f"### {measurement.title}\n\nnothing was measured\n"
    fields = next(iter(rows.values()))._fields
    lines = [
        f"### {measurement.title}",
        "",
        _line([measurement.what, *(field.replace("_", " ") for field in fields)]),
        _line(["---", *("--:" for _ in fields)]),
        *(_line([name, *map(_shown, figures)]) for name, figures in rows.items()),
    ]
    return "\n".join([*lines, ""])


def write(measurement: Measurement, rows: Mapping[str, Any], seed: int) -> None:
    """Put a table in the place of its former one, with the date and the command that makes it anew."""
    text = DOCUMENT.read_text("utf-8")
    command = f"python -m tests.promises --only {measurement.name} --seed {seed}"
    block = f"{markdown(measurement, rows)}\n{date.today().isoformat()}, `{command}`\n"
    text = _replaced(text, measurement.name, block)
    known = [
        *(f"{package} {_packaged(package)}" for package in PACKAGES),
        f"Python {platform.python_version()}",
    ]
    known += [f"{library} {metadata.version(library)}" for library in LIBRARIES if find_spec(library)]
    DOCUMENT.write_text(_replaced(text, "versions", f"Measured with {', '.join(known)}.\n"), "utf-8")


def _packaged(package: str) -> str:
    """Return the version of a Debian package, unpacked or installed."""
    unpacked = sorted((unpack.FOLDER / "packages").glob(f"{package}_*.deb"))
    if unpacked:
        return unpacked[-1].name.split("_")[1].replace("%3a", ":")
    query = ["dpkg-query", "-W", "-f", "${Version}", package]
    return subprocess.run(query, capture_output=True, check=False, text=True).stdout or "of this system"


def _replaced(text: str, name: str, block: str) -> str:
    begin, end = f"<!-- {name}: measured -->\n", f"<!-- {name}: end -->"
    pattern = f"{re.escape(begin)}.*?{re.escape(end)}"
    new, count = re.subn(pattern, lambda _: f"{begin}{block}{end}", text, flags=re.DOTALL)
    assert count == 1, f"{DOCUMENT} needs the markers of {name} once"
    return new


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _shown(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
