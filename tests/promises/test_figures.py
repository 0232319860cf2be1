"""The figures of every measurement: each loss shows, and nothing measured is nothing that holds."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from tests.promises import __main__ as command
from tests.promises import matrix
from tests.promises.cuts import Cuts
from tests.promises.faults import Faults
from tests.promises.independence import Independence
from tests.promises.kills import Kills
from tests.promises.months import Months
from tests.promises.repeats import Repeats
from tests.promises.rivals import Rivalry
from tests.promises.shortages import Shortages
from tests.promises.stalls import Stalls
from tests.promises.torn import Paid, Torn

WELL: list[Any] = [
    Torn(publishes=15, reads=100, torn=0, not_found=0, versions=16),
    Paid(publishes=15, reads=100, torn=0, not_found=3, versions=16),
    Cuts(6, 3, 3, 0, 0, 0, leftovers=2, swept=2, strays=0, unhealed=0),
    Kills(5, 4, 1, 0, 0, leftovers=2, swept=2, children=0, unhealed=0),
    Repeats(publishes=1, files=6, put_again=0, kept=6, there=6),
    Stalls(5, 4, 1, 6.2, 0, 0, 0),
    Independence(1, 0.3, 0.4, 8.1, 1, 2, 0),
    Months(2, 8, 3, promised=4, lost=0, doubled=0, wrong=0, warnings=0),
    Faults(cases=9, passed=8, failed=0, skipped=1),
    Shortages(8, 3, 4, 1, 6.2, 0, 0, 0, 0),
    Rivalry(uploads=5, reads=20, torn=1, not_found=0),
]
WORSE: list[tuple[type[Any], dict[str, Any]]] = [
    (Torn, {"torn": 1}),
    (Torn, {"not_found": 1}),
    (Torn, {"versions": 4}),
    (Paid, {"torn": 1}),
    (Paid, {"versions": 1}),
    *((Cuts, {name: 1}) for name in ("torn", "false_success", "unhealed", "swept")),
    (Cuts, {"cuts": 0}),
    *((Kills, {name: 1}) for name in ("spoilt_files", "children", "unhealed", "swept")),
    (Kills, {"kills": 0}),
    (Repeats, {"put_again": 1, "kept": 5}),
    (Repeats, {"there": 5}),
    (Repeats, {"files": 0, "kept": 0, "there": 0}),
    *((Stalls, {name: 1}) for name in ("too_late", "wrong", "unhealed")),
    (Stalls, {"exit_75": 0}),
    (Independence, {"beside_seconds": 3.4}),
    (Independence, {"end_seconds": 13.0}),
    (Independence, {"exit_75": 0}),
    (Independence, {"lines": 1}),
    (Independence, {"unhealed": 1}),
    *((Months, {name: 1}) for name in ("lost", "doubled", "wrong", "warnings")),
    (Months, {"kills": 0}),
    (Months, {"promised": 0}),
    (Faults, {"failed": 1}),
    (Faults, {"cases": 9, "passed": 0, "skipped": 9}),
    *((Shortages, {name: 1}) for name in ("too_late", "torn", "wrong", "unhealed")),
    (Shortages, {"exit_75": 0, "interpreter": 0}),
    (Rivalry, {"reads": 0}),
]


@pytest.mark.parametrize("figures", WELL, ids=lambda figures: type(figures).__name__)
def test_what_is_well_holds(figures: Any) -> None:
    """A measurement with something in it, and nothing lost."""
    assert figures.holds


@pytest.mark.parametrize(
    ("kind", "loss"), WORSE, ids=[f"{kind.__name__} {' '.join(loss)}" for kind, loss in WORSE]
)
def test_a_loss_does_not_hold(kind: type[Any], loss: dict[str, Any]) -> None:
    """Whatever was lost, and where nothing was tried."""
    (well,) = (figures for figures in WELL if type(figures) is kind)

    assert not well._replace(**loss).holds


def test_nothing_measured_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name of rows that fits none, such as one that was renamed."""
    monkeypatch.setattr(sys, "argv", ["promises", "--only", "torn", "--rows", "no such target"])

    assert 1 == command.main()


@pytest.mark.parametrize("pattern", matrix.FAULTS)
def test_the_suites_of_faults_exist(pattern: str) -> None:
    """A suite that has moved is measured in its new place, not left out."""
    assert [*matrix.TESTS.glob(pattern)]
