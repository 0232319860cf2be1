"""The `[monitor]` table of the configuration, and the settings of a run's monitoring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from heatmap.errors import ConfigError
from heatmap.system.files import is_printable
from heatmap.system.secrets import VARIABLE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from heatmap.publishers.interface import Publisher

SUFFIX = ".prom"  # node_exporter reads only such files


@dataclass(frozen=True, slots=True)
class MonitorOptions:
    """The `[monitor]` table.

    The address to ping is a secret, so the table has only the name of its variable or file.
    """

    ping_url_env: str | None = None
    ping_url_file: Path | None = None
    ping_closed: bool = False  # whether runs also ping if every market is closed
    textfile: Path | None = None
    status: bool = True  # whether each market has a status.json beside its page

    def __post_init__(self) -> None:
        """Raise ConfigError for wrong values."""
        problems = []
        if self.ping_url_env is not None and self.ping_url_file is not None:
            problems.append("ping_url_env and ping_url_file are both given: keep one of them")
        if self.ping_url_env is not None and not VARIABLE.fullmatch(self.ping_url_env):
            # The value may be the address itself, so the message does not repeat it.
            problems.append(
                "ping_url_env must be the NAME of an environment variable, never the address itself"
            )
        if self.ping_closed and not self.pings:
            problems.append("ping_closed needs an address: name it in ping_url_env or ping_url_file")
        if self.textfile is not None and self.textfile.suffix != SUFFIX:
            problems.append(f"textfile must end in {SUFFIX}: node_exporter reads no other files")
        if self.textfile is not None and not is_printable(self.textfile):
            problems.append("textfile holds a line break or another control character: remove it")
        if problems:
            raise ConfigError(problems)

    @property
    def pings(self) -> bool:
        """Whether there is an address to ping."""
        return self.ping_url_env is not None or self.ping_url_file is not None


class MonitorSettings(NamedTuple):
    """The part of the configuration that the monitoring of a run needs."""

    options: MonitorOptions
    state_directory: Path
    markets: Sequence[str]  # the names of all markets, also of those that are not due
    targets: Sequence[Publisher]
