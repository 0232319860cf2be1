"""The folder of the checkout under test."""

from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
