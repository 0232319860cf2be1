"""Writes heatmap/data/palettes.json: `python -m tests.palettes`, after a change of the gradients."""

from __future__ import annotations

import json

from heatmap.analysis.colours import UPS
from heatmap.pictures.market_map.data import PALETTES, encode_palettes


def content() -> str:
    """The content that the file must have."""
    return json.dumps({up: encode_palettes(up) for up in UPS}, indent=1) + "\n"


if __name__ == "__main__":
    PALETTES.write_text(content(), "utf-8")
