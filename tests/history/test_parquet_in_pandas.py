"""The Parquet file in pandas, its most common reader."""

from __future__ import annotations

import io
import math

import pytest

from tests.history.test_export import FIGURES, MONDAY, SESSIONS, written

pandas = pytest.importorskip("pandas", reason="pandas is not here: pip install pandas")
pytest.importorskip("pyarrow", reason="pyarrow is not here: pip install 'market-heatmap[parquet]'")
pytestmark = pytest.mark.real


def test_pandas_reads_it() -> None:
    """Symbols are strings, dates are dates, figures are numbers, and unknown values are NaN."""
    frame = pandas.read_parquet(io.BytesIO(written("parquet", SESSIONS)))

    assert ["symbol", "date", *FIGURES] == list(frame.columns)
    assert ["M&M", "NEW", '台積電,"2330"'] == list(frame["symbol"])
    assert [MONDAY, MONDAY, SESSIONS[1][0].date] == list(frame["date"])
    assert {"float64"} == {str(frame[name].dtype) for name in FIGURES}
    assert [3210.0, 3250.25, 3198.0, 3244.8, 3201.5, 1_500_000.0, 4_832_155_000.0] == list(
        frame[list(FIGURES)].iloc[0]
    )
    assert 0.05 == frame["close"][1]
    assert all(math.isnan(frame[name][1]) for name in FIGURES if name != "close")


def test_pandas_reads_a_file_without_bars() -> None:
    """It has the columns, and no rows."""
    frame = pandas.read_parquet(io.BytesIO(written("parquet", [])))

    assert (0, ["symbol", "date", *FIGURES]) == (len(frame), list(frame.columns))
