"""A seeded sample of all that docs/promises.md promises. `make promises` measures the whole."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import started
from tests.promises import matrix, readers, shortages
from tests.promises.matrix import BY_NAME
from tests.promises.versions import content, number_of
from tests.servers.web import Nginx

pytestmark = pytest.mark.real
SEED = 20260917
# Runs of the whole command take a second each, so a sample of them is of one target of each family.
FAMILIES = ("file", "ftp@vsftpd", "ftps@proftpd", "sftp@openssh")
CUT = (*FAMILIES, "ftp@pure-ftpd", "ftps@vsftpd", "ftps@pure-ftpd", "s3@moto", "git+file")


@pytest.fixture
def measured(tmp_path: Path) -> Callable[[str, str], Any]:
    """What gives the figures of a sample of a measurement on a target."""

    def measure(name: str, row: str) -> Any:
        measurement = BY_NAME[name]
        return started(lambda: measurement.measure(row, tmp_path / "place", SEED, measurement.sample))

    return measure


@pytest.mark.parametrize("kind", matrix.ALL)
def test_visitors_see_whole_pages_only(kind: str, measured: Callable[[str, str], Any]) -> None:
    """While a page is published again and again no visitor meets half of one, or none."""
    figures = measured("torn", kind)

    assert figures.holds, figures


@pytest.mark.parametrize("kind", CUT)
def test_a_cut_upload_costs_nothing(kind: str, measured: Callable[[str, str], Any]) -> None:
    """Whatever byte an upload breaks off at, the old page stays or the new one is there; the next run heals."""
    figures = measured("cuts", kind)

    assert figures.holds, figures


@pytest.mark.parametrize("kind", FAMILIES)
def test_a_killed_run_costs_nothing(kind: str, measured: Callable[[str, str], Any]) -> None:
    """After SIGKILL every file is the old or the new one; no process stays, and the next run heals."""
    figures = measured("kills", kind)

    assert figures.holds, figures


@pytest.mark.parametrize("kind", matrix.ALL)
def test_what_is_there_is_not_put_again(kind: str, measured: Callable[[str, str], Any]) -> None:
    """The second time nothing is uploaded."""
    figures = measured("repeats", kind)

    assert figures.holds, figures


@pytest.mark.parametrize("kind", [kind for kind in FAMILIES if kind != "file"])
def test_every_silence_ends_in_time(kind: str, measured: Callable[[str, str], Any]) -> None:
    """A run whose server falls silent ends within its deadline and 5 seconds, and says so in a sentence."""
    figures = measured("stalls", kind)

    assert figures.holds, figures


@pytest.mark.parametrize("kind", ["ftp@vsftpd", "sftp@openssh"])
def test_targets_are_independent(kind: str, measured: Callable[[str, str], Any]) -> None:
    """Beside a silent target and one that refuses the login the good one comes at once."""
    figures = measured("independence", kind)

    assert figures.holds, figures


@pytest.mark.parametrize("row", ["SIGKILL, SQLite", "SIGTERM, PostgreSQL"])
def test_a_whole_run_that_is_ended_costs_nothing(row: str, measured: Callable[[str, str], Any]) -> None:
    """With every part on: pages, archive, history, alerts and state are whole; the next run needs no help."""
    figures = measured("strikes", row)

    assert figures.holds, figures


def test_the_visitors_notice_a_torn_page(nginx: Nginx) -> None:
    """Written in place as other tools do, the same page is torn before the same visitors' eyes."""
    page = nginx.root / "index.html"
    page.write_bytes(content(0))
    with readers.Readers(nginx.url("index.html")) as visitors:
        for number in range(1, 40):
            with page.open("wb") as file:
                for start in range(0, len(content(number)), 8192):
                    file.write(content(number)[start : start + 8192])
                    file.flush()
        found = visitors.stop()

    assert found.torn > 0


def test_the_visitors_notice_a_missing_page(nginx: Nginx) -> None:
    """A page that is not there is counted as such."""
    with readers.Readers(nginx.url("index.html"), count=1) as visitors:
        found = visitors.stop()

    assert found.reads == found.not_found > 0


def test_a_page_tells_whether_it_is_whole() -> None:
    """One that is cut short, mixed with another or altered is none; each is longer than 100 KB."""
    first, second = content(1), content(2)

    assert (1, 2) == (number_of(first), number_of(second))
    assert {None} == {
        number_of(body)
        for body in (first[:-1], first[:70000] + second[70000:], first.replace(b"<td", b"<th", 1), b"")
    }
    assert min(len(first), len(second)) > 100_000


# No limit of processes holds for root, who runs the tests in CI.
@pytest.mark.parametrize("row", [row for row in shortages.ROWS if "-u" not in row or os.geteuid() != 0])
def test_shortages_end_in_time(measured: Callable[[str, str], Any], row: str) -> None:
    """With too little memory, or too few files or processes, a run ends in time, the page is whole, the next heals."""
    found = measured("shortages", row)

    assert found.holds, found
    assert found.exit_75 or "-v" not in row, found
