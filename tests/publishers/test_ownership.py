"""Recognition of this program's files, and of foreign ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from heatmap.errors import PublishImpossible
from heatmap.publishers import ownership
from heatmap.run import one_run
from heatmap.run.demo import FINAL, settings
from heatmap.system.web_file import WebFile
from tests.checkout import CHECKOUT

UPGRADES = CHECKOUT / "tests" / "upgrades"
GENERATOR = '<meta name="generator" content="heatmap (market-heatmap)">'


@pytest.mark.parametrize(
    "content",
    [
        b"",
        GENERATOR.encode(),
        b"<META NAME=generator CONTENT='heatmap (market-heatmap)'>",
        b'<meta charset="utf-8"><meta name="heatmap-script" content="sha256-x">',
        b'{"schema": "market-heatmap/1", "market": "nse-fno"}',
        b'<feed xmlns="http://www.w3.org/2005/Atom"><id>x</id><generator>market-heatmap</generator></feed>',
    ],
    ids=["empty", "page", "minified", "0.1.0 and 0.2.0", "snapshot", "feed"],
)
def test_ours(content: bytes) -> None:
    """By a mark near the beginning, as this version and earlier ones write it."""
    assert ownership.is_ours(content)


@pytest.mark.parametrize(
    "content",
    [
        b"<h1>It works!</h1>",
        b'<meta name="generator" content="WordPress 6.9">',
        b'<meta name="generator" content="heatmap.js 2.0">',
        f"<pre>{GENERATOR.replace('<', '&lt;')}</pre>".encode(),
        b'<iframe title="NSE F&O heatmap" src="/heatmap/?from=market-heatmap"></iframe>',
        b"x" * ownership.HEAD_BYTES + GENERATOR.encode(),
        b'{"name": "x", "schema": "market-heatmap/1"}',
        GENERATOR.encode("utf-16"),
        b"\0",
    ],
    ids=[
        "placeholder",
        "blog",
        "namesake",
        "quoted",
        "embedding",
        "far below",
        "other JSON",
        "UTF-16",
        "NUL",
    ],
)
def test_of_somebody_else(content: bytes) -> None:
    """The other content does not matter."""
    assert not ownership.is_ours(content)


def test_pages_of_earlier_versions() -> None:
    """A page that 0.2.0 left behind is ours."""
    pages = [*UPGRADES.glob("*/state/archive-*-20*.html")]

    assert pages
    assert all(ownership.is_ours(page.read_bytes()) for page in pages)
    assert not any(b"market-heatmap)" in page.read_bytes() for page in pages)


def test_what_a_run_puts_bears_the_mark(tmp_path: Path) -> None:
    """Every page, and the snapshot: else the next run would refuse them, or guard nothing."""
    one_run.run(settings(tmp_path / "site", tmp_path / "state", 300), now=FINAL)
    site = tmp_path / "site"
    contents = {str(path.relative_to(site)): path.read_bytes() for path in site.rglob("*") if path.is_file()}
    must = [name for name in contents if name.endswith(("index.html", "snapshot.json"))]

    assert {"index.html", "nse-fno/index.html", "nse-fno/snapshot.json"} <= {*must}
    assert all(ownership.is_ours(contents[name]) for name in must)
    assert all(GENERATOR.encode() in contents[name][:300] for name in must if name.endswith(".html"))
    assert all(ownership.is_recording(contents[name]) for name in must if name.endswith(".html"))


def asked(pages: list[WebFile], there: dict[str, bytes]) -> list[str]:
    """The pages that are read to check these."""
    names: list[str] = []

    def read(page: WebFile) -> bytes | None:
        names.append(page.path)
        return there.get(page.path)

    ownership.check("target", pages, read)
    return names


def test_the_page_of_a_folder_spares_the_others() -> None:
    """One read a folder; where it has no page, the snapshot; in an empty folder all, which are not there."""
    snapshot = WebFile("nse/snapshot.json", b'{"schema": "market-heatmap/1", "market": "nse"}')
    pages = [snapshot, WebFile("nse/heatmap.svg", b"<svg/>"), WebFile("nse/index.html", GENERATOR.encode())]
    old = {"nse/index.html": GENERATOR.encode() + b"old", "nse/heatmap.svg": b"any"}
    killed = {"nse/snapshot.json": snapshot.content + b" ", "nse/heatmap.svg": b"any"}

    assert ["nse/index.html"] == asked(pages, old)
    assert ["nse/index.html", "nse/snapshot.json"] == asked(pages, killed)
    assert ["nse/index.html", "nse/snapshot.json", "nse/heatmap.svg"] == asked(pages, {})
    with pytest.raises(PublishImpossible, match=r"target: nse/heatmap\.svg"):
        asked(pages, {"nse/heatmap.svg": b"any"})


def test_the_same_bytes_are_nobodys_loss() -> None:
    """A file without a mark that is the same already is no reason to refuse."""
    pages = [WebFile("nse/heatmap.svg", b"<svg/>"), WebFile("nse/index.html", GENERATOR.encode())]

    assert ["nse/index.html", "nse/heatmap.svg"] == asked(pages, {"nse/heatmap.svg": b"<svg/>"})
