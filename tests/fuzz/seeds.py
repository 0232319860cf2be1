"""Good bodies of every kind, with which fuzzing begins."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from typing import Any

from heatmap.history.model import TickRow
from heatmap.market import snapshot_json
from heatmap.state import run_log
from tests.checkout import CHECKOUT
from tests.fuzz.soundness import NOW

FIXTURES = CHECKOUT / "tests" / "fixtures"

OVERRIDES = """[[closed]]
date = 2026-12-01
name = "Election"
"""


OVERRIDES_SEED = """coverage_to = 2027-12-31
[[closed]]
date = 2026-12-01
name = "Election"
[[session]]
date = 2026-11-08
name = "Diwali Muhurat session"
windows = [["18:00", "19:00"]]
auction = [["19:00", "19:10"]]
settles = "19:25"
[[regular]]
date = 2026-06-26
[[alias]]
old = "OLDNAME"
new = "NEWNAME"
from = 2027-04-01
[[action]]
symbol = "NAME"
date = 2027-07-30
factor = "1/2"
"""


CONFIGURATION_SEED = """title = "Map"
interval_minutes = 5
deadline_seconds = 90
public_url = "https://www.example.org/map"
[[market]]
name = "nse-fno"
[market.source]
type = "nse"
[[market]]
name = "own"
source = [{type = "file", url = "https://www.example.org/snapshot.json"}, {type = "recording"}]
[market.session]
open = "09:00"
close = "15:30"
time_zone = "Asia/Kolkata"
weekdays = ["mon", "sun"]
holidays = ["2026-12-25"]
settle_minutes = 20
[page]
columns = 12
[[publish]]
url = "file:site"
[[publish]]
url = "sftp://user@www.example.org:22//var/www"
[[publish]]
url = "s3://bucket/folder"
[monitor]
ping_url_env = "PING"
[archive]
enabled = true
[gates]
[history]
[[alert]]
name = "moves"
change_percent = 3.0
"""


COOKIES_KEPT_AT = 1789600000  # seconds since 1970
STATE_SEED = {
    "version": 1,
    "markets": {
        "nse-fno": {
            "published_at": "2026-09-17T11:30:00+05:30",
            "final_date": "2026-09-16",
            "early_final": "2026-09-16T15:20:00+05:30",
            "warned_on": "2026-09-16",
            "holidays_asked_on": "2026-09-16",
            "holidays_failing_since": "2026-09-10",
            "holidays_lack": "it lists 2026 alone",
            "history_told": "2026-09-17 0a1b2c3d",
            **dict.fromkeys(("bars_date", "archive_date", "feed_date", "alerts_date"), "2026-09-16"),
            "faults": {"feed": "it could not be written"},
            "sources": {"nse": {"in_a_row": 3, "last_at": "2026-09-17T05:00:00+00:00", "wish_seconds": 60}},
            "outcomes": [["2026-09-17T11:30:00+05:30", 0]],
        }
    },
}


WAITING_SEED = {
    "rule": "change", "side": "up", "symbol": "A", "name": "Name", "period": "1d", "value": 5.2,
    "threshold": 5.0, "text": "A +5.20 % over 1 day",
}  # fmt: skip
DOCUMENT_SEEDS: list[Any] = [
    {
        "version": 1,
        "as_of": "2026-09-17T11:30:00+05:30",
        "figures": "abc",
        "unchanged_since": "2026-09-17T11:30:00+05:30",
        "tried": "2026-09-17T11:35:00+05:30",
        "symbols": ["A", "B"],
        "closes": {"A": 1.5},
        "prices": {"A": 1.6},
        "priced_by": "nse",
        "refused": {"since": "2026-09-17T11:30:00+05:30", "symbols": ["A"]},
    },
    {
        "version": 1,
        "days": {"2026-09-17": [[1, 2, 3], "2026-09-17T11:30:00+05:30", ["A", 1.5], ["B", -1.5]]},
        "targets": {
            "file:site": {
                "lacks": ["2026-09-17"],
                "failed_at": "2026-09-17T15:50:00+05:30",
                **dict.fromkeys(("is_listed", "has_feed", "is_searched"), True),
            }
        },
    },
    {
        "version": 1,
        "markets": {
            "m": {
                "session": "2026-09-17",
                "told": {"a": {"seen": ["x"], "waiting": [WAITING_SEED]}},
                "notices": [{"alert": "a", "session": "s", "as_of": "t", "title": "t", "lines": ["l"]}],
            }
        },
    },
]


FULL_ARCHIVE = (
    "SYMBOL, SERIES, DATE1, PREV_CLOSE, OPEN_PRICE, HIGH_PRICE, LOW_PRICE, LAST_PRICE, CLOSE_PRICE, AVG_PRICE,"
    " TTL_TRD_QNTY, TURNOVER_LACS, NO_OF_TRADES, DELIV_QTY, DELIV_PER\n"
    "SBIN, EQ, 17-Sep-2026, 100.0, 101, 103.5, 99, 102, 102.5, 101, 1000, 1.02, 10, 5, 50\n"
    "TCS, BE, 17-Sep-2026, 3000, 3010, 3020, 2990, 3001, 3000.5, 3000, 2000, 60, 10, -, -\n"
)


UDIFF_ARCHIVE = (
    "TradDt,BizDt,Sgmt,Src,FinInstrmTp,FinInstrmId,ISIN,TckrSymb,SctySrs,OpnPric,HghPric,LwPric,ClsPric,"
    "LastPric,PrvsClsgPric,TtlTradgVol,TtlTrfVal\n"
    "2026-09-17,2026-09-17,CM,NSE,STK,1,X,SBIN,EQ,101,103.5,99,102.5,102,100,1000,102000\n"
)


HOLIDAY_SEED = {
    "CM": [
        {"tradingDate": day, "weekDay": week_day, "description": name, "Sr_no": 1}
        for day, week_day, name in (
            ("26-Jan-2027", "Tuesday", "Republic Day"),
            ("02-Oct-2027", "Saturday", "Mahatma Gandhi Jayanti"),
            ("15-Aug-2027", "Sunday", "Independence Day"),
            ("25-Dec-2027", "Saturday", "Christmas"),
            ("29-Oct-2027", "Friday", "Diwali Laxmi Pujan*"),
        )
    ],
    "FO": [{"tradingDate": "26-Jan-2027", "weekDay": "Tuesday", "description": "Republic Day"}],
}


SNAPSHOT_SEED = {
    "schema": snapshot_json.SCHEMA,
    "source": "nse",
    "currency": "INR",
    "as_of": "2026-09-17T11:30:00+05:30",
    "is_open": True,
    "dropped": 1,
    "session": {"date": "2026-09-17", "phase": "open", "next_open": None},
    "quotes": [
        {
            "symbol": "M&M",
            "name": "Mahindra",
            "sector": "Automobiles",
            "last_price": 101.5,
            "previous_close": 100.0,
            "percent_change": 1.5,
            "volume": 1000,
            "changes": {"1mo": {"percent": 2.0, "since": "2026-08-17"}},
        },
        {"symbol": "SBIN", "percent_change": -1},
    ],
    "unknown": [{"symbol": "JLHL", "last_price": 323.2, "doubts": {"1d": "A split took effect today."}}],
}


def fixtures() -> list[bytes]:
    return [path.read_bytes() for path in sorted(FIXTURES.glob("nse_*.json"))]


def encoded(*documents: object) -> list[bytes]:
    return [json.dumps(document).encode() for document in documents]


def zipped(text: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("archive.csv", text)
    return packed.getvalue()


def outcome_lines() -> list[bytes]:
    lines = b"".join(
        run_log._encode(outcome)
        for outcome in (
            run_log.RunOutcome("nse-fno", NOW, 0, run_log.PUBLISHED, "", "nse", 210, NOW, 1.5, -660.0),
            run_log.RunOutcome("nse-fno", NOW, 75, "network", "nothing came"),
        )
    )
    return [
        lines,
        *encoded({"nse-fno": [["2026-09-17T11:30:00+05:30", 0]]}),
        run_log.write_marker({"m": NOW}).encode(),
    ]


def packed_ticks() -> list[bytes]:
    columns = [["A", "B"], *([1.5, None] for _ in TickRow._fields)]
    text = json.dumps(columns, separators=(",", ":")).encode()
    return [text, zlib.compress(text)]
