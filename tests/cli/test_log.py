"""The words of a run as a log: a JSON object a line, or plain lines with their time; without the option, as ever."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.checkout import CHECKOUT

pytestmark = pytest.mark.process

OPEN = "2026-09-17T11:00:00+05:30"
RECORDED = '[[market]]\nname = "nse-fno"\n[market.source]\ntype = "recording"\n'
MISSING = '[[market]]\nname = "nse-fno"\n[market.source]\ntype = "file"\npath = "missing.json"\n'


def run(
    folder: Path, *more: str, now: str = OPEN, program: tuple[str, ...] = ("-m", "heatmap")
) -> tuple[int, str, str]:
    """Run a tick as cron would: its code, output and errors."""
    done = subprocess.run(
        [sys.executable, *program, "run", "--now", now, *more],
        cwd=folder,
        env={"PYTHONPATH": str(CHECKOUT), "PATH": os.defpath},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stdout, done.stderr


def objects(text: str) -> list[dict[str, object]]:
    """The lines of a log, without their times, which begin where the clock stood."""
    found = [json.loads(line) for line in text.splitlines()]
    for each in found:
        assert re.fullmatch(r"2026-09-17T05:30:\d\d\.\d{3}Z", str(each.pop("time")))
        each.pop("seconds", None)
    return found


def test_without_the_option_nothing_is_said(tmp_path: Path) -> None:
    """Under cron a run that goes well is silent, and one that fails says one sentence."""
    (tmp_path / "heatmap.toml").write_text(RECORDED)
    assert (0, "", "") == run(tmp_path)
    (tmp_path / "heatmap.toml").write_text(MISSING)
    code, out, err = run(tmp_path)

    assert (78, "", 1) == (code, out, len(err.splitlines()))
    assert err.startswith("heatmap: nse-fno: ")


def test_a_run_that_goes_well_is_one_line(tmp_path: Path) -> None:
    """How it ended for each market, and the exit code, for people and for programs."""
    (tmp_path / "heatmap.toml").write_text(RECORDED)
    code, out, err = run(tmp_path, "--log-format", "json")

    (line,) = objects(out)
    assert (0, "") == (code, err)
    assert ("info", 0, {"nse-fno": "published"}) == (line["level"], line["exit_code"], line["outcomes"])
    assert re.fullmatch(
        r"exit 0 after [\d.]+ s: nse-fno published, 210 quotes as of 11:00:00 from recording",
        str(line["message"]),
    )


def test_what_is_done_is_told_where_it_is_wanted(tmp_path: Path) -> None:
    """With -v; a market is told apart from its sentence."""
    (tmp_path / "heatmap.toml").write_text(RECORDED)
    code, out, err = run(tmp_path, "-v", "--log-format", "json")

    lines = objects(out)
    assert (0, "") == (code, err)
    assert {"level": "info", "market": "nse-fno", "message": "open. Trading until 15:15."} == lines[0]
    assert any(str(line["message"]).startswith("file:") and "market" not in line for line in lines)


def test_a_run_that_fails(tmp_path: Path) -> None:
    """Its error is on stderr, with the word of its kind; the end on stdout."""
    (tmp_path / "heatmap.toml").write_text(MISSING)
    code, out, err = run(tmp_path, "--log-format", "json")

    (failed,), (end,) = objects(err), objects(out)
    assert (78, "error", "nse-fno", 78) == (code, failed["level"], failed["market"], failed["exit_code"])
    assert ("impossible", {"nse-fno": "impossible"}, 78) == (
        failed["error"],
        end["outcomes"],
        end["exit_code"],
    )
    assert "missing.json" in str(failed["message"])


def test_plain_lines_have_a_time_and_a_level(tmp_path: Path) -> None:
    """One line each."""
    (tmp_path / "heatmap.toml").write_text(MISSING)
    code, out, err = run(tmp_path, "--log-format", "plain")

    assert 78 == code
    assert re.fullmatch(r"2026-09-17T05:30:0\d\.\d{3}Z ERROR nse-fno: .*missing\.json.*\n", err)
    assert re.fullmatch(
        r"2026-09-17T05:30:0\d\.\d{3}Z INFO exit 78 after [\d.]+ s: nse-fno impossible\n", out
    )


def test_a_configuration_that_cannot_be(tmp_path: Path) -> None:
    """An error before the run begins prints one line a problem, and the exit code last."""
    (tmp_path / "heatmap.toml").write_text("colums = 3\nrows = 2\n")
    code, out, err = run(tmp_path, "--log-format", "json")

    assert (78, ["configuration"] * 2) == (code, [line["error"] for line in objects(err)])
    assert [78] == [line["exit_code"] for line in objects(out)]


@pytest.mark.parametrize("option", [("--log-format", "json"), ("--log-format=json",)])
def test_a_command_line_that_cannot_be(tmp_path: Path, option: tuple[str, ...]) -> None:
    """It is told in the form that it asks for, though no command has begun."""
    code, out, err = run(tmp_path, *option, "--frobnicate")
    (line,) = (json.loads(line) for line in err.splitlines())

    assert (64, "") == (code, out)
    assert ("usage", 64) == (line["error"], line["exit_code"])
    assert "--frobnicate" in line["message"]


def test_a_bug_is_one_line(tmp_path: Path) -> None:
    """Its traceback is in the object."""
    (tmp_path / "heatmap.toml").write_text(RECORDED)
    broken = (
        "import sys, heatmap.run.market_files as pages\npages.draw = lambda *_: 1 / 0\n"
        "from heatmap import cli\nsys.exit(cli.main())"
    )
    code, out, err = run(tmp_path, "--log-format", "json", program=("-c", broken))

    (line,) = objects(err)
    assert (70, "bug") == (code, line["error"])
    assert "ZeroDivisionError" in str(line["message"])
    assert str(line["traceback"]).startswith("Traceback")
    assert [70] == [line["exit_code"] for line in objects(out)]


@pytest.mark.parametrize("form", ["plain", "json"])
def test_a_closed_market_writes_nothing(tmp_path: Path, form: str) -> None:
    """Neither the tick that finds it so, nor those after it, which leave at once."""
    (tmp_path / "heatmap.toml").write_text(RECORDED)
    (tmp_path / "state").mkdir()
    for _ in range(2):
        assert (0, "", "") == run(tmp_path, "--log-format", form, now="2026-09-17T08:00:00+05:30")
    assert ["nap"] == [path.name for path in (tmp_path / "state").iterdir()]


def test_a_closed_tick_does_without_logging(tmp_path: Path) -> None:
    """Neither it nor json is loaded for a line that is not written."""
    (tmp_path / "heatmap.toml").write_text(RECORDED)
    script = (
        "import sys\nfrom heatmap import cli\ncode = cli.main()\n"
        "print(sorted({'logging', 'subprocess', 'requests', 'heatmap.cli.repeat'} & {*sys.modules}))\nsys.exit(code)"
    )

    assert (0, "[]\n", "") == run(tmp_path, now="2026-09-17T08:00:00+05:30", program=("-c", script))


def test_a_full_disk_fails_no_run(tmp_path: Path) -> None:
    """A log that cannot be written is lost; the page is not."""
    (tmp_path / "heatmap.toml").write_text(RECORDED)
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "heatmap", "run", "--now", OPEN, "-v", "--log-format", "json"],
            cwd=tmp_path,
            env={"PYTHONPATH": str(CHECKOUT)},
            stdout=full,
            stderr=full,
            timeout=60,
        )

    assert 0 == done.returncode
    assert (tmp_path / "site/index.html").is_file()
