"""Files of this machine: what is no ordinary file is never waited for, whichever file it stands in place of."""

from __future__ import annotations

import errno
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from heatmap.system import files, limits
from tests.checkout import CHECKOUT
from tests.system.test_limits import quote, relay

CONFIGURATION = """deadline_seconds = 20
public_url = "https://www.example.org/"
[[market]]
name = "m"
[[market.source]]
type = "file"
path = "relay.json"
[market.session]
overrides = "overrides.toml"
[monitor]
textfile = "heatmap.prom"
[[alert]]
name = "movers"
change_percent = 1.0
[archive]
"""


def put(kind: str, path: Path) -> None:
    """Put something else in the place of a file."""
    path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(str(path))
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    elif kind == "huge":
        with path.open("wb") as file:
            file.truncate(300 * limits.MIB)


@pytest.mark.parametrize(
    ("kind", "number", "said"),
    [
        ("pipe", errno.EINVAL, "it is a pipe, not a file"),
        ("socket", errno.EINVAL, "it is a socket, not a file"),
        ("device", errno.EINVAL, "it is a device, not a file"),
        ("folder", errno.EISDIR, "it is a folder, not a file"),
        ("huge", errno.EFBIG, "it has more than 1,000 bytes"),
    ],
)
def test_what_is_no_ordinary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, number: int, said: str
) -> None:
    """It is refused at once, in words that fit into a sentence."""
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    put(kind, Path("it"))

    with pytest.raises(OSError, match="it") as caught:
        files.read("it", 1000)

    assert (number, said) == (caught.value.errno, caught.value.strerror)


def test_an_ordinary_file(tmp_path: Path) -> None:
    """It is read whole, up to the last byte that may be, also behind a link; a text has one kind of line ends."""
    (tmp_path / "file").write_bytes(b"\xef\xbb\xbfa\r\nb\rc\n")
    (tmp_path / "link").symlink_to("file")

    assert b"\xef\xbb\xbfa\r\nb\rc\n" == files.read(tmp_path / "link", 10)
    assert "a\nb\nc\n" == files.read_text(tmp_path / "file", 10)
    with pytest.raises(OSError, match="more than 9 bytes"):
        files.read(tmp_path / "file", 9)


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL])
def test_what_a_file_system_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Modes and syncing are done without where there are none; other faults are raised."""

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    with (tmp_path / "file").open("wb") as file:
        monkeypatch.setattr(os, "chmod", refuse)
        monkeypatch.setattr(os, "fsync", refuse)
        files.set_mode(file.fileno(), 0o644)
        files.sync(file.fileno())
        number = errno.EIO
        with pytest.raises(OSError, match="Input/output"):
            files.set_mode(file.fileno(), 0o644)
        with pytest.raises(OSError, match="Input/output"):
            files.sync(file.fileno())


def run(folder: Path, minute: int) -> tuple[int, str]:
    """One tick of an installation, in a process of its own that may take half a minute; code and stderr."""
    body = relay(30, lambda number: quote(number, last_price=None, previous_close=None), minute)
    source = folder / "relay.json"
    if source.is_file() and source.stat().st_size < limits.MIB:
        source.write_bytes(body)
    ended = subprocess.run(
        [sys.executable, "-m", "heatmap", "run", "--now", f"2026-09-17T11:{minute:02d}:10+05:30"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert "" == ended.stdout
    return ended.returncode, ended.stderr


# What is read, the exit code where it is no file, and how a huge one ends; None: it may be that large.
READ: dict[str, tuple[int, int | None]] = {
    "heatmap.toml": (78, 78),
    "overrides.toml": (78, 78),
    "relay.json": (78, 65),
    "heatmap.prom": (0, 0),
    "site/m/index.html": (78, None),
    "state/state.json": (78, 0),
    "state/alerts.json": (0, 0),
    "state/last/m.json": (0, 0),
    "state/digest-m.kept": (0, 0),
    "state/outcomes.jsonl": (0, 0),
    "state/lock": (0, 0),
    "state/history.sqlite": (0, None),
}


@pytest.mark.process
@pytest.mark.parametrize(
    ("name", "kind", "code"),
    [
        (name, kind, code)
        for name, codes in READ.items()
        for kind, code in zip(("pipe", "huge"), codes, strict=True)
        if code is not None
    ],
)
def test_in_place_of_a_file_that_is_read(tmp_path: Path, name: str, kind: str, code: int) -> None:
    """One sentence at most, the right exit code, a whole page; with the file again, the next run is well."""
    (tmp_path / "heatmap.toml").write_text(CONFIGURATION)
    (tmp_path / "overrides.toml").touch()
    (tmp_path / "relay.json").touch()
    assert (0, "") == run(tmp_path, 0)
    page, former = tmp_path / "site/index.html", (tmp_path / name).read_bytes()
    before = page.read_bytes()
    put(kind, tmp_path / name)

    found, said = run(tmp_path, 5)

    assert code == found, said
    assert said.count("\n") <= 1
    assert bool(said) >= bool(code)
    assert (before == page.read_bytes()) is bool(code)
    if code:
        assert name.rpartition("/")[2] in said
    (tmp_path / name).unlink(missing_ok=True)
    (tmp_path / name).write_bytes(former)
    assert (0, "") == run(tmp_path, 10)
    assert b"2026-09-17T11:10:00" in page.read_bytes()


@pytest.mark.process
@pytest.mark.parametrize("form", [None, "json"])
def test_a_folder_whose_name_is_not_utf_8(tmp_path: Path, form: str | None) -> None:
    """Old disks have such names: configuration, state, textfile, target, and the note of a closed market."""
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    (folder / "heatmap.toml").write_text(
        '[[market]]\nname = "m"\n[market.source]\ntype = "recording"\n[monitor]\ntextfile = "m.prom"\n'
        '[[publish]]\nurl = "file:si%E9te"\n'
    )
    more = ["--log-format", form] if form else []

    def go(*words: str) -> str:
        ended = subprocess.run(
            [sys.executable, "-m", "heatmap", *words, "--config", str(folder / "heatmap.toml")],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (0, "") == (ended.returncode, ended.stderr)
        return ended.stdout

    told = go("run", "--now", "2026-09-17T11:00:10+05:30", *more)
    assert json.loads(told)["exit_code"] == 0 if form else told == ""
    assert (folder / os.fsdecode(b"si\xe9te/index.html")).is_file()
    assert (folder / "m.prom").is_file()
    go("run", "--now", "2026-09-19T11:00:10+05:30", *more)  # a Saturday
    assert (folder / "state/nap").is_file()
    go("run", "--now", "2026-09-19T11:05:10+05:30", *more)
    assert not list(folder.rglob("*.tmp"))
    go("check")
    go("schedule", "--systemd")


@pytest.mark.process
@pytest.mark.parametrize(
    ("words", "code"), [("run", 78), ("status", 78), ("schedule", 78), ("run --config {path} --now {now}", 0)]
)
def test_a_current_folder_that_was_deleted(tmp_path: Path, words: str, code: int) -> None:
    """A command that needs it says so; a run with a whole path needs none."""
    (tmp_path / "gone").mkdir()
    (tmp_path / "heatmap.toml").write_text('[[market]]\nname = "m"\n[market.source]\ntype = "recording"\n')
    words = words.format(path=tmp_path / "heatmap.toml", now="2026-09-17T11:00:10+05:30")
    command = f'cd "$1" && rmdir "$1" && exec {sys.executable} -m heatmap {words}'

    ended = subprocess.run(
        ["sh", "-c", command, "sh", str(tmp_path / "gone")],
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert code == ended.returncode
    assert ended.stderr.startswith("heatmap: the current folder cannot be found") is bool(code)
    assert ended.stderr.count("\n") == bool(code)


LACKING = {
    "flock": "import fcntl\n{refuse}fcntl.flock = refuse\n",
    "chmod": "{refuse}os.chmod = os.fchmod = refuse\n",
    "fsync": "{refuse}os.fsync = refuse\n",
    "replace": "{refuse}os.replace = os.rename = refuse\n",
}


@pytest.mark.process
@pytest.mark.parametrize(
    ("lacks", "number", "code", "said"),
    [
        (
            "flock",
            "ENOLCK",
            0,
            "cannot be locked (No locks available), so two runs at once are not kept apart",
        ),
        ("flock", "EOPNOTSUPP", 0, "cannot be locked"),
        ("flock", "ENOSYS", 0, "cannot be locked"),
        ("flock", "EIO", 78, "cannot be used (Input/output error)"),
        ("chmod", "EPERM", 0, ""),
        ("chmod", "ENOTSUP", 0, ""),
        ("fsync", "EINVAL", 0, ""),
        ("replace", "EPERM", 77, "cannot be written (Operation not permitted)"),
        ("replace", "ENOTSUP", 78, "its file system cannot do that: publish into another one"),
    ],
)
def test_a_file_system_that_lacks_something(
    tmp_path: Path, lacks: str, number: str, code: int, said: str
) -> None:
    """NFS without its lock daemon, exFAT, CIFS: the page where it can be had, else one sentence."""
    refuse = f"import os, errno\ndef refuse(*_, **__):\n    raise OSError(errno.{number}, os.strerror(errno.{number}))\n"
    (tmp_path / "first").mkdir()
    (tmp_path / "first/sitecustomize.py").write_text(LACKING[lacks].format(refuse=refuse))
    (tmp_path / "heatmap.toml").write_text(
        '[[market]]\nname = "m"\n[market.source]\ntype = "recording"\n[monitor]\ntextfile = "m.prom"\n'
    )

    ended = subprocess.run(
        [sys.executable, "-m", "heatmap", "run", "--now", "2026-09-17T11:00:10+05:30"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{tmp_path / 'first'}{os.pathsep}{CHECKOUT}"},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert code == ended.returncode, ended.stderr
    assert said in ended.stderr
    assert ended.stderr.count("\n") == bool(said)
    assert (tmp_path / "site/index.html").is_file() is (code == 0)
    assert (tmp_path / "m.prom").is_file() or code


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444])
def test_a_written_file_has_its_mode(tmp_path: Path, mode: int) -> None:
    """The mode is right for any umask, and any mode of the replaced file."""
    path = tmp_path / "file"
    path.write_bytes(b"old")
    former = os.umask(0o027)
    try:
        files.write(path, b"new", mode=mode)
    finally:
        os.umask(former)

    assert (b"new", mode) == (path.read_bytes(), path.stat().st_mode & 0o777)


def test_a_secret_is_never_open_to_others(tmp_path: Path) -> None:
    """A new file with a mode for its owner alone has it from its first byte on."""
    former = os.umask(0)
    try:
        with files.open_replacement(tmp_path / "file", mode=0o600):
            (temporary,) = tmp_path.iterdir()
            assert temporary.stat().st_mode & 0o077 == 0
    finally:
        os.umask(former)


def test_a_replacement_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    """Any error in the block, also a request to end: the old file stays, the new one is removed."""
    path = tmp_path / "file"
    path.write_bytes(b"old")

    for error in (OSError, KeyboardInterrupt):
        with pytest.raises(error), files.open_replacement(path) as file:
            file.write(b"half")
            raise error

    assert (b"old", [path]) == (path.read_bytes(), [*tmp_path.iterdir()])


def test_a_temporary_name_that_is_taken(tmp_path: Path) -> None:
    """A link of another user under the temporary name is not followed; a killed run's file is replaced."""
    other = tmp_path / "other"
    other.write_bytes(b"theirs")
    (tmp_path / ".file.tmp").symlink_to(other)

    files.write(tmp_path / "file", b"new", temporary=".file.tmp")

    assert (b"theirs", b"new") == (other.read_bytes(), (tmp_path / "file").read_bytes())
    assert not (tmp_path / "file").is_symlink()


def test_a_file_in_an_open_folder(tmp_path: Path) -> None:
    """A folder's descriptor leads to that folder, even after it was renamed."""
    (tmp_path / "before").mkdir()
    folder = os.open(tmp_path / "before", os.O_RDONLY | os.O_DIRECTORY)
    try:
        (tmp_path / "before").rename(tmp_path / "after")
        files.write("file", b"new", folder=folder)
    finally:
        os.close(folder)

    assert ["after"] == [path.name for path in tmp_path.iterdir()]
    assert b"new" == (tmp_path / "after/file").read_bytes()


def test_a_folder_is_made_on_request_alone(tmp_path: Path) -> None:
    """An optional file does not make a state directory that nobody wants."""
    files.write(tmp_path / "a/b/file", b"new")
    assert b"new" == (tmp_path / "a/b/file").read_bytes()

    with pytest.raises(FileNotFoundError):
        files.write(tmp_path / "c/file", b"new", make_folder=False)
    assert not (tmp_path / "c").exists()
