"""deploy/Containerfile: read as a builder reads it, and its steps done as far as they can be without containers."""

from __future__ import annotations

import fnmatch
import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from heatmap import cli
from heatmap.cli import repeat
from tests.checkout import CHECKOUT

KNOWN = {"FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "VOLUME", "HEALTHCHECK", "STOPSIGNAL", "CMD"}
VENV = "/opt/market-heatmap/venv"
pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def stages() -> list[list[tuple[str, str]]]:
    """The instructions of each stage, with their arguments."""
    text = (CHECKOUT / "deploy/Containerfile").read_text("utf-8")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    found: list[list[tuple[str, str]]] = []
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        instruction, _, arguments = line.partition(" ")
        assert instruction in KNOWN
        if instruction == "FROM":
            found.append([])
        found[-1].append((instruction, arguments))
    return found


def arguments(stage: list[tuple[str, str]], instruction: str) -> list[str]:
    """All arguments of one instruction in a stage."""
    return [text for name, text in stage if name == instruction]


def copies(stage: list[tuple[str, str]]) -> list[tuple[list[str], str]]:
    """The files that a stage copies from the checkout, and their targets."""
    words = [text.split() for text in arguments(stage, "COPY") if not text.startswith("--from=")]
    return [(parts[:-1], parts[-1]) for parts in words]


def test_what_is_copied_is_there_and_not_ignored(stages: list[list[tuple[str, str]]]) -> None:
    """Each source is in the checkout, and passes the ignore file; a stage copies only from one before it."""
    ignore = (CHECKOUT / "deploy/Containerfile.dockerignore").read_text("utf-8").splitlines()
    let_in = {line[1:] for line in ignore if line.startswith("!")}
    sources = [source for stage in stages for group, _ in copies(stage) for source in group]

    assert "*" in ignore
    assert set(sources) == let_in
    assert all((CHECKOUT / source).exists() for source in sources)
    assert [["FROM", "build"], ["FROM"]] == [
        [w for w in ("FROM", "build") if w in f"FROM {s[0][1]}"] for s in stages
    ]
    assert ["--from=build /opt/market-heatmap /opt/market-heatmap"] == arguments(stages[1], "COPY")


def test_the_image_is_small_and_of_a_supported_python(stages: list[list[tuple[str, str]]]) -> None:
    """Both stages are of one slim Python, which the environment of the first is linked to."""
    images = {stage[0][1].split()[0] for stage in stages}
    (image,) = images
    assert fnmatch.fnmatch(image, "docker.io/library/python:3.*-slim")
    assert int(image.split(":3.")[1].removesuffix("-slim")) >= 11


def test_it_runs_as_nobody_special(stages: list[list[tuple[str, str]]]) -> None:
    """By number, so that a cluster can tell that it is not root; the folder that it writes into is its home."""
    final = stages[-1]
    (user,) = arguments(final, "USER")
    (prepared,) = arguments(final, "RUN")

    assert "10001:10001" == user
    assert "--uid 10001 --user-group --home-dir /var/lib/heatmap --create-home" in prepared
    assert ["/var/lib/heatmap"] == arguments(final, "VOLUME") == arguments(final, "WORKDIR")
    order = [name for name, _ in final]
    assert order.index("RUN") < order.index("USER") < order.index("VOLUME") < order.index("CMD")


def test_its_commands_are_ours(
    stages: list[list[tuple[str, str]]], capsys: pytest.CaptureFixture[str]
) -> None:
    """The container's command and health check are commands and options that exist; health is 0 or 1."""
    final = stages[-1]
    (command,) = (json.loads(text) for text in arguments(final, "CMD"))
    (health,) = arguments(final, "HEALTHCHECK")
    shell, option, check = json.loads(health[health.index("[") :])

    assert ["heatmap", "run", "--every", "5m"] == command[:4]
    assert 300 == repeat.parse_interval(command[3])
    assert ("sh", "-c") == (shell, option)
    assert re.fullmatch(r"heatmap status \|\| exit 1", check)
    for words in (command[1:], ["status"]):
        with pytest.raises(SystemExit) as left:
            cli.main([*words, "--help"])
        assert 0 == left.value.code
    assert "--every" in capsys.readouterr().out
    assert ["SIGTERM"] == arguments(final, "STOPSIGNAL")


def test_its_steps_build_what_runs(
    stages: list[list[tuple[str, str]]], tmp_path: Path, environment: dict[str, str]
) -> None:
    """The copied files suffice to build; pip's own line installs them; the command draws."""
    source, venv = tmp_path / "src", tmp_path / "venv"
    source.mkdir()
    for names, target in copies(stages[0]):
        for name in names:
            place = source / target / name if target.endswith("/") else source / target
            if (CHECKOUT / name).is_dir():
                shutil.copytree(CHECKOUT / name, place, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(CHECKOUT / name, place)
    (line,) = arguments(stages[0], "RUN")
    assert 3 == line.count(VENV) + line.count("python -m venv")
    (extras,) = re.findall(r'"\.\[(.+)\]"', line)
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text("utf-8"))["project"]
    assert set(extras.split(",")) <= set(project["optional-dependencies"])
    # The extras' own packages need not be on this machine.
    here = line.replace(f'".[{extras}]"', '"."').replace(VENV, str(venv))
    here = here.replace("python -m venv", f"{shlex.quote(sys.executable)} -m venv")

    done = subprocess.run(
        ["sh", "-c", here],
        cwd=source,
        env=environment,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert 0 == done.returncode, done.stdout + done.stderr
    volume = tmp_path / "volume"
    volume.mkdir()
    drawn = subprocess.run(
        [venv / "bin/heatmap", "demo", "--once"],
        cwd=volume, env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert 0 == drawn.returncode, drawn.stderr
    assert 210 == (volume / "site/index.html").read_text("utf-8").count("data-percent-change=")
