"""Empty histories in both databases, and a PostgreSQL server for all tests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from heatmap.history.options import HistoryOptions
from heatmap.history.store import Store, open_store
from tests.history.writer import VARIABLE
from tests.servers.pgbouncer import PgBouncer
from tests.servers.postgresql import PASSWORD, Postgresql
from tests.servers.process import Missing


@dataclass
class Place:
    """A place of a history, which can be opened any number of times. `warnings` are its sentences."""

    folder: Path
    options: HistoryOptions = field(default_factory=HistoryOptions)
    warnings: list[str] = field(default_factory=list)

    def open(self) -> Store:
        """Open the history like a run."""
        return open_store(self.options, self.folder, self.warnings.append)


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgresql]:
    """A PostgreSQL server; the tests need psycopg, too."""
    try:
        import psycopg
    except ImportError:
        pytest.skip("psycopg is not here: pip install 'psycopg[binary]'")
    del psycopg
    try:
        server = Postgresql(tmp_path_factory.mktemp("postgresql"))
    except Missing as error:
        pytest.skip(str(error))
    with server:
        yield server


@pytest.fixture
def sqlite(tmp_path: Path) -> Place:
    """A history in a state directory that does not exist yet."""
    return Place(tmp_path / "state")


@pytest.fixture
def postgres(tmp_path: Path, postgresql: Postgresql, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A history in an empty database."""
    monkeypatch.setenv(VARIABLE, PASSWORD)
    return Place(tmp_path, HistoryOptions(url=postgresql.url(), password_env=VARIABLE))


@pytest.fixture(scope="session")
def pgbouncer(tmp_path_factory: pytest.TempPathFactory, postgresql: Postgresql) -> Iterator[PgBouncer]:
    """A pooler before the server, in transaction mode: each transaction may have another session."""
    try:
        server = PgBouncer(tmp_path_factory.mktemp("pgbouncer"), postgresql, "transaction")
    except Missing as error:
        pytest.skip(str(error))
    with server:
        yield server


@pytest.fixture
def pooled(postgres: Place, pgbouncer: PgBouncer) -> Place:
    """A history in an empty database behind the pooler."""
    assert postgres.options.url
    return Place(postgres.folder, replace(postgres.options, url=pgbouncer.url(postgres.options.url)))


@pytest.fixture(
    params=["sqlite", *(pytest.param(name, marks=pytest.mark.real) for name in ("postgres", "pooled"))]
)
def place(request: pytest.FixtureRequest) -> Place:
    """A history in each database."""
    found: Place = request.getfixturevalue(request.param)
    return found
