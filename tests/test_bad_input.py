"""Everything a source can answer wrongly, met by the whole program: a sentence, a code, and the old page."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import pytest

from heatmap import cli
from tests.servers.exchange import Exchange
from tests.servers.exchange_faults import FAULTS

NOW = "2026-09-17T11:00:00+05:30"
NEXT = "2026-09-17T11:05:00+05:30"

# fault of the exchange → exit code, words of the sentence
REFUSALS = {
    "html": (75, "blocked"),
    "401": (75, "blocked"),
    "403": (75, "blocked"),
    "404": (65, "renamed"),
    "421": (75, "blocked"),
    "429": (75, "120"),
    "429 for 6 hours": (75, "21,600 seconds"),
    "500": (75, "500"),
    "503": (75, "503"),
    "redirect loop": (75, "redirect"),
    "redirect away": (75, "another site"),
    "redirect to ftp": (75, "another site"),
    "redirect with bomb": (75, "another site"),
    "reset": (75, "cannot be reached"),
    "no HTTP": (65, "no HTTP"),
    "300 headers": (65, "too many headers"),
    "hang": (75, "blocked"),
    "header drip": (75, ""),
    "body drip": (75, ""),
    "short body": (75, "broke off"),
    "chunk cut": (75, "broke off"),
    "truncated JSON": (65, "JSON"),
    "not JSON": (65, "JSON"),
    "empty": (65, ""),
    "oversized": (65, "more than 4,194,304 bytes"),
    "gzip bomb": (65, "unpacks to more than 4,194,304 bytes"),
    "double gzip": (65, "UTF-8"),
    "double gzip, named": (65, "not asked for"),
    "deep nesting": (65, "nested"),
    "5,000 digits": (65, "thousands of digits"),
    "duplicate keys": (65, "two values under one name"),
    "lone surrogate": (65, "UTF-8"),
    "NaN": (65, "NaN"),
    "1e999": (65, "1e999"),
    "no data": (65, "no figures at all"),
    "zero rows": (65, "without a single stock"),
    "wrong rows": (65, "unusable rows"),
    "missing fields": (65, "unusable rows"),
    "wrong types": (65, "unusable rows"),
    "booleans": (65, "unusable rows"),
    "words": (65, "unusable rows"),
    "nulls": (65, "unusable rows"),
    "no timestamp": (65, "no readable time"),
    "31 % missing": (65, "65 of the page's 210 instruments are missing"),
    "contradictions": (65, "contradict"),
    "10 minutes old": (65, "older than the page's"),
    "6 minutes ahead": (65, "in the future"),
    "tomorrow": (65, "in the future"),
}


def test_every_fault_is_tried() -> None:
    """Each fault of the stand-in is met by a test here, or a list names the test elsewhere."""
    elsewhere = {"one bad row", "hostile symbols", "control characters", "zero previous close", "another day"}
    elsewhere |= {"one contradiction"}  # tests/market/test_quality.py
    elsewhere |= {"429 for 3 seconds", "429 for good", "redirect to file"}  # tests/system/http/test_client.py
    assert set(FAULTS) == set(REFUSALS) | elsewhere


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, as the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def configure(here: Path, exchange: Exchange) -> None:
    """Point the program at the stand-in, with little patience."""
    (here / "heatmap.toml").write_text(
        f'[[market]]\nname = "nse-fno"\n[market.source]\nbase_url = "{exchange.url}"\n'
        "connect_timeout_seconds = 1\nread_timeout_seconds = 1\nfetch_timeout_seconds = 3\n"
    )


def published(here: Path) -> dict[str, bytes]:
    """Every file of the site."""
    return {
        str(path.relative_to(here)): path.read_bytes()
        for path in (here / "site").rglob("*")
        if path.is_file()
    }


@pytest.mark.slow
@pytest.mark.parametrize("fault", REFUSALS)
def test_a_refused_answer(here: Path, capfd: pytest.CaptureFixture[str], fault: str) -> None:
    """One sentence on stderr and nothing else, the right code, every file untouched; the next run works."""
    code, words = REFUSALS[fault]
    with Exchange(now=datetime.fromisoformat(NOW)) as exchange:
        configure(here, exchange)
        assert 0 == cli.main(["run", "--now", NOW])
        before = published(here)
        exchange.fault = fault

        assert code == cli.main(["run", "--now", NOW])

        out, err = capfd.readouterr()
        assert ("", 1) == (out, err.count("\n")), err
        assert err.startswith("heatmap: nse-fno: ")
        assert words.lower() in err.lower()
        assert "Traceback" not in err
        assert before == published(here)
        exchange.fault, exchange.now = None, datetime.fromisoformat(NEXT)
        assert 0 == cli.main(["run", "--now", NEXT])
        assert before["site/index.html"] != published(here)["site/index.html"]


@pytest.mark.parametrize(
    ("fault", "left_out"),
    [("one bad row", 1), ("hostile symbols", 2), ("control characters", 3), ("zero previous close", 1)],
)
def test_a_bad_row_costs_itself_alone(
    here: Path, capfd: pytest.CaptureFixture[str], fault: str, left_out: int
) -> None:
    """A row without figures, a symbol that is markup or a path: left out and counted, the rest is drawn."""
    with Exchange(now=datetime.fromisoformat(NOW)) as exchange:
        configure(here, exchange)
        exchange.fault = fault

        assert 0 == cli.main(["run", "-v", "--now", NOW])

    assert f", {left_out} rows left out" in capfd.readouterr().out.replace("1 row ", "1 rows ")
    assert 210 - left_out == published(here)["site/index.html"].count(b"data-percent-change=")
    for path, content in published(here).items():
        assert b"<script>alert" not in content or path.endswith((".json", ".csv"))
        assert not re.search(rb"[\0\x01-\x08]|\xe2\x80\xae", content) or path.endswith(".png")


def test_a_row_that_contradicts_itself_costs_itself_alone(
    here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """It is named on a terminal, and the rest is drawn."""
    with Exchange(now=datetime.fromisoformat(NOW)) as exchange:
        configure(here, exchange)
        exchange.fault = "one contradiction"

        assert 0 == cli.main(["run", "-v", "--now", NOW])

    assert "left out, for they contradict themselves: " in capfd.readouterr().out
    assert 209 == published(here)["site/index.html"].count(b"data-percent-change=")


def test_the_same_timestamp_is_no_fault(here: Path) -> None:
    """Figures that have not moved on since the last tick are published again: a failed target may need them."""
    with Exchange(now=datetime.fromisoformat(NOW)) as exchange:
        configure(here, exchange)

        assert [0, 0] == [cli.main(["run", "--now", NOW]), cli.main(["run", "--now", NEXT])]

    assert b'as of <time datetime="2026-09-17T11:00:00+05:30"' in published(here)["site/index.html"]


def test_another_day_is_a_silent_skip(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """On a holiday announced late the exchange answers with the last session's figures: nothing happens."""
    with Exchange(now=datetime.fromisoformat(NOW)) as exchange:
        configure(here, exchange)
        exchange.fault = "another day"

        assert 0 == cli.main(["run", "--now", NOW])

    assert ("", "") == capfd.readouterr()
    assert not (here / "site").exists()


def test_blocked_outranks_renamed(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Today's endpoint refuses and the alternatives are gone: the address is blocked, nothing was renamed."""
    with Exchange(now=datetime.fromisoformat(NOW)) as exchange:
        configure(here, exchange)
        exchange.faults["marketWatchApi"] = "403"

        assert 75 == cli.main(["run", "--now", NOW])

    assert "blocked" in capfd.readouterr().err


def test_an_alternative_endpoint_saves_the_tick(here: Path) -> None:
    """Where today's endpoint is gone and the next one answers, the page is drawn from that."""
    with Exchange(now=datetime.fromisoformat(NOW)) as exchange:
        configure(here, exchange)
        exchange.faults["marketWatchApi"] = "404"
        exchange.alternatives = True

        assert 0 == cli.main(["run", "--now", NOW])

    assert 210 == published(here)["site/index.html"].count(b"data-percent-change=")
