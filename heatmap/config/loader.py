"""Reads heatmap.toml into frozen dataclasses, and reports all problems at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from heatmap.config import fields, plugins
from heatmap.config.table_reader import TableReader
from heatmap.config.tables import DEADLINE_SECONDS, MARKET_NAME, MarketTable, TopLevel
from heatmap.errors import ConfigError, UsageError
from heatmap.history.options import HistoryOptions
from heatmap.market.calendar import packaged
from heatmap.market.calendar.session import MarketIdentity
from heatmap.pictures.options import PageOptions
from heatmap.state import idle
from heatmap.state.memory import FILE_NAME as STATE_FILE
from heatmap.system import files, limits, resource_errors, suggestions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from heatmap.market.calendar.phases import Calendar
    from heatmap.market.gates import GateOptions
    from heatmap.notify.alerts.options import AlertOptions
    from heatmap.notify.monitoring.options import MonitorOptions
    from heatmap.pages.archive.options import ArchiveOptions
    from heatmap.publishers.interface import Publisher
    from heatmap.sources.interface import Source

FILE_NAME = idle.CONFIGURATION
DEFAULT_SOURCES = [{"type": "nse"}, {"type": "nse-archive"}]


class NamedSource(NamedTuple):
    """A source, its `type` in the configuration, and its label, which is unique in the market."""

    name: str
    label: str
    source: Source


class Market(NamedTuple):
    """One market. Its name is also the name of its folder."""

    name: str
    title: str
    sources: tuple[NamedSource, ...]  # at least one; the run tries them in this order
    calendar: Calendar
    session: packaged.SessionOptions = packaged.DEFAULTS  # the options that the calendar was made from

    @property
    def identity(self) -> MarketIdentity:
        """The market's name, title and time zone."""
        return MarketIdentity(self.name, self.title, self.calendar.time_zone)


class Config(NamedTuple):
    """The whole configuration. All paths are absolute."""

    path: Path | None  # None if there is no file: then all values are defaults
    title: str
    state_directory: Path
    interval_minutes: int
    deadline_seconds: float  # the time limit of a whole run
    public_url: str | None  # ends with a slash; None if it is not configured
    markets: tuple[Market, ...]  # at least one; the first one is also the index page
    page: PageOptions
    publishers: tuple[Publisher, ...]  # at least one
    monitor: MonitorOptions | None = None  # None if the table is missing
    files: tuple[Path, ...] = ()  # every file that the configuration depends on, whether it exists or not
    history: HistoryOptions = HistoryOptions()
    archive: ArchiveOptions | None = None  # None if the table is missing
    alerts: tuple[AlertOptions, ...] = ()
    gates: GateOptions | None = None  # None if the table is missing: then its defaults hold

    def select_markets(self, name: str | None) -> tuple[Market, ...]:
        """Return the market with this name, or all markets for None. Raises UsageError if there is none."""
        markets = tuple(market for market in self.markets if name in (None, market.name))
        if not markets:
            names = ", ".join(market.name for market in self.markets)
            raise UsageError(f"there is no market {name!r}: the configuration has {names}")
        return markets


def load(path: Path | None = None) -> Config:
    """Read the configuration `path`. For None, read heatmap.toml in the current directory, if it exists.

    Without any file, return the defaults. Raises ConfigError with all problems.
    """
    if path is None:
        path = Path(FILE_NAME)
        if not path.exists():
            return read({}, base=Path.cwd())
    try:
        text = files.read_text(path, limits.CONFIGURATION_BYTES)
    except FileNotFoundError as error:
        problem = f"there is no {path}: name the configuration with --config, or make it: `heatmap init`"
        raise ConfigError([problem]) from error
    except IsADirectoryError as error:
        raise ConfigError([f"{path} is a folder: name the file in it, such as {path / FILE_NAME}"]) from error
    except (OSError, UnicodeDecodeError) as error:
        if isinstance(error, OSError):
            resource_errors.refuse(error)
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(
            [f"{path} cannot be read ({reason}): give a readable file with --config"]
        ) from error
    import tomllib

    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also for numbers with thousands of digits and deep lists
        from heatmap.system.toml_errors import explain

        raise ConfigError([f"{path} is not valid TOML: {explain(error, text)}"]) from error
    return read(document, base=path.absolute().parent, path=path.absolute())


def read(document: Mapping[str, Any], *, base: Path, path: Path | None = None) -> Config:
    """Build a configuration from a parsed document. Raises ConfigError with all problems.

    Relative paths start at the folder `base`. `path` is the document's file; None if there is no file.
    """
    reader = _Reader(base, path.name if path else FILE_NAME)
    config = reader.read_config(document, path)
    if reader.problems:
        raise ConfigError(reader.problems)
    return config


class _Reader(TableReader):
    """Reads all tables of one document and collects their problems."""

    def __init__(self, base: Path, file_name: str) -> None:
        super().__init__(base, file_name)
        self.files: list[Path] = []
        self.state_directory = base

    def read_config(self, document: Mapping[str, Any], path: Path | None) -> Config:
        values = dict(document)
        market_tables = self.list_tables(values.pop("market", [{"name": "nse-fno"}]), "market")
        publish_tables = self.list_tables(values.pop("publish", [{"url": "file:site"}]), "publish")
        page_table = values.pop("page", {})
        history_table = values.pop("history", {})
        monitor = self._read_monitor(values.pop("monitor")) if "monitor" in values else None
        archive = self._read_archive(values.pop("archive")) if "archive" in values else None
        gates = self._read_gates(values.pop("gates")) if "gates" in values else None
        alert_tables = self.list_tables(values.pop("alert"), "alert") if "alert" in values else []
        tables = ("market", "page", "publish", "monitor", "history", "archive", "alert", "gates")
        top = self.read(TopLevel, values, "", also=tables) or TopLevel()
        self.state_directory = state_directory = self.base / top.state_directory
        if not market_tables or not publish_tables:
            self.add_problem("", "there must be at least one [[market]] and one [[publish]]")
        markets = [
            self._read_market(table, f"market {n}", top.title) for n, table in enumerate(market_tables, 1)
        ]
        names = [market.name for market in markets if market]
        for name in sorted({name for name in names if names.count(name) > 1}):
            self.add_problem("market", f"the name {name!r} is used twice")
        publishers = [
            self._read_publisher(table, f"publish {n}") for n, table in enumerate(publish_tables, 1)
        ]
        return Config(
            path=path,
            title=top.title,
            state_directory=state_directory,
            interval_minutes=top.interval_minutes,
            deadline_seconds=top.deadline_seconds or min(DEADLINE_SECONDS, top.interval_minutes * 45.0),
            public_url=top.public_url.rstrip("/") + "/" if top.public_url else None,
            markets=tuple(market for market in markets if market),
            page=self.read(PageOptions, page_table, "page") or PageOptions(),
            publishers=tuple(publisher for publisher in publishers if publisher),
            monitor=monitor,
            history=self.read(HistoryOptions, history_table, "history") or HistoryOptions(),
            archive=archive,
            alerts=self._read_alerts(alert_tables, names),
            gates=gates,
            files=(path or self.base / FILE_NAME, state_directory / STATE_FILE, *self.files),
        )

    def suggest_key(self, key: str, valid_keys: Sequence[str]) -> str:
        from heatmap.config import key_places

        if f"{key}_file" in valid_keys:
            return f": a secret never stands here, name a file that holds it in {key}_file"
        place = key_places.describe_place(key, valid_keys)
        return f": {place}" if place else suggestions.suggestion(key, valid_keys)

    def _read_market(self, table: Mapping[str, Any], where: str, title: str) -> Market | None:
        values = dict(table)
        name = values.get("name")
        if isinstance(name, str) and MARKET_NAME.fullmatch(name):
            where = f"market {name!r}"
        source_tables = values.pop("source", DEFAULT_SOURCES)
        session_table = values.pop("session", {})
        market = self.read(MarketTable, values, where, also=("source", "session"))
        sources = self._read_sources(source_tables, f"{where} source")
        options = self.read(packaged.SessionOptions, session_table, f"{where} session")
        calendar = None
        if options is not None:
            holidays = packaged.find_holiday_file(options, self.state_directory)
            calendar = self.attempt(f"{where} session", lambda: packaged.load(options, self.base, holidays))
            self.files += packaged.list_files(options, self.base, holidays)
        if market is None or not sources or calendar is None:
            return None
        return Market(market.name, market.title or title, sources, calendar, options)

    def _read_sources(self, tables: object, where: str) -> tuple[NamedSource, ...]:
        """Return a market's sources, or () if one of them has a problem."""
        if not isinstance(tables, list):
            tables = [tables]
        if not tables:
            self.add_problem(where, "there must be at least one")
        sources: list[NamedSource] = []
        for number, table in enumerate(tables, 1):
            source = self._read_source(table, where if len(tables) == 1 else f"{where} {number}")
            if source:
                earlier = sum(each.name == source.name for each in sources)
                sources.append(source._replace(label=f"{source.name}-{earlier + 1}") if earlier else source)
        return tuple(sources) if len(sources) == len(tables) else ()

    def _read_source(self, table: object, where: str) -> NamedSource | None:
        if not isinstance(table, dict):
            self.add_problem(where, "must be a table")
            return None
        values = dict(table)
        name = values.pop("type", "nse")
        if not isinstance(name, str) or name not in plugins.SOURCES:
            self.add_problem(
                where, f"type {name!r} is not known{suggestions.suggestion(name, plugins.SOURCES)}"
            )
            return None
        source = self.read(plugins.source_class(name), values, where, also=("type",))
        return NamedSource(name, name, source) if source else None

    def _read_publisher(self, table: Mapping[str, Any], where: str) -> Publisher | None:
        url = table.get("url")
        if not isinstance(url, str):
            self.add_problem(where, 'needs a url, such as url = "file:site"')
            return None
        scheme = url.partition(":")[0].lower()
        if scheme not in plugins.PUBLISHERS:
            prefixes = ", ".join(f"{name}:" for name in plugins.PUBLISHERS)
            hint = fields.suggest_target(url, plugins.PUBLISHERS)
            self.add_problem(where, f"url must begin with one of {prefixes}{hint}")
            return None
        publisher: Publisher | None = self.read(plugins.publisher_class(scheme), table, where)
        return publisher

    def _read_monitor(self, table: object) -> MonitorOptions | None:
        from heatmap.notify.monitoring.options import MonitorOptions

        options: MonitorOptions | None = self.read(MonitorOptions, table, "monitor")
        return options

    def _read_archive(self, table: object) -> ArchiveOptions | None:
        from heatmap.pages.archive.options import ArchiveOptions

        options: ArchiveOptions | None = self.read(ArchiveOptions, table, "archive")
        return options

    def _read_gates(self, table: object) -> GateOptions | None:
        from heatmap.market.gates import GateOptions

        options: GateOptions | None = self.read(GateOptions, table, "gates")
        return options

    def _read_alerts(self, tables: Sequence[object], markets: Sequence[str]) -> tuple[AlertOptions, ...]:
        if not tables:
            return ()
        from heatmap.notify.alerts.options import AlertOptions

        alerts: list[AlertOptions] = []
        for number, table in enumerate(tables, 1):
            where = f"alert {number}"
            alert: AlertOptions | None = self.read(AlertOptions, table, where)
            if alert is None:
                continue
            if alert.name in (other.name for other in alerts):
                self.add_problem(where, f"the name {alert.name!r} is used twice")
            for market in sorted({*alert.markets} - {*markets}):
                self.add_problem(
                    where, f"there is no market {market!r}{suggestions.suggestion(market, markets)}"
                )
            alerts.append(alert)
        return tuple(alerts)
