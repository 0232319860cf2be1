"""deploy/github-pages.yml: valid by the schema of workflows, allowed no more than it needs, and its tick really runs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.checkout import CHECKOUT

FILE = CHECKOUT / "deploy/github-pages.yml"
pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def workflow() -> dict[str, Any]:
    """The file, as YAML 1.2, in which `on` is a word."""
    yaml = pytest.importorskip("ruamel.yaml", reason="ruamel.yaml is not here: pip install check-jsonschema")
    return dict(yaml.YAML(typ="safe", pure=True).load(FILE.read_text("utf-8")))


def steps(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    """The steps of all jobs."""
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("mistake", ["", "permission", "trigger"])
def test_it_is_valid(tmp_path: Path, mistake: str) -> None:
    """By the published schema of GitHub's workflows, which does find mistakes."""
    pytest.importorskip(
        "check_jsonschema", reason="check-jsonschema is not here: pip install check-jsonschema"
    )
    text = FILE.read_text("utf-8")
    if mistake:
        old, new = {"permission": ("pages: write", "pages: always"), "trigger": ("- cron:", "- corn:")}[
            mistake
        ]
        text = text.replace(old, new)
    (tmp_path / "heatmap.yml").write_text(text)
    words = [
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        "vendor.github-workflows",
        tmp_path / "heatmap.yml",
    ]

    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=60, check=False)

    assert (1 if mistake else 0) == done.returncode, done.stdout


def test_actions_are_pinned() -> None:
    """Each by a whole commit, with its version beside it, and they are GitHub's own."""
    used = re.findall(r"uses: (.+)", FILE.read_text("utf-8"))

    assert len(used) > 4
    for action in used:
        assert re.fullmatch(r"actions/[a-z/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action)


def test_it_may_do_no_more_than_it_needs(workflow: dict[str, Any]) -> None:
    """Nothing by default; the job that runs our code reads; the one that publishes runs none."""
    jobs = workflow["jobs"]

    assert {} == workflow["permissions"]
    assert {"contents": "read"} == jobs["tick"]["permissions"]
    assert {"pages": "write", "id-token": "write"} == jobs["publish"]["permissions"]
    assert not [step for step in jobs["publish"]["steps"] if "run" in step]
    (checkout,) = [step for step in steps(workflow) if "checkout" in step.get("uses", "")]
    assert checkout["with"]["persist-credentials"] is False
    assert not re.findall(r"run:[^\n]*\$\{\{", FILE.read_text("utf-8"))  # nothing is pasted into a script


def test_runs_never_overlap_and_keep_time(workflow: dict[str, Any]) -> None:
    """One group, none cancelled; each job ends; the schedule is that of a server in UTC."""
    example = (CHECKOUT / "crontab.example").read_text("utf-8")
    (line,) = re.findall(r"A server in UTC:\n(.+) timeout", example)

    assert {"group": "heatmap", "cancel-in-progress": False} == workflow["concurrency"]
    assert [{"cron": line}] == workflow["on"]["schedule"]
    assert all(job["timeout-minutes"] <= 10 for job in workflow["jobs"].values())


def test_the_state_is_carried_along(workflow: dict[str, Any]) -> None:
    """Saved under a key of its own in each run, failed ones too; restored from the newest."""
    restore, save = (step for step in steps(workflow) if "actions/cache/" in step.get("uses", ""))

    assert restore["with"]["path"] == save["with"]["path"] == "state\nsite\n"
    assert restore["with"]["key"] == save["with"]["key"]
    assert "github.run_id" in save["with"]["key"]
    assert save["with"]["key"].startswith(restore["with"]["restore-keys"])
    assert "success()" not in save["if"]
    assert "!cancelled()" in save["if"]


@pytest.fixture
def tick(workflow: dict[str, Any], tmp_path: Path) -> Any:
    """Do the workflow's own tick in a folder; return its exit code and what it tells the next steps."""
    (step,) = [step for step in workflow["jobs"]["tick"]["steps"] if step.get("id") == "tick"]
    command = tmp_path / "bin/heatmap"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m heatmap "$@"\n')
    command.chmod(0o755)
    folder = tmp_path / "workspace"
    folder.mkdir()

    def run() -> tuple[int, str]:
        output = tmp_path / "output"
        output.write_text("")
        done = subprocess.run(
            ["bash", "-e", "-c", step["run"]],
            cwd=folder, timeout=60, check=False, capture_output=True,
            env={"PATH": f"{command.parent}:{os.environ['PATH']}", "PYTHONPATH": str(CHECKOUT), "GITHUB_OUTPUT": str(output)},
        )  # fmt: skip
        return done.returncode, output.read_text("utf-8")

    run.folder = folder  # type: ignore[attr-defined]
    return run


CONFIGURATION = """\
[[market]]
name = "nse-fno"
[[market.source]]
type = "file"
path = "relay.json"
[market.session]
calendar = "always"
[[publish]]
url = "file:site"
"""


def test_a_tick_publishes_once(tick: Any) -> None:
    """From a relay's figures a page is made and told of; on a holiday nothing is published."""
    folder: Path = tick.folder
    (folder / "heatmap.toml").write_text(CONFIGURATION)
    (folder / "relay.json").write_text(json.dumps(figures()))

    assert (0, "published=yes\n") == tick()
    assert (folder / "site/index.html").is_file()

    now = datetime.now(UTC)
    holidays = [f"{now + timedelta(days=days):%Y-%m-%d}" for days in (-1, 0, 1)]
    hours = f'open = "00:00"\nclose = "23:59"\ntime_zone = "UTC"\nholidays = {holidays}'
    (folder / "heatmap.toml").write_text(CONFIGURATION.replace('calendar = "always"', hours))
    assert (0, "") == tick()


def test_a_failed_tick_fails_the_run(tick: Any) -> None:
    """So that GitHub mails its owner; and the pages stay."""
    (tick.folder / "heatmap.toml").write_text(CONFIGURATION)

    code, told = tick()

    assert code > 0
    assert "" == told


def figures() -> dict[str, Any]:
    """A snapshot of two stocks, as true now as can be."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    quote = {"sector": None, "last_price": 101.0, "previous_close": 100.0, "percent_change": 1.0}
    return {
        "schema": "market-heatmap/1", "market": "nse-fno", "title": "Relay", "source": "nse", "currency": "INR",
        "time_zone": "Asia/Kolkata", "as_of": now, "generated_at": now,
        "session": {"date": now[:10], "phase": "open", "next_open": None},
        "breadth": {"advances": 2, "declines": 0, "unchanged": 0},
        "quotes": [{"symbol": symbol, "name": symbol, **quote} for symbol in ("AAA", "BBB")],
    }  # fmt: skip
