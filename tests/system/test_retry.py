"""Waits before another attempt."""

from __future__ import annotations

import pytest

from heatmap.system.retry import backoff_seconds


@pytest.mark.parametrize(("attempt", "least", "most"), [(1, 0.25, 0.75), (2, 0.5, 1.5), (3, 1.0, 3.0)])
def test_waits_double_and_differ(attempt: int, least: float, most: float) -> None:
    """Each wait is half to one and a half times its mean, and no two clients wait alike."""
    waits = {backoff_seconds(0.5, attempt) for _ in range(200)}

    assert least <= min(waits) < max(waits) <= most
    assert max(waits) - min(waits) > (most - least) / 2
    assert len(waits) > 100


def test_no_wait() -> None:
    """Nothing doubled stays nothing."""
    assert 0 == backoff_seconds(0, 3)
