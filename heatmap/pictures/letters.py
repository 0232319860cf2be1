"""Estimates the width of text without a font."""

from __future__ import annotations

from heatmap.pictures.wording import MINUS

# The widths of letters, in units of their size: those of Arial Bold and a little more. With a tenth of the
# width left free, even DejaVu Sans Bold fits. The viewer's fonts are unknown.
LETTER_WIDTHS = {
    letter: width
    for letters, width in (
        (" .,:;|'ijlI-", 0.37),
        ("!`()[]frt/\\", 0.44),
        ("EFJLPSTYZ", 0.67),
        ("ABCDGHKNOQRUVX", 0.77),
        ("&+<=>^~#" + MINUS, 0.8),
        ("@%MWmw…", 1.0),
    )
    for letter in letters
}
ASCII_WIDTH, FOREIGN_WIDTH = 0.65, 1.0  # the widths of other letters


def text_width(text: str) -> float:
    """Return the largest width of a bold line in the usual fonts, in units of its size."""
    widths = LETTER_WIDTHS
    return sum(widths.get(letter) or (ASCII_WIDTH if letter.isascii() else FOREIGN_WIDTH) for letter in text)
