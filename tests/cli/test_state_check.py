"""`heatmap check` describes the state directory; all its remarks are warnings, for runs work despite them."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from pathlib import Path

import pytest

from heatmap import cli
from heatmap.cli import state_check

SOURCE = '[[market]]\nname = "nse-fno"\n[market.source]\ntype = "recording"\n'
ALL_PARTS = (
    'public_url = "https://www.example.org/"\n{tables}'
    + SOURCE
    + '[[alert]]\nname = "movers"\nchange_percent = 2.0\n'
)


@pytest.fixture
def warned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., list[str]]:
    """The warnings of a check of the state directory, with these keys above all tables, and these tables."""

    def check(keys: str = "", tables: str = "") -> list[str]:
        config = tmp_path / "heatmap.toml"
        config.write_text(keys + SOURCE + tables)
        capsys.readouterr()
        assert 0 == cli.main(["check", "--config", str(config)])
        lines = capsys.readouterr().out.splitlines()
        assert 1 == sum(line.startswith("  ok    state: ") for line in lines)
        start = "  WARN  state: "
        return [line.removeprefix(start) for line in lines if line.startswith(start)]

    return check


def test_all_is_well(tmp_path: Path, warned: Callable[..., list[str]]) -> None:
    """A new one, and one of the mode that earlier versions gave it."""
    assert [] == warned()
    (tmp_path / "state").chmod(0o755)
    assert [] == warned()


def test_a_run_leaves_nothing_that_seems_foreign(tmp_path: Path, warned: Callable[..., list[str]]) -> None:
    """A session with all that is remembered of it; in "." only what is the user's."""
    tmp_path.chmod(0o755)  # or nobody could read the site in it
    for state in ("state", "."):
        config = tmp_path / "heatmap.toml"
        config.write_text(ALL_PARTS.format(tables=f'state_directory = "{state}"\n'))
        for moment in ("2026-09-17T11:00:00", "2026-09-17T15:47:00", "2026-09-18T03:00:00"):
            assert 0 == cli.main(["run", "--config", str(config), "--now", f"{moment}+05:30"])
        found = warned(f'state_directory = "{state}"\n')
        names = ["(heatmap.toml, state)"] if state == "." else []
        assert names == [problem[problem.index("(") : problem.index(")") + 1] for problem in found]


def test_others_who_may_write(tmp_path: Path, warned: Callable[..., list[str]]) -> None:
    """All, or a group; one of the user's own name with nobody else in it is private."""
    state = tmp_path / "state"
    state.mkdir()
    user = pwd.getpwuid(os.geteuid())
    state.chmod(0o777)
    (found,) = warned()
    assert f"{state} can be written by every user of this machine" in found
    assert f"chmod go-w {state}" in found

    state.chmod(0o770)
    if state.stat().st_gid == user.pw_gid and user.pw_name == "root":
        assert [] == warned()
    if os.geteuid() == 0:
        os.chown(state, -1, 1)  # the group daemon, or bin
        (found,) = warned()
        assert f"{state} can be written by the group " in found


def test_a_folder_above_that_others_may_write(tmp_path: Path, warned: Callable[..., list[str]]) -> None:
    """They can put another in its place, unless only owners may rename there, as in /tmp."""
    open_ = tmp_path / "open"
    open_.mkdir()
    open_.chmod(0o777)
    keys = f'state_directory = "{open_}/inner/state"\n'

    (found,) = warned(keys)
    assert f"{open_}, a parent of {open_}/inner/state, can be written by every user" in found

    open_.chmod(0o1777)
    assert [] == warned(keys)


@pytest.mark.parametrize("place", ["site/state", "site", "link/state"])
def test_inside_a_target(tmp_path: Path, warned: Callable[..., list[str]], place: str) -> None:
    """Visitors may read it, also where a link hides that."""
    (tmp_path / "site").mkdir()
    (tmp_path / "link").symlink_to("site")

    found = warned(f'state_directory = "{place}"\n')

    assert 1 == len([problem for problem in found if "is in the folder of the target file:" in problem])
    assert [] == warned('state_directory = "site-state"\n')


def test_a_target_inside_that_nobody_may_read(tmp_path: Path, warned: Callable[..., list[str]]) -> None:
    """A new state directory is closed to the web server's user, and to node_exporter's."""
    tables = '[[publish]]\nurl = "file:state/site"\n[monitor]\ntextfile = "state/heatmap.prom"\n'

    found = warned("", tables)
    assert [True, True] == ["may not enter (mode 0700)" in problem for problem in found]
    (tmp_path / "state").chmod(0o755)
    assert [] == warned("", tables)


def test_other_files(tmp_path: Path, warned: Callable[..., list[str]]) -> None:
    """The first of them are named."""
    (tmp_path / "state").mkdir()
    for number in range(6):
        (tmp_path / f"state/thesis-{number}.tex").touch()

    (found,) = warned()

    assert "(thesis-0.tex, thesis-1.tex, thesis-2.tex, thesis-3.tex and 2 more)" in found


def test_files_of_others_with_our_names(tmp_path: Path, warned: Callable[..., list[str]]) -> None:
    """A run leaves such files alone without a word, so the check names them."""
    (tmp_path / "state/compiled-templates").mkdir(parents=True)
    (tmp_path / "state/compiled-templates").chmod(0o777)
    (tmp_path / "state/lock").write_text("mine")
    (tmp_path / "state/nap").write_text("of an hour")

    found = warned()

    assert ["lock", "nap", "compiled-templates"] == [
        problem.partition(" ")[0].rpartition("/")[2] for problem in found
    ]
    assert "mine" == (tmp_path / "state/lock").read_text()


def test_a_foreign_state_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As a run would fail."""
    (tmp_path / "heatmap.toml").write_text(SOURCE)
    (tmp_path / "state").mkdir()
    (tmp_path / "state/state.json").write_text('{"terraform": 1}')

    assert 78 == cli.main(["check", "--config", str(tmp_path / "heatmap.toml")])
    assert "  FAIL  state: " in capsys.readouterr().out


def test_another_user_s(
    tmp_path: Path, warned: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when check is run by sudo: files of root would be in the way of cron's runs."""
    (tmp_path / "state").mkdir()
    owner = os.geteuid()
    monkeypatch.setattr(state_check.os, "geteuid", lambda: owner + 99_999)

    found = warned()

    assert f"but this check runs as user {owner + 99_999}. Run the check as the user of the runs" in found[0]
