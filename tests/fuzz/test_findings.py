"""The faults that fuzzing has found, each as a test of its own."""

from __future__ import annotations

import json
import time
import zlib
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from pathlib import Path

import pytest

from heatmap.config import loader
from heatmap.errors import ConfigError, HistoryNonsense
from heatmap.history import tick_codec
from heatmap.market.calendar import overrides, phases, schedule
from heatmap.market.calendar import packaged as calendars
from heatmap.market.quotes import Breadth
from heatmap.notify.alerts import memory
from heatmap.pages.archive import record, sharing
from heatmap.pictures.context import ArchivedDay
from heatmap.pictures.market_map import sparklines
from heatmap.publishers.sftp import messages
from heatmap.state import cache, json_files
from heatmap.state.memory import State
from heatmap.system import parsing
from heatmap.system.http import cookies
from tests.fuzz.damage import DEEP
from tests.fuzz.of_state import Notes

FRIDAY = date(2026, 9, 18)


@pytest.mark.parametrize("version", ["1e300", "9" * 400, "1000000"])
def test_an_absurd_version_is_damage(tmp_path: Path, version: str) -> None:
    """It became part of a file's name, which was too long: every tick failed, for good."""
    (tmp_path / "state.json").write_text(f'{{"version": {version}, "markets": {{}}}}')
    told: list[str] = []

    State(tmp_path, told.append).remember("nse-fno", final_date="2026-09-17")

    assert "2026-09-17" == State(tmp_path, pytest.fail)["nse-fno"].final_date
    assert (tmp_path / "state.damaged.json").exists()
    assert ["damaged" in sentence for sentence in told] == [True]


def test_a_version_that_can_be_is_kept_apart(tmp_path: Path) -> None:
    """The largest that is believed is set aside under its own name."""
    path = tmp_path / "a.json"
    path.write_text(f'{{"version": {json_files.LAST_VERSION}}}')
    told: list[str] = []

    assert json_files.load(path, 1, dict, told.append) is None

    assert (tmp_path / "a.version-999999.json").exists()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (f"deadline_seconds = {'9' * 400}", "deadline_seconds must be a number, not 999"),
        ("deadline_seconds = nan", "deadline_seconds must be a number, not nan"),
        ("[page]\nclamp_percent = inf", "clamp_percent must be a number, not inf"),
        ('[page]\nperiod_clamps = {"1y" = -inf}', "period_clamps must be a table of numbers"),
        (f"[history]\ntick_sessions = {10**20}", "tick_sessions must be a whole number of at most 9 digits"),
        ('[market]\nname = "m"\n[market.source]\ntype = ["nse"]', "type ['nse'] is not known"),
        ('[market]\nname = "m"\n[market.source]\ntype = {a = 1}', "type {'a': 1} is not known"),
    ],
)
def test_a_configuration_of_odd_values_is_refused_in_words(tmp_path: Path, text: str, sentence: str) -> None:
    """Numbers beyond what can be reckoned with, and lists where a name was due: they ended in a traceback."""
    (tmp_path / "heatmap.toml").write_text(text)

    with pytest.raises(ConfigError) as refusal:
        loader.load(tmp_path / "heatmap.toml")

    assert sentence in str(refusal.value)


def test_a_calendar_until_9999_is_scheduled_at_once() -> None:
    """Each of its three million days was looked at, which took more than a minute."""
    calendar = calendars.load(calendars.SessionOptions(), Path())
    begun = time.process_time()

    hours = schedule.run_hours([replace(calendar, last=date.max)], UTC, FRIDAY, timedelta(minutes=15))

    assert time.process_time() - begun < 5
    assert schedule.run_hours([calendar], UTC, FRIDAY, timedelta(minutes=15)) == hours


@pytest.mark.parametrize("header", ["a=b; max-age", "a=b; Max-Age; Path=/"])
def test_a_cookie_that_the_library_cannot_read_is_not_taken(
    header: str, recwarn: pytest.WarningsRecorder
) -> None:
    """It made the library write a traceback, which cron would have mailed with every tick."""
    jar = cookies.Cookies()

    jar.take("https://www.example.org/api", [header])

    assert (0, []) == (len(jar), recwarn.list)


@pytest.mark.parametrize("name", [r"a\u0007b\u202E\nc", "x" * 100_000, ""])
@pytest.mark.parametrize("table", ["closed]]", 'session]]\nwindows = [["18:00", "19:00"]]'])
def test_a_name_of_a_day_is_one_line_that_shows(table: str, name: str) -> None:
    """The guard's reason repeats it, to the terminal and to every log."""
    problems: list[str] = []
    packaged = calendars.load(calendars.SessionOptions(), Path())
    text = f'[[{table}\ndate = 2026-09-18\nname = "{name}"\n'

    merged = overrides.merge(packaged, text, "overrides.toml", problems)
    reason = phases.phase_at(merged, datetime.combine(FRIDAY, clock(12, 45), UTC)).reason

    assert not problems
    assert reason.isprintable()
    assert len(reason) < 200


@pytest.mark.parametrize(
    "words", ["\x1b[2Jcleared", "a\rb", "\u202egnirts", "x" * 100_000, "Permission denied (\x07publickey)"]
)
def test_the_words_of_an_ssh_server_are_shown_harmless(words: str) -> None:
    """A server's text at login once reached the terminal and the log unchanged."""
    said = [
        messages.describe_server(f"remote software version {words}\n", "3"),
        str(messages.make_connection_error("sftp://h", words)),
        str(messages.make_connection_error("sftp://h", f"no matching {words}")),
        str(messages.describe_error("sftp://h", "store", "index.html", messages.SftpError(words))),
        str(messages.describe_error("sftp://h", "store", "index.html", OSError(words))),
    ]

    for sentence in said:
        assert sentence.isprintable()
        assert len(sentence) < 500


@pytest.mark.parametrize(
    "note",
    [
        b"[]",
        b'{"2026-09-18": 1}',
        b'{"2026-09-18": "\\ud800"}',
        b'{"../../../elsewhere": "<p>"}',
        b'{"18 September": "<p>"}',
        DEEP.encode(),
        b"\xff",
    ],
)
def test_a_damaged_note_of_pages_is_reported_and_writes_nothing(tmp_path: Path, note: bytes) -> None:
    """Its keys became names of files, whatever they were, and anything else in it was told of as a bug."""
    with pytest.raises(HistoryNonsense, match="newest days"):
        sharing.pull_days(Notes(note), tmp_path / "state", "nse")  # type: ignore[arg-type]  # all it asks of a store

    assert [] == [*tmp_path.rglob("*")]


@pytest.mark.parametrize(
    "note",
    [
        DEEP.encode(),
        b'{"days": {"2026-09-17": [[1, 2, Infinity]]}}',
        b'{"days": {"2026-09-17": [[1, 2, 3], null, ["A", NaN], null]}}',
        b'{"days": {"2026-09-17": [[1, 2, 3], null, [], null]}}',
    ],
)
def test_a_damaged_note_of_days_is_told(tmp_path: Path, note: bytes) -> None:
    """This machine's own record holds."""
    record.save(tmp_path, "nse", record.Record({FRIDAY: ArchivedDay(FRIDAY, Breadth(0, 1, 0))}))
    told: list[str] = []

    sharing.pull_record(Notes(note), tmp_path, "nse", told.append)  # type: ignore[arg-type]  # all it asks of a store

    assert 1 == len(told)
    assert [FRIDAY] == [*record.load(tmp_path, "nse", pytest.fail).days]


def test_what_others_keep_of_alerts_may_be_nested_without_end() -> None:
    """It is passed over."""
    assert memory.decode(DEEP.encode()) is None


@pytest.mark.parametrize("text", [DEEP, "null", "1", "[]"])
def test_what_was_kept_in_another_form_is_worked_out_again(tmp_path: Path, text: str) -> None:
    """Also where its checksum is right."""
    (tmp_path / "kept").write_text(f"{zlib.crc32(text.encode())}\n{text}")

    assert cache.read(tmp_path / "kept", "key") is None


@pytest.mark.parametrize("read", [tick_codec.decode, tick_codec.decode_volumes])
def test_a_tick_nested_without_end_is_damage(read: object) -> None:
    """The store leaves such an entry out, and tells."""
    with pytest.raises(tick_codec.DECODE_ERRORS):
        read(zlib.compress(DEEP.encode()))  # type: ignore[operator]  # one of the two


def test_figures_too_small_to_reckon_with_are_none() -> None:
    """Two such prices in a row had a difference by which nothing can be divided, and no page was drawn."""
    assert [0.0, 0.0, 1e-12] == [parsing.number(figure) for figure in (5e-324, "-1e-13", 1e-12)]
    assert parsing.positive(5e-324) is None
    line = sparklines.draw([parsing.SMALLEST, 2 * parsing.SMALLEST])

    assert line
    assert json.dumps(line, allow_nan=False)
