"""Draws docs/screenshots from the recorded day: `make screenshots`, then look at them."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from PIL import Image

from heatmap import demo
from tests.servers.chromium import chromium

TARGET = Path(__file__).resolve().parents[1] / "docs/screenshots"
COLOURS = 256  # of a picture's palette: a third of the size, and hardly a difference to the eye
LAYOUTS = ("table", "sectors", "treemap", "bars")
SIZES = {"1280": (1280, 880), "600": (600, 900), "360": (360, 740)}


class Shot(NamedTuple):
    """A window, what the address asks for, and how its reader sees."""

    size: tuple[int, int]
    query: str = ""
    scheme: str = "light"
    blindness: str = "none"
    panel: str = ""  # the symbol whose panel is open


SHOTS = {
    **{
        f"{layout}-{size}": Shot(window, f"?layout={layout}")
        for layout in LAYOUTS
        for size, window in SIZES.items()
    },
    "treemap-strength-dark": Shot(SIZES["1280"], "?layout=treemap&mode=rs", "dark", panel="RELIANCE"),
    "sectors-amount": Shot(SIZES["1280"], "?layout=sectors&mode=amount"),
    "treemap-liquidity": Shot(SIZES["1280"], "?layout=treemap&mode=liquidity&area=amount"),
    "bars-sector-dark": Shot(SIZES["600"], "?layout=bars&mode=sector", "dark"),
    "range-classic": Shot(SIZES["1280"], "?mode=range&palette=classic"),
    "deuteranopia": Shot(SIZES["1280"], blindness="deuteranopia"),
    "deuteranopia-colour-blind": Shot(SIZES["1280"], "?palette=colour-blind", blindness="deuteranopia"),
}


def main() -> None:
    """Draw every picture anew."""
    TARGET.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as name, chromium() as browser:
        folder = Path(name)
        demo.publish(demo.settings(folder / "site", folder / "state", refresh_seconds=300), demo.FINAL)
        for picture, shot in SHOTS.items():
            width, height = shot.size
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=shot.scheme)
            page.goto(f"{(folder / 'site/index.html').as_uri()}{shot.query}")
            session = page.context.new_cdp_session(page)
            session.send("Emulation.setEmulatedVisionDeficiency", {"type": shot.blindness})
            if shot.panel:
                page.locator(f'a:has(b:text-is("{shot.panel}"))').hover()
            image = (
                Image.open(BytesIO(page.screenshot()))
                .convert("RGB")
                .quantize(COLOURS, kmeans=2, dither=Image.Dither.NONE)
            )
            image.save(TARGET / f"{picture}.png", optimize=True)
            page.close()
            print(TARGET / f"{picture}.png")


if __name__ == "__main__":
    main()
