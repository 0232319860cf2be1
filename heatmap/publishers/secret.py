"""Reads a target's secret within the time that the run has left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heatmap.errors import ConfigError, PublishError, PublishImpossible, PublishRefused
from heatmap.system import secrets

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from heatmap.system.deadline import Deadline

Places = tuple[str | None, "Path | None", "Sequence[str] | None"]  # a variable, a file, a command


def read(name: str, places: Places, deadline: Deadline, what: str = "password") -> str | None:
    """Return the secret of the target `name`; None if the configuration names no place. `what`: its name.

    Raises PublishImpossible if its variable or file is missing or cannot be used, PublishRefused if its
    command fails, PublishError if there was no time left.
    """
    seconds = min(secrets.COMMAND_SECONDS, deadline.remaining())
    no_time = f"{name}: the run's {deadline.seconds:.3g} seconds are over: the next run tries again"
    if not seconds:
        raise PublishError(no_time)
    try:
        return secrets.read(*places, name=what, seconds=seconds)
    except ConfigError as error:
        if seconds < secrets.COMMAND_SECONDS and not deadline.remaining():
            raise PublishError(no_time) from error
        problems = secrets.problems(*places, name=what)  # the same as in `heatmap check`, with its exit code
        raise (PublishImpossible if problems else PublishRefused)(f"{name}: {error}") from error
