"""A login that the configuration does not name is sent to nobody: ~/.netrc belongs to other programs."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from heatmap.cli.visitors import Visitor
from heatmap.errors import SourceError
from heatmap.notify.alerts import webhooks
from heatmap.notify.monitoring import ping
from heatmap.publishers.s3.publisher import S3Publisher
from heatmap.sources.nse.live import Nse
from heatmap.sources.snapshot_file import SnapshotFile
from heatmap.system.deadline import Deadline
from heatmap.system.http.client import Client, FetchBudget
from heatmap.system.web_file import WebFile
from tests.servers.exchange import Exchange
from tests.servers.forward import HttpProxy
from tests.servers.hooks import Hooks
from tests.servers.scripted_s3 import ScriptedS3
from tests.system.http.conftest import Serving

NOW = datetime(2026, 9, 18, 11, 0, tzinfo=timezone(timedelta(hours=5, minutes=30)))
SENT = ("authorization", "proxy-authorization", "cookie")


@pytest.fixture(autouse=True, params=["machine 127.0.0.1", "default"])
def netrc(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ~/.netrc with a login of that host, or of every host."""
    file = tmp_path / ".netrc"
    file.write_text(f"{request.param} login me password canary\n", "utf-8")
    file.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("NETRC", raising=False)


class Listening:
    """Answers every request, and keeps what could carry a login."""

    def __init__(self) -> None:
        self.logins: list[str] = []
        self.calls = 0

    def __call__(self, handler: BaseHTTPRequestHandler) -> None:
        """Response 200."""
        self.calls += 1
        self.logins += [value for name, value in handler.headers.items() if name.lower() in SENT]
        handler.send_response(200)
        handler.send_header("Content-Length", "4")
        handler.end_headers()
        handler.wfile.write(b"well")


def test_a_source(
    serving: Serving, likeness: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By either library, also where NETRC names the file."""
    listening = Listening()
    with serving(listening) as url:
        with Client(impersonate=likeness) as client:
            client.get(url, FetchBudget(10, 0))
        monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
        with Client(impersonate=likeness) as client:
            client.get(url, FetchBudget(10, 0))
        with pytest.raises(SourceError):
            SnapshotFile(url=f"{url}/snapshot.json", impersonate=likeness).fetch(now=NOW)
        Visitor(f"{url}/").visit("x", b"well")

    assert (4, []) == (listening.calls, listening.logins)


def test_the_exchange(likeness: str | None) -> None:
    """None of its requests carries one; its own cookies go on to be sent."""
    with Exchange(now=NOW) as exchange:
        Nse(base_url=exchange.url, impersonate=likeness).fetch(now=NOW)

        headers = [{name.lower() for name in sent} for _, sent in exchange.seen]
    assert headers
    assert not [each for each in headers if "authorization" in each]


def test_a_proxy(serving: Serving, likeness: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment's proxy has the login of its own address, and the server behind it none."""
    listening = Listening()
    with serving(listening) as url, HttpProxy(login="me:own") as proxy:
        monkeypatch.setenv("http_proxy", f"http://me:own@127.0.0.1:{proxy.port}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        with Client(impersonate=likeness) as client:
            client.get(url, FetchBudget(10, 0))

    assert 1 == len(proxy.asked)
    assert (1, []) == (listening.calls, [login for login in listening.logins if login != "Basic bWU6b3du"])


def test_pings_and_web_hooks() -> None:
    """A login in such an address is sent, and no other."""
    with Hooks() as hooks:
        assert ping.send(f"{hooks.url}/x", ping.START) is None
        assert ping.send(f"{hooks.url}/x", ping.FAIL, b"exit 70") is None
        assert webhooks.deliver(f"{hooks.url}/x", b"{}", 5) is None
        assert ping.send(hooks.url.replace("//", "//own:p%40ss@") + "/x", ping.SUCCESS) is None

        assert [None, None, None, "Basic b3duOnBAc3M="] == [
            call.headers.get("Authorization") for call in hooks.calls
        ]


@pytest.mark.real  # for its library is an extra
def test_a_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request to a store is signed, and carries nothing else."""
    pytest.importorskip("requests_aws4auth", reason="it is not here: pip install 'market-heatmap[s3]'")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with ScriptedS3() as store:
        target = S3Publisher("s3://pages/web", endpoint_url=store.url, access_key_id="AKIA")
        target.publish([WebFile("index.html", b"x")], Deadline(10))

        assert store.requests
        assert {"AWS4-HMAC-SHA256"} == {login.split()[0] for login in store.logins}
