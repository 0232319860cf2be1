"""SFTP on a bad line: stalls in each phase, connections cut at many bytes, lost replies, and no orphans."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from heatmap.errors import PublishError
from heatmap.publishers import address, delivery
from heatmap.system.deadline import Deadline
from heatmap.system.web_file import WebFile
from tests.conftest import started
from tests.publishers.sftp.logins import SECRET, files, target
from tests.servers.ftp import PASSWORD, ProftpdSftp
from tests.servers.proxy import Fault, Proxy, Way
from tests.servers.ssh import Sshd

OLD, NEW = b"old" * 20_000, b"new" * 30_000
PAGE = [WebFile("index.html", NEW)]
PHASES = ("banner", "key exchange", "login", "subsystem", "first look", "put", "look", "replace", "read")
TRIES = 4  # until a fault comes at the right moment
WAIT_SECONDS = 10

pytestmark = pytest.mark.real


@pytest.fixture(autouse=True)
def _prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECRET, PASSWORD)
    monkeypatch.setattr(delivery, "BACKOFF_SECONDS", 0.01)


@pytest.fixture
def server(login: str, tmp_path: Path) -> Iterator[Sshd | ProftpdSftp]:
    """A server for that, with an old page."""
    start = Sshd if login == "key" else ProftpdSftp
    with started(lambda: start(tmp_path / "server")) as running:
        (running.root / "index.html").write_bytes(OLD)
        (running.root / "index.html").chmod(0o644)
        yield running


def measure(server: Sshd | ProftpdSftp, login: str) -> dict[str, tuple[int, int]]:
    """Return how many bytes have passed, to the server and from it, when each phase of a session begins.

    The steps are those of a delivery, in its order.
    """
    with Proxy(server.port) as proxy:
        marks = {"banner": (0, 0), "key exchange": (60, 60)}
        session = target(server, login=login, port=proxy.port).make_connection(Deadline(WAIT_SECONDS))

        def mark(phase: str) -> None:
            marks[phase] = (len(proxy.sent), len(proxy.received))

        session.open()
        opened = (len(proxy.sent), len(proxy.received))
        marks["login"] = (opened[0] - 500, opened[1] - 500)
        marks["subsystem"] = (opened[0] - 60, opened[1] - 60)
        mark("first look")
        session.size("index.html")
        temporary = address.make_temporary_name("index.html")
        mark("put")
        session.put(temporary, NEW)
        mark("look")
        session.size(temporary)
        mark("replace")
        session.rename_over(temporary, "index.html")
        mark("read")
        session.read("index.html")
        mark("end")
        session.close()
    (server.root / "index.html").write_bytes(OLD)
    assert list(marks) == [*PHASES, "end"]
    return marks


@pytest.mark.parametrize(("phase", "way"), [*((phase, "received") for phase in PHASES), ("put", "sent")])
def test_a_stall_heals(server: Sshd | ProftpdSftp, login: str, phase: str, way: Way) -> None:
    """A connection that falls silent in any phase is left after one timeout, and the next one does it all."""
    after = measure(server, login)[phase][way == "received"] + 1
    with Proxy(server.port, Fault.stall(after, way).on(1)) as proxy:
        started_at = time.monotonic()
        done = target(server, login=login, port=proxy.port, timeout_seconds=1).publish(PAGE, Deadline(30))

        assert proxy.faulted.is_set()
    assert 2 == done.attempts
    assert time.monotonic() - started_at < WAIT_SECONDS
    assert {"index.html": NEW} == files(server.root)


@pytest.mark.serial
@pytest.mark.parametrize("phase", PHASES)
def test_a_stall_ends_by_the_deadline(server: Sshd | ProftpdSftp, login: str, phase: str) -> None:
    """A server that never goes on costs no more than the run's own time, whatever the timeout of a wait."""
    after = measure(server, login)[phase][1] + 1
    with Proxy(server.port, Fault.stall(after, "received")) as proxy:
        started_at = time.monotonic()
        with pytest.raises(PublishError, match="seconds are over") as caught:
            target(server, login=login, port=proxy.port, timeout_seconds=60).publish(PAGE, Deadline(1.5))

    assert PublishError is type(caught.value)
    assert time.monotonic() - started_at < 1.5 + 2
    assert (server.root / "index.html").read_bytes() in {OLD, NEW}


@pytest.mark.parametrize("way", ["sent", "received"])
@pytest.mark.parametrize("fifth", range(5))
def test_a_cut_heals(server: Sshd | ProftpdSftp, login: str, fifth: int, way: Way) -> None:
    """Wherever the connection is reset, the next one finishes, and no temporary file stays."""
    whole = measure(server, login)["end"][way == "received"]
    with Proxy(server.port, Fault.reset(whole * fifth // 5, way).on(1)) as proxy:
        done = target(server, login=login, port=proxy.port).publish(PAGE, Deadline(30))

        assert proxy.faulted.is_set()
    assert 2 == done.attempts
    assert {"index.html": NEW} == files(server.root)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_line_that_stays_cut(server: Sshd | ProftpdSftp, login: str, share: float) -> None:
    """When every attempt breaks in the upload the old page stays, whole."""
    marks = measure(server, login)
    after = int(marks["put"][0] + share * len(NEW))
    with (
        Proxy(server.port, Fault.reset(after)) as proxy,
        pytest.raises(PublishError, match="the next run tries again") as caught,
    ):
        target(server, login=login, port=proxy.port).publish(PAGE, Deadline(30))

    assert PublishError is type(caught.value)
    assert "\n" not in str(caught.value)
    assert OLD == (server.root / "index.html").read_bytes()


@pytest.mark.serial
@pytest.mark.parametrize("fault", [Fault.swallow, Fault.reset], ids=["silence", "cut"])
def test_a_lost_reply_to_the_rename(server: Sshd | ProftpdSftp, login: str, fault: object) -> None:
    """The server did it and we did not hear: looking settles it, and nothing is uploaded again."""
    # A server asks for more bytes of a file when it likes, so its bytes before the reply differ a little from
    # time to time, and the fault may come before the rename. Such a try proves nothing.
    for _ in range(TRIES):
        after = measure(server, login)["replace"][1] + 8
        with Proxy(server.port, fault(after, "received").on(1)) as proxy:  # type: ignore[operator]
            done = target(server, login=login, port=proxy.port, timeout_seconds=1).publish(PAGE, Deadline(30))
            is_uploaded_once = len(proxy.sent) < 2 * len(NEW)
        assert (1, 2) == (done.put, done.attempts)
        assert {"index.html": NEW} == files(server.root)
        if is_uploaded_once:
            return
    pytest.fail(f"the file was uploaded twice in each of {TRIES} tries")


@pytest.mark.serial
def test_a_server_that_drips(server: Sshd | ProftpdSftp, login: str) -> None:
    """A byte now and then resets no clock: the deadline holds."""
    with Proxy(server.port, Fault.drip(0.2, measure(server, login)["key exchange"][1], "received")) as proxy:
        started_at = time.monotonic()
        with pytest.raises(PublishError, match="seconds are over"):
            target(server, login=login, port=proxy.port, timeout_seconds=60).publish(PAGE, Deadline(2))

    assert time.monotonic() - started_at < 2 + 2
    assert OLD == (server.root / "index.html").read_bytes()


@pytest.mark.serial
def test_a_run_that_is_told_to_end(server: Sshd | ProftpdSftp, login: str) -> None:
    """`expire` from another thread breaks off what waits for the server."""
    from threading import Timer

    deadline = Deadline(60)
    with Proxy(server.port, Fault.stall(measure(server, login)["put"][1] + 1, "received")) as proxy:
        Timer(0.5, deadline.expire).start()
        started_at = time.monotonic()
        with pytest.raises(PublishError):
            target(server, login=login, port=proxy.port, timeout_seconds=60).publish(PAGE, deadline)

    assert time.monotonic() - started_at < 3


HOLDER = """
import sys
from pathlib import Path
from heatmap.system.deadline import Deadline
from heatmap.publishers.sftp.connection import SftpConnection
from heatmap.publishers.sftp.publisher import SftpPublisher
target = SftpPublisher(sys.argv[1], identity_file=Path(sys.argv[2]), known_hosts_file=Path(sys.argv[3]),
                       timeout_seconds=1 if sys.argv[4] == "stalled" else 30)
connection = target.make_connection(Deadline(60))
read_answer = SftpConnection._read_answer
def print_and_read_answer(self, *arguments):
    print(self._client.pid, flush=True)
    return read_answer(self, *arguments)
SftpConnection._read_answer = print_and_read_answer
connection.open()
print("open", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("line", ["idle", "stalled"])
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
def test_no_orphan_is_left(tmp_path: Path, end: signal.Signals, line: str) -> None:
    """When a run is killed, the client it started ends too: at once, or when the server's silence is noticed."""
    with (
        started(lambda: Sshd(tmp_path / "server")) as server,
        Proxy(server.port, Fault.stall(200, "received") if line == "stalled" else None) as proxy,
    ):
        names = target(server, port=proxy.port)
        words = [names.url, str(names.identity_file), str(names.known_hosts_file), line]
        run = subprocess.Popen(
            [sys.executable, "-c", HOLDER, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert run.stdout
        group = int(run.stdout.readline())
        if line == "idle":
            assert b"open\n" == run.stdout.readline()
        else:
            assert proxy.faulted.wait(WAIT_SECONDS)
        run.send_signal(end)
        run.communicate()
        until = time.monotonic() + WAIT_SECONDS
        while is_there(group) and time.monotonic() < until:
            time.sleep(0.05)

        assert not is_there(group)


def is_there(group: int) -> bool:
    """Whether any process of a group still runs."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    stats = (path.read_text() for path in Path("/proc").glob("[0-9]*/stat") if path.exists())
    fields = (stat.rpartition(")")[2].split() for stat in stats)
    return any(int(field[2]) == group and field[0] != "Z" for field in fields)
