"""Requests to the exchange: polite, within the time limit, and with a clear error after a refusal."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from heatmap.errors import (
    ConfigError,
    SourceBlocked,
    SourceEmpty,
    SourceError,
    SourceImpossible,
    SourceNonsense,
    SourceOverloaded,
    SourceRenamed,
    SourceReshaped,
)
from heatmap.sources.nse.live import Nse
from tests.servers.exchange import ALTERNATIVES, TODAY, Exchange, moved

INDIA = timezone(timedelta(hours=5, minutes=30))
NOW = datetime(2026, 9, 18, 11, 0, tzinfo=INDIA)
PAGE = "/market-data/live-equity-market"


def test_fetch() -> None:
    """A page first for its cookies, then the present endpoint with the index encoded, like a browser."""
    with Exchange(now=NOW) as exchange:
        snapshot = Nse(base_url=exchange.url).fetch(now=NOW)
        seen = exchange.seen

    assert [path for path, _ in seen] == [
        PAGE,
        f"{TODAY}?functionName=getIndicesData&symbol=SECURITIES%20IN%20F%26O",
    ]
    assert "nsit=1" in seen[1][1]["Cookie"]
    assert seen[1][1]["Referer"] == exchange.url + PAGE
    assert all(headers["User-Agent"].startswith("Mozilla/5.0") for _, headers in seen)
    assert (snapshot.source, snapshot.as_of, snapshot.is_open) == ("nse", NOW, True)
    assert (len(snapshot.quotes), snapshot.dropped) == (210, 0)
    assert (snapshot.quotes[0].symbol, snapshot.quotes[0].last_price) == ("HDFCLIFE", 557.0)


def test_nothing_is_kept_without_a_folder() -> None:
    """Each fetch visits the page anew."""
    with Exchange(now=NOW) as exchange:
        source = Nse(base_url=exchange.url)
        source.fetch(now=NOW)
        source.fetch(now=NOW)
    assert exchange.paths == [PAGE, TODAY, PAGE, TODAY]
    assert [("Cookie" in headers) for _, headers in exchange.seen] == [False, True, False, True]


def test_cookies_are_kept(tmp_path: Path) -> None:
    """With the cookies of the last fetch no visit of the page is needed: a fetch is one request."""
    with Exchange(now=NOW) as exchange:
        source = Nse(base_url=exchange.url)
        first = source.fetch(now=NOW, folder=tmp_path / "sources/nse-fno-1")
        second = source.fetch(now=NOW, folder=tmp_path / "sources/nse-fno-1")
    assert first == second
    assert exchange.paths == [PAGE, TODAY, TODAY]
    file = tmp_path / "sources/nse-fno-1/cookies.json"
    assert 0o600 == file.stat().st_mode & 0o777


@pytest.mark.parametrize("fault", ["401", "403", "hang", "reset", "html", "404", "redirect loop"])
def test_stale_cookies(tmp_path: Path, fault: str) -> None:
    """After a failure with saved cookies a request follows with new ones, which are saved instead."""
    with Exchange(now=NOW, stale_fault=fault) as exchange:
        source = Nse(base_url=exchange.url, read_timeout_seconds=1, fetch_timeout_seconds=10)
        source.fetch(now=NOW, folder=tmp_path)
        exchange.cookie = "nsit=2"
        assert 210 == len(source.fetch(now=NOW, folder=tmp_path).quotes)
        assert [PAGE, TODAY] == exchange.paths[-2:]
        asked = len(exchange.paths)
        source.fetch(now=NOW, folder=tmp_path)
        assert [TODAY] == exchange.paths[asked:]


def test_stale_cookies_leave_time(tmp_path: Path) -> None:
    """If a connection hangs with expired cookies, there is time for one without."""
    with Exchange(now=NOW, stale_fault="header drip") as exchange:
        source = Nse(base_url=exchange.url, fetch_timeout_seconds=5)
        source.fetch(now=NOW, folder=tmp_path)
        exchange.cookie = "nsit=2"
        assert 210 == len(source.fetch(now=NOW, folder=tmp_path).quotes)


@pytest.mark.parametrize(("fault", "visits"), [("401", 2), ("403", 2), ("421", 1), ("html", 1), ("404", 1)])
def test_one_visit_more_after_a_refusal(tmp_path: Path, fault: str, visits: int) -> None:
    """After 401 and 403 the page is visited once more, and no cookie is saved."""
    with Exchange(now=NOW, fault=fault) as exchange, pytest.raises(SourceError):
        Nse(base_url=exchange.url).fetch(now=NOW, folder=tmp_path)
    assert visits == exchange.paths.count(PAGE)
    assert [PAGE, TODAY] * visits + [*ALTERNATIVES] == exchange.paths
    assert [] == [*tmp_path.iterdir()]


def test_a_visit_more_lets_in() -> None:
    """A useless cookie is replaced by a useful one."""
    with Exchange(now=NOW) as exchange:
        exchange.cookies_refused = 1
        assert 210 == len(Nse(base_url=exchange.url).fetch(now=NOW).quotes)
    assert exchange.paths == [PAGE, TODAY, PAGE, TODAY]


def test_other_quotes_at_the_next_tick() -> None:
    """No status is saved: the exchange's next answer counts."""
    with Exchange(now=NOW) as exchange:
        source = Nse(base_url=exchange.url)
        before = source.fetch(now=NOW)
        exchange.rows = moved(exchange.rows, {"HDFCLIFE": -9.0})
        after = source.fetch(now=NOW)
    assert before.quotes[0].symbol == "HDFCLIFE"
    assert (after.quotes[-1].symbol, after.quotes[-1].percent_change) == ("HDFCLIFE", -9.0)
    assert after.quotes[-1].last_price == pytest.approx(530.2 * 0.91, abs=0.005)


def test_page_that_fails_is_not_fatal() -> None:
    """If figures come without the page's cookies, the page's failure does no harm."""
    with Exchange(now=NOW) as exchange:
        exchange.faults["market-data"] = "404"
        exchange.faults["marketWatchApi"] = "another day"
        assert len(Nse(base_url=exchange.url).fetch(now=NOW).quotes) == 210


def test_alternatives_in_order() -> None:
    """If the present endpoint is gone, the others are requested in turn; the first good answer counts."""
    with Exchange(now=NOW) as exchange:
        exchange.alternatives = True
        exchange.faults = {"marketWatchApi": "404", "equity-stockIndex": "no data"}
        assert len(Nse(base_url=exchange.url).fetch(now=NOW).quotes) == 210
    assert exchange.paths == [PAGE, TODAY, *ALTERNATIVES]


@pytest.mark.parametrize(
    ("faults", "kind", "exit_code"),
    [
        ({"api": "404"}, SourceRenamed, 65),
        ({"api": "403"}, SourceBlocked, 75),
        ({"api": "html"}, SourceBlocked, 75),
        ({"marketWatchApi": "404", "equity-stockIndex": "403"}, SourceBlocked, 75),
        ({"marketWatchApi": "403"}, SourceBlocked, 75),
        ({"marketWatchApi": "500"}, SourceOverloaded, 75),
        ({"marketWatchApi": "short body"}, SourceError, 75),
        ({"marketWatchApi": "truncated JSON"}, SourceReshaped, 65),
        ({"marketWatchApi": "no data"}, SourceEmpty, 65),
        ({"marketWatchApi": "404", "equity-stockIndex": "no data"}, SourceEmpty, 65),
        ({"marketWatchApi": "gzip bomb"}, SourceNonsense, 65),
        ({"market-data": "403", "api": "404"}, SourceRenamed, 65),
    ],
    ids=str,
)
def test_most_telling_error(faults: dict[str, str], kind: type[SourceError], exit_code: int) -> None:
    """A block precedes a temporary error, that precedes nonsense, and that a missing name; one line has all."""
    with Exchange(now=NOW) as exchange:
        exchange.faults = faults
        with pytest.raises(SourceError) as caught:
            Nse(base_url=exchange.url).fetch(now=NOW)
    assert type(caught.value) is kind
    assert caught.value.exit_code == exit_code
    assert "\n" not in str(caught.value)
    assert "marketWatchApi" in str(caught.value)
    assert "equity-stock-indices" in str(caught.value)


@pytest.mark.parametrize(
    ("fault", "words", "wish"),
    [
        ("429", "120 seconds", 120),
        ("429 for 6 hours", "21,600 seconds", 21_600),
        ("503", "60 seconds", 60),
        ("429 for good", "answered 429", None),
    ],
)
def test_told_to_wait(fault: str, words: str, wish: float | None) -> None:
    """After a request to wait there are no more requests; sentence and error have the time to wait."""
    with Exchange(now=NOW, fault=fault) as exchange:
        with pytest.raises(SourceOverloaded, match=words) as caught:
            Nse(base_url=exchange.url).fetch(now=NOW)
    assert exchange.paths == [PAGE, TODAY]
    assert caught.value.retry_after_seconds == wish


def test_page_that_asks_to_be_left_alone() -> None:
    """A 429 of the page counts as well."""
    with Exchange(now=NOW) as exchange:
        exchange.faults["market-data"] = "429"
        with pytest.raises(SourceOverloaded):
            Nse(base_url=exchange.url).fetch(now=NOW)
    assert exchange.paths == [PAGE]


@pytest.mark.parametrize("fault", ["hang", "header drip", "body drip"])
def test_whole_fetch_is_limited(fault: str) -> None:
    """However slow the exchange is, on the page too, the fetch ends in its time, and is reported as blocked."""
    with Exchange(now=NOW, fault=fault) as exchange:
        exchange.faults["market-data"] = "hang"
        started = time.monotonic()
        with pytest.raises(SourceBlocked):
            Nse(base_url=exchange.url, fetch_timeout_seconds=1.5).fetch(now=NOW)
        assert time.monotonic() - started < 6


def test_page_that_hangs_leaves_time_for_the_figures() -> None:
    """The page may use only a part of the time."""
    with Exchange(now=NOW) as exchange:
        exchange.faults = {"market-data": "hang", "marketWatchApi": "another day"}
        source = Nse(base_url=exchange.url, fetch_timeout_seconds=3)
        assert len(source.fetch(now=NOW).quotes) == 210


@pytest.mark.serial
@pytest.mark.paced
def test_three_requests_a_second() -> None:
    """Four requests, if all fail, take at least a second."""
    with Exchange(now=NOW, fault="404") as exchange:
        started = time.monotonic()
        with pytest.raises(SourceRenamed):
            Nse(base_url=exchange.url).fetch(now=NOW)
        assert time.monotonic() - started >= 1.0
    assert len(exchange.seen) == 4


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"index": " "}, "index"),
        ({"index": "a\nb"}, "index"),
        ({"base_url": "http://www.nseindia.com"}, "base_url"),
        ({"base_url": "https://me:pw@relay.example"}, "base_url"),
        ({"base_url": "https://relay.example/?a=1"}, "base_url"),
        ({"base_url": "https://[::1"}, "base_url"),
        ({"base_url": "ftp://relay.example"}, "base_url"),
        ({"base_url": ""}, "base_url"),
        ({"fetch_timeout_seconds": 0}, "fetch_timeout_seconds"),
        ({"read_timeout_seconds": float("nan")}, "read_timeout_seconds"),
        ({"connect_timeout_seconds": 301}, "connect_timeout_seconds"),
        ({"impersonate": "lynx"}, "impersonate must be one of chrome, firefox, safari"),
        ({"proxy": "proxy.example:3128"}, "proxy must be an address"),
        ({"proxy": "socks4://proxy.example"}, "begin with one of http://, https://, socks5h://"),
        ({"proxy": "http://proxy.example/path"}, "proxy must be an address"),
        ({"proxy": "http://[::1"}, "proxy must be an address"),
        ({"proxy": "http://me:pw@proxy.example:3128"}, "proxy must not contain a password"),
        ({"proxy": "http://proxy.example:3128", "proxy_password_env": "X"}, "proxy must name the user"),
        ({"proxy_password_env": "X"}, "need a proxy"),
    ],
)
def test_configuration(table: dict[str, object], words: str) -> None:
    """Impossible values are named, and nothing secret is repeated."""
    with pytest.raises(ConfigError, match=words) as caught:
        Nse(**table)  # type: ignore[arg-type]  # wrong on purpose
    assert "pw" not in str(caught.value)


def test_relay() -> None:
    """A private relay may have a path; a test may use this machine without TLS."""
    Nse(base_url="https://relay.example:8443/nse/")
    Nse(base_url="http://localhost:1234")
    Nse(base_url="http://[::1]:1234")


def test_secret_of_the_proxy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The password comes from the configured place, encoded for a URL; without it there is no request."""
    source = Nse(proxy="http://me%40home@proxy.example:3128", proxy_password_env="PROXY_SECRET")
    with pytest.raises(
        SourceImpossible, match="PROXY_SECRET, which proxy_password_env names, is not set"
    ) as caught:
        source.fetch(now=NOW)
    assert caught.value.exit_code == 78
    monkeypatch.setenv("PROXY_SECRET", "p:w/@")
    assert source._proxy_with_login() == "http://me%40home:p%3Aw%2F%40@proxy.example:3128"
    (tmp_path / "secret").write_text("filed\n")
    (tmp_path / "secret").chmod(0o600)
    filed = Nse(proxy="socks5h://me@proxy.example", proxy_password_file=tmp_path / "secret")
    assert filed._proxy_with_login() == "socks5h://me:filed@proxy.example"
