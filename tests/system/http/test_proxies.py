"""Proxies: the configured one and the environment's, with a login and without; names are theirs to look up."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import requests

from heatmap import cli
from heatmap.errors import SourceError, SourceImpossible, SourceUntrusted
from heatmap.sources.nse.live import Nse
from heatmap.sources.snapshot_file import SnapshotFile
from heatmap.system.http.client import Client, FetchBudget
from tests.servers.certificates import Certificate
from tests.servers.exchange import Exchange
from tests.servers.forward import HttpProxy, SocksProxy
from tests.system.http.conftest import Serving

NOW = datetime(2026, 9, 18, 11, 0, tzinfo=timezone(timedelta(hours=5, minutes=30)))
NAME = "quotes.invalid"  # which no name server knows
VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def without_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy of the machine's own."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def well(handler: BaseHTTPRequestHandler) -> None:
    """Response."""
    handler.send_response(200)
    handler.send_header("Content-Length", "4")
    handler.end_headers()
    handler.wfile.write(b"well")


def get(url: str, proxy: str | None, likeness: str | None) -> bytes:
    """Ask once."""
    with Client(proxy=proxy, impersonate=likeness) as asking:
        return asking.get(url, FetchBudget(10, 0)).body


def test_http(serving: Serving, likeness: str | None) -> None:
    """A plain address is asked of the proxy, which looks up its name."""
    with serving(well) as url, HttpProxy(hosts=(NAME,)) as proxy:
        named = url.replace("127.0.0.1", NAME)
        assert b"well" == get(f"{named}/x", f"http://127.0.0.1:{proxy.port}", likeness)
    assert [f"GET {named}/x"] == proxy.asked


def test_https(
    serving: Serving,
    likeness: str | None,
    certificate: Certificate,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """TLS goes through it, from end to end, with a login of its own."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate.ca_file))
    both = tmp_path / "both.pem"
    both.write_bytes(certificate.key.read_bytes() + certificate.certificate.read_bytes())
    with serving(well, both) as url, HttpProxy(login="me:p:w/@") as proxy:
        assert b"well" == get(url, f"http://me:p%3Aw%2F%40@127.0.0.1:{proxy.port}", likeness)
    assert {f"CONNECT {url.removeprefix('https://')}"} == {*proxy.asked}


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_login_refused(likeness: str | None, scheme: str) -> None:
    """Exit code 77, and neither user nor password in the sentence."""
    with HttpProxy(login="me:secret") as proxy:
        with pytest.raises(SourceUntrusted, match="the proxy refuses the login") as caught:
            get(f"{scheme}://127.0.0.1:1/", f"http://me:wrong@127.0.0.1:{proxy.port}", likeness)
    assert 77 == caught.value.exit_code
    assert "wrong" not in str(caught.value)


@pytest.mark.parametrize(
    "proxy", ["http://[::1", "http://me:secret@[::1]x:1", "http://a..b:80", "http://h:99999/"]
)
def test_a_proxy_of_the_environment_that_is_no_address(
    likeness: str | None, proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said so, and the address of the site is not blamed; exit code 78."""
    monkeypatch.setenv("http_proxy", proxy)
    with pytest.raises(SourceImpossible, match="the proxy of the environment") as caught:
        get("http://127.0.0.1:1/", None, likeness)
    assert 78 == caught.value.exit_code
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("port", [4070, 14071, 407])
def test_a_port_like_a_status(likeness: str | None, port: int) -> None:
    """A proxy that is not there refuses no login, whatever its port."""
    with pytest.raises(SourceError, match="cannot be reached") as caught:
        get("http://127.0.0.1:1/407/", f"http://me:secret@127.0.0.1:{port}", likeness)
    assert SourceError is type(caught.value)


def test_proxy_that_is_not_there(serving: Serving, likeness: str | None) -> None:
    """Trouble that may pass; the server itself is not asked behind its back."""
    with serving(well) as url:
        with HttpProxy() as proxy:
            pass
        with pytest.raises(SourceError, match="cannot be reached") as caught:
            get(url, f"http://me:secret@127.0.0.1:{proxy.port}", likeness)
    assert SourceError is type(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.real  # it needs a package that the lowest versions' tests do without
def test_socks(serving: Serving, likeness: str | None) -> None:
    """SOCKS 5 with its own look-up of names."""
    if likeness is None:
        pytest.importorskip("socks", reason="PySocks is not here: pip install market-heatmap[socks]")
    with serving(well) as url, SocksProxy(login="me:secret", hosts=(NAME,)) as proxy:
        named = url.replace("127.0.0.1", NAME)
        assert b"well" == get(f"{named}/x", f"socks5h://me:secret@127.0.0.1:{proxy.port}", likeness)
    assert [f"SOCKS {named.removeprefix('http://')}"] == proxy.asked


def test_socks_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence says what to install; exit code 78."""

    def missing(*_: object, **__: object) -> None:
        raise requests.exceptions.InvalidSchema("Missing dependencies for SOCKS support.")

    monkeypatch.setattr(requests.adapters, "SOCKSProxyManager", missing)
    with pytest.raises(SourceImpossible, match=r"pip install 'market-heatmap\[socks\]'") as caught:
        get("http://127.0.0.1:1/", "socks5h://127.0.0.1:1", None)
    assert 78 == caught.value.exit_code


def test_environment(serving: Serving, likeness: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a configured one, http_proxy and no_proxy hold; with one, they do not."""
    with serving(well) as url, HttpProxy() as environment, HttpProxy() as configured:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{environment.port}")
        assert b"well" == get(url, None, likeness)
        assert (1, 0) == (len(environment.asked), len(configured.asked))
        assert b"well" == get(url, f"http://127.0.0.1:{configured.port}", likeness)
        assert (1, 1) == (len(environment.asked), len(configured.asked))
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert b"well" == get(url, None, likeness)
        assert (1, 1) == (len(environment.asked), len(configured.asked))


def test_sources(likeness: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exchange and another installation are asked through the proxy of their configuration."""
    monkeypatch.setenv("PROXY_SECRET", "s:cret")
    with Exchange(now=NOW) as exchange, HttpProxy(login="me:s:cret") as proxy:
        options = {
            "proxy": f"http://me@127.0.0.1:{proxy.port}",
            "proxy_password_env": "PROXY_SECRET",
            "impersonate": likeness,
        }
        Nse(base_url=exchange.url, **options).fetch(now=NOW)  # type: ignore[arg-type]  # as a table gives them
        assert 2 == len(proxy.asked)
        exchange.cookie = ""
        with pytest.raises(SourceError) as caught:
            SnapshotFile(url=f"{exchange.url}/api/nothing", **options).fetch(now=NOW)  # type: ignore[arg-type]
        assert "cret" not in str(caught.value)
    assert f"GET {exchange.url}/api/nothing" == proxy.asked[-1]


def test_secret_stays_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The whole program, by a proxy with a login, let through and refused: the password is told nowhere."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret").write_text("c4n4ry\n")
    (tmp_path / "secret").chmod(0o600)
    with Exchange(now=NOW) as exchange, HttpProxy(login="me:c4n4ry") as proxy:
        (tmp_path / "heatmap.toml").write_text(
            f'[[market]]\nname = "nse-fno"\n[market.source]\nbase_url = "{exchange.url}"\n'
            f'proxy = "http://me@127.0.0.1:{proxy.port}"\nproxy_password_file = "secret"\n'
        )
        assert 0 == cli.main(["run", "-v", "--now", NOW.isoformat()])
        proxy.login = "me:another"
        assert 77 == cli.main(["run", "-v", "--now", (NOW + timedelta(minutes=5)).isoformat()])
    assert {"GET"} == {asked.partition(" ")[0] for asked in proxy.asked}
    told = capfd.readouterr()
    assert "the proxy refuses the login" in told.err
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.name != "secret"]
    assert len(written) > 10
    assert not [text for text in (told.out.encode(), told.err.encode(), *written) if b"c4n4ry" in text]
