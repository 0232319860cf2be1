"""A checkout commits nothing that a person configures in it."""

from __future__ import annotations

import re
import subprocess
from tempfile import TemporaryDirectory

import pytest

from tests.checkout import CHECKOUT

pytestmark = pytest.mark.process

MADE = ("heatmap.toml", "known_hosts", "state/state.json", "site/index.html", "heatmap.log", "holidays.toml")


def git(*words: str) -> list[str]:
    """The lines that git prints; where the project lies without its repository, those of an empty one."""
    with TemporaryDirectory() as folder:
        place = []
        if not (CHECKOUT / ".git").exists():
            subprocess.run(["git", "init", "--quiet", "--bare", folder], check=True)
            place = [f"--git-dir={folder}", f"--work-tree={CHECKOUT}", "-c", "core.bare=false"]
        done = subprocess.run(["git", *place, *words], cwd=CHECKOUT, capture_output=True, text=True)
    assert done.returncode < 2, done.stderr
    return done.stdout.splitlines()


def named_files() -> list[str]:
    """Every file beside the configuration that the commented example names."""
    example = (CHECKOUT / "templates/heatmap.toml").read_text("utf-8")
    found = re.findall(r'^(?:# )?(?:\w+_file|path|overrides|textfile) = "([\w.-]+)"', example, re.MULTILINE)
    assert len(found) > 8
    return found


def test_what_is_configured_in_a_checkout_is_ignored() -> None:
    """`make run` suggests `heatmap init` there: configuration, secrets, known hosts and state stay out of git."""
    names = sorted({*MADE, *named_files(), "sftp-password"})

    assert names == sorted(git("check-ignore", "--no-index", *names))


def test_nothing_of_the_project_is_ignored() -> None:
    """The same patterns leave its own files alone."""
    assert [] == git("ls-files", "--cached", "--ignored", "--exclude-standard")
