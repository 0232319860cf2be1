"""Fixtures for all tests: real servers, and the recorded bodies that may lie beside a checkout."""

from __future__ import annotations

import gc
import itertools
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from functools import cache
from marshal import dumps, loads
from pathlib import Path
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from hypothesis import settings
from jinja2 import Environment

from heatmap.system.http import rate_limit
from tests.checkout import CHECKOUT
from tests.recorded import RECORDED
from tests.servers import certificates
from tests.servers.apache import Apache
from tests.servers.certificates import Certificate
from tests.servers.clock import Clock
from tests.servers.crond import Cron
from tests.servers.disk import SmallDisk
from tests.servers.dns import SilentDns
from tests.servers.ftp import Proftpd, Vsftpd
from tests.servers.process import Missing
from tests.servers.pureftpd import Pureftpd
from tests.servers.ssh import Sshd
from tests.servers.web import Nginx

if TYPE_CHECKING:
    from playwright.sync_api import Browser

settings.register_profile("tests", deadline=None)  # beside other tests, an example may wait for a processor
settings.load_profile("tests")

AnyServer = TypeVar("AnyServer")
AXE = CHECKOUT / "tests" / "script/node_modules/axe-core/axe.min.js"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Where CI=true every test must run, but for those that compare with bodies not everybody has."""
    report = yield
    optional = "recorded_bodies" in getattr(item, "fixturenames", ()) and not RECORDED.is_dir()
    if report.skipped and os.environ.get("CI") == "true" and not optional:
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI does not allow: {report.longrepr}"
    return report


SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)
REAL = {
    "vsftpd",
    "proftpd",
    "proftpd_tls",
    "pureftpd",
    "sshd",
    "nginx",
    "postgresql",
    "apache",
    "cron",
    "clock",
    "browser",
    "engine",
    "small_disk",
    "start",
}
OTHER_LAYERS = ("real", "process", "server", "slow")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by its layer.

    `real` by its fixtures, `server` where its module has a server of tests/servers, `unit` where it has no
    mark of another layer.
    """
    for item in items:
        if REAL & set(getattr(item, "fixturenames", ())):
            item.add_marker("real")
        elif isinstance(item, pytest.Function) and _has_server(item.module):
            item.add_marker("server")
        if not any(item.get_closest_marker(layer) for layer in OTHER_LAYERS):
            item.add_marker("unit")


@cache
def _has_server(module: ModuleType) -> bool:
    """Whether a module has a server of tests/servers, each of which is a context manager."""
    return any(
        getattr(value, "__module__", "").startswith("tests.servers.") and hasattr(value, "__enter__")
        for value in vars(module).values()
    )


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Most tests wait for a server or a process: two workers a processor keep it busy."""
    return 2 * (os.cpu_count() or 1)


def pytest_collection_finish() -> None:
    """Spare the garbage collector the thousands of collected tests, which stay until the end."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _layer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hold a unit test to its layer: it starts no process and no server."""
    if request.node.get_closest_marker("unit"):
        monkeypatch.setattr(subprocess.Popen, "__init__", _refuse_process)
        monkeypatch.setattr(socket, "socket", _NoServer)


class _NoServer(socket.socket):
    def listen(self, *_: object) -> None:
        pytest.fail("a unit test starts a server: mark it with @pytest.mark.server")


def _refuse_process(*_: object, **__: object) -> None:
    pytest.fail("a unit test starts a process: mark it with @pytest.mark.process")


@pytest.fixture(autouse=True)
def _pace(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the pause between two requests to one site, but for the tests that prove it."""
    if not request.node.get_closest_marker("paced"):
        monkeypatch.setattr(rate_limit, "SECONDS_BETWEEN_REQUESTS", 0.0)


@pytest.fixture(scope="session", autouse=True)
def _compiled_templates() -> Iterator[None]:
    """Compile each template once: each test has a new state directory, for which it would be compiled anew."""
    compile_anew = Environment.compile
    compiled: dict[tuple[str, str | None, str | None], bytes] = {}

    def compile_(
        self: Environment, source: str, name: str | None = None, filename: str | None = None
    ) -> CodeType:
        key = (source, name, filename)
        if key not in compiled:
            compiled[key] = dumps(compile_anew(self, source, name, filename))
        # A new object each time: what is written of a code object depends on who else refers to it.
        code: CodeType = loads(compiled[key])
        return code

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Environment, "compile", compile_)
        yield


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name a long or unprintable body by its size: workers collect the tests apart, and must name them alike."""
    long = isinstance(val, bytes | str) and (len(val) > 60 or "\\x" in ascii(val))
    return f"{len(val)} {type(val).__name__}" if long else None


def started(make: Callable[[], AnyServer]) -> AnyServer:
    """Start a server, or skip the test that needs it, saying how to get it."""
    try:
        return make()
    except Missing as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def recorded_bodies() -> Path:
    """The folder of further recorded bodies, beside the checkout; tests go without where it is missing."""
    if not RECORDED.is_dir():
        pytest.skip("no further recorded bodies beside the checkout")
    return RECORDED


@pytest.fixture(autouse=True)
def _process_settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Undo what a command changes in its process, which in the tests is not its own: garbage, signals."""
    monkeypatch.setattr(gc, "freeze", lambda: None)  # it would keep the garbage of all tests before
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    gc.enable()
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate for 127.0.0.1 and localhost."""
    return certificates.make(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def vsftpd(tmp_path: Path) -> Iterator[Vsftpd]:
    """vsftpd without TLS: url(path), root, user, password."""
    with started(lambda: Vsftpd(tmp_path / "vsftpd")) as server:
        yield server


@pytest.fixture
def proftpd(tmp_path: Path) -> Iterator[Proftpd]:
    """proftpd without TLS: url(path), root, user, password."""
    with started(lambda: Proftpd(tmp_path / "proftpd")) as server:
        yield server


@pytest.fixture
def proftpd_tls(tmp_path: Path, certificate: Certificate) -> Iterator[Proftpd]:
    """proftpd with TLS: also ca_file."""
    with started(lambda: Proftpd(tmp_path / "proftpd_tls", certificate)) as server:
        yield server


@pytest.fixture
def pureftpd(tmp_path: Path) -> Iterator[Pureftpd]:
    """pure-ftpd without TLS: url(path), root, user, password."""
    with started(lambda: Pureftpd(tmp_path / "pureftpd")) as server:
        yield server


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    """OpenSSH: url(path), root, user, identity_file, known_hosts_file."""
    with started(lambda: Sshd(tmp_path / "sshd")) as server:
        yield server


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[Nginx]:
    """nginx with the shipped snippet: url(path), root."""
    with started(lambda: Nginx(tmp_path / "nginx")) as server:
        yield server


@pytest.fixture
def apache(tmp_path: Path) -> Iterator[Apache]:
    """Apache with the shipped .htaccess in `pages`: url(path), root."""
    with started(lambda: Apache(tmp_path / "apache")) as server:
        yield server


@pytest.fixture
def cron(tmp_path: Path) -> Iterator[Cron]:
    """A cron daemon, not yet running: run(crontab)."""
    with started(lambda: Cron(tmp_path / "cron")) as server:
        yield server


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Start a server of a kind with options of its own: start(Pureftpd, autorename=True)."""
    numbers = itertools.count()
    with ExitStack() as stack:

        def begin(kind: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
            folder = tmp_path / f"server-{next(numbers)}"
            return stack.enter_context(started(lambda: kind(folder, *arguments, **options)))

        yield begin


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[Path, int], SmallDisk]]:
    """Make a folder a disk with room for so many KiB: small_disk(server.root, 128). Root only."""
    with ExitStack() as stack:
        yield lambda folder, room_kib: stack.enter_context(started(lambda: SmallDisk(folder, room_kib)))


@pytest.fixture
def silent_dns(tmp_path: Path) -> Iterator[SilentDns]:
    """Name servers that never answer: command(*words), environment()."""
    with SilentDns(tmp_path / "silent_dns") as dns:
        yield dns


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    """Another time for commands: set(time), environment()."""
    return started(lambda: Clock(tmp_path / "clock"))


@pytest.fixture(scope="session")
def axe() -> Path:
    """axe-core, the accessibility checker, as a script to run in a page."""
    if not AXE.is_file():
        pytest.skip(
            "axe-core is not here: install Node.js and npm (Debian: apt-get install nodejs npm), then make test"
        )
    return AXE


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The machine's own Chromium."""
    with ExitStack() as stack:
        yield started(lambda: stack.enter_context(_chromium()))


def _chromium() -> AbstractContextManager[Browser]:
    # Playwright is not among the lowest versions' tests, which need no browser.
    from tests.servers.chromium import chromium

    return chromium()
