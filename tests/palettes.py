"""Makes heatmap/data/palettes.json anew: `python -m tests.palettes`, after a change of the gradients."""

from __future__ import annotations

import json

from heatmap.analysis.colours import UPS
from heatmap.pictures.market_map.data import PALETTES, encode_palettes


def content() -> str:
    """What the file must hold."""
    return json.dumps({up: encode_palettes(up) for up in UPS}, indent=1) + "\n"


if __name__ == "__main__":
    PALETTES.write_text(content(), "utf-8")
