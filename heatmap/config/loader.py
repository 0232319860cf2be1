"""Reads heatmap.toml into frozen dataclasses; every problem found is reported at once."""

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
    from heatmap.market.quality import GateOptions
    from heatmap.notify.alerts.options import AlertOptions
    from heatmap.notify.monitoring.options import MonitorOptions
    from heatmap.pages.archive.options import ArchiveOptions
    from heatmap.publishers.interface import Publisher
    from heatmap.sources.interface import Source

FILE_NAME = idle.CONFIGURATION
DEFAULT_SOURCES = [{"type": "nse"}, {"type": "nse-archive"}]


class NamedSource(NamedTuple):
    """A source, its `type` in the configuration, and what tells it from the market's others."""

    name: str
    label: str
    source: Source


class Market(NamedTuple):
    """One market: its name, which is also its folder, its page's title, sources and calendar."""

    name: str
    title: str
    sources: tuple[NamedSource, ...]  # at least one, in the order in which they are asked
    calendar: Calendar
    session: packaged.SessionOptions = packaged.DEFAULTS  # what the calendar was made of

    @property
    def identity(self) -> MarketIdentity:
        """The market's name, title and time zone."""
        return MarketIdentity(self.name, self.title, self.calendar.time_zone)


class Config(NamedTuple):
    """A whole installation. All paths are absolute."""

    path: Path | None  # None where no file was read and the defaults hold
    title: str
    state_directory: Path
    interval_minutes: int
    deadline_seconds: float  # how long a run may take in all
    public_url: str | None  # with a slash at its end; None where it is not known
    markets: tuple[Market, ...]  # at least one; the first is the default page
    page: PageOptions
    publishers: tuple[Publisher, ...]  # at least one
    monitor: MonitorOptions | None = None  # None where the table is missing
    files: tuple[Path, ...] = ()  # all that this was read from, or would have been
    history: HistoryOptions = HistoryOptions()
    archive: ArchiveOptions | None = None  # None where the table is missing
    alerts: tuple[AlertOptions, ...] = ()
    gates: GateOptions | None = None  # None where the table is missing: its defaults hold

    def named(self, name: str | None) -> tuple[Market, ...]:
        """Return the market of that name, or all for None. Raises UsageError where there is none."""
        found = tuple(market for market in self.markets if name in (None, market.name))
        if not found:
            known = ", ".join(market.name for market in self.markets)
            raise UsageError(f"there is no market {name!r}: the configuration has {known}")
        return found


def load(path: Path | None = None) -> Config:
    """Read `path`; without one, heatmap.toml in the current directory, or the defaults if there is none.

    Raises ConfigError with every problem found.
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
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError([f"{path} cannot be read ({why}): give a readable file with --config"]) from error
    import tomllib

    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also numbers of thousands of digits, and lists too deep
        from heatmap.system.toml_errors import explain

        raise ConfigError([f"{path} is not valid TOML: {explain(error, text)}"]) from error
    return read(document, base=path.absolute().parent, path=path.absolute())


def read(document: Mapping[str, Any], *, base: Path, path: Path | None = None) -> Config:
    """Build a configuration from a parsed document; relative paths start at `base`. Raises ConfigError."""
    reader = _Reader(base, str(path.name if path else FILE_NAME))
    config = reader.config(document, path)
    if reader.problems:
        raise ConfigError(reader.problems)
    return config


class _Reader(TableReader):
    """Walks the tables of one document and keeps every problem it meets."""

    def __init__(self, base: Path, file_name: str) -> None:
        super().__init__(base, file_name)
        self.files: list[Path] = []
        self.state_directory = base

    def config(self, document: Mapping[str, Any], path: Path | None) -> Config:
        values = dict(document)
        market_tables = self.tables(values.pop("market", [{"name": "nse-fno"}]), "market")
        publish_tables = self.tables(values.pop("publish", [{"url": "file:site"}]), "publish")
        page_table = values.pop("page", {})
        history_table = values.pop("history", {})
        monitor = self._monitor(values.pop("monitor")) if "monitor" in values else None
        archive = self._archive(values.pop("archive")) if "archive" in values else None
        gates = self._gates(values.pop("gates")) if "gates" in values else None
        alert_tables = self.tables(values.pop("alert"), "alert") if "alert" in values else []
        tables = ("market", "page", "publish", "monitor", "history", "archive", "alert", "gates")
        top = self.build(TopLevel, values, "", also=tables) or TopLevel()
        self.state_directory = state_directory = self.base / top.state_directory
        if not market_tables or not publish_tables:
            self.problem("", "there must be at least one [[market]] and one [[publish]]")
        markets = [self._market(table, f"market {n}", top.title) for n, table in enumerate(market_tables, 1)]
        names = [market.name for market in markets if market]
        for name in sorted({name for name in names if names.count(name) > 1}):
            self.problem("market", f"the name {name!r} is used twice")
        publishers = [self._publisher(table, f"publish {n}") for n, table in enumerate(publish_tables, 1)]
        return Config(
            path=path,
            title=top.title,
            state_directory=state_directory,
            interval_minutes=top.interval_minutes,
            deadline_seconds=top.deadline_seconds or min(DEADLINE_SECONDS, top.interval_minutes * 45.0),
            public_url=top.public_url.rstrip("/") + "/" if top.public_url else None,
            markets=tuple(market for market in markets if market),
            page=self.build(PageOptions, page_table, "page") or PageOptions(),
            publishers=tuple(publisher for publisher in publishers if publisher),
            monitor=monitor,
            history=self.build(HistoryOptions, history_table, "history") or HistoryOptions(),
            archive=archive,
            alerts=self._alerts(alert_tables, names),
            gates=gates,
            files=(path or self.base / FILE_NAME, state_directory / STATE_FILE, *self.files),
        )

    def hint(self, key: str, known: Sequence[str]) -> str:
        from heatmap.config import key_places

        if f"{key}_file" in known:
            return f": a secret never stands here, name a file that holds it in {key}_file"
        home = key_places.find(key, known)
        return f": {home}" if home else suggestions.suggestion(key, known)

    def _market(self, table: Mapping[str, Any], where: str, title: str) -> Market | None:
        values = dict(table)
        name = values.get("name")
        if isinstance(name, str) and MARKET_NAME.fullmatch(name):
            where = f"market {name!r}"
        source_tables = values.pop("source", DEFAULT_SOURCES)
        session_table = values.pop("session", {})
        own = self.build(MarketTable, values, where, also=("source", "session"))
        sources = self._sources(source_tables, f"{where} source")
        options = self.build(packaged.SessionOptions, session_table, f"{where} session")
        calendar = None
        if options is not None:
            holidays = packaged.holiday_file_of(options, self.state_directory)
            calendar = self.attempt(f"{where} session", lambda: packaged.load(options, self.base, holidays))
            self.files += packaged.files(options, self.base, holidays)
        if own is None or not sources or calendar is None:
            return None
        return Market(own.name, own.title or title, sources, calendar, options)

    def _sources(self, tables: object, where: str) -> tuple[NamedSource, ...]:
        """Return a market's sources; none after noting what is wrong with one of them."""
        if not isinstance(tables, list):
            tables = [tables]
        if not tables:
            self.problem(where, "there must be at least one")
        found: list[NamedSource] = []
        for number, table in enumerate(tables, 1):
            named = self._source(table, where if len(tables) == 1 else f"{where} {number}")
            if named:
                earlier = sum(each.name == named.name for each in found)
                found.append(named._replace(label=f"{named.name}-{earlier + 1}") if earlier else named)
        return tuple(found) if len(found) == len(tables) else ()

    def _source(self, table: object, where: str) -> NamedSource | None:
        if not isinstance(table, dict):
            self.problem(where, "must be a table")
            return None
        values = dict(table)
        name = values.pop("type", "nse")
        if not isinstance(name, str) or name not in plugins.SOURCES:
            self.problem(where, f"type {name!r} is not known{suggestions.suggestion(name, plugins.SOURCES)}")
            return None
        source = self.located(self.build(plugins.source(name), values, where, also=("type",)))
        return NamedSource(name, name, source) if source else None

    def _publisher(self, table: Mapping[str, Any], where: str) -> Publisher | None:
        url = table.get("url")
        if not isinstance(url, str):
            self.problem(where, 'needs a url, such as url = "file:site"')
            return None
        scheme = url.partition(":")[0].lower()
        if scheme not in plugins.PUBLISHERS:
            known = ", ".join(f"{name}:" for name in plugins.PUBLISHERS)
            meant = fields.intended_target(url, plugins.PUBLISHERS)
            self.problem(where, f"url must begin with one of {known}{meant}")
            return None
        found: Publisher | None = self.located(self.build(plugins.publisher(scheme), table, where))
        return found

    def _monitor(self, table: object) -> MonitorOptions | None:
        from heatmap.notify.monitoring.options import MonitorOptions

        options: MonitorOptions | None = self.located(self.build(MonitorOptions, table, "monitor"))
        return options

    def _archive(self, table: object) -> ArchiveOptions | None:
        from heatmap.pages.archive.options import ArchiveOptions

        options: ArchiveOptions | None = self.build(ArchiveOptions, table, "archive")
        return options

    def _gates(self, table: object) -> GateOptions | None:
        from heatmap.market.quality import GateOptions

        options: GateOptions | None = self.build(GateOptions, table, "gates")
        return options

    def _alerts(self, tables: Sequence[object], markets: Sequence[str]) -> tuple[AlertOptions, ...]:
        if not tables:
            return ()
        from heatmap.notify.alerts.options import AlertOptions

        alerts: list[AlertOptions] = []
        for number, table in enumerate(tables, 1):
            where = f"alert {number}"
            alert: AlertOptions | None = self.located(self.build(AlertOptions, table, where))
            if alert is None:
                continue
            if alert.name in (other.name for other in alerts):
                self.problem(where, f"the name {alert.name!r} is used twice")
            for market in sorted({*alert.markets} - {*markets}):
                self.problem(where, f"there is no market {market!r}{suggestions.suggestion(market, markets)}")
            alerts.append(alert)
        return tuple(alerts)
