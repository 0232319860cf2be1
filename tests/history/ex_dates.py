"""First sessions on new terms from the exchange's archives, each with the session before it.

The figures are facts of July and August 2026 (the previous close is still on the old terms, except where the
exchange held a session to discover the new price), of VEDL's demerger, and of a crash.
"""

from __future__ import annotations

from datetime import date

from heatmap.market.bars import Bar


def session(symbol: str, day: date, *figures: float) -> Bar:
    """Return a bar of previous close, open, high, low, close and volume; the turnover is volume x close."""
    previous, opened, high, low, close, volume = figures
    return Bar(symbol, day, opened, high, low, close, previous, volume, round(volume * close, 2))


JLHL = (  # face value 10 to 2
    session("JLHL", date(2026, 7, 23), 1561.0, 1560.0, 1598.0, 1545.1, 1574.5, 24_475),
    session("JLHL", date(2026, 7, 24), 1574.5, 313.9, 327.0, 306.3, 323.2, 118_808),
)
POCL = (  # face value 5 to 2
    session("POCL", date(2026, 7, 20), 1368.0, 1368.0, 1415.0, 1368.0, 1401.8, 236_152),
    session("POCL", date(2026, 7, 21), 1401.8, 570.0, 584.0, 559.4, 561.1, 574_746),
)
TEMBO = (  # face value 10 to 1
    session("TEMBO", date(2026, 8, 4), 560.4, 564.0, 581.0, 561.0, 574.15, 260_499),
    session("TEMBO", date(2026, 8, 5), 574.15, 59.7, 68.85, 58.95, 65.9, 17_112_668),
)
HARDWYN = (  # a bonus of 1:3
    session("HARDWYN", date(2026, 7, 27), 15.82, 16.08, 16.49, 15.48, 15.59, 4_082_237),
    session("HARDWYN", date(2026, 7, 28), 15.59, 11.88, 11.89, 11.06, 11.49, 4_052_616),
)
GENESYS = (  # a bonus of 1:2
    session("GENESYS", date(2026, 8, 5), 316.65, 316.65, 335.0, 316.5, 328.7, 867_119),
    session("GENESYS", date(2026, 8, 6), 328.7, 215.05, 232.95, 215.05, 229.0, 1_029_321),
)
IVZINNIFTY = (
    session("IVZINNIFTY", date(2026, 7, 30), 2778.13, 2778.13, 2788.91, 2772.12, 2786.51, 296),
    session("IVZINNIFTY", date(2026, 7, 31), 2786.51, 276.5, 280.91, 276.5, 280.58, 3394),
)
NARMADA = (  # a demerger; the exchange adjusted nothing
    session("NARMADA", date(2026, 7, 30), 34.32, 34.27, 36.36, 33.56, 36.19, 2_183_819),
    session("NARMADA", date(2026, 7, 31), 36.19, 19.99, 21.67, 16.51, 17.02, 8_232_988),
)
VEDL = (  # a demerger
    session("VEDL", date(2026, 4, 29), 770.0, 770.0, 778.0, 765.0, 773.6, 9_000_000),
    session("VEDL", date(2026, 4, 30), 773.6, 289.5, 301.0, 271.0, 275.0, 40_000_000),
)
CRASH = (  # close to a bonus of 2:3
    session("CRASH", date(2026, 5, 5), 655.0, 655.0, 670.0, 650.0, 660.75, 1_000_000),
    session("CRASH", date(2026, 5, 6), 660.75, 400.0, 421.0, 380.0, 405.0, 12_000_000),
)
TRIVENI = (  # a demerger after which a session discovered the new price
    session("TRIVENI", date(2026, 7, 21), 470.35, 469.65, 473.8, 452.0, 471.5, 1_038_674),
    session("TRIVENI", date(2026, 8, 5), 243.91, 255.0, 255.0, 233.59, 235.3, 1_469_564),
)
INOXGREEN = (
    session("INOXGREEN", date(2026, 7, 30), 182.55, 182.55, 182.77, 172.7, 175.25, 1_949_052),
    session("INOXGREEN", date(2026, 8, 14), 186.96, 187.1, 188.5, 180.0, 187.07, 1_104_816),
)
SPLITS = {"1/5": JLHL, "2/5": POCL, "1/10": TEMBO, "3/4": HARDWYN, "2/3": GENESYS}
