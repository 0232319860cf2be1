"""The `[monitor]` table."""

from __future__ import annotations

from pathlib import Path

import pytest

from heatmap.errors import ConfigError
from heatmap.notify.monitoring.options import MonitorOptions


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"ping_url_env": "A", "ping_url_file": Path("b")}, "both given"),
        ({"ping_url_env": "https://hc.example.org/canary"}, "the NAME of an environment variable"),
        ({"ping_closed": True}, "ping_closed needs an address"),
        ({"textfile": Path("heatmap.txt")}, "must end in .prom"),
        ({"textfile": Path("a\0b.prom")}, "control character"),
    ],
)
def test_wrong_options(wrong: dict[str, object], message: str) -> None:
    """Each problem is one sentence. It does not repeat an address that stands in the wrong place."""
    with pytest.raises(ConfigError) as caught:
        MonitorOptions(**wrong)  # type: ignore[arg-type]

    assert message in str(caught.value)
    assert "canary" not in str(caught.value)
