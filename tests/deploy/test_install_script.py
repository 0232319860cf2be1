"""deploy/install.sh: safe to run twice, safe to fail, and to be undone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.checkout import CHECKOUT
from tests.servers import unpack

CONFIGURATION, STATE = "etc/heatmap/heatmap.toml", "var/lib/heatmap/state"
pytestmark = pytest.mark.real

Script = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A machine's root, empty."""
    made = tmp_path / "root"
    made.mkdir()
    return made


@pytest.fixture
def script(checkout: Path, root: Path, environment: dict[str, str]) -> Script:
    """Run the script of a checkout upon that root; it must exit with `code`."""

    def run(*options: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            ["sh", checkout / "deploy/install.sh", "--root", root, *options],
            env=environment, capture_output=True, text=True, timeout=180, check=False,
        )  # fmt: skip
        assert code == done.returncode, done.stdout + done.stderr
        return done

    return run


def tree(folder: Path) -> dict[str, tuple[int, int, str]]:
    """Everything below a folder: mode, time of the last change, and content."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else ""
        digest = sha256(content if isinstance(content, bytes) else content.encode()).hexdigest()
        found[str(path.relative_to(folder))] = (status.st_mode, status.st_mtime_ns, digest)
    return found


def said(command: Path, *words: str | Path, cwd: Path, environment: dict[str, str]) -> str:
    """The output of the installed command; it must end well."""
    done = subprocess.run(
        [command, *words], cwd=cwd, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert 0 == done.returncode, done.stdout + done.stderr
    return done.stdout


def test_a_second_run_changes_nothing(
    script: Script, root: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    """The first makes what works: the command draws, the configuration's paths are the service's. The second is idle."""
    script()

    command = root / "usr/local/bin/heatmap"
    assert "site/index.html" in said(command, "demo", "--once", cwd=tmp_path, environment=environment)
    configuration = tomllib.loads((root / CONFIGURATION).read_text("utf-8"))
    assert str(root / STATE) == configuration["state_directory"]
    assert [{"url": f"file:{root}/var/lib/heatmap/site"}] == configuration["publish"]
    said(command, "session", "--config", root / CONFIGURATION, cwd=tmp_path, environment=environment)
    service = (root / "etc/systemd/system/heatmap.service").read_text("utf-8")
    (started,) = re.findall("^ExecStart=(.+)$", service, re.MULTILINE)
    assert f"{root}/opt/market-heatmap/venv/bin/heatmap run --config {root / CONFIGURATION}" == started
    assert os.access(started.split()[0], os.X_OK)

    before = tree(root)
    script()

    assert before == tree(root)


def test_an_upgrade_keeps_what_is_the_users(script: Script, root: Path, checkout: Path) -> None:
    """A new version takes the old one's place; configuration and state stay; the version before the last one goes."""
    script()
    (root / CONFIGURATION).write_text("# mine\n")
    (root / STATE).mkdir()
    (root / STATE / "history.sqlite").write_text("what was")
    mine = {path: tree(root)[path] for path in (CONFIGURATION, f"{STATE}/history.sqlite")}
    opt = root / "opt/market-heatmap"
    used = [os.readlink(opt / "venv")]

    for number in (1, 2):
        with (checkout / "heatmap/__init__.py").open("a") as file:
            file.write(f"# {number}\n")
        script()
        used.append(os.readlink(opt / "venv"))

    assert 3 == len(set(used))
    assert {"venv", *used[1:]} == set(os.listdir(opt))
    (module,) = (opt / "venv").glob("lib/python*/site-packages/heatmap/__init__.py")
    assert module.read_text("utf-8").endswith("# 1\n# 2\n")
    assert mine == {path: tree(root)[path] for path in mine}


def test_a_failure_leaves_the_version_in_use(
    script: Script, root: Path, checkout: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    """An upgrade that pip cannot install changes nothing that works, and the next one clears up after it."""
    script()
    before = os.readlink(root / "opt/market-heatmap/venv")

    script("--from", "no-such-package==1.0", code=1)

    assert before == os.readlink(root / "opt/market-heatmap/venv")
    assert "heatmap" in said(
        root / "usr/local/bin/heatmap", "--version", cwd=tmp_path, environment=environment
    )
    with (checkout / "heatmap/__init__.py").open("a") as file:
        file.write("# mended\n")
    script()
    now = os.readlink(root / "opt/market-heatmap/venv")
    assert {"venv", before, now} == set(os.listdir(root / "opt/market-heatmap"))


def test_undone(script: Script, root: Path) -> None:
    """The installed files go, and the user's files stay; with --purge nothing is left; both may be repeated."""
    script()
    (root / STATE).mkdir()
    (root / STATE / "state.json").write_text("{}")
    override = "etc/systemd/system/heatmap.service.d/override.conf"  # as `systemctl edit` leaves it
    (root / override).parent.mkdir()
    (root / override).write_text("[Service]\n")

    for _ in range(2):
        script("--uninstall")
        assert {CONFIGURATION, f"{STATE}/state.json", override} == files(root)
    for _ in range(2):
        script("--uninstall", "--purge")
        assert set() == files(root)


def files(root: Path) -> set[str]:
    """All that is no folder."""
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_symlink() or not path.is_dir()}


def test_with_cron(script: Script, root: Path, environment: dict[str, str], tmp_path: Path) -> None:
    """One or the other: cron's line and its log in place of the units, and back; the line does a run and logs it."""
    script()
    script("--cron")

    assert not (root / "etc/systemd/system/heatmap.timer").exists()
    assert not (root / "etc/systemd/system/heatmap.service").exists()
    assert f"{root}/var/log/heatmap/*.log {{" in (root / "etc/logrotate.d/heatmap").read_text("utf-8")
    (line,) = [
        line for line in (root / "etc/cron.d/heatmap").read_text("utf-8").splitlines() if line[0] != "#"
    ]
    fields = line.split(maxsplit=6)
    assert ["2-57/5", *"****", "heatmap"] == fields[:6]
    configuration = (root / CONFIGURATION).read_text("utf-8")
    (root / CONFIGURATION).write_text(configuration.replace('type = "nse"', 'type = "sundial"'))
    done = subprocess.run(["sh", "-c", fields[6]], env=environment, cwd=tmp_path, timeout=60, check=False)
    assert 78 == done.returncode
    assert '"level": "error"' in (root / "var/log/heatmap/heatmap.log").read_text("utf-8")

    script()

    assert not (root / "etc/cron.d/heatmap").exists()
    assert not (root / "etc/logrotate.d/heatmap").exists()
    assert (root / "etc/systemd/system/heatmap.timer").exists()


def test_a_command_of_somebody_else_stays(script: Script, root: Path) -> None:
    """Neither installing nor undoing touches a `heatmap` that is another program's."""
    theirs = root / "usr/local/bin/heatmap"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("theirs")

    assert "is somebody else's" in script().stdout
    script("--uninstall", "--purge")

    assert {"usr/local/bin/heatmap"} == files(root)


def test_a_dry_run_tells_everything_and_does_nothing(script: Script, root: Path) -> None:
    """The script does what it announces, as the next run shows."""
    told = steps(script("--dry-run").stdout)

    assert {} == tree(root)
    assert len(told) > 8
    assert steps(script().stdout) == told
    before = tree(root)
    assert "opt/market-heatmap" in script("--uninstall", "--purge", "--dry-run").stdout
    assert before == tree(root)


@pytest.mark.parametrize(
    ("what", "extras", "wanted"),
    [
        ("market-heatmap", "s3", "market-heatmap[s3]"),
        ("market-heatmap==0.2.0", "s3,png", "market-heatmap[s3,png]==0.2.0"),
        ("market-heatmap>=0.2", "s3", "market-heatmap[s3]>=0.2"),
        ("market-heatmap >= 0.2, != 0.2.1", "s3", "market-heatmap[s3] >= 0.2, != 0.2.1"),
        ("market-heatmap<1,>=0.2", "s3", "market-heatmap[s3]<1,>=0.2"),
        ("market-heatmap~=0.2", "s3", "market-heatmap[s3]~=0.2"),
        ("market-heatmap===0.2", "s3", "market-heatmap[s3]===0.2"),
        ("market-heatmap[png]>=0.2", "s3", "market-heatmap[png,s3]>=0.2"),
        ("market-heatmap [png] >=0.2", "s3", "market-heatmap[png,s3] >=0.2"),
        ("market-heatmap; python_version > '3'", "s3", "market-heatmap[s3]; python_version > '3'"),
        (
            "market-heatmap @ https://example.org/x.whl",
            "s3",
            "market-heatmap[s3] @ https://example.org/x.whl",
        ),
        ("https://example.org/x.whl", "s3", "market-heatmap[s3] @ https://example.org/x.whl"),
        (
            "git+ssh://git@example.org/x.git@v1",
            "s3",
            "market-heatmap[s3] @ git+ssh://git@example.org/x.git@v1",
        ),
        ("market-heatmap>=0.2", "", "market-heatmap>=0.2"),
        ("./x-1-py3-none-any.whl", "s3", "./x-1-py3-none-any.whl[s3]"),
        ("x-1-py3-none-any.whl", "s3", "x-1-py3-none-any.whl[s3]"),
        ("/some where/x", "s3", "/some where/x[s3]"),
    ],
)
def test_what_pip_is_asked_for(script: Script, what: str, extras: str, wanted: str) -> None:
    """Extras stand where pip looks for them, whatever stands behind the name."""
    said = script("--dry-run", "--from", what, "--extras", extras).stdout

    assert [wanted] == re.findall("--no-input (.+)$", said, re.MULTILINE)
    if not re.match("[./x]", wanted):
        Requirement(wanted)


def steps(said: str) -> list[str]:
    """The changes that the script tells of, once each: what was made before needs no making in earnest."""
    lines = said.splitlines()
    return list(dict.fromkeys(line for line in lines if line.startswith("  ") and "sudo" not in line))


@pytest.mark.parametrize(
    ("options", "code", "sentence"),
    [
        (["--sideways"], 64, "unknown option --sideways: see --help"),
        (["--extras"], 64, "--extras needs a value"),
        (["--purge"], 64, "--purge goes with --uninstall"),
        (["--root", "/"], 64, "--root / is the system itself"),
        (["--root", "/no/such"], 64, "--root /no/such is no folder"),
    ],
)
def test_refusals(script: Script, root: Path, options: list[str], code: int, sentence: str) -> None:
    """One sentence each, and nothing is done."""
    assert sentence in script(*options, code=code).stderr
    assert {} == tree(root)


def test_a_python_that_cannot(
    script: Script, root: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    """None, one that is too old, and one without venv: told apart, before anything is done."""
    old = tmp_path / "python3.9"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.2\nexit 1\n')
    bare = tmp_path / "bare"
    bare.write_text("#!/bin/sh\ncase $2 in *venv*) exit 1 ;; esac\n")
    for file in (old, bare):
        file.chmod(0o755)
    sentences = {"/no/python": "is not here", str(old): "Python 3.9.2 is too old", str(bare): "python3-venv"}
    for python, sentence in sentences.items():
        environment["PYTHON"] = python
        assert sentence in script(code=78).stderr
    assert {} == tree(root)


def test_only_root_may_change_the_system(environment: dict[str, str], tmp_path: Path) -> None:
    """Without --root an ordinary user is told what to do."""
    words = ["sh", CHECKOUT / "deploy/install.sh"]
    if os.geteuid() == 0:
        setpriv = shutil.which("setpriv")
        assert setpriv, "setpriv is not here: install util-linux"
        script = tmp_path / "install.sh"  # the checkout may be root's alone
        shutil.copy(CHECKOUT / "deploy/install.sh", script)
        words = [setpriv, "--reuid=65534", "--clear-groups", "sh", "/dev/stdin"]
    with (CHECKOUT / "deploy/install.sh").open() as text:
        done = subprocess.run(
            words,
            stdin=text,
            cwd="/",
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert 77 == done.returncode
    assert "sudo" in done.stderr
    assert "--root DIR" in done.stderr


def test_shellcheck(tool: Callable[[str], Path]) -> None:
    """Nothing to complain of, as POSIX sh."""
    words = [tool("shellcheck"), "--shell=sh", CHECKOUT / "deploy/install.sh"]
    subprocess.run(words, env=unpack.environment(), check=True, timeout=60)
