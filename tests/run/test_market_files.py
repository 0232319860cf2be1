"""A run computes each number of a market once, however many files show it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from heatmap.analysis import rankings
from heatmap.pictures.market_map import data
from heatmap.pictures.market_map.table import TableView
from heatmap.run import due
from tests.run.test_completion import DAY, FINAL, Market


def test_each_number_is_computed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At a final, with the archived day, and fragments of which two share the page's table, two another one."""
    calls: Counter[str] = Counter()

    def count(owner: Any, name: str) -> None:
        original: Callable[..., Any] = getattr(owner, name)

        def counted(*arguments: Any, **options: Any) -> Any:
            calls[name] += 1
            return original(*arguments, **options)

        monkeypatch.setattr(owner, name, counted)

    for owner, name in (rankings, "rank_all"), (TableView, "draw"), (data, "page_data"), (due, "veto"):
        count(owner, name)
    fragments = ("change-table", "change-sectors-dark", "rs-table", "rs-sectors")
    market = Market(tmp_path)
    market.config = market.config._replace(page=replace(market.config.page, fragments=fragments))

    market.run(FINAL)

    assert {"rank_all": 1, "draw": 2, "page_data": 1, "veto": 1} == calls
    assert {f"{DAY}index.html", *(f"nse-fno/fragment-{name}.html" for name in fragments)} < {
        *market.target.pages
    }
