"""The `[page]` table."""

from __future__ import annotations

import pytest

from heatmap.errors import ConfigError
from heatmap.pictures.options import PageOptions


def test_every_problem_of_the_options_is_reported_at_once() -> None:
    """Each begins with the name of its key."""
    with pytest.raises(ConfigError) as caught:
        PageOptions(
            *(0, "rainbow", "sideways", "size", 0.0, {"week": 0.0}, 0),
            fragments=("rs-pie",),
            chart_url="javascript:alert(1)",
        )

    keys = [
        *("columns", "gradient", "up", "scale", "clamp_percent", "period_clamps:", "period_clamps"),
        *("fragments:", "refresh_seconds", "chart_url"),
    ]
    assert keys == [problem.split()[0] for problem in caught.value.problems]


def test_periods_of_any_length_can_be_clamped() -> None:
    """By calendar or by sessions; the day has a key of its own."""
    assert {"1mo": 10.0, "20d": 12.0} == PageOptions(period_clamps={"1mo": 10.0, "20d": 12.0}).period_clamps
    with pytest.raises(ConfigError, match="1d"):
        PageOptions(period_clamps={"1d": 3.0})


def test_an_unknown_form_of_a_chart_link() -> None:
    """The error names the form and the valid ones; valid forms pass, once or several times."""
    PageOptions(chart_url="https://example.org/{symbol}?tv={symbol:tradingview}&again={symbol}")
    PageOptions(chart_url="https://example.org/the-same-for-all")
    with pytest.raises(ConfigError) as caught:
        PageOptions(chart_url="https://example.org/{ticker}/{symbol}/{symbol:yahoo}")

    advice = "write {symbol} or {symbol:tradingview}"
    assert [
        f"chart_url: {{ticker}} is unknown: {advice}",
        f"chart_url: {{symbol:yahoo}} is unknown: {advice}",
    ] == list(caught.value.problems)


@pytest.mark.parametrize(("scale", "heat"), [("rank", "rank"), ("value", "1")])
def test_the_scale_is_the_first_heat(scale: str, heat: str) -> None:
    """It is "rank", or "1" for values at the usual clamp."""
    assert heat == PageOptions(scale=scale).heat
