"""A machine that nobody watches: torn files, a clock that is wrong, no time zones, no memory."""

from __future__ import annotations

import errno
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from heatmap import cli
from heatmap.errors import ConfigError, ShortageError
from heatmap.system import resource_errors, secrets
from heatmap.system.deadline import Deadline
from heatmap.system.web_file import WebFile
from tests.checkout import CHECKOUT
from tests.servers.exchange import Exchange, moved, recorded_rows

RECORDED = '[[market]]\nname = "nse-fno"\n[market.source]\ntype = "recording"\n'
OPEN = datetime.fromisoformat("2026-09-17T11:00:00+05:30")
FINAL = datetime.fromisoformat("2026-09-17T16:05:00+05:30")
HOUR = timedelta(hours=1)
MEGABYTE = 1024 * 1024


def run(folder: Path, now: datetime) -> int:
    """One tick of the installation in a folder, in this process; its exit code."""
    return cli.main(["run", "--config", str(folder / "heatmap.toml"), "--now", now.isoformat()])


def run_apart(
    folder: Path, now: datetime, *, megabytes: int | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """One tick in a process of its own, with so much address space."""

    def limit() -> None:
        if megabytes is not None:
            resource.setrlimit(resource.RLIMIT_AS, (megabytes * MEGABYTE, megabytes * MEGABYTE))

    form = environment.pop("FORM", "")
    path = os.pathsep.join([*filter(None, [environment.pop("FIRST", "")]), str(CHECKOUT)])
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "heatmap",
            "run",
            "--now",
            now.isoformat(),
            *(["--log-format", form] if form else []),
        ],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=limit,
    )


def trade(exchange: Exchange, now: datetime) -> None:
    """Let the exchange's clock be at `now`, and its prices those of that minute."""
    exchange.now = now
    exchange.rows = moved(recorded_rows(), {"M&M": (now.hour * 60 + now.minute) / 500})


def page(folder: Path) -> bytes:
    """The files that visitors get."""
    return (folder / "site/index.html").read_bytes()


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation that has seen a morning, with all that it remembers."""
    folder = tmp_path_factory.mktemp("used")
    with Exchange(now=OPEN) as exchange:
        tables = f'base_url = "{exchange.url}"\n[[alert]]\nname = "movers"\nchange_percent = 2.0\n'
        (folder / "heatmap.toml").write_text(
            f'public_url = "https://www.example.org/"\n{RECORDED.replace("recording", "nse")}{tables}'
        )
        for number in range(3):
            now = OPEN - HOUR + timedelta(minutes=5 * number)
            trade(exchange, now)
            assert 0 == run(folder, now)
    return folder


FILES = ["state.json", "last/nse-fno.json", "outcomes.jsonl", "alerts.json", "history.sqlite", "lock"]


def test_the_files_are_all_that_are_kept(used: Path) -> None:
    """The files that are torn below are all files, but for caches that are made anew where they do not fit."""
    state = used / "state"
    found = {str(path.relative_to(state)) for path in state.rglob("*") if path.is_file()}

    caches = ("compiled-templates/", "digest-", "tape-", "sources/")
    assert set(FILES) == {name for name in found if not name.startswith(caches)}


@pytest.mark.slow
@pytest.mark.parametrize("name", [*FILES, "*.kept", "sources/*/*", "compiled-templates/*"])
@pytest.mark.parametrize("damage", ["empty", "half", "noise", "zeros"])
def test_a_torn_file(
    used: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str, damage: str
) -> None:
    """The page is published all the same; one sentence at most tells what was lost, and it is told once."""
    folder = Path(shutil.copytree(used, tmp_path / "torn"))
    files = [path for path in (folder / "state").glob(name) if path.is_file()]
    assert files
    for file in files:
        content = file.read_bytes()
        file.write_bytes(
            {
                "empty": b"",
                "half": content[: len(content) // 2],
                "noise": b"\xff{]\0\n" * 50,
                "zeros": bytes(len(content)),  # as some file systems leave it after a power cut
            }[damage]
        )
    with Exchange(now=OPEN) as exchange:
        base = folder / "heatmap.toml"
        lines = [
            f'base_url = "{exchange.url}"' if line.startswith("base_url") else line
            for line in base.read_text().splitlines()
        ]
        base.write_text("\n".join(lines))
        trade(exchange, OPEN)

        assert 0 == run(folder, OPEN)

        out, err = capfd.readouterr()
        assert "" == out
        assert err.count("\n") <= 1, err
        assert b"2026-09-17T11:00:00+05:30" in page(folder)
        after = OPEN + timedelta(minutes=5)
        trade(exchange, after)
        assert 0 == run(folder, after)
        assert ("", "") == capfd.readouterr()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("jump", "code", "words"),
    [
        (HOUR, 0, ""),  # the page is drawn, and calls itself old
        (-HOUR, 65, "in the future: check this machine's clock"),
        (timedelta(days=1), 0, ""),  # another day's figures: passed over
        (timedelta(days=-1), 65, "in the future"),
        (5 * HOUR + timedelta(minutes=5), 65, "when trading had not ended"),  # no final before the close
        (timedelta(days=365), 0, "calendar"),
    ],
)
def test_a_clock_that_is_wrong(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], jump: timedelta, code: int, words: str
) -> None:
    """It costs ticks, never a page; and once it is right again all is as before."""
    with Exchange(now=OPEN) as exchange:
        (tmp_path / "heatmap.toml").write_text(
            f'{RECORDED.replace("recording", "nse")}base_url = "{exchange.url}"\n'
        )
        assert 0 == run(tmp_path, OPEN)
        before = page(tmp_path)
        trade(exchange, OPEN + timedelta(minutes=5))

        assert code == run(tmp_path, OPEN + timedelta(minutes=5) + jump)

        err = capfd.readouterr().err
        assert (words in err, bool(words)) == (True, bool(err))
        assert (before == page(tmp_path)) is (jump != HOUR)
        right = OPEN + timedelta(minutes=10)
        trade(exchange, right)
        assert 0 == run(tmp_path, right)
        assert right.isoformat().encode() in page(tmp_path)
        trade(exchange, FINAL)
        assert 0 == run(tmp_path, FINAL)
        assert b"Closing prices" in page(tmp_path)
        assert "" == capfd.readouterr().err


@pytest.mark.process
def test_no_time_zones(tmp_path: Path) -> None:
    """Neither the system's nor the package's: one sentence that says what to install."""
    (tmp_path / "heatmap.toml").write_text(RECORDED)
    (tmp_path / "without").mkdir()
    (tmp_path / "without/tzdata.py").write_text("raise ImportError\n")

    ended = run_apart(tmp_path, OPEN, PYTHONTZPATH="", FIRST=str(tmp_path / "without"))

    assert (78, "", 1) == (ended.returncode, ended.stdout, ended.stderr.count("\n"))
    assert "no time zone Asia/Kolkata" in ended.stderr
    assert "pip install tzdata" in ended.stderr


@pytest.mark.process
def test_no_memory(tmp_path: Path) -> None:
    """Wherever it ends, visitors have the old page or the new one, whole; and where Python lives, a sentence."""
    (tmp_path / "heatmap.toml").write_text(RECORDED)
    assert 0 == run_apart(tmp_path, OPEN).returncode
    short = 0
    for number, megabytes in enumerate(range(32, 112, 8), 1):
        before, now = page(tmp_path), OPEN + number * timedelta(minutes=5)

        ended = run_apart(tmp_path, now, megabytes=megabytes)

        if ended.returncode == 0:
            assert now.isoformat().encode() in page(tmp_path)
            continue
        assert before == page(tmp_path)
        assert "bug" not in ended.stderr
        if ended.returncode == 75:
            short += 1
            assert "heatmap: this machine has no memory left" in ended.stderr
        else:  # the interpreter itself gave up
            assert ended.returncode in {1, -signal.SIGABRT, -signal.SIGSEGV}, megabytes
    assert short


MEMORY, OPEN_FILES, CHILDREN = "no memory left", "no more files can be opened", "no further process"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), MEMORY),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), MEMORY),
        (RuntimeError("can't start new thread"), MEMORY),
        (RuntimeError("can't allocate lock"), MEMORY),
        (SystemError("error return without exception set"), MEMORY),
        (SystemError("<built-in> returned NULL without setting an exception"), MEMORY),
        (ImportError("x.so: failed to map segment from shared object"), MEMORY),
        (SyntaxError("(unicode error) \\N escapes not supported (can't load unicodedata module)"), MEMORY),
        (OSError("codec configuration error when writing image file"), MEMORY),
        (OSError(errno.EMFILE, "Too many open files"), OPEN_FILES),
        (OSError(errno.ENFILE, "Too many open files in system"), OPEN_FILES),
        (ImportError("libx.so: cannot open shared object file: Error 24"), OPEN_FILES),
        (BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"), CHILDREN),
        (OSError(errno.ENOSPC, "No space left on device"), "no room on the disk"),
    ],
    ids=repr,
)
def test_what_a_shortage_looks_like(error: Exception, said: str) -> None:
    """By its class, its number, its words; what is no shortage stays what it is."""
    with pytest.raises(ShortageError, match=said), resource_errors.translating_resource_errors():
        raise error
    for other in (OSError(2, "No such file or directory"), ConfigError(["out of memory"]), KeyError("x")):
        assert other is resource_errors.as_known_error(other)


@pytest.mark.process
def test_an_odd_error_at_the_limit_of_memory(tmp_path: Path) -> None:
    """Libraries fail in many ways where they are refused memory; with room, the same error is a bug."""
    code = (
        "import resource, sys\n"
        "from heatmap.system import resource_errors\n"
        "print(type(resource_errors.as_known_error(KeyError('x'))).__name__)\n"
        "peak = int(open('/proc/self/status').read().split('VmPeak:')[1].split()[0]) * 1024\n"
        "resource.setrlimit(resource.RLIMIT_AS, (peak + 2**20, peak + 2**20))\n"
        "print(type(resource_errors.as_known_error(KeyError('x'))).__name__)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=CHECKOUT
    )

    assert ["KeyError", "ShortageError"] == ended.stdout.split()


@pytest.mark.process
@pytest.mark.parametrize("form", [None, "json"])
def test_a_thread_that_never_starts(tmp_path: Path, form: str | None) -> None:
    """As without memory: the run waits for it for ever. It is ended soon after its deadline, in one sentence."""
    (tmp_path / "heatmap.toml").write_text(f"deadline_seconds = 5\n{RECORDED}")
    (tmp_path / "first").mkdir()
    (tmp_path / "first/sitecustomize.py").write_text(
        "import threading, time\nthreading.Thread.start = lambda self: time.sleep(1000)\n"
    )
    begun = time.monotonic()

    ended = run_apart(tmp_path, OPEN, FIRST=str(tmp_path / "first"), FORM=form or "")

    assert (75, "", 1) == (ended.returncode, ended.stdout, ended.stderr.count("\n"))
    assert 5 < time.monotonic() - begun < 25  # on a busy machine
    sentence = "the run hung and was ended at its deadline: the next run tries again"
    if form:
        told = json.loads(ended.stderr)
        assert (sentence, "error", "deadline", 75) == tuple(
            told[key] for key in ("message", "level", "error", "exit_code")
        )
    else:
        assert f"heatmap: {sentence}\n" == ended.stderr
    assert 0 == run_apart(tmp_path, OPEN + timedelta(minutes=5)).returncode  # the lock is free


@pytest.mark.parametrize("program", ["git", "sftp", "password_command"])
@pytest.mark.parametrize("number", [errno.EAGAIN, errno.EMFILE, errno.ENOMEM])
def test_a_program_that_cannot_be_started_for_want_of_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, number: int
) -> None:
    """It is not missing: nobody is told to install it."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(subprocess, "Popen", refuse)
    with pytest.raises(ShortageError):
        if program == "git":
            from heatmap.publishers.git.publisher import GitPublisher

            GitPublisher(f"git+file:{tmp_path}").publish([WebFile("index.html", b"")], Deadline(5))
        elif program == "sftp":
            from heatmap.publishers.sftp.publisher import SftpPublisher

            SftpPublisher("sftp://me@localhost/www").publish([WebFile("index.html", b"")], Deadline(5))
        else:
            secrets.read(None, None, ["true"])


@pytest.mark.process
def test_a_full_disk_is_no_bug() -> None:
    """Not even where nobody foresaw that something is written, such as what a command prints."""
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "heatmap", "status"],
            cwd=CHECKOUT,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )

    assert 75 == ended.returncode
    assert f"heatmap: {resource_errors.FULL}\n" == ended.stderr
