"""Makes the folder of a version that is about to be released, by running that version:

    python tests/upgrades/make.py VERSION

In `tests/upgrades/VERSION` stands a heatmap.toml that uses what the version can keep. Beside it comes the
state that a session leaves, from its opening to its final, with a run at night after it.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

UPGRADES = Path(__file__).parent
SESSION = {"09:20": "open", "11:00": "open", "15:20": "auction", "16:01": "final"}
DATE = "2026-09-17"
QUOTES = "quotes.json"  # what the configurations name as their source; it is not kept
STOCKS = {"HDFCLIFE": 530.2, "M&M": 3105.0, "BAJAJ-AUTO": 8423.5, "TMPV": 301.0, "NTPC": 327.0, "SBIN": 948.8}


def moments(date: str = DATE) -> list[datetime]:
    """Return when a session of four ticks is asked for."""
    return [datetime.fromisoformat(f"{date}T{time}:00+05:30") for time in SESSION]


def write_quotes(folder: Path, moment: datetime) -> None:
    """Put the figures of a moment where the configuration looks for them; with each minute they move."""
    minutes = moment.hour * 60 + moment.minute
    rows = []
    for number, (symbol, close) in enumerate(STOCKS.items()):
        percent = round((minutes % 97) / 30 - number, 2)
        price = round(close * (1 + percent / 100), 2)
        rows.append(
            {
                "symbol": symbol,
                "last_price": price,
                "previous_close": close,
                "percent_change": percent,
                "open": close,
                "high": max(price, close),
                "low": min(price, close),
                "volume": 1000 * minutes,
            }
        )
    document = {
        "schema": "market-heatmap/1",
        "source": "nse",
        "currency": "INR",
        "as_of": moment.isoformat(),
        "session": {"phase": SESSION.get(f"{moment:%H:%M}", "closed")},
        "quotes": rows,
    }
    (folder / QUOTES).write_text(json.dumps(document), "utf-8")


def main(version: str) -> None:
    """Run the session in the version's folder, and leave there what is remembered of it alone."""
    folder = UPGRADES / version
    shutil.rmtree(folder / "state", ignore_errors=True)
    night = moments()[-1] + timedelta(hours=8)
    for moment in [*moments(), night]:
        write_quotes(folder, moment)
        arguments = ["run", "--config", str(folder / "heatmap.toml"), "--now", moment.isoformat()]
        subprocess.run([sys.executable, "-m", "heatmap", *arguments], check=True)
    (folder / QUOTES).unlink()
    # What only ever spares a tick some work, and holds paths of this machine.
    (folder / "state/nap").unlink()
    for name in ("state/compiled-templates", "site"):
        shutil.rmtree(folder / name)


if __name__ == "__main__":
    main(sys.argv[1])
