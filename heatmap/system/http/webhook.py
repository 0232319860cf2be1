"""Calls to a web hook: its address is a secret, and only the status of its response counts.

Everybody that knows such an address can use it. So no message of this module has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from heatmap import __version__
from heatmap.errors import ConfigError
from heatmap.system import secrets
from heatmap.system.web_address import is_web_address

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import requests

TIMEOUTS_SECONDS = (
    3.0,
    5.0,
)  # to connect, and between two pieces of a response
LONGEST_WAIT_SECONDS = 3600.0  # a longer Retry-After counts as this


class WebhookResponse(NamedTuple):
    """The result of a call."""

    problem: str | None  # None: the call succeeded
    may_pass: bool = False  # whether the same call may succeed a little later
    wait_seconds: float | None = None  # the response's Retry-After; None: it has none


def read_address(variable: str | None, file: Path | None, *, name: str) -> str:
    """Return the address; `name` is the start of the keys for its place. Raises ConfigError.

    The error says what is missing; it does not have the address.
    """
    url = secrets.read(variable, file, name=name) or ""
    if not is_web_address(url, may_login=True):
        where = variable or file
        raise ConfigError([f"{where} holds no address: it must begin with https:// or http:// and a host"])
    return url


def post(
    method: str, url: str, body: bytes | None = None, kind: str = "text/plain; charset=utf-8"
) -> WebhookResponse:
    """Make one call. `body` None: without a body; `kind` is its media type. Redirects are not followed."""
    import requests

    from heatmap.system.http.sessions import Session

    headers = {"User-Agent": f"market-heatmap/{__version__}"}
    if body is not None:
        headers["Content-Type"] = kind
    try:
        with (
            Session() as session,
            session.request(
                method,
                url,
                data=body,
                headers=headers,
                timeout=TIMEOUTS_SECONDS,
            ) as response,
        ):
            return _evaluate(response)
    except requests.exceptions.SSLError:
        return WebhookResponse("met a certificate that is not accepted")
    except requests.exceptions.Timeout:
        return WebhookResponse("was not answered in time", may_pass=True)
    except (requests.exceptions.RequestException, OSError, ValueError):
        return WebhookResponse("did not reach the server", may_pass=True)


def _evaluate(response: requests.Response) -> WebhookResponse:
    status = response.status_code
    if 200 <= status < 300:
        return WebhookResponse(None)
    if 300 <= status < 400:
        return WebhookResponse(
            f"was answered {status}, a redirect, which is not followed: correct the address"
        )
    if status == 429 or status >= 500:
        wait = _retry_after_seconds(response.headers) if status in (429, 503) else None
        return WebhookResponse(f"was answered {status}", may_pass=True, wait_seconds=wait)
    return WebhookResponse(f"was answered {status}")


def _retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of Retry-After; None if there are none. A date, which is rare, does not count."""
    text = headers.get("Retry-After", "")
    return min(float(text), LONGEST_WAIT_SECONDS) if text.isascii() and text.isdigit() else None
