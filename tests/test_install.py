"""Templates and data are found however the program is installed: wheel, plain, editable, plain checkout."""

from __future__ import annotations

import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.checkout import CHECKOUT

pytestmark = pytest.mark.process

PACKAGES = Path(sysconfig.get_paths()["purelib"])


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """Run a command that must succeed; return what it said."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=180,
        env={"PATH": "/usr/bin:/bin", "HOME": str(cwd), **environment},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what is in version control, or of everything that would be: nothing built or set up is in it."""
    import shutil

    copy = tmp_path_factory.mktemp("checkout") / "heatmap"
    anywhere = shutil.ignore_patterns("node_modules", ".git", ".venv*", ".servers", "__pycache__", ".*_cache")
    at_the_top = {"site", "state", "dist", "build", ".hypothesis"}

    def left_out(folder: str, names: list[str]) -> set[str]:
        return anywhere(folder, names) | (at_the_top & {*names} if Path(folder) == CHECKOUT else set())

    shutil.copytree(CHECKOUT, copy, ignore=left_out)
    return copy


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """A new environment without this program, which sees the dependencies that are installed here."""
    run(sys.executable, "-m", "venv", tmp_path / "venv", cwd=tmp_path)
    inside = next((tmp_path / "venv/lib").glob("python*/site-packages"))
    # The line runs after the environment's own packages are on the path, so these come later in it. Editable
    # installs are finders of their own, which a plain path entry does not start.
    (inside / "dependencies.pth").write_text(f"{PACKAGES}\n")
    return tmp_path / "venv/bin/python"


def install(python: Path, *what: str | Path) -> None:
    """Install without network: the build backend is there, and so is every dependency."""
    run(
        python,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-index",
        "--no-deps",
        "--no-build-isolation",
        "--force-reinstall",
        *what,
        cwd=python.parent,
    )


def draws(command: list[str | Path], folder: Path, **environment: str) -> None:
    """See the program draw the recorded day in an empty folder, and show its help, example and snippet."""
    folder.mkdir()
    assert "site/index.html" in run(*command, "demo", "--once", cwd=folder, **environment)
    assert 210 == (folder / "site/index.html").read_text("utf-8").count("data-percent-change=")
    run(*command, "init", cwd=folder, **environment)
    assert "nse-fno" in run(*command, "session", cwd=folder, **environment)
    assert "<iframe" in run(*command, "embed", "--url", "https://www.example.org/", cwd=folder, **environment)


def advised(python: Path, extra: str) -> list[str]:
    """The command that messages of this installation print for an extra."""
    script = f"from heatmap.cli.commands import install; print(install({extra!r}))"
    return shlex.split(run(python, "-c", script, cwd=python.parent))


def follow(command: list[str], python: Path) -> str:
    """Run a command that installs an extra, whose packages are here; return what pip said."""
    offline = {"PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    return run(*command, cwd=python.parent, **offline)


def home(python: Path) -> Path:
    """Where the environment imports the program from."""
    return Path(
        run(python, "-c", "import heatmap; print(heatmap.__file__)", cwd=python.parent).strip()
    ).parent


def test_from_the_built_wheel(tmp_path: Path, checkout: Path, python: Path) -> None:
    """The wheel carries templates and data, and no tests; installed, it works from any folder."""
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path / "dist", cwd=checkout)
    wheel = next((tmp_path / "dist").glob("*.whl"))
    names = ZipFile(wheel).namelist()
    assert "heatmap/templates/page.html.j2" in names
    assert "heatmap/data/calendars/nse-equity-fno.json" in names
    assert not any(name.startswith(("tests/", "bench/")) for name in names)

    install(python, wheel)

    assert python.parent.parent in home(python).parents
    draws([python.with_name("heatmap")], tmp_path / "elsewhere")
    command = advised(python, "png")
    assert [str(python.with_name("pip")), "install", f"market-heatmap[png] @ {wheel.as_uri()}"] == command
    follow(command, python)
    wheel.unlink()  # what is gone cannot be installed again, but what the extra consists of can
    assert [str(python.with_name("pip")), "install", "pillow>=11"] == advised(python, "png")
    follow(advised(python, "png"), python)


def test_by_pip_install(tmp_path: Path, checkout: Path, python: Path) -> None:
    """`pip install .`, then `heatmap` from another folder."""
    install(python, checkout)

    assert python.parent.parent in home(python).parents
    draws([python.with_name("heatmap")], tmp_path / "elsewhere")
    command = advised(python, "png")
    assert [str(python.with_name("pip")), "install", f"{checkout}[png]"] == command
    assert "Successfully installed market-heatmap" in follow(command, python)


def test_editable(tmp_path: Path, checkout: Path, python: Path) -> None:
    """An editable install runs the checkout's own files."""
    install(python, "--editable", checkout)

    assert checkout / "heatmap" == home(python)
    draws([python.with_name("heatmap")], tmp_path / "elsewhere")
    command = advised(python, "png")
    assert [str(python.with_name("pip")), "install", "-e", f"{checkout}[png]"] == command
    follow(command, python)
    assert checkout / "heatmap" == home(python)


def test_in_a_plain_checkout(checkout: Path, python: Path) -> None:
    """`python -m heatmap` in a checkout, nothing installed but the dependencies."""
    out = run(python, "-m", "heatmap", "demo", "--once", "--directory", "drawn", cwd=checkout)

    assert "drawn/index.html" in out
    assert 210 == (checkout / "drawn/index.html").read_text("utf-8").count("data-percent-change=")
