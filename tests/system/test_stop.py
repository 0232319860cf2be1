"""A request to end comes at any instant, and ends the run: it is never lost, and never between two notes."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from heatmap.errors import EXIT_INTERRUPTED, EXIT_OK, EXIT_TEMPORARY, StoppedError
from heatmap.system import stop
from heatmap.system.background import BackgroundTask
from tests.checkout import CHECKOUT
from tests.history import markets, month
from tests.history.figures import MARKET, at

LONGEST_SECONDS = 60
INSTANTS = 6
SEED = 20260917
NOON = at(markets.SESSION, 12, 0)
FINAL = at(markets.SESSION, *month.FINAL)
# Sends itself a signal at the call of a function (of Python's or C's) with this number, once there is a handler.
BLOW = """
import os, signal, sys, threading
reader, writer = os.pipe()
def blow():
    os.read(reader, 1)
    os.kill(os.getpid(), number)  # from another thread: so the signal comes between two instructions of the run
threading.Thread(target=blow, daemon=True).start()
number, wanted, count = int(sys.argv.pop(1)), int(sys.argv.pop(1)), 0
DEFAULTS = (signal.SIG_DFL, signal.default_int_handler)
def look(frame, event, argument):
    global count
    if event in ("call", "c_call") and signal.getsignal(number) not in DEFAULTS:
        count += 1
        if count == wanted:
            sys.setprofile(None)
            os.write(writer, b".")
from heatmap import cli
sys.setprofile(look)
code = cli.main()
sys.setprofile(None)
print(count, flush=True)
os._exit(code)  # what comes after the run's end is Python's own
"""


LOCKING = """
def take(blow, number, done):
    blow(number)
    done.append("taken")
"""


def prepared(folder: Path) -> Path:
    """A folder with every part of a run that needs no server; it has had one tick, and a final is due."""
    folder.mkdir()
    (folder / "heatmap.toml").write_text(
        f'public_url = "https://example.org/"\n[[market]]\nname = "{MARKET}"\n[market.source]\ntype = "file"\n'
        'path = "figures.json"\n[[publish]]\nurl = "file:site"\n[page]\npng = false\n'
        '[[alert]]\nname = "moves"\nchange_percent = 0.5\n',
        "utf-8",
    )
    assert (EXIT_OK, "") == run(folder, NOON)[::2]
    return folder


def run(
    folder: Path, moment: datetime = FINAL, number: int = signal.SIGTERM, wanted: int = -1
) -> tuple[int, str, str]:
    """Run a tick with a signal at the call `wanted`; return exit code, how many calls there were, errors."""
    (folder / "figures.json").write_text(json.dumps(month.document(moment)), "utf-8")
    command = [sys.executable, "-c", BLOW, str(int(number)), str(wanted)]
    done = subprocess.run(
        [*command, "run", "--now", moment.isoformat()],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        timeout=LONGEST_SECONDS,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def look(folder: Path) -> None:
    """See that a run that was asked to end left nothing half noted, and that the next one needs no help."""
    state = json.loads((folder / "state/state.json").read_text("utf-8"))["markets"][MARKET]
    record = folder / f"state/archive-{MARKET}.json"
    assert bool(state["final_date"]) <= record.exists()
    for page in ("index.html", *([f"{MARKET}/archive.html"] if record.exists() else [])):
        assert (folder / "site" / page).read_bytes().endswith(b"</html>\n")
    kept = (folder / "state/outcomes.jsonl").read_bytes().splitlines()
    assert 1 <= len(kept) <= 2  # one that came before the run began is no tick
    assert b"" == (folder / "state/lock").read_bytes()
    assert (EXIT_OK, "") == run(folder)[::2]
    assert [] == [*folder.rglob("*.tmp")]


@pytest.mark.process
def test_a_signal_at_any_call_of_a_run_ends_it(tmp_path: Path) -> None:
    """Exit 75 and one sentence, wherever it comes."""
    before = prepared(tmp_path / "before")
    shutil.copytree(before, tmp_path / "whole")
    calls = int(run(tmp_path / "whole")[1])
    for wanted in random.Random(SEED).sample(range(1, calls), INSTANTS):
        folder = shutil.copytree(before, tmp_path / str(wanted))
        code, _, errors = run(folder, wanted=wanted)

        assert (EXIT_TEMPORARY, [f"heatmap: {stop.SENTENCE}"]) == (code, errors.splitlines()), wanted
        look(folder)


@pytest.mark.process
@pytest.mark.parametrize("share", [0.2, 0.8])
def test_ctrl_c(tmp_path: Path, share: float) -> None:
    """The same from the keyboard, with the code that shells have for it."""
    folder = prepared(tmp_path / "it")
    calls = int(run(shutil.copytree(folder, tmp_path / "whole"))[1])
    code, _, errors = run(folder, number=signal.SIGINT, wanted=int(share * calls))

    assert (EXIT_INTERRUPTED, [f"heatmap: {stop.INTERRUPTED}"]) == (code, errors.splitlines())
    last = json.loads((folder / "state/outcomes.jsonl").read_bytes().splitlines()[-1])
    assert (EXIT_TEMPORARY, "stopped") == (last["code"], last["word"])
    look(folder)


class _Deaf:
    """Receives a signal while Python finalizes it: what the handler raises is lost there."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0)


def test_a_request_that_was_lost_is_raised_again(capsys: pytest.CaptureFixture[str]) -> None:
    """An exception that a finalizer swallows comes back at the next step, and Python says nothing of it."""
    with stop.handlers():
        stop.raise_if_requested()
        assert not stop.is_requested()
        deaf = [_Deaf()]
        deaf.clear()
        assert stop.is_requested()
        with pytest.raises(StoppedError):
            stop.raise_if_requested()
    stop.raise_if_requested()
    assert not stop.is_requested()
    assert ("", "") == capsys.readouterr()


def test_a_request_is_no_exception_that_a_part_may_swallow() -> None:
    """The barrier between the parts of a run lets a request to end pass."""
    with pytest.raises(StoppedError), stop.handlers():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except Exception:  # noqa: BLE001 -- as the parts of a run do
            pytest.fail("it was taken for a bug")


def test_a_request_is_postponed() -> None:
    """Until the outermost block is done; then it comes, though somebody waited meanwhile, and only once."""
    done: list[str] = []
    with stop.handlers():
        with pytest.raises(StoppedError), stop.postpone():  # noqa: PT012 -- when it comes is what counts
            with stop.postpone():
                os.kill(os.getpid(), signal.SIGTERM)
                done.append("inner")
            begun = time.monotonic()
            BackgroundTask(lambda: time.sleep(30)).wait(30)
            assert time.monotonic() - begun < stop.MOST_SECONDS + 1
            os.kill(os.getpid(), signal.SIGTERM)
            done.append("outer")
        with stop.postpone():  # on the way out, things are still to be noted
            done.append("after")

    assert ["inner", "outer", "after"] == done


def test_a_request_that_a_step_has_raised_does_not_come_again() -> None:
    """Though it was to be tried again a moment later: on its way out a run notes how it ended."""
    code: dict[str, Any] = {}
    exec(compile(LOCKING, "/lib/contextlib.py", "exec"), code)  # noqa: S102 -- a frame as the library's
    with stop.handlers():
        with pytest.raises(StoppedError):  # noqa: PT012 -- the second line must follow at once
            code["take"](signal.raise_signal, signal.SIGTERM, [])
            stop.raise_if_requested()
        time.sleep(20 * stop.AGAIN_SECONDS)


def test_a_second_ctrl_c_is_not_postponed() -> None:
    """Nobody at a keyboard should have to look for kill."""
    with stop.handlers(), pytest.raises(KeyboardInterrupt), stop.postpone():  # noqa: PT012 -- as above
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        pytest.fail("it was held back")


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("<frozen importlib._bootstrap>", "take"),
        ("/lib/contextlib.py", "take"),
        ("threading.py", "__enter__"),
    ],
)
def test_a_request_in_the_middle_of_taking_a_lock_comes_a_moment_later(file: str, name: str) -> None:
    """Else the lock would be held for good, and every thread that imports a module would wait for it."""
    code: dict[str, Any] = {}
    exec(compile(LOCKING.replace("take", name, 1), file, "exec"), code)  # noqa: S102 -- a frame as the library's
    done: list[str] = []
    with stop.handlers(), pytest.raises(StoppedError):  # noqa: PT012 -- when it comes is what counts
        code[name](signal.raise_signal, signal.SIGTERM, done)
        done.append("given back")
        time.sleep(5)
        done.append("never")

    assert ["taken", "given back"] == done


def test_ignored_signals_stay_ignored_and_former_handlers_come_back() -> None:
    """As nohup and a shell's & set them."""
    former = signal.signal(signal.SIGINT, signal.SIG_IGN), signal.getsignal(signal.SIGTERM)
    try:
        with stop.handlers():
            os.kill(os.getpid(), signal.SIGINT)
            assert not stop.is_requested()
        assert signal.SIG_IGN is signal.getsignal(signal.SIGINT)
        assert former[1] is signal.getsignal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGINT, former[0])
