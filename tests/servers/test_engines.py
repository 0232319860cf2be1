"""The browsers beside Chromium end with the tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import started


def processes(folder: Path) -> list[str]:
    """The commands that name a folder, or whose environment does."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        if str(folder).encode() in words:
            found.append(process.name)
    return found


@pytest.mark.real
@pytest.mark.parametrize("name", ["WebKit", "Firefox"])
def test_nothing_stays_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """No process of a browser outlives a test that failed while it ran."""
    from tests.servers import engines  # by Selenium, which the lowest versions' tests do not have

    kind = getattr(engines, name)
    monkeypatch.setenv("HOME", str(tmp_path))  # by which its processes are known
    with pytest.raises(ZeroDivisionError), started(lambda: kind(tmp_path / "browser")) as server:
        assert 2 == server.driver.execute_script("return 1 + 1")
        assert len(processes(tmp_path)) > 2
        1 / 0

    assert [] == processes(tmp_path)
