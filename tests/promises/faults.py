"""The named fault cases of the publishers' own tests: how many there are, and how many hold."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple
from xml.etree import ElementTree as ET

from tests.checkout import CHECKOUT


class Faults(NamedTuple):
    """The cases of one file of tests."""

    cases: int
    passed: int
    failed: int
    skipped: int  # a server is not on this machine

    @property
    def holds(self) -> bool:
        """None failed, and there were some."""
        return not self.failed and self.passed > 0


def measure(tests: str) -> Faults:
    """Run a file of tests, in a process of its own."""
    with TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        subprocess.run(
            [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", tests],
            cwd=CHECKOUT,
            env={**os.environ, "CI": ""},
            capture_output=True,
            check=False,
        )
        cases = list(ET.parse(report).iter("testcase"))
    said = Counter(
        child.tag for case in cases for child in case if child.tag in ("failure", "error", "skipped")
    )
    for case in cases:
        if case.find("failure") is not None or case.find("error") is not None:
            print(f"{tests}::{case.get('name')} failed", file=sys.stderr)
    failed, skipped = said["failure"] + said["error"], said["skipped"]
    return Faults(len(cases), len(cases) - failed - skipped, failed, skipped)
