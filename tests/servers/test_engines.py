"""The browsers beside Chromium end with the tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import started
from tests.servers import engines
from tests.servers.process import Server


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
@pytest.mark.parametrize("kind", [engines.WebKit, engines.Firefox])
def test_nothing_stays_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[Server]) -> None:
    """Neither after its end, nor after a test that failed within."""
    monkeypatch.setenv("HOME", str(tmp_path))  # by which its processes are known
    with pytest.raises(ZeroDivisionError), started(lambda: kind(tmp_path / "browser")) as server:
        assert 2 == server.driver.execute_script("return 1 + 1")  # type: ignore[attr-defined]
        assert len(processes(tmp_path)) > 2
        1 / 0

    assert [] == processes(tmp_path)
