"""The monitoring of whole runs, as a ping server, a reader of metrics and a visitor see it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from heatmap.config.loader import Config
from heatmap.errors import (
    ConfigError,
    LockedError,
    PublishError,
    SourceBlocked,
    SourceNonsense,
    StoppedError,
)
from heatmap.notify.monitoring import run_monitor
from heatmap.notify.monitoring.options import MonitorOptions, MonitorSettings
from heatmap.run import one_run
from heatmap.state.memory import State, lock
from heatmap.state.report import Messages, Report
from heatmap.state.run_log import RunOutcome, append, latest
from heatmap.system import secrets
from heatmap.system.deadline import Deadline
from tests.doubles import MemoryPublisher, MemorySource, configuration, failure
from tests.notify.monitoring.exposition import parse
from tests.servers.hooks import Hooks
from tests.servers.process import free_port

CANARY = "5b3c0ffe-canary"
PINGED = MonitorOptions(ping_url_env="HEATMAP_TEST_PING_URL")
SUCCESS = [("GET", f"/{CANARY}/start"), ("GET", f"/{CANARY}")]
FAILURE = [("GET", f"/{CANARY}/start"), ("POST", f"/{CANARY}/fail")]


def at(text: str) -> datetime:
    """A moment in India."""
    return datetime.fromisoformat(f"{text}+05:30")


OPEN = at("2026-09-17T11:00:00")
NIGHT = at("2026-09-17T22:00:00")
BEFORE = at("2001-01-04T11:00:00")  # the calendar begins


@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hooks]:
    """A ping server. Its address is in the environment."""
    with Hooks() as server:
        monkeypatch.setenv("HEATMAP_TEST_PING_URL", f"{server.url}/{CANARY}")
        yield server


def monitored(
    tmp_path: Path, source: MemorySource, *targets: MemoryPublisher, options: MonitorOptions = PINGED
) -> Config:
    """A configuration with a `[monitor]` table."""
    return configuration(tmp_path, source, *targets)._replace(monitor=options)


def metrics(path: Path) -> dict[str, float]:
    """Return the samples of a file, by name{label=value}."""
    return {
        name
        + "".join(f"{{{','.join(f'{k}={v}' for k, v in sorted(labels))}}}" for _ in (1,) if labels): value
        for (name, labels), value in parse(path.read_text("utf-8")).items()
    }


def outcomes(tmp_path: Path, market: str = "nse-fno") -> list[int]:
    """Return the exit codes in the run log of a market."""
    return [outcome.code for outcome in latest(tmp_path / "state", market, 20)]


def test_a_run_that_succeeds(tmp_path: Path, hooks: Hooks) -> None:
    """Start and success are sent, in this order, and no problem is reported."""
    sentences: list[str] = []

    report = one_run.run(
        monitored(tmp_path, MemorySource(), MemoryPublisher()), now=OPEN, say=sentences.append
    )

    assert (0, SUCCESS) == (report.exit_code, hooks.requests)
    assert not [line for line in sentences if "monitor" in line]
    assert [0] == outcomes(tmp_path)


def test_a_run_that_fails(tmp_path: Path, hooks: Hooks) -> None:
    """The failure is sent with its reason: the sentences of all errors."""
    source = MemorySource(error=SourceBlocked("www.example.org answered 403: ask elsewhere"))

    report = one_run.run(monitored(tmp_path, source, MemoryPublisher()), now=OPEN)

    assert (75, FAILURE) == (report.exit_code, hooks.requests)
    assert b"exit 75\nnse-fno: www.example.org answered 403: ask elsewhere" == hooks.calls[-1].body
    assert [75] == outcomes(tmp_path)


def test_a_run_that_raises(tmp_path: Path, hooks: Hooks) -> None:
    """A missing secret ends a run before it starts; the failure is sent, too, and the error is raised."""
    config = monitored(tmp_path, MemorySource(), MemoryPublisher(missing=("no password: set it",)))

    with pytest.raises(ConfigError):
        one_run.run(config, now=OPEN)

    assert [("POST", f"/{CANARY}/fail")] == hooks.requests
    assert b"exit 78\nmemory:: no password: set it" == hooks.calls[-1].body
    assert [78] == outcomes(tmp_path)


def test_a_bug_is_sent_without_its_text(tmp_path: Path, hooks: Hooks) -> None:
    """Only the type of the error is sent."""
    config = monitored(tmp_path, MemorySource(error=KeyError("canary text")), MemoryPublisher())

    with pytest.raises(KeyError):
        one_run.run(config, now=OPEN)

    assert b"exit 70\na bug (KeyError): see the run's own output" == hooks.calls[-1].body


def test_no_secret_is_sent(tmp_path: Path, hooks: Hooks, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a target's secret nor the address, even if an error's sentence contains them."""
    monkeypatch.setenv("HEATMAP_TEST_PASSWORD", "s3cret/canary")
    target = MemoryPublisher(error=PublishError(f"s3cret/canary s3cret%2Fcanary {hooks.url}/{CANARY} broke"))
    target.password_env = "HEATMAP_TEST_PASSWORD"  # type: ignore[attr-defined]

    one_run.run(monitored(tmp_path, MemorySource(), target), now=OPEN)

    assert b"exit 75\n*** *** *** broke" == hooks.calls[-1].body


@pytest.mark.process
def test_no_secret_of_a_command_is_sent(tmp_path: Path, hooks: Hooks) -> None:
    """Every secret that this process has read is hidden, and its command does not run again."""
    command = ["sh", "-c", f"echo >>{tmp_path}/asked; echo canary-5ecret"]
    assert "canary-5ecret" == secrets.read(None, None, command)
    target = MemoryPublisher(error=PublishError("it repeats canary%2d5ecret"))

    one_run.run(monitored(tmp_path, MemorySource(), target), now=OPEN)

    assert b"exit 75\nit repeats ***" == hooks.calls[-1].body
    assert "\n" == (tmp_path / "asked").read_text()


def test_a_veto_is_no_failure(tmp_path: Path, hooks: Hooks) -> None:
    """On a holiday that the calendar does not have, the run succeeds."""
    one_run.run(monitored(tmp_path, MemorySource(is_open=False), MemoryPublisher()), now=OPEN)

    assert SUCCESS == hooks.requests


@pytest.mark.parametrize("moment", [NIGHT, OPEN])
def test_runs_that_send_nothing(tmp_path: Path, hooks: Hooks, moment: datetime) -> None:
    """A run while the market is closed, a dry run, and a run that finds the lock taken."""
    config = monitored(
        tmp_path, MemorySource(), MemoryPublisher(), options=replace(PINGED, textfile=tmp_path / "x.prom")
    )
    State(tmp_path / "state")  # reading writes nothing
    if moment == NIGHT:
        one_run.run(config._replace(state_directory=_done(tmp_path)), now=NIGHT)
    else:
        one_run.run(config, now=OPEN, dry_run=True)
        with lock(tmp_path / "state"), pytest.raises(LockedError):
            one_run.run(config, now=OPEN)

    assert [] == hooks.requests
    # The run that found the lock taken still has an outcome.
    assert ([] if moment == NIGHT else [75]) == outcomes(tmp_path)
    assert not (tmp_path / "x.prom").exists()


def _done(tmp_path: Path) -> Path:
    """Return a state directory after the day's final page is published."""
    directory = tmp_path / "done"
    with lock(directory):
        State(directory).remember("nse-fno", final_date="2026-09-17")
    return directory


def test_closed_runs_ping_if_configured(tmp_path: Path, hooks: Hooks) -> None:
    """With one GET. The next runs do not end before they ping."""
    config = monitored(tmp_path, MemorySource(), MemoryPublisher(), options=replace(PINGED, ping_closed=True))
    config = config._replace(state_directory=_done(tmp_path))

    report = one_run.run(config, now=NIGHT)
    one_run.run(config, now=NIGHT, dry_run=True)

    assert [("GET", f"/{CANARY}")] == hooks.requests
    assert report.idle_until is None


def test_closed_runs_send_no_success_after_a_failure(tmp_path: Path, hooks: Hooks) -> None:
    """After a failed run, no ping is sent until a run succeeds."""
    config = monitored(tmp_path, MemorySource(), MemoryPublisher(), options=replace(PINGED, ping_closed=True))
    config = config._replace(state_directory=_done(tmp_path))
    failed, good = at("2026-09-17T15:45:00"), at("2026-09-17T15:50:00")

    append(config.state_directory, [RunOutcome("nse-fno", failed, 75, "blocked")])
    one_run.run(config, now=NIGHT)
    assert [] == hooks.requests

    append(config.state_directory, [RunOutcome("nse-fno", good, 0, "published")])
    one_run.run(config, now=NIGHT)
    assert [("GET", f"/{CANARY}")] == hooks.requests


@pytest.mark.parametrize("closed", [True, False])
def test_a_time_before_the_calendar_is_sent_once(tmp_path: Path, hooks: Hooks, *, closed: bool) -> None:
    """It is sent as a failure with its sentence; the next runs send nothing, not even success."""
    config = monitored(
        tmp_path, MemorySource(), MemoryPublisher(), options=replace(PINGED, ping_closed=closed)
    )

    first = one_run.run(config, now=BEFORE)
    one_run.run(config, now=BEFORE)

    assert 78 == first.exit_code
    assert [("POST", f"/{CANARY}/fail")] == hooks.requests
    assert hooks.calls[0].body.startswith(b"exit 78\nnse-fno: ")


@pytest.mark.serial
@pytest.mark.parametrize("manner", ["hang", "drip", "error", "redirect", "rubbish"])
def test_no_ping_server_can_fail_a_run(tmp_path: Path, hooks: Hooks, manner: str) -> None:
    """The page is published in time, the exit code is 0, the problem is reported without the address."""
    hooks.manner = manner
    sentences: list[str] = []
    target = MemoryPublisher()
    config = monitored(tmp_path, MemorySource(), target)._replace(deadline_seconds=1.0)
    started = time.monotonic()

    report = one_run.run(config, now=OPEN, say=sentences.append)

    assert time.monotonic() - started < 4
    assert (0, True) == (report.exit_code, "index.html" in target.pages)
    assert 2 == len([line for line in sentences if line.startswith("monitor: ")])
    assert CANARY not in "".join(sentences)


def test_nobody_at_the_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ping server that is down changes nothing."""
    monkeypatch.setenv("HEATMAP_TEST_PING_URL", f"http://127.0.0.1:{free_port()}/{CANARY}")
    sentences: list[str] = []

    report = one_run.run(
        monitored(tmp_path, MemorySource(), MemoryPublisher()), now=OPEN, say=sentences.append
    )

    assert 0 == report.exit_code
    assert ["monitor: the ping of the start did not reach the server", "monitor: the ping of the end did not reach the server"] == sentences[-2:]  # fmt: skip


def test_an_address_that_is_missing_fails_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run reports it, and `heatmap check` prints the same sentence."""
    monkeypatch.delenv("HEATMAP_TEST_PING_URL", raising=False)
    sentences: list[str] = []

    report = one_run.run(
        monitored(tmp_path, MemorySource(), MemoryPublisher()), now=OPEN, say=sentences.append
    )

    problem = "the environment variable HEATMAP_TEST_PING_URL, which ping_url_env names, is not set: set it where the command runs, in the crontab too"
    assert 0 == report.exit_code
    assert f"monitor: no ping is sent: {problem}" in sentences
    assert [problem] == run_monitor.find_problems(PINGED)


def test_a_textfile_that_cannot_be_written_fails_no_run(tmp_path: Path) -> None:
    """The run reports it, and the check finds it."""
    options = MonitorOptions(textfile=tmp_path / "missing" / "heatmap.prom")
    sentences: list[str] = []

    report = one_run.run(monitored(tmp_path, MemorySource(), MemoryPublisher(), options=options), now=OPEN, say=sentences.append)  # fmt: skip

    assert 0 == report.exit_code
    assert sentences[-1].startswith("monitor: the textfile cannot be written (No such file or directory)")
    assert 1 == len(run_monitor.find_problems(options))
    assert (
        []
        == run_monitor.find_problems(None)
        == run_monitor.find_problems(MonitorOptions(textfile=tmp_path / "heatmap.prom"))
    )


def test_the_metrics_of_a_run(tmp_path: Path) -> None:
    """Two markets, and two targets of which one fails: each metric has the expected number."""
    path = tmp_path / "heatmap.prom"
    as_of = OPEN - timedelta(seconds=2)
    targets = (
        MemoryPublisher("ftps://me@www.example.org/canary"),
        MemoryPublisher("file:/canary", error=failure(PublishError)),
    )
    config = configuration(
        tmp_path,
        MemorySource(as_of=as_of),
        *targets,
        more=(("b", MemorySource(error=failure(SourceNonsense))),),
    )._replace(monitor=MonitorOptions(textfile=path))

    one_run.run(config, now=OPEN)
    samples = metrics(path)

    assert 0 <= samples.pop("heatmap_last_run_duration_seconds") < 60
    phases = {
        f"heatmap_phase{{market={market},phase={phase}}}": float(phase == "open")
        for market in ("nse-fno", "b")
        for phase in ("closed", "open", "auction", "settling", "final", "unknown")
    }
    next_open = at("2026-09-18T09:15:00").timestamp()
    assert {
        "heatmap_last_run_timestamp_seconds": 1789623000,
        "heatmap_last_run_exit_code": 75,
        "heatmap_quotes{market=nse-fno}": 2,
        "heatmap_data_timestamp_seconds{market=nse-fno}": 1789622998,
        "heatmap_next_open_timestamp_seconds{market=nse-fno}": next_open,
        "heatmap_next_open_timestamp_seconds{market=b}": next_open,
        "heatmap_publish_success{scheme=ftps,target=1}": 1,
        "heatmap_publish_success{scheme=file,target=2}": 0,
        **phases,
    } == samples
    assert "canary" not in path.read_text()
    assert "example" not in path.read_text()


def test_the_last_success_outlives_failures(tmp_path: Path) -> None:
    """By market, until the next success; a market whose source fails keeps the time of its quotes."""
    path = tmp_path / "heatmap.prom"
    a, b = MemorySource(), MemorySource()
    config = configuration(tmp_path, a, MemoryPublisher(), more=(("b", b),))
    config = config._replace(monitor=MonitorOptions(textfile=path))
    five = timedelta(minutes=5)

    one_run.run(config, now=OPEN)
    b.error = failure(SourceNonsense)
    one_run.run(config, now=OPEN + five)

    samples = metrics(path)
    then = OPEN.timestamp()
    assert (65, then + 300, then) == (
        samples["heatmap_last_run_exit_code"],
        samples["heatmap_last_success_timestamp_seconds{market=nse-fno}"],
        samples["heatmap_last_success_timestamp_seconds{market=b}"],
    )
    assert then == samples["heatmap_data_timestamp_seconds{market=b}"]

    config.publishers[0].error = failure(PublishError)  # type: ignore[attr-defined]
    b.error = None
    one_run.run(config, now=OPEN + 2 * five)

    samples = metrics(path)
    assert (then + 300, then, then + 600) == (
        samples["heatmap_last_success_timestamp_seconds{market=nse-fno}"],
        samples["heatmap_last_success_timestamp_seconds{market=b}"],
        samples["heatmap_data_timestamp_seconds{market=b}"],
    )


def test_status_has_the_earlier_runs(tmp_path: Path) -> None:
    """A failed run cannot publish its own outcome: the next published page has it."""
    source, target = MemorySource(), MemoryPublisher()
    config = configuration(tmp_path, source, target)
    five = timedelta(minutes=5)

    one_run.run(config, now=OPEN)
    first = json.loads(target.pages["nse-fno/status.json"])
    source.error = failure(SourceBlocked)
    one_run.run(config, now=OPEN + five)
    source.error, target.error = None, failure(PublishError)
    one_run.run(config, now=OPEN + 2 * five)
    target.error = None
    one_run.run(config, now=OPEN + 3 * five)
    last = json.loads(target.pages["nse-fno/status.json"])

    assert [] == first["outcomes"]
    assert ("2026-09-17T11:00:00+05:30", "open") == (first["generated_at"], first["phase"])
    assert [
        ("2026-09-17T11:10:00+05:30", 75),
        ("2026-09-17T11:05:00+05:30", 75),
        ("2026-09-17T11:00:00+05:30", 0),
    ] == [(each["generated_at"], each["exit_code"]) for each in last["outcomes"]]
    assert "nse-fno/status.json" == target.order[-1]
    assert "mend the test" not in target.pages["nse-fno/status.json"].decode()


def test_status_can_be_left_out(tmp_path: Path) -> None:
    """With its key in the configuration."""
    target = MemoryPublisher()

    one_run.run(monitored(tmp_path, MemorySource(), target, options=MonitorOptions(status=False)), now=OPEN)

    assert "nse-fno/status.json" not in target.pages
    assert "index.html" in target.pages


@pytest.mark.serial
def test_a_run_without_time_left_is_still_reported(tmp_path: Path, hooks: Hooks) -> None:
    """Its deadline is over, but the failure is sent, within two seconds."""
    report = Report(Messages(print), errors=[failure(PublishError)])
    config = monitored(tmp_path, MemorySource(), MemoryPublisher())
    deadline = Deadline(0)
    started = time.monotonic()

    settings = MonitorSettings(PINGED, config.state_directory, ["nse-fno"], config.publishers)
    with run_monitor.RunMonitor(settings, [], report, OPEN, deadline) as own, own.start(""):
        pass

    assert FAILURE == hooks.requests
    assert time.monotonic() - started < 2


def test_a_bug_in_the_monitoring_fails_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run's own exit code stays."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError(CANARY)

    monkeypatch.setattr(run_monitor.run_log, "append", broken)
    sentences: list[str] = []

    report = one_run.run(monitored(tmp_path, MemorySource(), MemoryPublisher(), options=MonitorOptions()), now=OPEN, say=sentences.append)  # fmt: skip

    assert (0, "monitor: ended in a bug (ZeroDivisionError)") == (report.exit_code, sentences[-1])


def test_a_stopped_run_is_reported(tmp_path: Path, hooks: Hooks) -> None:
    """A signal ends the run; the failure is sent, and the error is raised."""

    def stop() -> None:
        raise StoppedError("stopped by a signal before its end")

    config = monitored(tmp_path, MemorySource(before=stop), MemoryPublisher())

    with pytest.raises(StoppedError):
        one_run.run(config, now=OPEN)

    assert FAILURE == hooks.requests
    assert b"exit 75\nstopped by a signal before its end" == hooks.calls[-1].body


@pytest.mark.serial
def test_a_drive_that_hangs_does_not_hold_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The textfile may be on a network drive: the run does not wait for a write that hangs."""
    released = threading.Event()

    def hang(*_: object) -> None:
        released.wait()

    monkeypatch.setattr(run_monitor.textfile, "update", hang)
    options = MonitorOptions(textfile=tmp_path / "heatmap.prom")
    config = monitored(tmp_path, MemorySource(), MemoryPublisher(), options=options)
    sentences: list[str] = []
    started = time.monotonic()

    report = one_run.run(config._replace(deadline_seconds=1.0), now=OPEN, say=sentences.append)
    released.set()

    assert time.monotonic() - started < 4
    assert (0, "monitor: the textfile did not end in time") == (report.exit_code, sentences[-1])


@pytest.mark.process
def test_the_address_is_nowhere_to_be_found(tmp_path: Path) -> None:
    """A whole run as under cron: nothing that it prints, writes or passes to a child has the address."""
    (tmp_path / "heatmap.toml").write_text(
        '[[market]]\nname = "nse-fno"\n[market.source]\ntype = "recording"\n'
        '[monitor]\nping_url_env = "HEATMAP_TEST_PING_URL"\ntextfile = "heatmap.prom"\n'
    )
    script = (
        "import sys; from heatmap.system import secrets; from heatmap.cli import main\n"
        "code = main(sys.argv[1:])\nprint(sorted(secrets.child_environment()))\nsys.exit(code)"
    )
    with Hooks("error") as hooks:
        done = subprocess.run(
            [sys.executable, "-c", script, "run", "--verbose", "--now", OPEN.isoformat()],
            cwd=tmp_path,
            env={**os.environ, "HEATMAP_TEST_PING_URL": f"{hooks.url}/{CANARY}"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert (0, "", SUCCESS) == (done.returncode, done.stderr, hooks.requests)
    assert "monitor: the ping of the end was answered 500" in done.stdout
    assert CANARY not in done.stdout
    assert "HEATMAP_TEST_PING_URL" not in done.stdout
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"index.html", "status.json", "state.json", "heatmap.prom"} <= {path.name for path in written}
    assert not [path for path in written if CANARY.encode() in path.read_bytes()]


@pytest.mark.process
@pytest.mark.parametrize("closed", [True, False])
def test_a_closed_run_imports_no_monitoring(tmp_path: Path, *, closed: bool) -> None:
    """It imports only the table's options, unless closed runs ping."""
    (tmp_path / "heatmap.toml").write_text(
        '[[market]]\nname = "nse-fno"\n[market.source]\ntype = "recording"\n'
        f'[monitor]\nping_url_file = "none"\nping_closed = {str(closed).lower()}\n'
    )
    (tmp_path / "state").mkdir()
    script = (
        "import sys; from heatmap.cli import main; main(sys.argv[1:])\n"
        "print(*sorted(name for name in sys.modules if name.startswith(('heatmap.notify.monitoring', 'requests'))))"
    )

    done = subprocess.run(
        [sys.executable, "-c", script, "run", "--now", "2026-09-19T11:00:00+05:30"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert closed == ("heatmap.notify.monitoring.run_monitor" in done.stdout)
    assert closed != (done.stdout == "heatmap.notify.monitoring heatmap.notify.monitoring.options\n")
    assert closed != (tmp_path / "state" / "nap").exists()
