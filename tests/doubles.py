"""A source and a target in memory, and a configuration made of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from heatmap.config.loader import Config, Market, NamedSource
from heatmap.errors import HeatmapError, PublishError
from heatmap.market.calendar import packaged
from heatmap.market.quotes import Quote, Snapshot
from heatmap.pictures.options import PageOptions
from heatmap.publishers import groups
from heatmap.publishers.delivery import Delivery
from heatmap.system.deadline import Deadline
from heatmap.system.web_file import WebFile


@dataclass
class MemorySource:
    """Answers with a snapshot as of `as_of`, by default of the moment asked; or raises `error`."""

    as_of: datetime | None = None
    is_open: bool | None = True
    quotes: tuple[Quote, ...] = (Quote("UP", 2.0, last_price=102.0), Quote("DOWN", -1.0, last_price=99.0))
    error: Exception | None = None
    asked: int = 0
    before: Callable[[], None] = field(default=lambda: None)

    def fetch(self, *, now: datetime, folder: Path | None = None) -> Snapshot:
        """Count the call, then answer or raise."""
        self.asked += 1
        self.before()
        if self.error:
            raise self.error
        return Snapshot("memory", self.as_of or now, self.quotes, currency="INR", is_open=self.is_open)


@dataclass
class MemoryPublisher:
    """Keeps what it is given, but for the parts that it `lacks`; or raises `error`."""

    name: str = "memory:"
    error: Exception | None = None
    missing: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    pages: dict[str, bytes] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    runs: int = 0
    before: Callable[[], None] = field(default=lambda: None)

    def problems(self) -> Sequence[str]:
        """Say what it was told to say."""
        return self.missing

    def publish(self, pages: Sequence[WebFile], deadline: Deadline) -> Delivery:
        """Keep the pages, or raise."""
        self.before()
        if self.error:
            raise self.error
        self.runs += 1
        failed = [key for key in groups.group_files(pages) if key.part in self.lacks]
        lacks = groups.list_missing_parts(pages, failed, f"{self.name}: something is in the way: remove it")
        taken = groups.leave_out(pages, lacks)
        for page in taken:
            self.pages[page.path] = page.content
            self.order.append(page.path)
        return Delivery(len(taken), 0, missing_parts=tuple(lacks))

    def find(self, paths: Sequence[str], deadline: Deadline) -> frozenset[str]:
        """Those it keeps; or raise."""
        if self.error:
            raise self.error
        return self.pages.keys() & frozenset(paths)

    def check(
        self,
        deadline: Deadline,
        pages: Sequence[WebFile] = (),
        visit: Callable[[str, bytes], None] | None = None,
    ) -> str:
        """Find all well, or raise."""
        if isinstance(self.error, PublishError):
            raise self.error
        return "writes, replaces and deletes"


def configuration(
    tmp_path: Path,
    source: MemorySource,
    *publishers: MemoryPublisher,
    session: packaged.SessionOptions | None = None,
    more: tuple[tuple[str, MemorySource], ...] = (),
) -> Config:
    """A configuration of one market "nse-fno" with these parts, and `more` markets beside it."""
    calendar = packaged.load(session or packaged.SessionOptions(), tmp_path)
    return Config(
        path=None,
        title="Test",
        state_directory=tmp_path / "state",
        interval_minutes=5,
        deadline_seconds=30,
        public_url=None,
        markets=tuple(
            Market(name, name, (NamedSource("memory", "memory", each),), calendar)
            for name, each in (("nse-fno", source), *more)
        ),
        page=PageOptions(png=False),
        publishers=publishers,
    )


def failure(kind: type[HeatmapError]) -> HeatmapError:
    """An error of this kind with a recognisable sentence."""
    return kind("it broke, because the test wants it: mend the test")
