"""Several machines with a shared history, and every refusal of a database server."""

from __future__ import annotations

import socket
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from heatmap.errors import (
    EXIT_CONFIGURATION,
    EXIT_REFUSED,
    EXIT_TEMPORARY,
    HistoryError,
    HistoryImpossible,
    HistoryRefused,
)
from heatmap.history import postgres as module
from heatmap.history import postgres_connection
from heatmap.history.options import HistoryOptions
from heatmap.market.calendar.session import Phase
from tests.history.conftest import VARIABLE, Place
from tests.history.figures import MARKET, MONDAY, at, snapshot
from tests.servers.postgresql import PASSWORD, Postgresql

SLOT = at(MONDAY, 10, 5)
NEXT_SLOT = SLOT + timedelta(minutes=5)
pytestmark = pytest.mark.real


def database(place: Place) -> str:
    """Return the name of its database."""
    assert place.options.url
    return place.options.url.rpartition("/")[2]


def test_one_machine_has_the_turn(postgres: Place) -> None:
    """While one has the claim the other does not; a finished tick is done for both; the next can be claimed."""
    with postgres.open() as one, postgres.open() as two:
        with one.claim_tick(MARKET, SLOT) as is_ones:
            with two.claim_tick(MARKET, SLOT) as is_twos:
                assert (True, False) == (is_ones, is_twos)
            with two.claim_tick(MARKET, NEXT_SLOT) as is_twos:
                assert not is_twos  # a run that takes longer than its interval
            with two.claim_tick("other", SLOT) as is_twos:
                assert is_twos
        with two.claim_tick(MARKET, SLOT) as is_twos:
            assert not is_twos
        with one.claim_tick(MARKET, SLOT) as is_ones:
            assert not is_ones
        with two.claim_tick(MARKET, NEXT_SLOT) as is_twos:
            assert is_twos


def test_a_turn_that_failed_is_free_again(postgres: Place) -> None:
    """A machine that could not publish leaves the tick to the other."""
    with postgres.open() as one, postgres.open() as two:
        with pytest.raises(KeyError), one.claim_tick(MARKET, SLOT) as is_ones:
            assert is_ones
            raise KeyError("not published")

        with two.claim_tick(MARKET, SLOT) as is_twos:
            assert is_twos


def test_a_file_is_one_machines(sqlite: Place) -> None:
    """Without a shared history every claim holds, again and again."""
    with sqlite.open() as store:
        for _ in range(2):
            with store.claim_tick(MARKET, SLOT) as is_ours:
                assert is_ours


def test_a_newer_version_is_left_alone(postgres: Place, postgresql: Postgresql) -> None:
    """Tables of an unknown version are not changed."""
    with postgres.open() as store:
        store.add_tick(MARKET, snapshot(at(MONDAY, 10)), MONDAY, Phase.OPEN)
    postgresql.sql("UPDATE heatmap.version SET number = 99", database(postgres))

    with pytest.raises(HistoryImpossible) as caught:
        postgres.open()

    assert (
        "was written by a newer version of this program (its tables are of version 99, this one knows 2)"
        in str(caught.value)
    )
    assert EXIT_CONFIGURATION == caught.value.exit_code
    assert "99|1" == postgresql.sql(
        "SELECT number, (SELECT count(*) FROM heatmap.ticks) FROM heatmap.version", database(postgres)
    )


def test_a_table_that_is_missing(postgres: Place, postgresql: Postgresql) -> None:
    """A shared database is not renamed: the sentence says what to do."""
    postgres.open().close()
    postgresql.sql("DROP TABLE heatmap.bars", database(postgres))

    with pytest.raises(
        HistoryImpossible, match="lacks the table bars: restore it from a backup, or drop the schema heatmap"
    ):
        postgres.open()


def check_sentence(error: HistoryError, place: Place) -> None:
    """Check one line that names the database and shows no password."""
    assert "\n" not in str(error)
    assert database(place) in str(error)
    assert PASSWORD not in repr(error)
    assert "wrong" not in str(error)


def test_a_wrong_password(postgres: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The login is refused: the exit code of a refusal, and advice."""
    monkeypatch.setenv(VARIABLE, "wr0ng")

    with pytest.raises(HistoryRefused, match="the variable that password_env names") as caught:
        postgres.open()

    check_sentence(caught.value, postgres)
    assert EXIT_REFUSED == caught.value.exit_code


def test_a_password_that_is_not_set(postgres: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable's name is in the sentence."""
    monkeypatch.delenv(VARIABLE)

    with pytest.raises(HistoryImpossible, match=f"the environment variable {VARIABLE}") as caught:
        postgres.open()

    check_sentence(caught.value, postgres)


def test_no_such_database(postgres: Place) -> None:
    """The configuration's fault."""
    assert postgres.options.url
    elsewhere = Place(
        postgres.folder, HistoryOptions(url=f"{postgres.options.url}_no", password_env=VARIABLE)
    )

    with pytest.raises(HistoryImpossible, match=r"check the database in \[history\] url") as caught:
        elsewhere.open()

    check_sentence(caught.value, elsewhere)


def test_no_right_to_make_tables(postgres: Place, postgresql: Postgresql) -> None:
    """The sentence has the statement that the owner must run; after that the history works."""
    postgresql.sql(f"ALTER DATABASE {database(postgres)} OWNER TO keeper")
    with pytest.raises(HistoryImpossible, match="CREATE SCHEMA heatmap AUTHORIZATION") as caught:
        postgres.open()
    check_sentence(caught.value, postgres)

    postgresql.sql(f"CREATE SCHEMA heatmap AUTHORIZATION {postgresql.user}", database(postgres))
    with postgres.open() as store:
        assert store.add_tick(MARKET, snapshot(at(MONDAY, 10)), MONDAY, Phase.OPEN).is_new


def test_another_machine_is_writing(postgres: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Writing waits, then says so; reading goes on."""
    monkeypatch.setattr(module, "LOCK_SECONDS", 1)

    with postgres.open() as one, postgres.open() as two:

        def hold(_: object) -> HistoryError:
            assert () == two.status()
            with pytest.raises(HistoryError) as caught:
                two.add_tick(MARKET, snapshot(at(MONDAY, 10)), MONDAY, Phase.OPEN)
            return caught.value

        error = one._database.write(hold)

    check_sentence(error, postgres)
    assert "is busy" in str(error)
    assert EXIT_TEMPORARY == error.exit_code


def test_the_server_goes_away(
    tmp_path: Path, postgresql: Postgresql, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a run, and before one: a temporary error; when the server is back, all stored ticks are there."""
    monkeypatch.setenv(VARIABLE, PASSWORD)
    with Postgresql(tmp_path / "own") as server:
        place = Place(tmp_path, HistoryOptions(url=server.url(), password_env=VARIABLE))
        with place.open() as store:
            store.add_tick(MARKET, snapshot(at(MONDAY, 10)), MONDAY, Phase.OPEN)
            server.halt()
            with pytest.raises(HistoryError) as during:
                store.add_tick(MARKET, snapshot(at(MONDAY, 11)), MONDAY, Phase.OPEN)
        with pytest.raises(HistoryError) as before:
            place.open()
        server.resume()
        with place.open() as store:
            assert 1 == len(store.ticks(MARKET, MONDAY))

    for caught in (during, before):
        check_sentence(caught.value, place)
        assert EXIT_TEMPORARY == caught.value.exit_code
        assert "check the server" in str(caught.value)


def test_a_server_that_says_nothing(
    tmp_path: Path, postgresql: Postgresql, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server accepts and never answers: the run continues without it in a few seconds."""
    monkeypatch.setattr(postgres_connection, "CONNECT_SECONDS", 2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = Place(tmp_path, HistoryOptions(url=f"postgresql://me@127.0.0.1:{silent.getsockname()[1]}/db"))

        with pytest.raises(HistoryError, match="timeout") as caught:
            place.open()

    assert EXIT_TEMPORARY == caught.value.exit_code


def test_without_psycopg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is not installed: the sentence says how to get it."""
    monkeypatch.setitem(sys.modules, "psycopg", None)

    with pytest.raises(HistoryImpossible, match=r"pip install 'market-heatmap\[postgres\]'"):
        Place(tmp_path, HistoryOptions(url="postgresql://host/db")).open()
