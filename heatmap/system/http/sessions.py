"""Sessions of the library `requests` without redirects and ~/.netrc, whose responses can be aborted."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import requests
from requests.auth import AuthBase, HTTPBasicAuth
from requests.utils import get_auth_from_url

if TYPE_CHECKING:
    from requests import PreparedRequest


class AddressLogin(AuthBase):
    """The `auth` of a session: the login in the request's own address, or none.

    Without an `auth` requests looks into ~/.netrc (or the file that NETRC names). It sends the login of the
    host, or of `default`, to any server, over http: in clear. The proxies and the authorities of the
    environment still hold.
    """

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Add the login of the address, if there is one."""
        user, password = get_auth_from_url(request.url or "")
        return HTTPBasicAuth(user, password)(request) if user or password else request


class Session(requests.Session):
    """Follows no redirect, reads no body by itself, and sends no login but that of the address."""

    def __init__(self) -> None:
        super().__init__()
        self.auth = AddressLogin()

    def send(self, request: PreparedRequest, **options: Any) -> requests.Response:  # noqa: ANN401 -- as requests has it
        """Return a response. Nothing is read of it beyond its headers."""
        return super().send(request, **{**options, "allow_redirects": False, "stream": True})

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return None: requests would read and unpack the body of a redirect, even of one not followed."""


def abort(response: requests.Response | None) -> None:
    """Abort a response that another thread reads: its next read fails as if the server had hung up.

    None: there is no response yet.
    """
    if response is not None:
        with suppress(AttributeError, ValueError, RuntimeError, OSError):  # old urllib3; just done
            response.raw.shutdown()
