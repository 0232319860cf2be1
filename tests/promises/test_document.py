"""docs/promises.md: each promise has its proof, and every table its figures."""

from __future__ import annotations

import re

import pytest

from tests.checkout import CHECKOUT
from tests.promises.matrix import MEASUREMENTS

DOCUMENT = (CHECKOUT / "docs/promises.md").read_text("utf-8")
PROMISES = re.findall(r"^## (\d+)\. .+\n((?:(?!^## ).*\n)+)", DOCUMENT, re.MULTILINE)
LOSSES = (
    "torn",
    "false success",
    "spoilt files",
    "spoilt",
    "wrong ends",
    "alerts lost",
    "children",
    "wrong",
    "unhealed",
    "put again",
    "failed",
    "lost",
    "doubled",
    "worse",
    "too late",
    "untold",
    "left behind",
    "amiss",
    "blind",
    "old",
)


def test_there_are_twelve() -> None:
    """Numbered in order."""
    assert [str(number) for number in range(1, 13)] == [number for number, _ in PROMISES]


@pytest.mark.parametrize(("number", "text"), PROMISES, ids=lambda value: value[:2].strip())
def test_each_names_tests_that_exist(number: str, text: str) -> None:
    """At least one, by its file and name."""
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)
    missing = [
        f"{file}::{name}"
        for file, name in named
        if not (CHECKOUT / file).is_file() or f"\ndef {name}(" not in (CHECKOUT / file).read_text("utf-8")
    ]

    assert named
    assert [] == missing


@pytest.mark.parametrize("measurement", MEASUREMENTS, ids=lambda measurement: measurement.name)
def test_every_table_has_its_figures(measurement: object) -> None:
    """Those of the rows that can be measured; and where others are not compared, nothing was lost."""
    name = measurement.name  # type: ignore[attr-defined]
    block = DOCUMENT.partition(f"<!-- {name}: measured -->")[2].partition(f"<!-- {name}: end -->")[0]
    heading, _, *rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in block.splitlines()
        if line.startswith("|")
    ]
    lost = [
        (row[0], column)
        for row in rows
        for column, cell in zip(heading, row, strict=True)
        if column in LOSSES and cell != "0"
    ]

    assert measurement.figures, "name its figures in tests/promises/matrix.py"  # type: ignore[attr-defined]
    fields = [field.replace("_", " ") for field in measurement.figures._fields]  # type: ignore[attr-defined]
    assert fields == heading[1:], "the table is of other figures than are measured now"
    assert rows
    assert [] == lost or name == "rivals"
