"""The nginx snippet that is shipped, in a real nginx."""

from __future__ import annotations

import http.client
from pathlib import Path

import pytest

from heatmap import cli
from tests.servers.web import Nginx


def test_headers(nginx: Nginx) -> None:
    """Always asked again, readable from a sandboxed frame, frameable by any site; temporaries are hidden."""
    folder = nginx.root / "heatmap"
    folder.mkdir()
    temporaries = (".heatmap-0123.tmp", ".in..heatmap-0123.tmp.")
    for name in ("index.html", *temporaries):
        (folder / name).write_text("x", "utf-8")
    connection = http.client.HTTPConnection("127.0.0.1", nginx.port, timeout=5)
    connection.request("GET", "/heatmap/index.html")
    answer = connection.getresponse()
    answer.read()
    hidden = []
    for name in temporaries:
        connection.request("GET", f"/heatmap/{name}")
        with connection.getresponse() as refusal:
            refusal.read()
            hidden.append(refusal.status)
    connection.close()

    names = ("Cache-Control", "Access-Control-Allow-Origin", "X-Frame-Options", "Content-Type")
    assert ["no-cache", "*", None, "text/html; charset=utf-8"] == [answer.getheader(name) for name in names]
    assert answer.getheader("ETag")
    assert (200, [404, 404]) == (answer.status, hidden)


def test_a_fragment_is_included(
    nginx: Nginx, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line that `heatmap embed --fragment` prints brings the published map into a page of the server's own."""
    monkeypatch.chdir(tmp_path)
    Path("heatmap.toml").write_text(
        'public_url = "https://www.example.org/heatmap/"\n[[market]]\nname = "nse-fno"\n[market.source]\n'
        'type = "recording"\n[page]\nfragments = ["rs-sectors"]\n[[publish]]\n'
        f'url = "file:{nginx.root}/heatmap"\n'
    )
    assert 0 == cli.main(["run", "--now", "2026-09-17T11:00:00+05:30"])
    assert 0 == cli.main(["embed", "--fragment", "--mode", "rs", "--layout", "sectors"])
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("<!--#include"))
    (nginx.root / "blog").mkdir()
    (nginx.root / "blog/index.html").write_text(f"<title>Blog</title><h1>Hello</h1>{line}<p>Bye</p>")
    connection = http.client.HTTPConnection("127.0.0.1", nginx.port, timeout=5)
    connection.request("GET", "/blog/index.html")
    page = connection.getresponse().read().decode()
    connection.close()

    before, _, rest = page.partition("<h1>Hello</h1>")
    assert "<title>Blog</title>" == before
    assert 210 == rest.count("tradingview.com")
    assert rest.endswith("<p>Bye</p>")
