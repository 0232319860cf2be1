"""Draws docs/screenshots from the recorded day: `make screenshots`, then look at them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from heatmap import demo
from tests.servers.chromium import chromium

TARGET = Path(__file__).resolve().parents[1] / "docs/screenshots"
# name → width, height, colour scheme, gradient, simulated colour blindness
PICTURES = {
    "wide": (1280, 880, "light", "contrast", "none"),
    "600": (600, 900, "light", "contrast", "none"),
    "360": (360, 720, "light", "contrast", "none"),
    "dark": (1280, 880, "dark", "contrast", "none"),
    "classic": (1280, 880, "light", "classic", "none"),
    "colour-blind": (1280, 880, "light", "colour-blind", "none"),
    "deuteranopia": (1280, 880, "light", "contrast", "deuteranopia"),
    "deuteranopia-colour-blind": (1280, 880, "light", "colour-blind", "deuteranopia"),
}


def main() -> None:
    """Draw every picture anew."""
    TARGET.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as name, chromium() as browser:
        folder = Path(name)
        for gradient in {picture[3] for picture in PICTURES.values()}:
            config = demo.settings(folder / gradient, folder / f"state-{gradient}", refresh_seconds=300)
            demo.publish(config._replace(page=replace(config.page, gradient=gradient)), demo.FINAL)
        for picture, (width, height, scheme, gradient, blindness) in PICTURES.items():
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
            page.goto((folder / gradient / "index.html").as_uri())
            session = page.context.new_cdp_session(page)
            session.send("Emulation.setEmulatedVisionDeficiency", {"type": blindness})
            page.screenshot(path=TARGET / f"{picture}.png")
            page.close()
            print(TARGET / f"{picture}.png")


if __name__ == "__main__":
    main()
