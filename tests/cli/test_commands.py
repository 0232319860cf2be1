"""The commands that messages print: whole, and what they name is there."""

from __future__ import annotations

import importlib.metadata
import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from heatmap import cli
from heatmap.cli import commands

SPACES = "a folder with spaces & a $sign"


class Installed:
    """A distribution as importlib.metadata gives it, whose direct_url.json holds `origin`."""

    requires = ["jinja2>=3", 'pillow>=11; extra == "png"', "requests-aws4auth>=1.4 ; extra == 's3'"]

    def __init__(self, origin: object) -> None:
        self._text = origin if isinstance(origin, str) or origin is None else json.dumps(origin)

    def read_text(self, name: str) -> str | None:
        assert "direct_url.json" == name
        return self._text


def advised(monkeypatch: pytest.MonkeyPatch, origin: object, extra: str = "png") -> list[str]:
    """The command that installs an extra, for a program that was installed from `origin`."""
    monkeypatch.setattr(importlib.metadata, "distribution", lambda _: Installed(origin))
    command = shlex.split(commands.install(extra))
    assert "install" in command
    return command[command.index("install") + 1 :]


@pytest.mark.parametrize("editable", [False, True])
def test_from_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, editable: bool) -> None:
    """`.[png]` by its whole path, whatever signs are in it; and editable again where it was."""
    folder = tmp_path / SPACES
    folder.mkdir()
    (folder / "pyproject.toml").touch()

    found = advised(
        monkeypatch, {"url": folder.as_uri(), "dir_info": {"editable": editable} if editable else {}}
    )

    assert [*(["-e"] if editable else []), f"{folder}[png]"] == found


def test_from_a_checkout_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the packages of the extra are named themselves."""
    origin = {"url": (tmp_path / "gone").as_uri(), "dir_info": {}}

    assert ["pillow>=11"] == advised(monkeypatch, origin)
    assert ["pillow>=11", "requests-aws4auth>=1.4"] == advised(monkeypatch, origin, "png,s3")


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        (None, "market-heatmap[png]"),
        ("damaged {", "market-heatmap[png]"),
        (
            {"url": "https://example.org/heatmap.git", "vcs_info": {"vcs": "git", "commit_id": "abc123"}},
            "market-heatmap[png] @ git+https://example.org/heatmap.git@abc123",
        ),
        (
            {"url": "https://example.org/x.whl", "archive_info": {}},
            "market-heatmap[png] @ https://example.org/x.whl",
        ),
    ],
)
def test_from_elsewhere(monkeypatch: pytest.MonkeyPatch, origin: object, expected: str) -> None:
    """An index, a repository, a file on the web."""
    assert [expected] == advised(monkeypatch, origin)


@pytest.mark.process
def test_the_printed_pip_is_this_environment_s() -> None:
    """It runs, and it installs into the environment that this program runs in."""
    *pip, _install, _requirement = shlex.split(commands.install("png").replace(" -e ", " "))

    said = subprocess.run([*pip, "--version"], capture_output=True, text=True, check=True, timeout=60).stdout
    assert sys.prefix in said


@pytest.mark.process
def test_a_command_can_be_pasted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A shell runs it in any folder, though the configuration's path holds spaces and a dollar sign."""
    folder = tmp_path / SPACES
    folder.mkdir()
    (folder / "heatmap.toml").write_text('[[market]]\nname = "mine"\n')
    monkeypatch.chdir(folder)
    cli.main(["schedule"])
    capsys.readouterr()

    command = commands.complete("see `heatmap session --json`").removeprefix("see ")

    done = subprocess.run(
        command, shell=True, cwd="/", capture_output=True, text=True, check=True, timeout=60
    )
    assert "mine" == json.loads(done.stdout)[0]["market"]


def test_the_configuration_of_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is named with its whole path; help and the demonstration need none."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other.toml").write_text("titel = 1\n")
    assert 78 == cli.main(["session", "--config", "other.toml"])

    assert commands.heatmap("check").endswith(f" check --config {tmp_path / 'other.toml'}")
    assert commands.heatmap("check --help").endswith(" check --help")
    assert commands.heatmap("demo --once").endswith(" demo --once")


def test_what_is_no_command_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what stands between backticks and begins like a command is completed."""
    for text in ("heatmap check", "a `title` here", "``", "`pip install evil`", "`heatmap check; rm -rf ~`"):
        assert text == commands.complete(text)
