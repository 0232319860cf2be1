"""Every parser of what comes from outside, as a function of bytes, with all that must hold of what it gives.

A target returns what it made of the bytes, or the sentence with which it refused them. Whatever else it
raises is a fault: nothing but our own errors may leave a parser, and what it accepts must be fit to publish.
"""

from __future__ import annotations

import gzip
import io
import json
import math
import tempfile
import tomllib
import unicodedata
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

from heatmap import blocks, calendars, config, gatekeeper, holidays, nap, outcomes, overrides, snapshots, state, values, vlq
from heatmap.alerts import memory
from heatmap.archive import record, shared
from heatmap.calendars import SessionOptions
from heatmap.cli.clock import parse_now
from heatmap.credentials import VARIABLE
from heatmap.errors import EXIT_BUG, HeatmapError
from heatmap.history import archives, keepsake, packing
from heatmap.history.model import Bar, Row
from heatmap.model import Breadth, Cell, Occasion, Snapshot, Table
from heatmap.publishers import address, ftp_words, known_hosts, sftp_words
from heatmap.session import Phase, Verdict
from heatmap.sources import file, nse_body, nse_holidays
from heatmap.web import answers, cookies

FIXTURES = Path(__file__).parents[1] / "fixtures"
TODAY = date(2026, 9, 17)
NOW = datetime(2026, 9, 17, 6, 0, tzinfo=UTC)
LONGEST_SENTENCE = 20_000  # characters of a refusal with many problems: bounded, whatever was refused
URL = "https://www.example.org/api"


class Target(NamedTuple):
    """A parser: what runs it, and inputs from which to begin."""

    run: Callable[[bytes], object]
    seeds: Callable[[], list[bytes]]


@cache
def folder() -> Path:
    """A folder of this process alone, for parsers that read files."""
    holder = tempfile.TemporaryDirectory(prefix="heatmap-fuzz-")
    folder.holder = holder  # type: ignore[attr-defined]  # removed with the process
    return Path(holder.name)


def refusing(parse: Callable[[], object]) -> object:
    """Return what `parse` does, or the sentence of its refusal. Whatever else it raises is a fault."""
    try:
        return parse()
    except HeatmapError as error:
        assert error.exit_code != EXIT_BUG, repr(error)
        for line in str(error).splitlines() or [""]:
            assert line.strip(), f"no sentence: {error!r}"
            assert line.isprintable(), f"control characters in a sentence: {error!r}"
        assert len(str(error)) < LONGEST_SENTENCE, len(str(error))
        str(error).encode()
        return str(error)


def is_figure(value: object, lowest: float = -values.LARGEST) -> bool:
    """Whether a figure is finite and bounded."""
    return value is None or (
        isinstance(value, float) and math.isfinite(value) and lowest <= value < values.LARGEST
    )


def is_text(value: object) -> bool:
    """Whether text can stand on a page: one line of characters that show, in UTF-8."""
    if not isinstance(value, str):
        return value is None
    value.encode()
    shows = not any(unicodedata.category(letter) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for letter in value)
    return shows and 0 < len(value) <= values.LONGEST_NAME and value == value.strip()


def sound(snapshot: Snapshot) -> Snapshot:
    """Assert all that must hold of quotes that were accepted."""
    symbols = [quote.symbol for quote in snapshot.quotes]
    assert symbols
    assert len(set(symbols)) == len(symbols), "a symbol stands there twice"
    assert snapshot.as_of.utcoffset() is not None
    assert is_text(snapshot.source)
    assert is_text(snapshot.currency)
    assert snapshot.is_open in (None, True, False)
    assert snapshot.dropped >= 0
    for quote in snapshot.quotes:
        assert is_text(quote.symbol)
        assert len(quote.symbol) <= 32
        assert not set(quote.symbol) & set(" <>\"'`\\")
        assert is_text(quote.name), repr(quote.name)
        assert is_text(quote.sector), repr(quote.sector)
        assert -100 <= quote.percent_change <= 100_000
        assert math.copysign(1, quote.percent_change) > 0 or quote.percent_change < 0, "a minus before 0"
        prices = (
            quote.last_price,
            quote.previous_close,
            quote.open,
            quote.high,
            quote.low,
            quote.volume,
            quote.turnover,
            quote.free_float_market_cap,
            quote.year_high,
            quote.year_low,
        )
        assert all(is_figure(price, 0) for price in prices), prices
        for period, change in quote.changes.items():
            assert period.isascii()
            assert period.isprintable()
            assert len(period) <= 16
            assert is_figure(change.percent, -100)
            assert change.since is None or type(change.since) is date
    assert round_trip(snapshot) == snapshot
    return snapshot


def round_trip(snapshot: Snapshot) -> Snapshot:
    """Return the snapshot as it comes back from its own snapshot.json."""
    cells = tuple(Cell(quote, quote.percent_change, "#000000", "#ffffff") for quote in snapshot.quotes)
    table = Table((cells,), 1, Breadth(0, 0, 0), ())
    occasion = Occasion("m", "t", "UTC", NOW, Verdict(Phase.OPEN, None, None, "it is open"), 5)
    back = snapshots.from_json(snapshots.decode(snapshots.to_json(snapshot, table, occasion)))
    return Snapshot(
        back.source,
        back.as_of,
        back.quotes,
        back.currency,
        back.is_open,
        back.dropped,
        back.recording,
        snapshot.relayed,
    )


def text_of(body: bytes) -> str:
    """Return bytes as a program gets them that were read as text: half characters stay."""
    return body.decode("utf-8", "surrogateescape")


# --- what sources answer ---------------------------------------------------------------------------


def nse_answer(body: bytes) -> object:
    """An answer of the exchange, in any of its four forms."""
    return refusing(lambda: sound(nse_body.parse(body, index="NIFTY 50")))


def snapshot_json(body: bytes) -> object:
    """A snapshot.json of this program's own, or an answer of the exchange, from a file or an address."""
    return refusing(lambda: sound(file.parse(body)))


def holiday_list(body: bytes) -> object:
    """The exchange's holiday list, and what it makes of the packaged calendar and a user's overrides."""

    def parse() -> object:
        found = nse_holidays.parse(body)
        assert found.closed or found.muhurat
        for day, name in [*found.closed.items(), *found.muhurat.items()]:
            assert day.year == found.year
            assert is_text(name[:100].strip()), repr(name)
        assert not set(found.closed) & set(found.muhurat)
        update = holidays.update(calendar(), OVERRIDES, "overrides.toml", found, TODAY)
        # What was once taken in changes nothing the second time.
        again = holidays.update(calendar(), update.text, "overrides.toml", found, TODAY)
        assert again.text == update.text
        assert not again.new
        return update.text

    return refusing(parse)


def web_answer(body: bytes) -> object:
    """An answer's headers and packed body, cut at the first empty line."""
    head, _, rest = body.partition(b"\n\n")
    lines = [line.partition(":") for line in text_of(head).split("\n")]
    headers = {name.strip().lower(): value.strip() for name, _, value in lines}
    status = int(headers["status"]) if headers.get("status", "").isdecimal() and len(headers["status"]) < 5 else 302
    reply = answers.Reply(status, headers, tuple(headers.values()), b"")
    jar = cookies.Cookies()
    jar.take(URL, reply.cookies)
    assert len(jar) <= cookies.MOST_COOKIES
    wish = answers.retry_after_seconds(headers)
    assert wish is None or 0 <= wish <= answers.LONGEST_WISH_SECONDS
    unpacked = refusing(lambda: answers.unpacked(rest, headers.get("content-encoding", ""), 10_000))
    assert len(unpacked) <= 10_000  # type: ignore[arg-type]  # bytes or a sentence
    place = refusing(lambda: answers.redirected(URL, reply))
    refusing(lambda: answers.judge(reply))
    shown = answers.shown(headers.get("location", ""))
    header = jar.header(URL)
    assert header is None or (header.isascii() and header.isprintable())
    return wish, unpacked, place, shown, header


def bhavcopy(body: bytes) -> object:
    """A daily archive of the exchange, plain or zipped."""

    def parse() -> object:
        found = archives.parse(body, TODAY)
        assert found.bars
        assert found.dropped >= 0
        assert len({bar.symbol for bar in found.bars}) == len(found.bars)
        for bar in found.bars:
            assert bar.symbol.isascii()
            assert bar.symbol.isprintable()
            assert bar.date == TODAY
            assert bar.close > 0
            assert all(is_figure(figure, 0) for figure in bar[2:-1]), bar
            assert bar.turnover is None or math.isfinite(bar.turnover)
        return found

    return refusing(parse)


def packed_tick(body: bytes) -> object:
    """A tick's figures out of a database that others may have written to."""
    found: list[object] = []
    for raw in (body, zlib.compress(body, 1)):
        for read in (packing.unpack, packing.unpack_volumes):
            with suppress(*packing.DAMAGE):  # as it says, and the store expects
                found.append(read(raw))
    return found or "damaged"


# --- what a user writes ----------------------------------------------------------------------------


def configuration(body: bytes) -> object:
    """heatmap.toml."""

    def parse() -> object:
        path = folder() / "heatmap.toml"
        path.write_bytes(body)
        found = config.load(path)
        assert found.markets
        assert found.publishers
        assert len({market.name for market in found.markets}) == len(found.markets)
        assert found.title.isprintable()
        assert math.isfinite(found.deadline_seconds)
        return found

    return refusing(parse)


def overrides_file(body: bytes) -> object:
    """A file of overrides over the packaged calendar, with the blocks that the program keeps in it."""

    def parse() -> object:
        path = folder() / "overrides.toml"
        path.write_bytes(body)
        text = overrides.read(path)
        problems: list[str] = []
        merged = overrides.merged(calendar(), text, "overrides.toml", problems)
        assert all(problem.isprintable() for problem in problems), problems
        lines = ["[[closed]]", "date = 2027-01-26", 'name = "Republic Day"']
        with_block = blocks.rewritten(text, 2027, lines, None)
        if not problems:
            assert blocks.rewritten(with_block, 2027, lines, None) == with_block
            return merged, overrides.dates(text)
        return problems

    return refusing(parse)


def clock(body: bytes) -> object:
    """A time as --now has it."""
    return refusing(lambda: parse_now(text_of(body[:1000])))  # its refusal repeats the user's own words


def addresses(body: bytes) -> object:
    """The address of a target, and the paths below it."""

    def parse() -> object:
        found = address.parse(text_of(body))
        assert found.name.isprintable()
        assert ".." not in found.folder.split("/")
        assert list(address.levels(found.folder))[-1:] in ([], [found.folder])
        return found

    return refusing(parse)


# --- what the state directory holds ----------------------------------------------------------------


def state_file(body: bytes) -> object:
    """state.json, with the rests of sources that blocked."""
    from heatmap import breaker

    for left in folder().glob("state*.json"):
        left.unlink()
    (folder() / "state.json").write_bytes(body)
    warnings: list[str] = []
    found = state.State(folder(), warnings.append)
    assert all(warning.isprintable() for warning in warnings)
    rests = breaker.from_plain(found["nse-fno"].sources)
    for blocked in rests.values():
        assert breaker.rest_seconds(blocked, 5) >= 0
        breaker.rests_until(blocked, 5, NOW)
    assert breaker.from_plain(json.loads(json.dumps(breaker.to_plain(rests)))) == rests
    found.remember("nse-fno", final_date="2026-09-17")
    assert state.State(folder())["nse-fno"].final_date == "2026-09-17"
    return found["nse-fno"], rests, len(warnings)


def kept_documents(body: bytes) -> object:
    """The other JSON documents of the state directory: set aside, or fit to go on with."""
    from heatmap import documents

    found: list[object] = []
    warnings: list[str] = []
    for name, version, made in (
        ("last.json", gatekeeper.VERSION, gatekeeper._made),
        ("alerts.json", memory.VERSION, memory._memories),
        ("archive.json", record.VERSION, record._days),
    ):
        path = folder() / name
        path.write_bytes(body)
        kept: Any = documents.load(path, version, made, warnings.append)
        if name == "last.json" and kept:
            json.dumps(gatekeeper._plain(kept))
        if name == "archive.json" and kept:
            record.save(folder(), "m", kept.values())
            assert record.load(folder(), "m", warnings.append) == kept
        if name == "alerts.json" and kept:
            memory.save(folder(), kept)
            assert memory.load(folder(), warnings.append) == kept
        found.append(kept)
    for left in folder().glob("*.json"):
        left.unlink()
    return found, len(warnings)


def notes_of_others(body: bytes) -> object:
    """What machines that share a history tell each other of the archive and of alerts."""
    place = folder() / "shared"
    place.mkdir(exist_ok=True)
    warnings: list[str] = []
    shared.take_record(_Notes(body), place, "m", warnings.append)  # type: ignore[arg-type]  # all it asks of a store
    refused = refusing(lambda: shared.take_pages(_Notes(body), place, "m"))  # type: ignore[arg-type]  # the same
    found = record.load(place, "m", warnings.append), {*shared.pages(place, "m")}, refused, len(warnings)
    left = {path.name for path in place.iterdir()}
    assert {name for name in left if not name.startswith("archive-m")} == set(), left
    for name in left:
        (place / name).unlink()
    return found, memory.unpacked(body)


class _Notes:
    """A store that has the same note under every name."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def note(self, market: str, name: str) -> bytes:
        return self.content


def outcome_lines(body: bytes) -> object:
    """The record of runs, and the mark of one that was killed."""
    (folder() / outcomes.FILE_NAME).write_bytes(body)
    found = outcomes.read(folder())
    for outcome in found:
        assert outcome.at.utcoffset() is not None
        outcomes._line(outcome)
        outcome.at.astimezone(UTC)
    mark = outcomes.read_mark(body.decode("utf-8", "replace"))
    if mark:
        outcomes.of_killed(mark)
    former = _json(body)
    outcomes.adopt(folder(), former if isinstance(former, dict) else {})
    kept = outcomes.read(folder())
    (folder() / outcomes.FILE_NAME).unlink(missing_ok=True)
    return found, mark, kept


def nap_note(body: bytes) -> object:
    """The note that lets a tick leave early; and what is kept between ticks; and the file of cookies."""
    home = folder() / "home"
    (home / "state").mkdir(parents=True, exist_ok=True)
    (home / "state" / nap.FILE_NAME).write_bytes(body)
    argv = ["run", "--config", str(home / "heatmap.toml"), "--now", "2026-09-17T11:30:00+05:30"]
    kept = home / "kept"
    kept.write_bytes(b"%d\n%s" % (zlib.crc32(body), body))
    first = nap.lasts(argv), keepsake.read(kept, "key")
    kept.write_bytes(body)
    return first, keepsake.read(kept, "key"), len(cookies.Cookies(kept))


# --- what servers say ------------------------------------------------------------------------------


def ftp_server(body: bytes) -> object:
    """Lists, greetings and refusals of an FTP server."""
    import ftplib

    text = body.decode("utf-8", "surrogateescape")
    lines = text.split("\n")
    found = [ftp_words.names(lines), ftp_words.machine_names(lines)]
    assert all("/" not in name and name not in ("", ".", "..") for names in found for name in names)
    modes = [ftp_words.mode(lines, "index.html"), ftp_words.machine_mode(lines, "index.html")]
    assert all(mode is None or len(mode) == 10 for mode in modes)
    told = ftp_words.description(text, tls=None, sizes=True, machine_lists=False, modes="leaves modes alone")
    assert told.isprintable()
    stale = [address.is_stale(name, 2e9) for names in found for name in names]
    sentences = []
    for step in ftp_words.FAILED:
        for error in (ftplib.error_perm(text), OSError(text), EOFError(text)):
            said = ftp_words.explain(error, "ftp://www.example.org", step, "site", "hunter2")
            assert "hunter2" not in str(said)
            sentences.append(refusing(partial(_raise, said)))
    return found, modes, told, stale, sentences


def sftp_client(body: bytes) -> object:
    """What OpenSSH's programs say."""
    text = body.decode(errors="replace")  # as `openssh.run` does
    told = sftp_words.describe(text, "3")
    faults = [sftp_words.refusal("sftp://www.example.org", text)]
    for step in sftp_words.ADVICE:
        faults += [
            sftp_words.explain("sftp://www.example.org", step, "site", error)
            for error in (sftp_words.Broken(text), sftp_words.Lost(text), OSError(text))
        ]
    return told, [refusing(partial(_raise, fault)) for fault in faults]


def s3_store(body: bytes) -> object:
    """What a store answers instead of what was asked for."""
    from heatmap.publishers.s3 import S3Publisher
    from heatmap.publishers.s3_answers import Answer
    from heatmap.publishers.s3_faults import Keys, Refusal, explain

    target = S3Publisher("s3://bucket/folder", region="eu-west-1", access_key_id="AKIA")
    keys = Keys("AKIA", "hunter2hunter2", "token")
    found = []
    for status in (200, 301, 400, 401, 403, 404, 500):
        refusal = Refusal(Answer(status, {"Location": text_of(body[:200])}, body))
        said = refusing(partial(_raise, explain(refusal, target, keys, "store a file")))
        assert "hunter2hunter2" not in str(said)
        found.append(said)
    return found


def host_keys(body: bytes) -> object:
    """A file of host keys."""
    path = folder() / "known_hosts"
    path.write_bytes(body)
    found: list[object] = [known_hosts.kinds(path, name) for name in ("www.example.org", "[host]:22")]
    for line in body.decode("utf-8", "replace").splitlines()[:50]:
        try:
            key = known_hosts.parse(line)
            assert key.fingerprint.startswith("SHA256:")  # which servers' own keys always have
        except ValueError:
            continue
        found.append(refusing(partial(known_hosts.verify, "sftp:", path, "www.example.org", key)))
    return found


# --- figures, words, times -------------------------------------------------------------------------


def lone_values(body: bytes) -> object:
    """Each value on its own, as text and as whatever JSON it may be."""
    found: list[object] = []
    for value in (text_of(body), _json(body)):
        figures = [check(value) for check in (values.number, values.positive, values.count, values.percent)]
        assert all(is_figure(figure) for figure in figures), figures
        words = values.words(value)
        assert is_text(words), repr(words)
        assert words is None or values.words(words) == words
        moment = values.moment(value)
        if moment:
            moment.astimezone(UTC)
        found += [*figures, words, values.day(value), moment]
        if isinstance(value, str):
            VARIABLE.fullmatch(value)
            found += [archives.date_of(value), answers.shown(value)]
    numbers = [byte << (byte % 40) for byte in body[:200]]
    assert vlq.unpacked(vlq.packed(numbers)) == numbers
    return found


def _json(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _raise(error: BaseException) -> None:
    raise error


@cache
def calendar() -> calendars.Calendar:
    """The packaged calendar."""
    return calendars.load(SessionOptions(), Path())


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
STATE_SEED = {
    "version": 1,
    "markets": {
        "nse-fno": {
            "published_at": "2026-09-17T11:30:00+05:30",
            "final_date": "2026-09-16",
            "warned_on": None,
            "sources": {"nse": {"in_a_row": 3, "last_at": "2026-09-17T05:00:00+00:00", "wish_seconds": 60}},
            "outcomes": [["2026-09-17T11:30:00+05:30", 0]],
        }
    },
}
DOCUMENT_SEEDS: list[Any] = [
    {
        "version": 1,
        "as_of": "2026-09-17T11:30:00+05:30",
        "figures": "abc",
        "unchanged_since": "2026-09-17T11:30:00+05:30",
        "tried": None,
        "symbols": ["A", "B"],
        "refused": {"since": "2026-09-17T11:30:00+05:30", "symbols": ["A"]},
    },
    {"version": 1, "days": {"2026-09-17": [[1, 2, 3], "2026-09-17T11:30:00+05:30", ["A", 1.5], ["B", -1.5]]}},
    {
        "version": 1,
        "markets": {
            "m": {
                "session": "2026-09-17",
                "told": {"a": {"seen": ["x"], "waiting": []}},
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
    "schema": snapshots.SCHEMA,
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
}


def _fixtures() -> list[bytes]:
    return [path.read_bytes() for path in sorted(FIXTURES.glob("nse_*.json"))]


def _encoded(*documents: object) -> list[bytes]:
    return [json.dumps(document).encode() for document in documents]


def _zipped(text: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("archive.csv", text)
    return packed.getvalue()


def _outcomes() -> list[bytes]:
    lines = b"".join(
        outcomes._line(outcome)
        for outcome in (
            outcomes.Outcome("nse-fno", NOW, 0, outcomes.PUBLISHED, "", "nse", 210, NOW, 1.5),
            outcomes.Outcome("nse-fno", NOW, 75, "network", "nothing came"),
        )
    )
    return [lines, *_encoded({"nse-fno": [["2026-09-17T11:30:00+05:30", 0]]}), outcomes.mark({"m": NOW}).encode()]


def _packed() -> list[bytes]:
    columns = [["A", "B"], *([1.5, None] for _ in Row._fields)]
    text = json.dumps(columns, separators=(",", ":")).encode()
    return [text, zlib.compress(text)]


TARGETS = {
    "nse": Target(nse_answer, _fixtures),
    "snapshot": Target(snapshot_json, lambda: [*_encoded(SNAPSHOT_SEED), *_fixtures()]),
    "holidays": Target(holiday_list, lambda: _encoded(HOLIDAY_SEED)),
    "web": Target(
        web_answer,
        lambda: [
            b"location: https://example.org/x\nretry-after: 120\nset-cookie: a=b; Path=/\n\n",
            b"status: 503\ndate: Thu, 17 Sep 2026 06:00:00 GMT\nretry-after: Thu, 17 Sep 2026 06:02:00 GMT\n\n",
            b"content-encoding: gzip\n\n" + gzip.compress(b"figures"),
            b"content-encoding: deflate\n\n" + zlib.compress(b"figures"),
        ],
    ),
    "archive": Target(
        bhavcopy,
        lambda: [
            FULL_ARCHIVE.encode(),
            UDIFF_ARCHIVE.encode(),
            _zipped(FULL_ARCHIVE),
            _zipped(UDIFF_ARCHIVE),
        ],
    ),
    "tick": Target(packed_tick, _packed),
    "configuration": Target(configuration, lambda: [CONFIGURATION_SEED.encode()]),
    "overrides": Target(overrides_file, lambda: [OVERRIDES_SEED.encode(), OVERRIDES.encode()]),
    "clock": Target(clock, lambda: [b"2026-09-17T11:30:00+05:30", b"2026-W38-4T00Z", b"20260917"]),
    "address": Target(
        addresses, lambda: [b"sftp://user@www.example.org:22//var/www%20x", b"ftps://u:p@[::1]:990/a/../b?c#d"]
    ),
    "state": Target(state_file, lambda: _encoded(STATE_SEED)),
    "documents": Target(kept_documents, lambda: _encoded(*DOCUMENT_SEEDS)),
    "notes": Target(
        notes_of_others,
        lambda: _encoded(
            DOCUMENT_SEEDS[1],
            {"2026-09-17": "<!DOCTYPE html>", "2026-09-18": "<p>"},
            DOCUMENT_SEEDS[2]["markets"]["m"],
        ),
    ),
    "outcomes": Target(outcome_lines, _outcomes),
    "kept": Target(
        nap_note,
        lambda: [
            f"{nap.__version__}\n{folder()}/home/heatmap.toml\n0\n9e9\n- /missing".encode(),
            *_encoded([keepsake.FORMAT, nap.__version__, "key", {}]),
            *_encoded(
                {
                    "kept_at": 1789600000,
                    "cookies": [
                        {"name": "a", "value": "b", "domain": "x", "path": "/", "secure": False, "expires": None}
                    ],
                }
            ),
        ],
    ),
    "ftp": Target(
        ftp_server,
        lambda: [
            b"type=file;size=3;UNIX.mode=0644; index.html\ntype=cdir; .\n",
            b"-rw-r--r--   1 user group 3 Sep 17 11:30 index.html\n550 No such hunter2 folder\n",
            b"220-Welcome\n220 ProFTPD ready",
        ],
    ),
    "sftp": Target(
        sftp_client,
        lambda: [
            b"debug1: Remote protocol version 2.0, remote software version OpenSSH_9.2\n"
            b'debug2: Server supports extension "posix-rename@openssh.com" revision 1\n',
            b"user@host: Permission denied (publickey).\nLoad key x: invalid format\n",
            b"@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nSHA256:abc\nOffending RSA key in /k:1\n"
            b"Host key for h has changed\nHost key verification failed.\n",
        ],
    ),
    "s3": Target(
        s3_store,
        lambda: [
            b"<Error><Code>NoSuchBucket</Code><Message>hunter2hunter2 &amp; x</Message><Region>eu</Region></Error>",
            b"<Error><Code>PermanentRedirect</Code><Endpoint>b.s3.example.org</Endpoint></Error>",
        ],
    ),
    "hosts": Target(
        host_keys,
        lambda: [
            b"www.example.org,*.org ssh-ed25519 AAAA comment\n@revoked [host]:22 ssh-rsa AAAA\n",
            b"|1|c2FsdA==|ZGlnZXN0|x ssh-rsa AAAA\n|1|c2FsdA==|ZGlnZXN0 ssh-rsa AAAA\n",
        ],
    ),
    "values": Target(
        lone_values,
        lambda: [b"1,894.10", b"1e999", b'"2026-09-17T11:30:00+05:30"', b"-0.0", b"2026-09-17", "⁦x".encode()],
    ),
}
