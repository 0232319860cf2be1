"""Contents of the state directory and of a shared history, as functions of bytes."""

from __future__ import annotations

import hashlib
import json
import time
import zlib
from datetime import UTC, date
from typing import Any
from unittest import mock

from heatmap.errors import ConfigError
from heatmap.notify.alerts import memory
from heatmap.pages.archive import day_files, record, sharing
from heatmap.run import last_good
from heatmap.state import cache, circuit_breaker, idle, json_files, run_log
from heatmap.state import memory as state
from heatmap.system.http import cookies
from tests.fuzz.seeds import COOKIES_KEPT_AT
from tests.fuzz.soundness import NOW, decoded, folder, refusing


def state_file(body: bytes) -> object:
    """state.json, with the rests of sources that blocked."""
    for left in folder().glob("state*.json"):
        left.unlink()
    (folder() / "state.json").write_bytes(body)
    warnings: list[str] = []
    try:
        found = state.State(folder(), warnings.append)
    except ConfigError as error:  # whole, and another program's
        assert "another program's file" in str(error)
        document = json.loads(body)
        assert not isinstance(document, dict) or "markets" not in document
        assert (folder() / "state.json").read_bytes() == body
        return str(error)
    assert all(warning.isprintable() for warning in warnings)
    rests = circuit_breaker.from_plain(found["nse-fno"].sources)
    for blocked in rests.values():
        assert circuit_breaker.cooldown_seconds(blocked, 5) >= 0
        circuit_breaker.open_until(blocked, 5, NOW)
    assert circuit_breaker.from_plain(json.loads(json.dumps(circuit_breaker.to_plain(rests)))) == rests
    found.remember("nse-fno", final_date="2026-09-17")
    assert state.State(folder())["nse-fno"].final_date == "2026-09-17"
    return found["nse-fno"], rests, len(warnings)


def kept_documents(body: bytes) -> object:
    """The other JSON documents of the state directory: set aside, or fit to go on with."""
    found: list[object] = []
    warnings: list[str] = []
    for name, version, made in (
        ("last.json", last_good.VERSION, last_good._parse),
        ("alerts.json", memory.VERSION, memory._from_document),
        ("archive.json", record.VERSION, record._decode),
    ):
        path = folder() / name
        path.write_bytes(body)
        kept: Any = json_files.load(path, version, made, warnings.append)
        if name == "last.json" and kept:
            json.dumps(last_good._to_plain(kept))
        if name == "archive.json" and kept:
            record.save(folder(), "m", kept)
            assert record.load(folder(), "m", warnings.append) == kept
        if name == "alerts.json" and kept:
            memory.save(folder(), kept)
            again = memory.load(folder(), warnings.append)  # without half characters, and not too many
            memory.save(folder(), again)
            assert memory.load(folder(), warnings.append) == again
        found.append(kept)
    for left in folder().glob("*.json"):
        left.unlink()
    return found, len(warnings)


def notes_of_others(body: bytes) -> object:
    """Values that machines with one history share: of the archive and of alerts."""
    place = folder() / "shared"
    place.mkdir(exist_ok=True)
    warnings: list[str] = []
    sharing.pull_record(Notes(body), place, "m", warnings.append)  # type: ignore[arg-type]  # all it asks of a store
    refused = [
        refusing(lambda name=name: sharing.pull_days(Notes(body, name), place, "m"))  # type: ignore[arg-type,misc]
        for name in (sharing.DAYS, sharing.PAGES)
    ]
    found = record.load(place, "m", warnings.append), {*day_files.find(place, "m")}, refused, len(warnings)
    left = {path.name for path in place.iterdir()}
    assert {name for name in left if not name.startswith("archive-m")} == set(), left
    for name in left:
        (place / name).unlink()
    return found, memory.decode(body)


def kept_day(body: bytes) -> object:
    """A day's files as they are kept, and the page alone as versions before 0.3 kept it: whole, or set aside."""
    for name in ("archive-m-2026-09-17.zip", "archive-m-2026-09-18.html"):
        (folder() / name).write_bytes(body)
    packed = b"%s\n%s" % (hashlib.sha256(body).hexdigest().encode(), body)  # as if by another machine
    (folder() / "archive-m-2026-09-19.zip").write_bytes(packed)
    warnings: list[str] = []
    found = [day_files.load(folder(), "m", date(2026, 9, day), warnings.append) for day in (17, 18, 19)]
    assert found.count(None) == len(warnings)
    for files in filter(None, found):
        assert "index.html" in files
        assert day_files.unpack(day_files.pack(files)) == files
    for left in folder().glob("archive-m*"):
        left.unlink()
    return found


class Notes:
    """A store that has the same note under every name, or under one."""

    def __init__(self, content: bytes, name: str | None = None) -> None:
        self.content = content
        self.name = name

    def shared_value(self, market: str, name: str) -> bytes | None:
        return self.content if self.name in (None, name) else None


def outcome_lines(body: bytes) -> object:
    """The record of runs, and the mark of one that was killed."""
    (folder() / run_log.FILE_NAME).write_bytes(body)
    found = run_log.read(folder())
    for outcome in found:
        assert outcome.at.utcoffset() is not None
        run_log._encode(outcome)
        outcome.at.astimezone(UTC)
    mark = run_log.read_marker(body.decode("utf-8", "replace"))
    if mark:
        run_log.outcomes_of_killed(mark)
    former = decoded(body)
    run_log.import_legacy(folder(), former if isinstance(former, dict) else {})
    kept = run_log.read(folder())
    (folder() / run_log.FILE_NAME).unlink(missing_ok=True)
    return found, mark, kept


def nap_note(body: bytes) -> object:
    """The note that lets a tick leave early; and what is kept between ticks; and the file of cookies."""
    home = folder() / "home"
    (home / "state").mkdir(parents=True, exist_ok=True)
    (home / "state" / idle.FILE_NAME).write_bytes(body)
    argv = ["run", "--config", str(home / "heatmap.toml"), "--now", "2026-09-17T11:30:00+05:30"]
    kept = home / "kept"
    kept.write_bytes(b"%d\n%s" % (zlib.crc32(body), body))
    first = idle.is_idle(argv), cache.read(kept, "key")
    kept.write_bytes(body)
    with mock.patch.object(time, "time", lambda: COOKIES_KEPT_AT + 60.0):  # or all of them are too old
        return first, cache.read(kept, "key"), len(cookies.Cookies(kept))
