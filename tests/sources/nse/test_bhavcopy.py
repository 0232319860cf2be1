"""The exchange's daily archives: both forms, real and made up, with all kinds of faults."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heatmap.errors import HistoryNonsense
from heatmap.market.bars import Bar
from heatmap.sources.nse import bhavcopy
from tests.servers.archives import FULL_HEADER, UDIFF_HEADER, Share, full, packed, share, udiff

DAY = date(2026, 7, 20)
NEXT = date(2026, 7, 21)
SHARES = [
    Share("M&M", 3201.5, 3210.0, 3250.25, 3198.0, 3244.8, 1_500_000, 48_321.55),
    Share("BAJAJ-AUTO", 8000.0, 8010.0, 8100.0, 7900.0, 7950.05, 210_000, 16_700.1),
]
BARS = (
    Bar("M&M", DAY, 3210.0, 3250.25, 3198.0, 3244.8, 3201.5, 1_500_000.0, 4_832_155_000.0),
    Bar("BAJAJ-AUTO", DAY, 8010.0, 8100.0, 7900.0, 7950.05, 8000.0, 210_000.0, 1_670_010_000.0),
)


@pytest.mark.parametrize(
    "body",
    [
        full(DAY, SHARES),
        full(DAY, SHARES).replace(b", ", b","),
        full(DAY, SHARES).replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + full(DAY, SHARES),
        full(DAY, SHARES).replace(b"20-Jul-2026", b"20-JUL-2026"),
        udiff(DAY, SHARES),
        packed(udiff(DAY, SHARES)),
        packed(full(DAY, SHARES), "sec_bhavdata_full_20072026.csv"),
    ],
    ids=["full", "no spaces", "CRLF", "BOM", "upper case", "udiff", "udiff zip", "full zip"],
)
def test_each_form_gives_the_same_bars(body: bytes) -> None:
    """In every form the figures are the same: shares, rupees, the file's order."""
    assert bhavcopy.Archive(BARS) == bhavcopy.parse(body, DAY)


def test_a_share_that_must_be_delivered_is_still_that_share() -> None:
    """BE and BZ are read if a share is not in EQ that day; other series are no shares of this kind."""
    shares = [
        share("A", 10, 11, series="BE"),
        share("B", 20, 21, series="BE"),
        share("B", 20, 22, series="EQ"),
        share("C", 30, 33, series="BZ"),
        share("D", 40, 44, series="SM"),
        share("E", 50, 55, series="GS"),
        share("F", 60, 66, series="N1"),
        share("G", 70, 77, series="IV"),
    ]

    assert {"A": 11, "B": 22, "C": 33} == {
        bar.symbol: bar.close for bar in bhavcopy.parse(full(DAY, shares), DAY).bars
    }


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"open": 0}, {"open": None}),
        ({"previous_close": 0}, {"previous_close": None}),
        ({"previous_close": "-"}, {"previous_close": None}),
        ({"volume": 0, "turnover_lakhs": 0}, {"volume": 0, "turnover": 0}),
        ({"volume": -5}, {"volume": None}),
    ],
)
def test_what_is_not_there_is_unknown(changes: dict[str, object], expected: dict[str, object]) -> None:
    """A zero price is unknown; a zero volume is a volume."""
    bar, _ = bhavcopy.parse(full(DAY, [SHARES[0]._replace(**changes), SHARES[1]]), DAY).bars  # type: ignore[arg-type]

    assert BARS[0]._replace(**expected) == bar  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [
        {"close": 0}, {"close": -3244.8}, {"close": "-"}, {"close": "nan"}, {"close": "1e999"}, {"open": -1}, {"previous_close": -5},
        {"high": 3200.0}, {"low": 3245.0}, {"symbol": ""}, {"symbol": "<b>"}, {"symbol": "../X"}, {"symbol": "X" * 40},
        {"symbol": "BAJAJ-AUTO"},
    ],
    ids=str,
)  # fmt: skip
def test_a_row_that_cannot_be_is_left_out_and_counted(changes: dict[str, object]) -> None:
    """No usable close or symbol, a negative price, a high below the close, a share twice: the rest is read."""
    many = [share(f"S{number}", 10, 11) for number in range(20)]
    shares = [SHARES[1], SHARES[0]._replace(**changes), *many]  # type: ignore[arg-type]

    archive = bhavcopy.parse(full(DAY, shares), DAY)

    assert 1 == archive.dropped
    assert [BARS[1].symbol, *(f"S{number}" for number in range(20))] == [bar.symbol for bar in archive.bars]


def _cut(body: bytes) -> bytes:
    return body[: body.rindex(b",", 0, -20)]


def _bomb() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a.csv", "w") as member:
        member.write(f"{UDIFF_HEADER}\n".encode())
        for _ in range(40):
            member.write(b"0" * 1024 * 1024)
    return file.getvalue()


def _zip(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, udiff(DAY, SHARES))
    return file.getvalue()


def _locked() -> bytes:
    body = bytearray(packed(udiff(DAY, SHARES)))
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        body[body.index(signature) + place] |= 1
    return bytes(body)


def _lying() -> bytes:
    """A zip file whose directory says that a large member is a small one."""
    body = bytearray(_bomb())
    place = body.index(b"PK\x01\x02") + 24
    body[place : place + 4] = (100).to_bytes(4, "little")
    return bytes(body)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf\n", "is empty"),
        (b"<html>Access Denied</html>", "web page"),
        (b"  \n<!DOCTYPE html>", "web page"),
        (b"a,b,c\n1,2,3\n", "columns"),
        (f"{FULL_HEADER}\n".encode(), "no share"),
        (full(DAY, [share("A", 1, 2, series="SM")]), "no share"),
        (full(NEXT, SHARES), "is of 21 Jul 2026, not of 20 Jul 2026"),
        (udiff(NEXT, SHARES), "is of 21 Jul 2026, not of 20 Jul 2026"),
        (full(DAY, SHARES) + full(NEXT, SHARES).partition(b"\n")[2], "is of 21 Jul 2026"),
        (full(DAY, SHARES).replace(b"20-Jul-2026", b"2026"), "no day that can be read"),
        (_cut(full(DAY, SHARES)), "breaks off in its last line"),
        (full(DAY, [SHARES[0], SHARES[1]._replace(close=-1)]), "1 unusable rows beside 1 shares"),
        (full(DAY, SHARES).replace(b"M&M", b'"M&M'), ""),
        (full(DAY, SHARES).replace(b"M&M", b"M\x00M"), ""),
        (udiff(DAY, SHARES).replace(b",CM,", b",FO,").replace(b",STK,", b",STO,"), "no share"),
        (packed(udiff(DAY, SHARES))[:-30], "damaged zip"),
        (packed(udiff(DAY, SHARES))[:60], "damaged zip"),
        (b"PK\x03\x04" + b"\xff" * 200, "damaged zip"),
        (_zip("a.csv", "b.csv"), "2 CSV files"),
        (_zip("readme.txt"), "0 CSV files"),
        (_zip("a.csv", *(f"{n}.txt" for n in range(20))), "CSV files"),
        (_locked(), "locked zip"),
        (_bomb(), "unpacks to more than 4,194,304 bytes"),
        (_lying(), ""),
        (b"PK" + b"0" * (5 * 1024 * 1024), "more than 4,194,304 bytes"),
        (full(DAY, SHARES) + b"\n" * (17 * 1024 * 1024), "more than 4,194,304 bytes"),
        (f"{FULL_HEADER}\n".encode() + b"A" * 200_000, ""),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_one_sentence(body: bytes, said: str) -> None:
    """Web pages, other files, other days, cut files and zip bombs: each is refused in one sentence after a name."""
    with pytest.raises(HistoryNonsense) as caught:
        bhavcopy.parse(body, DAY)

    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(caught.value)[0].islower()


def test_a_bomb_is_never_held_whole() -> None:
    """Of 40 MB in a zip file of 40 kB, little more than the limit is ever in memory."""
    bomb = _bomb()
    tracemalloc.start()
    try:
        with pytest.raises(HistoryNonsense):
            bhavcopy.parse(bomb, DAY)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 36_000_000


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=2000) | st.binary(max_size=500).map(lambda tail: b"PK\x03\x04" + tail))
def test_any_bytes_are_refused_or_read(body: bytes) -> None:
    """Any content raises nothing but HistoryNonsense."""
    with pytest.raises(HistoryNonsense):
        bhavcopy.parse(body, DAY)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_damage_anywhere_never_makes_a_wrong_kind_of_bar(data: st.DataObject) -> None:
    """A changed byte in either form: refused, or bars of that day with prices above 0."""
    body = bytearray(
        data.draw(st.sampled_from([full(DAY, SHARES), udiff(DAY, SHARES), packed(udiff(DAY, SHARES))]))
    )
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        archive = bhavcopy.parse(bytes(body), DAY)
    except HistoryNonsense:
        return

    for bar in archive.bars:
        prices = (bar.open, bar.high, bar.low, bar.close, bar.previous_close)
        assert DAY == bar.date
        assert all(price is None or 0 < price < 1e18 for price in prices)
        assert bar.close is not None


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("sec_bhavdata_full_20072026.csv", DAY),
        ("sec_bhavdata_full_EQ_2026-07-20.csv", DAY),
        ("SEC_BHAVDATA_FULL_20072026.CSV", DAY),
        ("sec_bhavdata_full_20072026 (1).csv", DAY),
        ("BhavCopy_NSE_CM_0_0_0_20260720_F_0000.csv.zip", DAY),
        ("BhavCopy_NSE_CM_0_0_0_20260720_F_0000.csv", DAY),
        ("BhavCopy_NSE_CM_20260720_trimmed.csv", DAY),
        ("BhavCopy_NSE_FO_0_0_0_20260720_F_0000.csv.zip", None),
        ("sec_bhavdata_full_32072026.csv", None),
        ("sec_bhavdata_full_20260720.csv", None),
        ("sec_bhavdata_full_20072026.csv.part", None),
        ("fo_mktlots.csv", None),
        ("", None),
    ],
)
def test_a_file_tells_its_day_by_its_name(name: str, day: date | None) -> None:
    """The exchange's own names, unchanged, copied or unzipped; no other name is an archive's."""
    assert day == bhavcopy.find_date(name)


def test_where_the_exchange_keeps_a_day() -> None:
    """Both addresses from 8 Jul 2024 on, only the full form before."""
    assert (
        "/products/content/sec_bhavdata_full_20072026.csv",
        "/content/cm/BhavCopy_NSE_CM_0_0_0_20260720_F_0000.csv.zip",
    ) == bhavcopy.archive_paths(DAY)
    assert 2 == len(bhavcopy.archive_paths(date(2024, 7, 8)))
    assert ("/products/content/sec_bhavdata_full_05072024.csv",) == bhavcopy.archive_paths(date(2024, 7, 5))


@pytest.mark.slow
def test_the_exchange_s_own_files(recorded_bodies: Path) -> None:
    """All rows of 20 sessions, against a plain reading of the same text; and four figures typed by hand."""
    seen = 0
    for file in sorted((recorded_bodies / "bhavcopy").glob("sec_bhavdata_full_*.csv")):
        day = bhavcopy.find_date(file.name)
        assert day is not None
        lines = [[cell.strip() for cell in line.split(",")] for line in file.read_text().splitlines()[1:]]
        archive = bhavcopy.parse(file.read_bytes(), day)
        assert 0 == archive.dropped
        assert [
            (row[0], *(float(row[place]) for place in (4, 5, 6, 8, 3, 10))) for row in lines if row[1] == "EQ"
        ] == [
            (bar.symbol, bar.open, bar.high, bar.low, bar.close, bar.previous_close, bar.volume)
            for bar in archive.bars
        ]
        assert [float(row[11]) for row in lines] == pytest.approx(
            [(bar.turnover or 0) / 100_000 for bar in archive.bars]
        )
        seen += len(archive.bars)
    assert 48_327 == seen

    udiff_file = recorded_bodies / "bhavcopy/BhavCopy_NSE_CM_20260702_trimmed.csv"
    bars = {bar.symbol: bar for bar in bhavcopy.parse(udiff_file.read_bytes(), date(2026, 7, 2)).bars}
    assert {"RELIANCE", "TCS", "NIFTYBEES", "AAREYDRUGS", "ANKITMETAL"} == set(bars)
    assert (
        Bar("TCS", date(2026, 7, 2), 2008.0, 2076.9, 2002.5, 2068.1, 1982.6, 6_040_621.0, 12_389_873_438.8)
        == bars["TCS"]
    )
