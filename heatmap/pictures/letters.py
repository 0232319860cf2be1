"""How wide words are, where no font can be asked."""

from __future__ import annotations

from heatmap.pictures.wording import MINUS

# How wide letters are, in their size: those of Arial Bold and a little more, so that with a tenth left free
# even DejaVu Sans Bold fits. Whoever looks at the picture has the fonts he has: no font is asked.
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
ASCII_WIDTH, FOREIGN_WIDTH = 0.65, 1.0  # of letters not listed


def text_width(text: str) -> float:
    """Return how wide a line is at most in the usual fonts, bold, in its size."""
    widths = LETTER_WIDTHS
    return sum(widths.get(letter) or (ASCII_WIDTH if letter.isascii() else FOREIGN_WIDTH) for letter in text)
