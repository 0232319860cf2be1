"""A target's secret, in what time the run has left."""

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
    """Return the secret of the target `name`; None where no place is named.

    Raises PublishImpossible where its variable or file is missing or cannot be used, PublishRefused where
    its command fails, PublishError where only time was lacking.
    """
    seconds = min(secrets.COMMAND_SECONDS, deadline.remaining())
    over = f"{name}: the run's {deadline.seconds:.3g} seconds are over: the next run tries again"
    if not seconds:
        raise PublishError(over)
    try:
        return secrets.read(*places, what=what, seconds=seconds)
    except ConfigError as error:
        if seconds < secrets.COMMAND_SECONDS and not deadline.remaining():
            raise PublishError(over) from error
        missing = secrets.problems(*places, what=what)  # as `heatmap check` says it, with its exit code
        raise (PublishImpossible if missing else PublishRefused)(f"{name}: {error}") from error
