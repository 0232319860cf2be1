"""The modules that each command may import: imports are the cost of a cold run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.process

CLOSED = "2026-09-19T03:00:00+05:30"
OPEN = "2026-09-17T11:00:00+05:30"
# Modules worth milliseconds, each with all it brings along.
HEAVY = {"shutil", "lzma", "requests", "urllib3", "jinja2", "colour", "dateutil", "ftplib", "subprocess", "http.client", "email.message", "logging",
         "asyncio", "ssl", "socket", "tempfile", "typing_extensions", "hashlib", "ast", "csv", "pyarrow"}  # fmt: skip
RECORDED = '[[market]]\nname = "nse-fno"\n[market.source]\ntype = "recording"\n'
FTP = '[[publish]]\nurl = "ftps://me@127.0.0.1/x"\npassword_env = "X"\n[[publish]]\nurl = "sftp://me@127.0.0.1/x"\n'
OTHERS = '[[publish]]\nurl = "s3://pages/x"\nsecret_access_key_env = "X"\n[[publish]]\nurl = "git+file:x"\n'

# command → which of the heavy modules it may load; dataclasses load ast, tomllib none of them
ALLOWED: dict[tuple[str, ...], set[str]] = {
    ("run", "--now", CLOSED): {"ast"},
    ("session", "--now", CLOSED): {"ast"},
    ("init",): HEAVY
    - {"requests", "colour", "ftplib", "jinja2", "pyarrow"},  # it asks what the program was installed from
    ("schedule", "--now", CLOSED): {"ast", "dateutil"},
    ("history", "export", "--output", "bars.csv"): {"ast", "csv", "lzma", "shutil"},
    ("embed", "--url", "https://www.example.org/"): HEAVY
    - {"requests", "colour", "ftplib", "http.client", "pyarrow"},
}


def loaded(folder: Path, *argv: str) -> set[str]:
    """The heavy modules that a command has loaded by the time it is done."""
    script = (
        "import sys\nfrom heatmap.cli import main\ncode = main(sys.argv[1:])\n"
        "print('\\n'.join(sorted(sys.modules)), file=sys.stderr)\nsys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *argv],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return HEAVY & set(done.stderr.split())


@pytest.mark.parametrize("argv", ALLOWED, ids=" ".join)
def test_what_a_command_may_import(tmp_path: Path, argv: tuple[str, ...]) -> None:
    """No command loads more of the heavy modules than the list allows it."""
    if argv != ("init",):
        (tmp_path / "heatmap.toml").write_text(RECORDED)

    assert set() == loaded(tmp_path, *argv) - ALLOWED[argv]


@pytest.mark.parametrize("configured", ["", '[[market]]\nname = "nse-fno"\n' + FTP + OTHERS])
def test_a_closed_tick_is_light(tmp_path: Path, configured: str) -> None:
    """Three of four ticks find the market closed: with any source and target they load nothing heavy."""
    if configured:
        (tmp_path / "heatmap.toml").write_text(configured)

    assert set() == loaded(tmp_path, "run", "--now", CLOSED) - {"ast"}


@pytest.mark.parametrize("now", ["2026-12-02T03:00:00+05:30", "2027-01-04T03:00:00+05:30"])
def test_a_closed_tick_at_the_turn_of_a_year_is_light(tmp_path: Path, now: str) -> None:
    """In December it asks for no holiday list, and past the calendar's end only the date's first run does."""
    memory = {"holidays_asked_on": now[:10], "holidays_lack": "it still lists 2026"}
    (tmp_path / "state").mkdir()
    (tmp_path / "state/state.json").write_text(json.dumps({"version": 1, "markets": {"nse-fno": memory}}))
    (tmp_path / "state/holidays-nse-equity-fno.toml").write_text(
        '[[closed]]\ndate = 2027-01-26\nname = "x"\n'
    )

    assert set() == loaded(tmp_path, "run", "--now", now) - {"ast"}


def test_an_open_tick_shows_that_the_list_can_tell(tmp_path: Path) -> None:
    """The same look at an open tick finds the renderer and the colours, but no network where none is needed."""
    (tmp_path / "heatmap.toml").write_text(RECORDED)

    found = loaded(tmp_path, "run", "--now", OPEN)

    assert {"jinja2", "colour"} <= found
    assert set() == found & {"requests", "ftplib", "dateutil", "http.client"}
