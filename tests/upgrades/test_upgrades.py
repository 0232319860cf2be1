"""State and configuration of every released version, met by the program as it is now."""

from __future__ import annotations

import json
import re
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from heatmap import __version__, cli
from heatmap.history.options import HistoryOptions
from heatmap.history.store import open_store
from heatmap.state import json_files
from tests.upgrades import make

FOLDERS = sorted(path.parent for path in make.UPGRADES.glob("*/heatmap.toml"))
FINAL = make.moments()[-1]
NEXT = "2026-09-18"
# How a page of 0.1.0 begins.
OLD_PAGE = b"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'sha256-x'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="heatmap-script" content="sha256-x">
<title>NSE F&amp;O heatmap</title>
</head>
"""
JSON_FILES = sorted(
    (folder.name, path.name)
    for folder in FOLDERS
    for path in (folder / "state").glob("*.json")
    if not path.name.startswith("digest-")  # reckoned anew where it does not fit
)


@pytest.fixture(params=FOLDERS, ids=lambda folder: folder.name)
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of what a version left behind."""
    return copied(request.param, tmp_path)


def copied(version: Path, folder: Path) -> Path:
    """A copy of what a version left behind, and of the pages in its site, as it wrote them."""
    installation = Path(shutil.copytree(version, folder / version.name))
    archived = sorted(version.glob("state/archive-*-20*.html"))
    page = archived[-1].read_bytes() if archived else OLD_PAGE
    for name in ("index.html", "nse-fno/index.html"):
        (installation / "site" / name).parent.mkdir(exist_ok=True, parents=True)
        (installation / "site" / name).write_bytes(page)
    return installation


def run(installation: Path, moment: datetime, *more: str) -> int:
    """Run the program of today on it, with the configuration as it is; the exit code."""
    make.write_quotes(installation, moment)
    arguments = ["--config", str(installation / "heatmap.toml"), "--now", moment.isoformat(), *more]
    return cli.main(["run", *arguments])


def test_every_version_has_its_folder() -> None:
    """Each one that the change log calls released, up to the one that this is."""
    log = (make.UPGRADES.parents[1] / "CHANGELOG.md").read_text("utf-8")
    released = re.findall(r"^## (\d+\.\d+\.\d+) - \d{4}-\d\d-\d\d$", log, re.MULTILINE)

    assert sorted(released) == [folder.name for folder in FOLDERS]
    assert __version__ == released[0]


def test_its_final_is_remembered(installation: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The session that it finished is not published again, and nothing is said of it."""
    before = (installation / "site/index.html").read_bytes()
    assert 0 == run(installation, FINAL + timedelta(minutes=30))

    assert ("", "") == capfd.readouterr()
    assert before == (installation / "site/index.html").read_bytes()
    assert ["index.html"] == [path.name for path in (installation / "site/nse-fno").iterdir()]


def test_the_next_session_is_published(installation: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """From its first tick to its final, in silence, over its pages; then that one is remembered in its turn."""
    moments = make.moments(NEXT)

    assert [0, 0, 0, 0] == [run(installation, moment) for moment in moments]
    made = (installation / "site/nse-fno/snapshot.json").read_bytes()
    assert moments[-1].isoformat() == json.loads(made)["generated_at"]
    assert 0 == run(installation, moments[-1] + timedelta(minutes=30))

    assert ("", "") == capfd.readouterr()
    assert made == (installation / "site/nse-fno/snapshot.json").read_bytes()


def test_its_history_goes_on(installation: Path) -> None:
    """The ticks that it kept are there with those of today; so are the days and alerts that it told of."""
    for moment in make.moments(NEXT):
        assert 0 == run(installation, moment)

    warnings: list[str] = []
    with open_store(HistoryOptions(), installation / "state", warnings.append) as store:
        kept = [tick.as_of for day in store.tick_sessions("nse-fno") for tick in store.ticks("nse-fno", day)]
    ours, earlier = make.moments(NEXT), make.moments() if installation.name >= "0.2.0" else []
    assert ([*earlier, *ours], []) == (sorted(kept), warnings)
    if installation.name >= "0.2.0":
        assert b"2026/09/17/" in (installation / "site/nse-fno/archive.html").read_bytes()
        assert b"HDFCLIFE +2.50 %" in (installation / "site/nse-fno/feed.xml").read_bytes()


def test_its_runs_are_told_of(installation: Path) -> None:
    """The published outcomes begin with those of the earlier version."""
    assert 0 == run(installation, make.moments(NEXT)[0])
    assert 0 == run(installation, make.moments(NEXT)[1])

    status = json.loads((installation / "site/nse-fno/status.json").read_bytes())
    assert FINAL.isoformat() in json.dumps(status)


@pytest.mark.parametrize(("version", "name"), JSON_FILES)
def test_what_a_newer_version_wrote_is_set_aside(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], version: str, name: str
) -> None:
    """One sentence, the run goes on, and the file is kept as it was for when the newer version is back."""
    installation = copied(make.UPGRADES / version, tmp_path)
    file = installation / "state" / name
    newer = json.dumps({**json.loads(file.read_bytes()), "version": 9}).encode()
    file.write_bytes(newer)

    assert 0 == run(installation, make.moments(NEXT)[-1])

    out, err = capfd.readouterr()
    assert ("", 1) == (out, err.count("\n")), err
    assert f"{name} is of a newer version of this program" in err
    assert newer == file.with_suffix(".version-9.json").read_bytes()
    assert json_files.load(file, 1, lambda document: document["version"], print) == 1
