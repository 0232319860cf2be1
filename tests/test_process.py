"""A whole run as the system sees it: signals, two at once, a closed output, no locale, a clock that jumps."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from heatmap.errors import EXIT_OK, EXIT_TEMPORARY
from heatmap.system import stop
from tests.checkout import CHECKOUT

pytestmark = pytest.mark.process

OPEN = "2026-09-17T11:00:00+05:30"
PASSWORD = "SOME_TEST_PASSWORD"
SLOWEST_SECONDS = 30.0  # what a test waits for an event before it fails


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of an FTP server that accepts and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"ftp://user@127.0.0.1:{server.getsockname()[1]}/web"


def configure(folder: Path, *targets: str, deadline_seconds: float = 60) -> None:
    """Write a configuration of the recorded day with these targets."""
    tables = [f'[[publish]]\nurl = "{url}"\n' for url in targets]
    tables = [
        table + f'password_env = "{PASSWORD}"\ntimeout_seconds = 60\n' if "ftp:" in table else table
        for table in tables
    ]
    (folder / "heatmap.toml").write_text(
        f'deadline_seconds = {deadline_seconds}\n[[market]]\nname = "nse-fno"\n[market.source]\ntype = "recording"\n'
        + "".join(tables),
        "utf-8",
    )


def start(
    folder: Path, *more: str, program: tuple[str, ...] = ("-m", "heatmap"), **settings: object
) -> subprocess.Popen[str]:
    """Start `heatmap run` in a folder, as cron would."""
    environment = {"PYTHONPATH": str(CHECKOUT), "PATH": os.defpath, PASSWORD: "canary"}
    settings = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": environment, **settings}
    command = [sys.executable, *program, "run", "--now", OPEN, *more]
    return subprocess.Popen(command, cwd=folder, text=True, start_new_session=True, **settings)  # type: ignore[call-overload, no-any-return]


def run(folder: Path, *more: str, **settings: object) -> tuple[int, str, str]:
    """Run it to its end: exit code, output, errors."""
    with start(folder, *more, **settings) as process:
        out, err = process.communicate(timeout=SLOWEST_SECONDS)
        return process.returncode, out, err


def wait_for(path: Path) -> None:
    """Wait until a file is there."""
    until = time.monotonic() + SLOWEST_SECONDS
    while not path.is_file():
        assert time.monotonic() < until, f"{path} never came"
        time.sleep(0.02)


def published(folder: Path) -> bytes:
    """The page, which must be whole."""
    page = (folder / "site/index.html").read_bytes()
    assert page.endswith(b"</html>\n")
    return page


def test_a_signal_in_the_middle_of_an_upload(tmp_path: Path, silent: str) -> None:
    """SIGTERM: over within moments, one sentence, exit 75; the other target has its page, and the next run works."""
    configure(tmp_path, "file:site", silent)
    with start(tmp_path) as process:
        wait_for(tmp_path / "site/index.html")
        process.send_signal(signal.SIGTERM)
        begun = time.monotonic()
        out, err = process.communicate(timeout=SLOWEST_SECONDS)

    assert (EXIT_TEMPORARY, "") == (process.returncode, out)
    assert [f"heatmap: {stop.SENTENCE}"] == err.splitlines()
    assert time.monotonic() - begun < 5
    published(tmp_path)
    configure(tmp_path, "file:site")
    assert EXIT_OK == run(tmp_path)[0]


def test_a_run_that_hangs_is_over_at_its_deadline(tmp_path: Path, silent: str) -> None:
    """A server that never answers: exit 75 and a sentence that names it, within five seconds of the deadline."""
    configure(tmp_path, silent, "file:site", deadline_seconds=5)
    begun = time.monotonic()
    code, _, err = run(tmp_path)

    assert EXIT_TEMPORARY == code
    assert 1 == len(err.splitlines())
    assert err.startswith(f"heatmap: {silent}: ")
    assert "5 seconds are over" in err
    assert 5 <= time.monotonic() - begun < 10
    published(tmp_path)


def test_even_what_cannot_be_interrupted_ends(tmp_path: Path) -> None:
    """Where the main thread itself hangs, the process is ended from outside of it: exit 75 and one sentence."""
    configure(tmp_path, "file:site", deadline_seconds=5)
    hang = (
        "import sys, heatmap.run.market_files as pages, time; pages.draw = lambda *_: time.sleep(600);"
        "from heatmap import cli; sys.exit(cli.main())"
    )
    begun = time.monotonic()
    with start(tmp_path, program=("-c", hang)) as process:
        _, err = process.communicate(timeout=SLOWEST_SECONDS)

    assert EXIT_TEMPORARY == process.returncode
    assert [
        "heatmap: the run hung and was ended at its deadline: the next run tries again"
    ] == err.splitlines()
    assert time.monotonic() - begun < 10 + 1  # and its start


def test_two_runs_at_once(tmp_path: Path, silent: str) -> None:
    """The second leaves with a sentence; when the first is killed, the third finds nothing in its way."""
    configure(tmp_path, "file:site", silent)
    with start(tmp_path) as first:
        wait_for(tmp_path / "site/index.html")
        code, _, err = run(tmp_path)
        first.kill()

    assert EXIT_TEMPORARY == code
    assert "another run holds" in err
    configure(tmp_path, "file:site")
    assert (EXIT_OK, "", "") == run(tmp_path)


def test_a_killed_run_leaves_no_lock(tmp_path: Path) -> None:
    """The lock is the system's, and goes with its holder: the file alone holds nothing."""
    configure(tmp_path, "file:site")
    (tmp_path / "state").mkdir()
    with (tmp_path / "state/lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert EXIT_TEMPORARY == run(tmp_path)[0]

    assert EXIT_OK == run(tmp_path)[0]


@pytest.mark.parametrize("closed", [[1], [2], [0, 1, 2]])
def test_closed_outputs(tmp_path: Path, closed: list[int]) -> None:
    """Where standard streams are closed, the page goes its way, and nothing is written into a file that took their place."""
    configure(tmp_path, "file:site")
    shell = f"exec {sys.executable} -m heatmap run -v --now {OPEN} " + " ".join(f"{n}>&-" for n in closed)
    environment = {"PYTHONPATH": str(CHECKOUT), "PATH": os.defpath}
    done = subprocess.run(
        ["sh", "-c", shell], cwd=tmp_path, env=environment, capture_output=True, timeout=SLOWEST_SECONDS
    )

    assert (EXIT_OK, b"") == (done.returncode, done.stderr)
    published(tmp_path)
    assert b"" == (tmp_path / "state/lock").read_bytes()


def test_a_reader_that_leaves(tmp_path: Path) -> None:
    """`heatmap run -v | head -0`: nobody reads, and the page is published all the same, without a word."""
    configure(tmp_path, "file:site")
    reader, writer = os.pipe()
    os.close(reader)
    code, _, err = run(tmp_path, "-v", stdout=writer)
    os.close(writer)

    assert (EXIT_OK, "") == (code, err)
    published(tmp_path)


@pytest.mark.parametrize("environment", [{}, {"LC_ALL": "C"}, {"LC_ALL": "xx_YY.none"}])
def test_no_locale(tmp_path: Path, environment: dict[str, str]) -> None:
    """Folders and titles in any alphabet, with an environment like cron's, or none."""
    (tmp_path / "sïte").mkdir()
    configure(tmp_path, "file:s%C3%AFte/%E5%B8%82")
    text = (tmp_path / "heatmap.toml").read_text("utf-8")
    (tmp_path / "heatmap.toml").write_text(f'title = "Märkte – 市場"\n{text}', "utf-8")
    code, out, err = run(tmp_path, "-v", env={"PYTHONPATH": str(CHECKOUT), **environment})

    assert (EXIT_OK, "") == (code, err)
    assert "files published" in out
    assert "Märkte – 市場" in (tmp_path / "sïte/市/index.html").read_text("utf-8")


def test_words_that_the_terminal_cannot_show(tmp_path: Path) -> None:
    """They are escaped; nothing fails for their sake."""
    configure(tmp_path, "file:s%C3%AFte")
    environment = {"PYTHONPATH": str(CHECKOUT), "PYTHONIOENCODING": "ascii"}
    code, out, err = run(tmp_path, "-v", env=environment)

    assert (EXIT_OK, "") == (code, err)
    assert "s\\xefte: " in out


@pytest.mark.parametrize("where", ["/dev/full", "nobody reads"])
def test_a_failure_that_nobody_can_be_told_of(tmp_path: Path, where: str) -> None:
    """With its sentence lost on a full disk or a closed pipe, the exit code still tells."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    configure(tmp_path, f"ftp://user@127.0.0.1:{port}/web")
    if where == "/dev/full":
        errors = os.open(where, os.O_WRONLY)
    else:
        reader, errors = os.pipe()
        os.close(reader)
    with start(tmp_path, stderr=errors) as process:
        os.close(errors)
        process.communicate(timeout=SLOWEST_SECONDS)

    assert EXIT_TEMPORARY == process.returncode


@pytest.mark.parametrize("where", ["/dev/full", "a full pipe"])
def test_a_run_that_hangs_ends_even_if_nobody_can_be_told(tmp_path: Path, where: str) -> None:
    """Neither a full disk nor a pipe that nobody empties keeps the process beyond its deadline."""
    configure(tmp_path, "file:site", deadline_seconds=5)
    hang = (
        "import sys, heatmap.run.market_files as pages, time; pages.draw = lambda *_: time.sleep(600);"
        "from heatmap import cli; sys.exit(cli.main())"
    )
    reader, errors = os.pipe()
    if where == "/dev/full":
        os.close(errors)
        errors = os.open(where, os.O_WRONLY)
    else:
        os.set_blocking(errors, False)
        with suppress(BlockingIOError):
            while os.write(errors, bytes(65536)):
                continue
        os.set_blocking(errors, True)
    begun = time.monotonic()
    with start(tmp_path, program=("-c", hang), stderr=errors) as process:
        os.close(errors)
        process.wait(SLOWEST_SECONDS)
    os.close(reader)

    assert EXIT_TEMPORARY == process.returncode
    assert time.monotonic() - begun < 10 + 1  # and its start


def test_a_clock_that_jumps_back(tmp_path: Path) -> None:
    """An hour back, two hours back: each run publishes by the clock it has; the first says so, once a day."""
    configure(tmp_path, "file:site")
    told = "heatmap: nse-fno: its figures are older than those of 12:05 kept before"
    for hour, said in (("2026-09-17T12:05", ""), ("2026-09-17T11:05", told), ("2026-09-17T10:00", "")):
        code, out, err = run(tmp_path, "--now", f"{hour}:00+05:30")
        assert (EXIT_OK, "", said) == (code, out, err[: len(told)])
        assert f"{hour}:00+05:30".encode() in published(tmp_path)
