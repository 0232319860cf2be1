"""Getting through to the exchange: politely, in time, and with a clear word where it refuses."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone

import pytest

from heatmap.errors import (
    ConfigError,
    SourceBlocked,
    SourceError,
    SourceNonsense,
    SourceOverloaded,
    SourceRenamed,
)
from heatmap.sources.nse import Nse
from tests.servers.exchange import ALTERNATIVES, TODAY, Exchange, moved

INDIA = timezone(timedelta(hours=5, minutes=30))
NOW = datetime(2026, 9, 18, 11, 0, tzinfo=INDIA)
PAGE = "/market-data/live-equity-market"


def test_fetch() -> None:
    """A page first for its cookies, then today's endpoint with the index encoded, as a browser would."""
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


def test_each_fetch_has_cookies_of_its_own() -> None:
    """Stale cookies make connections fail, so none is kept."""
    with Exchange(now=NOW) as exchange:
        source = Nse(base_url=exchange.url)
        source.fetch(now=NOW)
        source.fetch(now=NOW)
    assert [("Cookie" in headers) for _, headers in exchange.seen] == [False, True, False, True]


def test_other_quotes_at_the_next_tick() -> None:
    """Nothing is remembered: what the exchange says next is what counts."""
    with Exchange(now=NOW) as exchange:
        source = Nse(base_url=exchange.url)
        before = source.fetch(now=NOW)
        exchange.rows = moved(exchange.rows, {"HDFCLIFE": -9.0})
        after = source.fetch(now=NOW)
    assert before.quotes[0].symbol == "HDFCLIFE"
    assert (after.quotes[-1].symbol, after.quotes[-1].percent_change) == ("HDFCLIFE", -9.0)
    assert after.quotes[-1].last_price == pytest.approx(530.2 * 0.91, abs=0.005)


def test_page_that_fails_is_not_fatal() -> None:
    """Where figures come without the page's cookies, its failure costs nothing."""
    with Exchange(now=NOW) as exchange:
        exchange.faults["market-data"] = "404"
        exchange.faults["marketWatchApi"] = "another day"
        assert len(Nse(base_url=exchange.url).fetch(now=NOW).quotes) == 210


def test_alternatives_in_order() -> None:
    """Where today's endpoint is gone, the alternatives are asked in turn; the first good answer counts."""
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
        ({"marketWatchApi": "500"}, SourceError, 75),
        ({"marketWatchApi": "truncated JSON"}, SourceNonsense, 65),
        ({"marketWatchApi": "no data"}, SourceNonsense, 65),
        ({"market-data": "403", "api": "404"}, SourceRenamed, 65),
    ],
    ids=str,
)
def test_most_telling_error(faults: dict[str, str], kind: type[SourceError], exit_code: int) -> None:
    """A block outranks trouble, trouble nonsense, and nonsense a name that is gone; one line tells it all."""
    with Exchange(now=NOW) as exchange:
        exchange.faults = faults
        with pytest.raises(SourceError) as caught:
            Nse(base_url=exchange.url).fetch(now=NOW)
    assert type(caught.value) is kind
    assert caught.value.exit_code == exit_code
    assert "\n" not in str(caught.value)
    assert "marketWatchApi" in str(caught.value)
    assert "equity-stock-indices" in str(caught.value)


def test_told_to_wait() -> None:
    """After a 429 nothing more is asked, and the sentence says how long to wait."""
    with Exchange(now=NOW, fault="429") as exchange:
        with pytest.raises(SourceOverloaded, match="120 seconds"):
            Nse(base_url=exchange.url).fetch(now=NOW)
    assert exchange.paths == [PAGE, TODAY]


@pytest.mark.parametrize("fault", ["hang", "header drip", "body drip"])
def test_whole_fetch_is_limited(fault: str) -> None:
    """However the exchange dawdles, on the page too, the fetch ends in its time, and is called blocked."""
    with Exchange(now=NOW, fault=fault) as exchange:
        exchange.faults["market-data"] = "hang"
        started = time.monotonic()
        with pytest.raises(SourceBlocked):
            Nse(base_url=exchange.url, fetch_timeout_seconds=1.5).fetch(now=NOW)
        assert time.monotonic() - started < 6


def test_page_that_hangs_leaves_time_for_the_figures() -> None:
    """The page may use but a part of the time."""
    with Exchange(now=NOW) as exchange:
        exchange.faults = {"market-data": "hang", "marketWatchApi": "another day"}
        source = Nse(base_url=exchange.url, fetch_timeout_seconds=3)
        assert len(source.fetch(now=NOW).quotes) == 210


def test_three_requests_a_second() -> None:
    """Four requests, as where all fail, take at least a second."""
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
    ],
)
def test_configuration(table: dict[str, object], words: str) -> None:
    """Values that cannot be are named, and nothing secret is repeated."""
    with pytest.raises(ConfigError, match=words) as caught:
        Nse(**table)  # type: ignore[arg-type]  # wrong on purpose
    assert "pw" not in str(caught.value)


def test_relay() -> None:
    """A relay of one's own may have a path; a test may be on this machine without TLS."""
    Nse(base_url="https://relay.example:8443/nse/")
    Nse(base_url="http://localhost:1234")
    Nse(base_url="http://[::1]:1234")
