"""Where further recorded bodies of the exchange may lie: beside the checkout. Tests do without them elsewhere."""

from pathlib import Path

RECORDED = Path(__file__).parents[2] / "shared/nse"
