"""Data from the web, as functions of bytes: quotes, holidays, archives, and HTTP itself."""

from __future__ import annotations

import math
import zlib
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from heatmap.history import tick_codec
from heatmap.sources import snapshot_file
from heatmap.sources.nse import bhavcopy as archives
from heatmap.sources.nse import body as nse_body
from heatmap.sources.nse import calendar_update, lots, symbols
from heatmap.sources.nse import holidays as nse_holidays
from heatmap.system import clocks, limits, parsing, varint
from heatmap.system.http import cookies, responses
from heatmap.system.secrets import VARIABLE
from tests.fuzz.seeds import OVERRIDES
from tests.fuzz.soundness import (
    TODAY,
    calendar,
    decoded,
    folder,
    is_figure,
    is_text,
    refusing,
    sound,
    text_of,
)

URL = "https://www.example.org/api"

NOW = datetime(2026, 9, 17, 6, 30, tzinfo=UTC)


def nse_answer(body: bytes) -> object:
    """An answer of the exchange, in any of its four forms."""
    return refusing(lambda: sound(nse_body.parse(body, index="NIFTY 50")))


def snapshot_json(body: bytes) -> object:
    """A snapshot.json of this program's own, or an answer of the exchange, from a file or an address."""
    return refusing(lambda: sound(snapshot_file.parse(body)))


def holiday_list(body: bytes) -> object:
    """The exchange's holiday list, and what it makes of the packaged calendar and a user's overrides."""

    def parse() -> object:
        lists = nse_holidays.parse(body)
        text = OVERRIDES
        assert sorted({listed.year for listed in lists}) == [listed.year for listed in lists]
        for listed in lists:
            assert listed.closed or listed.muhurat
            for day, name in [*listed.closed.items(), *listed.muhurat.items()]:
                assert day.year == listed.year
                assert is_text(name[:100].strip()), repr(name)
            assert not set(listed.closed) & set(listed.muhurat)
            update = calendar_update.update(calendar(), text, "overrides.toml", listed, TODAY)
            # What was once taken in changes nothing the second time.
            again = calendar_update.update(calendar(), update.text, "overrides.toml", listed, TODAY)
            assert again.text == update.text
            assert not again.new
            text = update.text
        return text

    return refusing(parse)


def web_answer(body: bytes) -> object:
    """An answer's headers and packed body, cut at the first empty line."""
    head, _, rest = body.partition(b"\n\n")
    lines = [line.partition(":") for line in text_of(head).split("\n")]
    headers = {name.strip().lower(): value.strip() for name, _, value in lines}
    status = (
        int(headers["status"])
        if headers.get("status", "").isdecimal() and len(headers["status"]) < 5
        else 302
    )
    reply = responses.RawResponse(status, headers, tuple(headers.values()), b"")
    jar = cookies.Cookies()
    jar.take(URL, reply.cookies)
    assert len(jar) <= cookies.MOST_COOKIES
    wish = responses.retry_after_seconds(headers)
    assert wish is None or 0 <= wish <= responses.LONGEST_RETRY_AFTER_SECONDS
    offset = clocks.read_offset(headers, NOW)
    for as_of in (NOW, NOW + timedelta(hours=1)):
        clocks.find_difference(NOW, offset, as_of)
        assert clocks.correct(NOW, offset, as_of).year in clocks.YEARS
    unpacked = refusing(lambda: responses.decompress(rest, headers.get("content-encoding", ""), 10_000))
    assert len(unpacked) <= 10_000  # type: ignore[arg-type]  # bytes or a sentence
    place = refusing(lambda: responses.find_redirect(URL, reply))
    refusing(lambda: responses.raise_for_status(reply))
    shown = responses.redacted_url(headers.get("location", ""))
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


def lot_list(body: bytes) -> object:
    """The exchange's list of stocks with futures and options."""

    def parse() -> object:
        found = lots.parse(body)
        assert len(found) >= lots.FEWEST
        assert all(symbol == symbol.strip() and symbol for symbol in found)
        return found

    return refusing(parse)


def symbol_changes(body: bytes) -> object:
    """The exchange's list of symbols that changed, and what is kept of it, also where that is the bytes."""

    def parse() -> object:
        found = symbols.parse(body)
        assert len(set(found)) == len(found) <= limits.SYMBOL_CHANGES
        for old, new, since in found:
            assert old.isascii()
            assert new.isascii()
            assert old != new
            assert len(old) <= 30
            assert len(new) <= 30
            assert since is not None
        assert [change.since for change in found] == sorted(change.since for change in found if change.since)
        symbols.save(folder(), found)
        assert symbols.load(folder()) == tuple(
            change for change in found if change.since and change.since >= symbols.FIRST_DAY
        )
        return found

    (folder() / symbols.FILE_NAME).write_bytes(body)
    kept = symbols.load(folder())
    for symbol in ("OLD1", "TATAMOTORS"):
        assert symbols.find_symbol_on(symbol, TODAY, kept)
        assert len(symbols.select_leading_to(kept, [symbol])) <= len(kept)
    return kept, refusing(parse)


def packed_tick(body: bytes) -> object:
    """A tick's figures out of a database that others may have written to."""
    found: list[object] = []
    for raw in (body, zlib.compress(body, 1)):
        for read in (tick_codec.decode, tick_codec.decode_volumes):
            with suppress(*tick_codec.DECODE_ERRORS):  # as it says, and the store expects
                found.append(read(raw))
    return found or "damaged"


def lone_values(body: bytes) -> object:
    """Each value on its own, as text and as whatever JSON it may be."""
    found: list[object] = []
    for value in (text_of(body), decoded(body)):
        figures = [
            check(value) for check in (parsing.number, parsing.positive, parsing.count, parsing.percent)
        ]
        assert all(is_figure(figure) for figure in figures), figures
        assert all(not figure or abs(figure) >= parsing.SMALLEST for figure in figures), figures
        words = parsing.clean_text(value)
        assert is_text(words), repr(words)
        assert words is None or parsing.clean_text(words) == words
        moment = parsing.aware_datetime(value)
        if moment:
            moment.astimezone(UTC)
        found += [*figures, words, parsing.day(value), moment]
        if isinstance(value, str):
            VARIABLE.fullmatch(value)
            found += [archives.find_date(value), responses.redacted_url(value)]
    numbers = [byte << (byte % 40) for byte in body[:200]]
    assert varint.decode(varint.encode(numbers)) == numbers
    return found
