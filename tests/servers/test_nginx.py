"""The nginx snippet that is shipped, in a real nginx."""

from __future__ import annotations

import http.client

from tests.servers.web import Nginx


def test_headers(nginx: Nginx) -> None:
    """Always asked again, readable from a sandboxed frame, frameable by any site; temporaries are hidden."""
    folder = nginx.root / "heatmap"
    folder.mkdir()
    for name in ("index.html", ".heatmap-0123.tmp"):
        (folder / name).write_text("x", "utf-8")
    connection = http.client.HTTPConnection("127.0.0.1", nginx.port, timeout=5)
    connection.request("GET", "/heatmap/index.html")
    answer = connection.getresponse()
    answer.read()
    connection.request("GET", "/heatmap/.heatmap-0123.tmp")
    hidden = connection.getresponse().status
    connection.close()

    names = ("Cache-Control", "Access-Control-Allow-Origin", "X-Frame-Options", "Content-Type")
    assert ["no-cache", "*", None, "text/html; charset=utf-8"] == [answer.getheader(name) for name in names]
    assert answer.getheader("ETag")
    assert (200, 404) == (answer.status, hidden)
