"""Fixtures of the tests of deploy/: the tools, and a place from which pip installs without a network."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from importlib.metadata import Distribution, distribution
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.checkout import CHECKOUT
from tests.servers.process import Missing, needed

SHIPPED = ("heatmap", "templates", "deploy", "pyproject.toml", "README.md", "LICENSE")


@pytest.fixture(scope="session")
def tool() -> Callable[[str], Path]:
    """Return a program's path, or skip the test that needs it, saying how to get it."""

    def find(name: str) -> Path:
        try:
            return needed(name)
        except Missing as error:
            pytest.skip(str(error))

    return find


@pytest.fixture(scope="session")
def wheelhouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of wheels, made of what is installed here: what heatmap needs, and what builds it."""
    requirements = pytest.importorskip(
        "packaging.requirements", reason="packaging is not here: pip install packaging"
    )
    folder = tmp_path_factory.mktemp("wheels")
    wanted, packed = ["hatchling", "colour", "jinja2", "python-dateutil", "requests", "tzdata"], set()
    while wanted:
        found = distribution(wanted.pop())
        if found.name in packed:
            continue
        packed.add(found.name)
        _pack(found, folder)
        for text in found.requires or ():
            requirement = requirements.Requirement(text)
            if not requirement.marker or requirement.marker.evaluate({"extra": ""}):
                wanted.append(requirement.name)
    return folder


def _pack(found: Distribution, folder: Path) -> None:
    """Put an installed distribution back into the wheel that it came from."""
    told = (found.read_text("WHEEL") or "").splitlines()
    tags = [line.removeprefix("Tag:").strip().split("-") for line in told if line.startswith("Tag:")]
    tag = "-".join(".".join(sorted(set(part))) for part in zip(*tags, strict=True))
    name = found.name.replace("-", "_").replace(".", "_")
    with ZipFile(folder / f"{name}-{found.version}-{tag}.whl", "w") as wheel:
        for file in found.files or ():
            if (
                ".." not in file.parts
                and file.suffix != ".pyc"
                and file.name not in {"INSTALLER", "REQUESTED"}
            ):
                wheel.write(str(file.locate()), str(file))


@pytest.fixture
def environment(wheelhouse: Path, tmp_path: Path) -> dict[str, str]:
    """The environment of a user who installs: no network, and nothing of the tests' own Python."""
    return {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(tmp_path),
        "PYTHON": sys.executable,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(wheelhouse),
        "PIP_CONFIG_FILE": "/dev/null",
    }


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what is installed from, to be changed."""
    copy = tmp_path / "checkout"
    copy.mkdir()
    for name in SHIPPED:
        if (CHECKOUT / name).is_dir():
            shutil.copytree(CHECKOUT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(CHECKOUT / name, copy)
    return copy
