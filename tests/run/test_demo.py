"""The recorded day: once into a folder, and live."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from threading import Event, Thread
from urllib.request import urlopen

import pytest

from heatmap import cli
from heatmap.config.loader import Config
from heatmap.errors import UsageError
from heatmap.publishers.ownership import SAMPLE
from heatmap.run import demo


def breadth(site: Path) -> dict[str, int]:
    """The breadth of the page published into `site`."""
    document = json.loads((site / "nse-fno" / "snapshot.json").read_text("utf-8"))
    return dict(document["breadth"])


def test_once_writes_the_days_final_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All 210 real closing figures, labelled as a recording, and the way on from there; twice in a row."""
    monkeypatch.chdir(tmp_path)

    assert [0, 0] == [cli.main(["demo", "--once"]), cli.main(["demo", "--once"])]
    out = capsys.readouterr().out
    page = (tmp_path / "site" / "index.html").read_text("utf-8")
    assert {"advances": 162, "declines": 48, "unchanged": 0} == breadth(tmp_path / "site")
    assert 210 == page.count("data-percent-change=")
    quotes = json.loads((tmp_path / "site/nse-fno/snapshot.json").read_text("utf-8"))["quotes"]
    kotak = next(quote for quote in quotes if quote["symbol"] == "KOTAKBANK")
    # -79.4 % of a price of 2,022, where the year's high was 453: a split, which the source does not count.
    assert {"percent": None, "since": "2025-09-16"} == kotak["changes"]["1y"]
    assert 9 == sum("1y" in quote.get("doubts", {}) for quote in quotes)
    assert "recording" in page.lower()
    assert (tmp_path / "site" / "index.html").as_uri() in out
    assert ["site"] == [path.name for path in tmp_path.iterdir()]


def test_a_live_page_is_not_overwritten(tmp_path: Path) -> None:
    """A page that is not a recording stays, unless the user insists."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "index.html").write_text("live figures")

    with pytest.raises(UsageError, match="is not a recording"):
        demo.once(site, overwrite=False)
    assert "live figures" == (site / "index.html").read_text()
    demo.once(site, overwrite=True)
    assert b'<meta name="heatmap-recording"' in (site / "index.html").read_bytes()


@pytest.mark.parametrize("page", ["index.html", "nse-fno/index.html"])
def test_a_page_of_somebody_else_is_not_overwritten(tmp_path: Path, page: str) -> None:
    """Nor a live page of ours, nor one in the market's folder; nothing is put beside it."""
    for content in ("<h1>My blog</h1>", SAMPLE.decode()):
        site = tmp_path / "site"
        (site / page).parent.mkdir(parents=True, exist_ok=True)
        (site / page).write_text(content)
        with pytest.raises(UsageError, match=f"{page} is not a recording.*--force"):
            demo.once(site, overwrite=False)

        assert [page] == [str(path.relative_to(site)) for path in site.rglob("*") if path.is_file()]


def test_once_writes_into_a_folder_that_is_to_be_made(tmp_path: Path) -> None:
    """With those above it, for it was named on the command line, and whatever signs are in its name."""
    assert demo.once(tmp_path / "a?b" / "100%20", overwrite=False).is_file()


def test_moments_are_those_of_the_guard(tmp_path: Path) -> None:
    """Every five minutes of continuous trading and of the auction, then the final one."""
    moments = list(demo.moments(demo.settings(tmp_path / "site", tmp_path / "state", 3)))

    assert ["09:15", "15:10", "15:30", "16:01"] == [f"{moments[n]:%H:%M}" for n in (0, 71, 75, -1)]
    assert 77 == len(moments)


@pytest.mark.slow
def test_live_serves_the_blog_and_the_days_moments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The blog embeds the page, the page changes with each moment, and the day ends with the real close.

    Every twelfth moment and the last four are enough here: `test_moments_are_those_of_the_guard` has all.
    """
    all_moments = demo.moments

    def few_moments(config: Config) -> Iterator[datetime]:
        moments = list(all_moments(config))
        yield from [*moments[:-4:12], *moments[-4:]]

    monkeypatch.setattr(demo, "moments", few_moments)
    said: list[str] = []
    seen: list[tuple[str, str]] = []
    stop = Event()
    addresses: list[str] = []

    def say(sentence: str) -> None:
        said.append(sentence)
        found = re.search(r"http://\S+", sentence)
        if found:
            addresses.append(found[0])
        if re.fullmatch(r"  \d\d:\d\d", sentence):
            with urlopen(addresses[1] + "snapshot.json", timeout=10) as answer:  # noqa: S310 -- loopback
                document = json.load(answer)
                seen.append((document["as_of"][11:16], document["session"]["phase"]))
                assert "*" == answer.headers["Access-Control-Allow-Origin"]
        if len(seen) == 1 and len(addresses) == 2:
            with urlopen(addresses[0], timeout=10) as answer:  # noqa: S310 -- loopback
                assert b"<iframe" in answer.read()

    runner = Thread(
        target=demo.live, kwargs={"port": 0, "seconds": 0.001, "days": 1, "say": say, "stop": stop}
    )
    runner.start()
    runner.join(120)

    assert not runner.is_alive()
    assert [("09:15", "open"), ("15:20", "auction"), ("16:00", "final")] == [seen[0], seen[-4], seen[-1]]
    assert len({time for time, _ in seen}) == len(seen) == 11
    assert said[0].startswith("The sample blog")


@pytest.mark.server
def test_a_taken_port_is_one_sentence(tmp_path: Path) -> None:
    """Another program on the port: choose another."""
    from socket import socket

    with socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UsageError, match="choose another with --port"):
            demo.live(port=taken.getsockname()[1], seconds=1, days=1, say=print, stop=Event())
