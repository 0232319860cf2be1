"""Fixtures for the tests of targets."""

from __future__ import annotations

import pytest

from tests.publishers.sftp.logins import LOGINS


@pytest.fixture(params=LOGINS)
def login(request: pytest.FixtureRequest) -> str:
    """How to log in to an SSH server."""
    return str(request.param)
