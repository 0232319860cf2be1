"""From the exchange to an iframe on a blog: cron, three servers, a web server and a browser, all real."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from shlex import quote

import pytest
from colour import Color
from playwright.sync_api import Browser, Frame

from tests.checkout import CHECKOUT
from tests.recorded import RECORDED
from tests.servers.crond import Cron
from tests.servers.exchange import Exchange, moved, recorded_rows
from tests.servers.ftp import PASSWORD, Proftpd, Vsftpd
from tests.servers.ssh import Sshd
from tests.servers.web import Nginx

FIRST = datetime.fromisoformat("2026-11-20T11:00:00+05:30")
SECOND = FIRST + timedelta(minutes=5)
CRON_SECONDS = 150  # two of its minutes, and the tick
BLOG = """<!DOCTYPE html><html lang="en"><title>A blog</title><body style="margin:0"><p>Markets today</p>
<iframe src="{url}" title="heatmap" width="100%" height="300"
 sandbox="allow-scripts allow-popups allow-popups-to-escape-sandbox allow-downloads"></iframe></body></html>"""


@pytest.fixture
def rows() -> list[dict[str, object]]:
    """The exchange's own rows of the recorded day, where its body lies beside the checkout; else our copy of them."""
    body = RECORDED / "snapshot/getIndicesData_SECURITIES-IN-FO_2026-09-17.json"
    if body.exists():
        found: list[dict[str, object]] = json.loads(body.read_text("utf-8"))["data"]["data"]
        return found
    return recorded_rows()


@pytest.fixture
def targets(vsftpd: Vsftpd, proftpd_tls: Proftpd, sshd: Sshd) -> dict[str, Path]:
    """Where each server keeps what is uploaded into its folder "heatmap"."""
    return {server.url("heatmap"): server.root / "heatmap" for server in (vsftpd, proftpd_tls, sshd)}


@pytest.fixture
def configuration(
    tmp_path: Path, exchange: Exchange, vsftpd: Vsftpd, proftpd_tls: Proftpd, sshd: Sshd
) -> Path:
    """A configuration of three targets: FTP, FTPS and SFTP."""
    password = tmp_path / "password"
    password.touch(0o600)
    password.write_text(PASSWORD + "\n")
    path = tmp_path / "heatmap.toml"
    path.write_text(
        f"""
[[market]]
name = "nse-fno"
[market.source]
base_url = "{exchange.url}"
[page]
refresh_seconds = 30
[[publish]]
url = "{vsftpd.url("heatmap")}"
password_file = "password"
[[publish]]
url = "{proftpd_tls.url("heatmap")}"
password_file = "password"
ca_file = "{proftpd_tls.ca_file}"
[[publish]]
url = "{sshd.url("heatmap")}"
identity_file = "{sshd.identity_file}"
known_hosts_file = "{sshd.known_hosts_file}"
"""
    )
    return path


@pytest.fixture
def exchange(rows: list[dict[str, object]]) -> Iterator[Exchange]:
    """The stand-in, at the first moment."""
    with Exchange(now=FIRST, rows=rows) as server:
        yield server


def wait_until(condition: Callable[[], bool], seconds: float, why: Callable[[], str]) -> None:
    """Return as soon as a condition holds; fail with `why` after `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, why()
        time.sleep(0.2)


def generated_at(folder: Path) -> str | None:
    """The time at which the page published into `folder` was made, its last file included; None before the first."""
    try:
        page = (folder / "index.html").read_text("utf-8")
        made = str(json.loads((folder / "nse-fno/status.json").read_text("utf-8"))["generated_at"])
    except FileNotFoundError:
        return None
    return made if made in page else None


def expected_fills(changes: list[float]) -> list[str]:
    """The colours `colour` itself gives to percent changes in drawing order, as a browser writes them."""
    gains = sum(change >= 0 for change in changes)
    colours = [*Color("green").range_to(Color("#BDD051"), gains)]
    colours += [*Color("#DFA4A4").range_to(Color("red"), len(changes) - gains)]
    channels = [[int(c.hex_l[start : start + 2], 16) for start in (1, 3, 5)] for c in colours]
    return [f"rgb({red}, {green}, {blue})" for red, green, blue in channels]


def cells(frame: Frame) -> list[tuple[str, float, str]]:
    """Symbol, percent change and computed fill of every cell, in the order of the document."""
    found = frame.evaluate(
        """() => [...document.querySelectorAll("td[data-symbol]")].map(
            (cell) => [cell.dataset.symbol, Number(cell.dataset.percentChange), getComputedStyle(cell).backgroundColor])"""
    )
    return [(symbol, change, fill) for symbol, change, fill in found]


def in_order(rows: list[dict[str, object]]) -> list[tuple[object, object]]:
    """Symbol and percent change as they must be drawn."""
    return sorted(
        ((row["symbol"], row["pChange"]) for row in rows), key=lambda row: (-float(str(row[1])), str(row[0]))
    )


def test_from_the_exchange_to_an_iframe(
    tmp_path: Path,
    rows: list[dict[str, object]],
    exchange: Exchange,
    configuration: Path,
    targets: dict[str, Path],
    cron: Cron,
    nginx: Nginx,
    sshd: Sshd,
    browser: Browser,
) -> None:
    """Cron's first tick reaches all three servers and a visitor's frame; its second appears there by itself."""
    log, moment = tmp_path / "cron.log", tmp_path / "moment"
    moment.write_text(FIRST.isoformat())
    tick = f'{quote(sys.executable)} -m heatmap run --config {configuration} --now "$(cat {moment})"'
    (nginx.root / "heatmap").symlink_to(sshd.root / "heatmap")
    (nginx.root / "blog").mkdir()
    (nginx.root / "blog/index.html").write_text(BLOG.format(url="/heatmap/nse-fno/"))

    def said() -> str:
        return log.read_text() if log.exists() else f"cron ran nothing: {cron.log}"

    cron.run(f"PATH={os.environ['PATH']}\n* * * * * cd {CHECKOUT} && {tick} >>{log} 2>&1\n")
    wait_until(lambda: all(generated_at(folder) for folder in targets.values()), CRON_SECONDS, said)
    assert {FIRST.isoformat()} == {generated_at(folder) for folder in targets.values()}
    for folder in targets.values():
        files = [path for path in folder.rglob("*") if path.is_file()]
        assert {
            "snapshot.json",
            "snapshot.csv",
            "heatmap.svg",
            "heatmap.png",
            "index.html",
            "status.json",
        } == {path.name for path in files}
        assert {0o644} == {path.stat().st_mode & 0o777 for path in files}

    context = browser.new_context(viewport={"width": 1280, "height": 500})
    page = context.new_page()
    page.clock.install(time=FIRST + timedelta(seconds=10))
    page.goto(nginx.url("blog/"))
    frame = next(frame for frame in page.frames if frame.url.endswith("/heatmap/nse-fno/"))
    frame.wait_for_selector("#tools:not([hidden])")  # they move the map down as they appear
    shown = cells(frame)
    assert in_order(rows) == [(symbol, change) for symbol, change, _ in shown]
    assert expected_fills([change for _, change, _ in shown]) == [fill for _, _, fill in shown]

    frame.evaluate("() => { window.sameDocument = true; window.scrollTo(0, 150); }")
    changes = {"RELIANCE": 7.77, "HDFCLIFE": -8.88}
    exchange.now, exchange.rows = SECOND, moved(rows, changes)
    moment.write_text(SECOND.isoformat())
    wait_until(
        lambda: {generated_at(folder) for folder in targets.values()} == {SECOND.isoformat()},
        CRON_SECONDS,
        said,
    )
    page.clock.fast_forward(5 * 60 * 1000)
    frame.wait_for_function("() => document.querySelector('td[data-symbol]').dataset.symbol === 'RELIANCE'")

    shown = cells(frame)
    assert in_order(list(exchange.rows)) == [(symbol, change) for symbol, change, _ in shown]
    assert expected_fills([change for _, change, _ in shown]) == [fill for _, _, fill in shown]
    assert [True, 150] == frame.evaluate("() => [window.sameDocument === true, Math.round(window.scrollY)]")
    assert "" == log.read_text(), "cron would have mailed this"
    context.close()


def test_the_lines_of_the_example_run_in_cron(tmp_path: Path, cron: Cron) -> None:
    """crontab.example is a crontab: the daemon takes every line of it, whatever it would run."""
    lines = (CHECKOUT / "crontab.example").read_text("utf-8")
    proof = tmp_path / "proof"
    jobs = [re.sub(r"^# ?(?=\d)", "", line) for line in lines.splitlines()]

    cron.run("\n".join([*jobs, f"* * * * * touch {proof}"]))

    # cron drops a whole crontab for one bad line: so if the last one runs, all are well formed.
    wait_until(proof.exists, CRON_SECONDS / 2, lambda: cron.log)
