"""The `[[alert]]` table."""

from __future__ import annotations

from pathlib import Path

import pytest

from heatmap.errors import ConfigError
from heatmap.notify.alerts.options import AlertOptions

GOOD = {"name": "movers", "change_percent": 5.0}


def test_what_can_be() -> None:
    """A rule is enough: then the events go into the feed. An address makes a web hook."""
    assert not AlertOptions(**GOOD).posts  # type: ignore[arg-type]
    assert AlertOptions(**GOOD, url_file=Path("url"), feed=False).posts  # type: ignore[arg-type]
    assert AlertOptions("a", year_low=True, url_env="A", kind="telegram", chat_id="-100123").posts
    assert AlertOptions("a", year_low=True, url_env="A", kind="telegram", chat_id="@channel").posts


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"name": "Movers!"}, "lower-case letters"),
        ({"change_percent": None}, "looks for nothing"),
        ({"change_percent": 0.0}, "change_percent must be more than 0"),
        ({"change_percent": -5.0}, "change_percent must be more than 0"),
        ({"breadth_percent": 50.0}, "breadth_percent must be more than 50"),
        ({"breadth_percent": 101.0}, "at most 100"),
        ({"period": "fortnight"}, "'fortnight' is no period"),
        ({"kind": "email", "url_env": "A"}, "kind must be one of json, slack, telegram"),
        ({"kind": "slack"}, "needs an address"),
        ({"url_env": "A", "url_file": Path("b")}, "both given"),
        ({"url_env": "https://hooks.example.org/canary"}, "the NAME of an environment variable"),
        ({"kind": "telegram", "url_env": "A"}, "needs a chat_id"),
        ({"kind": "telegram", "url_env": "A", "chat_id": "my chat"}, "needs a chat_id"),
        ({"url_env": "A", "chat_id": "1"}, "telegram"),
        ({"feed": False}, "tells nobody"),
    ],
)
def test_what_cannot_be(wrong: dict[str, object], told: str) -> None:
    """One sentence a problem; an address written in the wrong place is not repeated."""
    with pytest.raises(ConfigError) as caught:
        AlertOptions(**(GOOD | wrong))  # type: ignore[arg-type]

    assert told in str(caught.value)
    assert "canary" not in str(caught.value)


def test_which_markets() -> None:
    """All, or those that are named."""
    everywhere = AlertOptions("a", year_low=True)
    here = AlertOptions("a", year_low=True, markets=("nse-fno",))

    assert [True, True, False] == [
        everywhere.covers("other"),
        here.covers("nse-fno"),
        here.covers("other"),
    ]
