"""The .htaccess that is shipped, in a real Apache."""

from __future__ import annotations

import gzip
import http.client
import os
from pathlib import Path

import pytest

from tests.conftest import started
from tests.servers.apache import MODULES, Apache

PAGE = b"<!doctype html><title>x</title>" + b"heat" * 1000


def get(apache: Apache, path: str, **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
    """Return the answer to a request, and its body."""
    connection = http.client.HTTPConnection("127.0.0.1", apache.port, timeout=5)
    connection.request(
        "GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer, body


def test_headers(apache: Apache) -> None:
    """Always asked again, readable from a sandboxed frame, frameable by any site, and nothing is guessed."""
    (apache.pages / "index.html").write_bytes(PAGE)
    answer, body = get(apache, "/heatmap/")

    names = ("Cache-Control", "Access-Control-Allow-Origin", "X-Content-Type-Options", "X-Frame-Options")
    assert (200, PAGE) == (answer.status, body)
    assert ["no-cache", "*", "nosniff", None] == [answer.getheader(name) for name in names]
    assert "text/html; charset=utf-8" == answer.getheader("Content-Type")
    assert answer.getheader("ETag")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("status.json", "application/json; charset=utf-8"),
        ("x.csv", "text/csv; charset=utf-8"),
        ("x.png", "image/png"),
    ],
)
def test_kinds(apache: Apache, name: str, kind: str) -> None:
    """Text says that it is UTF-8; a picture does not."""
    (apache.pages / name).write_bytes(b"x")

    assert kind == get(apache, f"/heatmap/{name}")[0].getheader("Content-Type")


def test_only_what_is_new_travels(apache: Apache) -> None:
    """A visitor with the current page gets no body, compressed or not; a replaced page is sent, and compressed."""
    page = apache.pages / "index.html"
    page.write_bytes(PAGE)
    packed, body = get(apache, "/heatmap/", Accept_Encoding="gzip")
    tag, plain = packed.getheader("ETag"), get(apache, "/heatmap/")[0].getheader("ETag")
    assert tag
    assert plain
    again = get(apache, "/heatmap/", Accept_Encoding="gzip", If_None_Match=tag)
    again_plain = get(apache, "/heatmap/", If_None_Match=plain)
    new = apache.pages / "new"
    new.write_bytes(PAGE[:-1])
    new.replace(page)
    replaced = get(apache, "/heatmap/", Accept_Encoding="gzip", If_None_Match=tag)

    assert "gzip" == packed.getheader("Content-Encoding")
    assert PAGE == gzip.decompress(body)
    assert len(body) < len(PAGE) / 10
    assert (304, b"") == (again_plain[0].status, again_plain[1])
    assert (304, b"") == (again[0].status, again[1])
    assert "no-cache" == again[0].getheader("Cache-Control")
    assert (200, PAGE[:-1]) == (replaced[0].status, gzip.decompress(replaced[1]))


@pytest.mark.parametrize(
    "name",
    [
        ".heatmap-6740c1f0-0123456789abcdef.tmp",
        ".heatmap-6740c1f0-0123456789abcdef.tmp.1",
        ".in..heatmap-6740c1f0-0123456789abcdef.tmp.",
    ],
)
def test_temporaries_are_hidden(apache: Apache, name: str) -> None:
    """Temporary files are hidden from visitors, also under the names that some servers give them."""
    (apache.pages / name).write_bytes(b"x")

    assert 404 == get(apache, f"/heatmap/{name}")[0].status


def test_errors_are_readable_too(apache: Apache) -> None:
    """A sandboxed frame that asks for a page that is not there may read that, and nothing keeps the answer."""
    answer, _ = get(apache, "/heatmap/nothing.html")

    assert (404, "*", "no-cache") == (
        answer.status,
        answer.getheader("Access-Control-Allow-Origin"),
        answer.getheader("Cache-Control"),
    )


def test_the_rest_of_the_site_is_left_alone(apache: Apache) -> None:
    """The .htaccess speaks for its own folder."""
    (apache.root / "index.html").write_bytes(PAGE)
    answer, _ = get(apache, "/")

    assert [None, None] == [
        answer.getheader(name) for name in ("Cache-Control", "Access-Control-Allow-Origin")
    ]


@pytest.mark.real
@pytest.mark.parametrize("how", ["Header always set", "Header set"])
def test_a_site_with_headers_of_its_own(tmp_path: Path, how: str) -> None:
    """A rule for all pages of a server does not hold for the map, in either way to write the rule."""
    own = {
        "X-Frame-Options": "DENY",
        "Content-Security-Policy": "frame-ancestors 'none'",
        "Cache-Control": "max-age=86400",
        "Access-Control-Allow-Origin": "https://www.example.org",
    }
    lines = tuple(f'{how} {name} "{value}"' for name, value in own.items())
    with started(lambda: Apache(tmp_path / "apache", lines=lines)) as apache:
        for folder in (apache.root, apache.pages):
            (folder / "index.html").write_bytes(PAGE)
        blog, heatmap = get(apache, "/")[0], get(apache, "/heatmap/")[0]

    assert own == {name: ", ".join(blog.headers.get_all(name, [])) for name in own}
    assert [[], [], ["no-cache"], ["*"]] == [heatmap.headers.get_all(name, []) for name in own]


@pytest.mark.real
def test_a_site_whose_pages_expire(tmp_path: Path) -> None:
    """A host that tells browsers to keep its pages for a day does not keep the map from being asked for anew."""
    lines = ("ExpiresActive on", 'ExpiresDefault "access plus 1 day"')
    with started(lambda: Apache(tmp_path / "apache", modules=(*MODULES, "expires"), lines=lines)) as apache:
        for folder in (apache.root, apache.pages):
            (folder / "index.html").write_bytes(PAGE)
        blog, heatmap = get(apache, "/")[0], get(apache, "/heatmap/")[0]

    assert "max-age=86400" == blog.getheader("Cache-Control")
    assert ["no-cache"] == heatmap.headers.get_all("Cache-Control")


@pytest.mark.real
@pytest.mark.parametrize("missing", ["headers", "deflate", "filter", "mime", "alias"])
def test_a_host_with_fewer_modules(tmp_path: Path, missing: str) -> None:
    """The page is served where Apache lacks a module, without what that would have done."""
    modules = tuple(name for name in MODULES if name != missing)
    with started(lambda: Apache(tmp_path / "apache", modules=modules)) as apache:
        (apache.pages / "index.html").write_bytes(PAGE)
        answer, body = get(apache, "/heatmap/index.html")

        assert (200, PAGE) == (answer.status, body)


@pytest.mark.real
def test_a_host_that_allows_little(tmp_path: Path) -> None:
    """All of it works where a .htaccess may speak of files alone, and not of who may read them."""
    with started(lambda: Apache(tmp_path / "apache", allow="FileInfo")) as apache:
        for name in ("index.html", ".heatmap-0123.tmp"):
            (apache.pages / name).write_bytes(PAGE)

        assert "no-cache" == get(apache, "/heatmap/index.html")[0].getheader("Cache-Control")
        assert 404 == get(apache, "/heatmap/.heatmap-0123.tmp")[0].status


def test_what_others_may_not_read_is_refused(apache: Apache) -> None:
    """A page that others may not read is a 403, as on a host whose web server is another user."""
    page = apache.pages / "index.html"
    page.write_bytes(PAGE)
    page.chmod(0o600 if os.geteuid() == 0 else 0)  # an ordinary user is both, who writes and who serves

    assert 403 == get(apache, "/heatmap/index.html")[0].status
