"""The map on other people's pages: the samples of deploy/ as blogs serve them, and what a sanitiser leaves of them."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable
from html import escape
from html.parser import HTMLParser
from typing import Any

import pytest
from playwright.sync_api import Frame, Page, expect

from heatmap.analysis.colours import GRADIENTS
from heatmap.analysis.modes import MODES
from heatmap.pages import embed
from heatmap.pages.embed import EmbedChoices
from heatmap.pictures.options import LAYOUTS, THEMES
from tests.browser.conftest import Site
from tests.checkout import CHECKOUT

DEPLOY = CHECKOUT / "deploy"
EXAMPLE = "https://www.example.org/heatmap/nse-fno/"
SANDBOX = {"allow-scripts", "allow-popups", "allow-popups-to-escape-sandbox", "allow-downloads"}
LEAST, MOST = "200px", "10000px"
LIGHT, DARK = [255, 255, 255], [15, 18, 21]  # the page's grounds
PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" width="1200" height="630"><path fill="green" d="M0 0h1200v630H0z"/></svg>'
TALL = "{type: 'market-heatmap:height', height: 3000}"
BAD = (
    "null",
    "3000",
    "'market-heatmap:height'",
    "[]",
    "{height: 3000}",
    "{type: 'height', height: 3000}",
    *(
        f"{{type: 'market-heatmap:height', height: {height}}}"
        for height in ("NaN", "Infinity", "'3000'", "null", "undefined", "[3000]")
    ),
)
# The height that a frame's page would like to have.
WANTED = "() => document.documentElement.offsetHeight"
# Whether the last of some messages has been heard by the host, and so all those before it.
LISTEN = "() => addEventListener('message', (event) => { window.heard ||= event.data === 'last'; })"
HEARD = "() => window.heard"
# Colours of a screenshot's corner and its middle.
PIXELS = """async (png) => {
  const image = new Image();
  image.src = "data:image/png;base64," + png;
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.width, image.height];
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.drawImage(image, 0, 0);
  return [[1, 1], [image.width >> 1, image.height - 2]].map(([x, y]) => [...pen.getImageData(x, y, 1, 1).data].slice(0, 3));
}"""


def sample(name: str) -> str:
    """A file of deploy/, its addresses pointed to the server of the test."""
    return (DEPLOY / name).read_text("utf-8").replace(EXAMPLE, "/map/")


def post(body: str, scheme: str = "light dark") -> bytes:
    """A page of a blog with this in its article, in its colour schemes."""
    return (
        '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>A blog</title><link rel="icon" href="data:,">'
        f'<meta name="color-scheme" content="{scheme}"><h1>A post</h1><article>{body}</article>'
    ).encode()


def map_in(page: Page, number: int = 0) -> Frame:
    """The page within a frame of the blog, when it is drawn."""
    frame = page.locator("iframe").nth(number)
    frame.scroll_into_view_if_needed()
    element = frame.element_handle()
    assert element is not None
    inside = element.content_frame()
    assert inside is not None
    inside.wait_for_selector("[data-symbol]")
    return inside


def tell(source: Page | Frame, *messages: str) -> None:
    """Post messages (expressions) from a frame to its host, or from the host to itself, and wait until it has heard them."""
    host = source if isinstance(source, Page) else source.page
    host.evaluate(LISTEN)
    for message in (*messages, "'last'"):
        source.evaluate(f"() => parent.postMessage({message}, '*')")
    host.wait_for_function(HEARD)


def height_of(page: Page, number: int = 0) -> str:
    """The height that the host's script has given a frame."""
    return str(page.locator("iframe").nth(number).evaluate("frame => frame.style.height"))


def wait_for_height(page: Page, height: str, number: int = 0) -> None:
    """Wait until a frame has this height."""
    page.wait_for_function(
        "([number, height]) => document.querySelectorAll('iframe')[number].style.height === height",
        arg=[number, height],
    )


def grown(page: Page, number: int = 0) -> int:
    """Wait until a frame is as tall as its page, and return how tall that is."""
    inside = map_in(page, number)
    inside.wait_for_function(f"() => innerHeight === ({WANTED})()")
    return int(inside.evaluate(WANTED))


@pytest.mark.parametrize("name", ["blog.html", "wordpress.html", "ghost.html"])
def test_each_sample_shows_the_map(site: Site, visit: Callable[..., Page], name: str) -> None:
    """As a blog serves it: the whole map, in a sandbox that keeps the blog's own things from it."""
    text = sample(name)
    assert "example.org" not in text.replace("Change www.example.org", "")
    site.other["/blog/"] = text.encode() if "<!DOCTYPE" in text else post(text)
    site.other["/map/heatmap.svg"] = site.other["/favicon.ico"] = b""
    page = visit("/blog/", viewport={"width": 1280, "height": 700})

    inside = map_in(page)

    assert 210 == inside.locator("[data-symbol]").count()
    assert 1 == page.locator("iframe").count()
    assert set((page.locator("iframe").get_attribute("sandbox") or "").split()) == SANDBOX
    assert "null" == inside.evaluate("() => origin")
    assert "NSE F&O heatmap" == page.locator("iframe").get_attribute("title")


@pytest.mark.parametrize("name", ["blog.html", "ghost.html"])
@pytest.mark.parametrize("width", [1280, 360])
def test_the_frame_grows_with_the_map(site: Site, visit: Callable[..., Page], name: str, width: int) -> None:
    """With the script it is as tall as its page, in wide windows and in narrow ones, and follows the reader's choices."""
    site.other["/blog/"] = post(sample(name))
    page = visit("/blog/", viewport={"width": width, "height": 700})

    first = grown(page)
    map_in(page).locator("#layout").select_option("bars")
    map_in(page).wait_for_function("before => document.documentElement.offsetHeight !== before", arg=first)

    assert 600 < first
    assert grown(page) != first


@pytest.mark.parametrize("width", [1280, 2000])
def test_a_frame_that_cannot_grow_holds_the_map(market: Site, visit: Callable[..., Page], width: int) -> None:
    """On a wide screen the fixed height shows a whole market of 210, without a scroll bar and with little to spare."""
    market.other["/blog/"] = post(embed.iframe("/map/", "map", market="nse-fno", auto_height=False))
    page = visit("/blog/", viewport={"width": width, "height": 1000})

    assert 0 <= embed.HEIGHT_PIXELS - int(map_in(page).evaluate(WANTED)) < 80


def test_nothing_is_taller_or_shorter_than_a_map_can_be(site: Site, visit: Callable[..., Page]) -> None:
    """The frame's messages cannot move the blog's own text out of reach."""
    site.other["/blog/"] = post(sample("ghost.html"))
    page = visit("/blog/")
    inside = map_in(page)

    for height, taken in (("1", LEAST), ("1e9", MOST), ("-5", LEAST), ("1234.5", "1234.5px")):
        tell(inside, TALL.replace("3000", height))
        assert taken == height_of(page)


def test_only_the_frame_itself_says_how_tall_it_is(site: Site, visit: Callable[..., Page]) -> None:
    """Not the host, not another frame of it, and not the map with what is no height."""
    site.other["/blog/"] = post(f"{sample('ghost.html')}<iframe srcdoc='An advertisement'></iframe>")
    page = visit("/blog/")
    height = f"{grown(page)}px"
    inside = map_in(page)
    advertisement = page.frames[2]

    tell(page, TALL)
    tell(advertisement, TALL)
    tell(inside, *BAD)

    assert height == height_of(page)
    assert "" == height_of(page, 1)
    tell(inside, TALL)
    assert "3000px" == height_of(page)


def test_a_frame_that_has_gone_elsewhere_is_not_believed(site: Site, visit: Callable[..., Page]) -> None:
    """Without the sandbox the frame has an origin, and it must be that of its address."""
    unboxed = re.sub(r'sandbox="[^"]*"', "", sample("ghost.html"))
    site.other["/blog/"] = post(unboxed)
    page = visit("/blog/")
    page.route("https://elsewhere.example/", lambda route: route.fulfill(body="", content_type="text/html"))
    height = f"{grown(page)}px"

    inside = map_in(page)
    inside.goto("https://elsewhere.example/")
    tell(inside, TALL)

    assert height == height_of(page)


def test_frames_stand_beside_each_other(site: Site, visit: Callable[..., Page]) -> None:
    """Each is as tall as its own page, two of the same among them, and none of their scripts leaves a trace."""
    bars = EmbedChoices(layout="bars", theme="dark")
    shown = (embed.NO_CHOICES, bars, embed.NO_CHOICES)
    frames = [embed.iframe("/map/", "map", market="nse-fno", choices=choices) for choices in shown]
    widths = ("width:100%", "width:100%", "width:50%")
    site.other["/blog/"] = post(
        "".join(f"<div style={width}>{frame}</div>" for width, frame in zip(widths, frames, strict=True))
    )
    site.other["/plain/"] = post("")
    names = "() => Object.getOwnPropertyNames(window).filter((name) => !/^[0-9]+$/.test(name))"
    plain = visit("/plain/").evaluate(names)
    page = visit("/blog/", viewport={"width": 1280, "height": 700})

    heights = [grown(page, number) for number in range(3)]
    assert 3 == len(set(heights))
    assert set(plain) == set(page.evaluate(names))
    tell(map_in(page, 1), TALL)
    assert [f"{heights[0]}px", "3000px", f"{heights[2]}px"] == [
        height_of(page, number) for number in range(3)
    ]
    assert "dark" == map_in(page, 1).evaluate("() => document.documentElement.dataset.theme")
    assert "" == map_in(page, 0).evaluate("() => document.documentElement.dataset.theme")


@pytest.mark.parametrize("name", ["wordpress.html", "ghost.html"])
def test_links_lead_out_of_the_frame(site: Site, visit: Callable[..., Page], name: str) -> None:
    """A chart opens in a tab of its own, which is no longer in the sandbox; the blog stays where it is."""
    site.other["/blog/"] = post(sample(name))
    site.other["/map/heatmap.svg"] = b""
    page = visit("/blog/", viewport={"width": 1280, "height": 900})
    chart = "https://www.tradingview.com"
    page.context.route(f"{chart}/**", lambda route: route.fulfill(body="", content_type="text/html"))

    with page.context.expect_page() as opened:
        map_in(page).locator("td a").first.click()
    opened.value.wait_for_url(f"{chart}/**")

    assert f"{chart}/chart/?symbol=NSE:W000" == opened.value.url
    assert chart == opened.value.evaluate("() => origin")
    assert page.url.endswith("/blog/")


class Sanitiser(HTMLParser):
    """A small copy of the rules by which WordPress cleans a post of an author without `unfiltered_html`.

    From wp-includes/kses.php of WordPress 6: of the elements here `$allowedposttags` has <a> and <img> and neither
    <iframe> nor <script>, with these attributes and the global ones of _wp_add_global_attributes(); a tag that is not
    on the list goes, what stands in it stays (wp_kses_split2() drops tags only), comments stay; of a style
    safecss_filter_attr() keeps known properties: width, height, their limits and border are, color-scheme is not.
    """

    ALLOWED = {
        "a": {"href", "rel", "rev", "name", "target", "download"},
        "img": {"alt", "align", "border", "height", "hspace", "loading", "longdesc", "vspace", "src", "usemap", "width"},
    }  # fmt: skip
    GLOBAL = {"class", "dir", "hidden", "id", "lang", "style", "title", "role"}
    STYLES = {"border", "width", "max-width", "min-width", "height", "max-height", "min-height"}

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.kept = ""

    @classmethod
    def clean(cls, html: str) -> str:
        """The cleaned post."""
        self = cls()
        self.feed(html)
        self.close()
        return self.kept

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.ALLOWED:
            return
        kept = ""
        for name, value in attrs:
            if name == "style":
                rules = (rule for rule in (value or "").split(";") if rule.partition(":")[0] in self.STYLES)
                value = ";".join(rules)  # noqa: PLW2901 -- the attribute as it is from here on
            if value and name in self.ALLOWED[tag] | self.GLOBAL:
                kept += f' {name}="{escape(value)}"'
        self.kept += f"<{tag}{kept}>"

    def handle_endtag(self, tag: str) -> None:
        self.kept += f"</{tag}>" if tag in self.ALLOWED else ""

    def handle_data(self, data: str) -> None:
        self.kept += data

    def handle_entityref(self, name: str) -> None:
        self.kept += f"&{name};"

    def handle_comment(self, data: str) -> None:
        self.kept += f"<!--{data}-->"


def test_a_sanitised_post_keeps_the_picture(site: Site, visit: Callable[..., Page]) -> None:
    """Saved by an author, the sample for WordPress is a picture that leads to the map, and no rubbish beside it."""
    left = Sanitiser.clean(sample("wordpress.html"))
    site.other["/blog/"] = post(left)
    page = visit("/map/", viewport={"width": 360, "height": 700})
    page.route("**/heatmap.svg", lambda route: route.fulfill(body=PICTURE, content_type="image/svg+xml"))
    page.goto(site.url("/blog/"))
    article = page.locator("article")

    picture = article.get_by_role("link").get_by_role("img", name="NSE F&O heatmap: open it")
    expect(picture).to_be_visible()
    assert 0 == page.locator("iframe, script, object, embed").count()
    assert "" == article.inner_text().strip()
    size = picture.bounding_box()
    assert size is not None
    assert 300 < size["width"] <= 360
    assert 1200 / 630 == pytest.approx(size["width"] / size["height"], rel=0.01)
    picture.click()
    page.wait_for_selector("[data-symbol]")
    assert site.url() == page.url


def test_a_script_would_not_survive_unseen(site: Site, visit: Callable[..., Page]) -> None:
    """Why the sample for WordPress has none: a sanitised script is read in the post as text."""
    site.other["/blog/"] = post(Sanitiser.clean(sample("ghost.html")))

    assert "addEventListener" in visit("/blog/").locator("article").inner_text()


@pytest.mark.parametrize(
    ("theme", "host", "ground"),
    [("dark", "light", DARK), ("light", "dark", LIGHT), (None, "light dark", DARK)],
)
def test_frame_and_page_are_of_one_theme(
    site: Site, visit: Callable[..., Page], theme: str | None, host: str, ground: list[int]
) -> None:
    """The theme asked for, or the reader's, on any blog; the browser puts no ground of its own behind the map."""
    snippet = embed.iframe("/map/", "map", market="nse-fno", choices=EmbedChoices(theme=theme))
    site.other["/blog/"] = post(f"<style>body {{ background: #c000c0; }}</style>{snippet}", host)
    page = visit("/blog/", viewport={"width": 900, "height": 1200}, color_scheme=theme and host or "dark")
    inside = map_in(page)

    def pixels() -> list[list[int]]:
        shot = page.locator("iframe").screenshot(animations="disabled")
        found: list[list[int]] = page.evaluate(PIXELS, b64encode(shot).decode())
        return found

    assert (theme or "light dark") == page.locator("iframe").evaluate(
        "it => getComputedStyle(it).colorScheme"
    )
    assert (theme or "light dark") == inside.evaluate(
        "() => getComputedStyle(document.documentElement).colorScheme"
    )
    assert [ground, ground] == pixels()
    # Where the page leaves its ground out, the blog's shows; in a frame of the other scheme the browser's would.
    inside.evaluate("() => { document.body.replaceChildren(); document.body.style.background = 'none'; }")
    assert [[192, 0, 192]] * 2 == pixels()
    page.locator("iframe").evaluate(
        "(it, other) => { it.style.colorScheme = other; }", "light" if ground == DARK else "dark"
    )
    assert [192, 0, 192] not in pixels()


@pytest.mark.parametrize(
    "choices",
    [
        EmbedChoices("sector", "treemap", "1y", "dark", "colour-blind", area="equal", watch="TCS,M&M"),
        EmbedChoices(
            "change", "bars", "1mo", "light", "classic", "0.5", "symbol", "amount", "watchlist", "TCS,M&M"
        ),
    ],
)
def test_the_page_knows_every_choice(market: Site, visit: Callable[..., Page], choices: EmbedChoices) -> None:
    """The command and the page offer the same choices, and a frame with one of each shows them without a message."""
    selects = [key for key in EmbedChoices._fields if key != "watch"]
    snippet = embed.iframe("/map/", "map", market="nse-fno", choices=choices)
    market.other["/blog/"] = post(snippet)
    inside = map_in(visit("/blog/"))

    offered: dict[str, Any] = inside.evaluate(
        "keys => Object.fromEntries(keys.map((key) => [key, [...document.getElementById(key).options].map((it) => it.value)]))",
        selects,
    )
    assert set(MODES) == set(offered["mode"])
    assert set(LAYOUTS) == set(offered["layout"])
    assert set(embed.SOURCE_PERIODS) == set(offered["period"])
    assert {"", *THEMES} == set(offered["theme"])
    assert set(GRADIENTS) == set(offered["palette"])
    assert set(embed.HEATS) >= set(offered["heat"])
    assert set(embed.SORTS) == set(offered["sort"])
    assert set(embed.AREAS) == set(offered["area"])
    for key in set(selects) & set(choices.as_query()):
        assert choices.as_query()[key] == inside.locator(f"#{key}").input_value()
    assert ["M&M", "TCS"] == sorted(
        inside.locator(".watched").evaluate_all("all => all.map((it) => it.dataset.symbol)")
    )
    assert inside.locator("#notice").is_hidden()
    assert inside.locator(f".{choices.layout}").is_visible()
