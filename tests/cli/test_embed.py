"""The snippet for a blog."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from json import dumps
from pathlib import Path

import pytest

from heatmap import cli
from tests.checkout import CHECKOUT

DEPLOY = CHECKOUT / "deploy"
URL = "https://www.example.org/heatmap/"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, as the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Frames(HTMLParser):
    """The frames of a snippet or a page: their attributes, as a browser reads them, and the text of scripts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.frames: list[dict[str, str | None]] = []
        self.scripts: list[str] = []
        self.tags: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "iframe":
            self.frames.append(dict(attrs))

    def handle_endtag(self, tag: str) -> None:
        self.tags.append(f"/{tag}")

    def handle_data(self, data: str) -> None:
        if self.tags[-1:] == ["script"]:
            self.scripts.append(data)


def printed(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """The output of `heatmap embed`."""
    assert 0 == cli.main(["embed", *argv])
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "argv"),
    [("blog.html", []), ("ghost.html", []), ("wordpress.html", ["--height", "1400"])],
)
def test_the_samples_hold_what_embed_prints(
    capsys: pytest.CaptureFixture[str], name: str, argv: list[str]
) -> None:
    """The files of deploy/ stay true, and have no other frame or script."""
    text = (DEPLOY / name).read_text("utf-8")
    out = printed(capsys, *argv, "--url", URL)

    assert 1 == text.count(out)
    rest = Frames(text.replace(out, ""))
    assert not {"iframe", "script"} & set(rest.tags)


def test_the_script_runs_at_once_behind_rocket_loader(capsys: pytest.CaptureFixture[str]) -> None:
    """A blog behind Cloudflare would run it only later, when the page in the frame has told its height."""
    assert 1 == printed(capsys, "--url", URL).count('<script data-cfasync="false">')


def test_the_samples_are_marked_as_their_editors_mark_them(capsys: pytest.CaptureFixture[str]) -> None:
    """A Custom HTML block of WordPress, an HTML card of Ghost."""
    frame, grows = printed(capsys, "--height", "1400", "--url", URL), printed(capsys, "--url", URL)

    assert f"<!-- wp:html -->\n{frame}<!-- /wp:html -->" in (DEPLOY / "wordpress.html").read_text("utf-8")
    assert f"<!--kg-card-begin: html-->\n{grows}<!--kg-card-end: html-->" in (
        DEPLOY / "ghost.html"
    ).read_text("utf-8")


@pytest.mark.parametrize(
    ("argv", "query"),
    [
        ([], ""),
        (["--mode", "rs"], "?mode=rs"),
        (["--layout", "treemap"], "?layout=treemap"),
        (["--period", "1mo"], "?period=1mo"),
        (["--theme", "light"], "?theme=light"),
        (["--palette", "colour-blind"], "?palette=colour-blind"),
        (["--mode", "change", "--layout", "table", "--period", "1d", "--palette", "contrast"], ""),
        (["--sort", "mode", "--area", "market-cap"], ""),
        (["--mode", "bands", "--period", "20d"], "?mode=bands&period=20d"),
        (["--mode", "opening-range"], "?mode=opening-range"),
        (["--period", "ytd"], "?period=ytd"),
        (["--heat", "rank"], "?heat=rank"),
        (["--heat", "0.5", "--sort", "symbol", "--area", "equal"], "?heat=0.5&sort=symbol&area=equal"),
        (["--sector", "Oil Gas & Consumable Fuels"], "?sector=Oil+Gas+%26+Consumable+Fuels"),
        (["--sector", "watchlist", "--watch", "TCS,M&M"], "?sector=watchlist&watch=TCS%2CM%26M"),
        (
            [
                "--palette",
                "classic",
                "--theme",
                "dark",
                "--period",
                "1y",
                "--layout",
                "bars",
                "--mode",
                "sector",
            ],
            "?mode=sector&layout=bars&period=1y&theme=dark&palette=classic",
        ),
    ],
)
@pytest.mark.parametrize("fixed", [[], ["--height", "640"]])
def test_choices_are_in_the_address(
    capsys: pytest.CaptureFixture[str], argv: list[str], query: str, fixed: list[str]
) -> None:
    """In one order whatever that of the options, and what the page shows anyway left out; in both snippets."""
    found = Frames(printed(capsys, "--url", URL, *argv, *fixed))

    assert [f"{URL}nse-fno/{query}"] == [frame["src"] for frame in found.frames]
    assert (0 if fixed else 1) == len(found.scripts)


def test_the_palette_of_the_page_is_left_out(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the configuration has another, it is the usual one, and `contrast` must be asked for."""
    (here / "heatmap.toml").write_text('[page]\ngradient = "classic"\n')

    assert "palette" not in printed(capsys, "--url", URL, "--palette", "classic")
    assert "?palette=contrast" in printed(capsys, "--url", URL, "--palette", "contrast")


@pytest.mark.parametrize(
    ("argv", "scheme"), [([], "light dark"), (["--theme", "light"], "light"), (["--theme", "dark"], "dark")]
)
def test_the_frame_has_the_scheme_of_its_page(
    capsys: pytest.CaptureFixture[str], argv: list[str], scheme: str
) -> None:
    """Else the browser paints an opaque ground."""
    (frame,) = Frames(printed(capsys, "--url", URL, *argv)).frames

    assert f"border:0;color-scheme:{scheme}" == frame["style"]


def test_each_frame_has_an_id_of_its_own(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By market and choices, and its script speaks of that one only; markets whose names continue each other too."""
    names = ("nse", "nse-rs", "nse-rs-dark")
    markets = (f'[[market]]\nname = "{name}"\n[market.source]\ntype = "recording"\n' for name in names)
    (here / "heatmap.toml").write_text("".join(markets))
    shown = [
        ["--market", market, *choices]
        for market in names
        for choices in (
            [],
            ["--mode", "rs"],
            ["--mode", "rs", "--theme", "dark"],
            ["--theme", "dark"],
            ["--heat", "1"],
            ["--heat", "0.5"],
            ["--sector", "Energy & Oil"],
            ["--sector", "Energy &  Oil"],
            ["--watch", "TCS,M&M"],
        )
    ]
    ids = []
    for argv in shown:
        found = Frames(printed(capsys, "--url", URL, *argv))
        ids.append(found.frames[0]["id"])
        assert re.findall(r"iframe#([\w-]+)", found.scripts[0]) == ids[-1:]

    assert len(shown) == len(set(ids))


def test_everything_is_escaped(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A title or an address that could end its attribute is the same text in it, and no tag of its own."""
    title = """</iframe><script>alert("1 & 2")</script>'"""
    url = """https://www.example.org/"><script>alert('1&2')</script>/"""
    (here / "heatmap.toml").write_text(f"title = {dumps(title)}\n")

    found = Frames(printed(capsys, "--height", "900", "--url", url, "--mode", "rs", "--theme", "dark"))

    assert ["iframe", "/iframe"] == found.tags
    assert title == found.frames[0]["title"]
    assert f"{url}nse-fno/?mode=rs&theme=dark" == found.frames[0]["src"]


def test_the_address_comes_from_the_configuration(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """public_url, with or without its slash, and the market's folder; a fixed height needs no script."""
    (here / "heatmap.toml").write_text(
        'title = "A \\"title\\""\npublic_url = "https://www.example.org/heatmap"\n'
    )

    assert 0 == cli.main(["embed", "--height", "640"])
    out = capsys.readouterr().out
    assert f'src="{URL}nse-fno/"' in out
    assert 'height="640"' in out
    assert 'title="A &#34;title&#34;"' in out
    assert "<script" not in out


def test_the_frame_grows_with_its_page_unless_its_height_is_fixed(capsys: pytest.CaptureFixture[str]) -> None:
    """In a fixed frame all losers lie below the fold. The option of earlier versions still means the same."""
    grows = printed(capsys, "--url", URL)

    assert 1 == len(Frames(grows).scripts)
    assert grows == printed(capsys, "--auto-height", "--url", URL)
    tall = printed(capsys, "--auto-height", "--height", "640", "--url", URL)
    assert ("640", 1) == (Frames(tall).frames[0]["height"], len(Frames(tall).scripts))


def test_modes_and_periods_are_those_the_market_offers(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those of the history as it is configured; without a history, none of them."""
    config = here / "heatmap.toml"
    config.write_text('[history]\nperiods = ["7d"]\n')
    assert "?period=7d" in printed(capsys, "--url", URL, "--period", "7d")
    assert 64 == cli.main(["embed", "--url", URL, "--period", "20d"])
    assert "--period: the page has no '20d'" in capsys.readouterr().err

    config.write_text("[history]\nenabled = false\n")
    assert 64 == cli.main(["embed", "--url", URL, "--mode", "bands"])
    assert "--mode: the page has no 'bands'" in capsys.readouterr().err


def test_the_frame_is_sandboxed(capsys: pytest.CaptureFixture[str]) -> None:
    """Scripts, popups that escape, and downloads; never the blog's own origin."""
    cli.main(["embed", "--url", URL])

    found = re.search(r'sandbox="([^"]*)"', capsys.readouterr().out)
    assert found is not None
    assert {"allow-scripts", "allow-popups", "allow-popups-to-escape-sandbox", "allow-downloads"} == set(
        found[1].split()
    )


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        ([], 78, "public_url is not set"),
        (["--url", "ftp://x"], 64, "--url must begin with"),
        (["--url", URL, "--market", "nyse"], 64, "there is no market 'nyse'"),
        (["--url", f"{URL}?a=b"], 64, "--url must begin with"),
        (["--url", "https://www.example.org/a b"], 64, "--url must begin with"),
        (["--url", "https://[::1"], 64, "--url must begin with"),
        (["--url", "https://me:x@www.example.org/"], 64, "--url must begin with"),
        (["--url", URL, "--height", "1"], 64, "--height must be"),
        (["--url", URL, "--height", "tall"], 64, "--height: invalid int value: 'tall'"),
        (
            ["--url", URL, "--mode", "volumes"],
            64,
            "--mode: the page has no 'volumes': did you mean 'volume'?",
        ),
        (["--url", URL, "--heat", "3"], 64, "--heat cannot be '3'"),
        (["--url", URL, "--sort", "size"], 64, "--sort cannot be 'size'"),
        (["--url", URL, "--watch", "TCS, INFY"], 64, "--watch takes symbols"),
        (["--url", URL, "--sector", " "], 64, "--sector takes the name"),
        (["--url", URL, "--layout", "pie"], 64, "--layout cannot be 'pie'"),
        (["--url", URL, "--period", "1w"], 64, "--period: the page has no '1w'"),
        (["--url", URL, "--theme", "blue"], 64, "--theme cannot be 'blue'"),
        (["--url", URL, "--palette", "grey"], 64, "--palette cannot be 'grey'"),
    ],
)
def test_what_cannot_be(capsys: pytest.CaptureFixture[str], argv: list[str], code: int, said: str) -> None:
    """One sentence that says what to give."""
    assert code == cli.main(["embed", *argv])
    told = capsys.readouterr()
    assert said in told.err
    assert 1 == told.err.count("\n")
    assert "" == told.out


def test_a_fragment_is_a_line_for_the_server(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The path as visitors see it, for nginx and Apache, and for PHP."""
    (here / "heatmap.toml").write_text('[page]\nfragments = ["change-table", "rs-sectors-dark"]\n')

    assert "/heatmap/nse-fno/fragment-change-table.html" in printed(capsys, "--fragment", "--url", URL)
    out = printed(
        capsys, "--fragment", "--url", URL, "--mode", "rs", "--layout", "sectors", "--theme", "dark"
    )
    path = "/heatmap/nse-fno/fragment-rs-sectors-dark.html"
    assert f'<!--#include virtual="{path}" -->' in out
    assert f'readfile($_SERVER["DOCUMENT_ROOT"] . "{path}")' in out


def test_a_fragment_that_is_not_published_is_told_how(capsys: pytest.CaptureFixture[str]) -> None:
    """The line for the configuration, ready to be pasted."""
    assert 78 == cli.main(["embed", "--fragment", "--url", URL, "--mode", "rs"])
    assert 'set fragments = ["rs-table"] under [page]' in capsys.readouterr().err


@pytest.mark.parametrize(
    "other",
    [
        ["--auto-height"],
        ["--height", "640"],
        ["--period", "1mo"],
        ["--palette", "classic"],
        ["--mode", "bands"],
    ],
)
def test_a_fragment_has_few_options(capsys: pytest.CaptureFixture[str], other: list[str]) -> None:
    """It is drawn by the server, over a day, in the configured colours."""
    assert 64 == cli.main(["embed", "--fragment", "--url", URL, *other])
    assert "--fragment goes only with" in capsys.readouterr().err
