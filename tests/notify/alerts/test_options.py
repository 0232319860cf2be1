"""The `[[alert]]` table."""

from __future__ import annotations

from pathlib import Path

import pytest

from heatmap.errors import ConfigError
from heatmap.notify.alerts.options import AlertOptions

GOOD = {"name": "movers", "change_percent": 5.0}


def test_valid_options() -> None:
    """A rule is enough: then the events go into the feed. An address makes a web hook."""
    assert not AlertOptions(**GOOD).posts  # type: ignore[arg-type]
    assert AlertOptions(**GOOD, url_file=Path("url"), feed=False).posts  # type: ignore[arg-type]
    assert AlertOptions("a", year_low=True, url_env="A", kind="telegram", chat_id="-100123").posts
    assert AlertOptions("a", year_low=True, url_env="A", kind="telegram", chat_id="@channel").posts


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"name": "Movers!"}, "lower-case letters"),
        ({"change_percent": None}, "has no rule"),
        ({"change_percent": 0.0}, "change_percent must be more than 0"),
        ({"change_percent": -5.0}, "change_percent must be more than 0"),
        ({"breadth_percent": 50.0}, "breadth_percent must be more than 50"),
        ({"breadth_percent": 101.0}, "at most 100"),
        ({"period": "fortnight"}, "'fortnight' is not a period"),
        ({"kind": "email", "url_env": "A"}, "kind must be one of json, slack, telegram"),
        ({"kind": "slack"}, "needs an address"),
        ({"url_env": "A", "url_file": Path("b")}, "both given"),
        ({"url_env": "https://hooks.example.org/canary"}, "the NAME of an environment variable"),
        ({"kind": "telegram", "url_env": "A"}, "needs a chat_id"),
        ({"kind": "telegram", "url_env": "A", "chat_id": "my chat"}, "needs a chat_id"),
        ({"url_env": "A", "chat_id": "1"}, "telegram"),
        ({"feed": False}, "has no receiver"),
    ],
)
def test_wrong_options(wrong: dict[str, object], message: str) -> None:
    """Each problem is one sentence. It does not repeat an address that stands in the wrong place."""
    with pytest.raises(ConfigError) as caught:
        AlertOptions(**(GOOD | wrong))  # type: ignore[arg-type]

    assert message in str(caught.value)
    assert "canary" not in str(caught.value)


def test_which_markets() -> None:
    """An alert applies to all markets, or to the markets in its list."""
    everywhere = AlertOptions("a", year_low=True)
    here = AlertOptions("a", year_low=True, markets=("nse-fno",))

    assert [True, True, False] == [
        everywhere.covers("other"),
        here.covers("nse-fno"),
        here.covers("other"),
    ]
