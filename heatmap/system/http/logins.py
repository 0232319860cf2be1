"""The login that a request carries: the one in its own address, or none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from requests.auth import AuthBase, HTTPBasicAuth
from requests.utils import get_auth_from_url

if TYPE_CHECKING:
    from requests import PreparedRequest


class AddressLogin(AuthBase):
    """The `auth` of a requests session.

    Without an `auth` requests looks into ~/.netrc (or the file that NETRC names) and sends the login of the
    host, or of `default`, to whichever server is asked, over http: in clear. The proxies and the
    authorities of the environment still hold.
    """

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Add the login of the address, if there is one."""
        user, password = get_auth_from_url(request.url or "")
        return HTTPBasicAuth(user, password)(request) if user or password else request
