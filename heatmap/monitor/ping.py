"""One call to a monitoring service in the manner of healthchecks: `<url>/start`, `<url>`, `<url>/fail`.

The address is a secret: whoever knows it can silence the alarm. No message made here repeats it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus, urlsplit, urlunsplit

from heatmap import __version__, credentials
from heatmap.errors import ConfigError, HeatmapError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from heatmap.monitor.options import MonitorOptions

START, SUCCESS, FAIL = "start", "", "fail"
TIMEOUTS_SECONDS = (3.0, 5.0)  # to connect, and between two pieces of the answer; errand.py bounds the whole
MAX_BODY_BYTES = 10_000  # what a healthchecks server keeps, as it comes
HIDDEN = "***"


def address(options: MonitorOptions) -> str:
    """Return the address to ping. Raises ConfigError, which says what is missing and not what it is."""
    url = credentials.read(options.ping_url_env, options.ping_url_file, what="ping_url") or ""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or " " in url:
        where = options.ping_url_env or options.ping_url_file
        raise ConfigError([f"{where} holds no address: it must begin with https:// or http:// and a host"])
    return url


def endpoint(url: str, event: str) -> str:
    """Return where an event is told: its name goes after the path, a query stays where it is."""
    parts = urlsplit(url)
    path = f"{parts.path.rstrip('/')}/{event}" if event else parts.path
    return urlunsplit(parts._replace(path=path, fragment=""))


def send(url: str, event: str, body: bytes | None = None) -> str | None:
    """Tell an event, by POST where there is a body. Return what went wrong, None where nothing did.

    One try; redirects are not followed, and of the answer only its status is read.
    """
    import requests

    method = "GET" if body is None else "POST"
    headers = {"User-Agent": f"market-heatmap/{__version__}"}
    if body is not None:
        headers["Content-Type"] = "text/plain; charset=utf-8"
    try:
        with (
            requests.Session() as session,
            session.request(
                method,
                endpoint(url, event),
                data=body,
                headers=headers,
                timeout=TIMEOUTS_SECONDS,
                allow_redirects=False,
                stream=True,
            ) as response,
        ):
            status = response.status_code
    except requests.exceptions.SSLError:
        return "met a certificate that is not accepted"
    except requests.exceptions.Timeout:
        return "was not answered in time"
    except (requests.exceptions.RequestException, OSError, ValueError):
        return "did not reach the server"
    if 300 <= status < 400:
        return f"was answered {status}, a redirect, which is not followed: correct the address"
    return None if 200 <= status < 300 else f"was answered {status}"


def reason(code: int, errors: Iterable[BaseException], secrets: Sequence[str]) -> bytes:
    """Return why a run failed, as the body of a ping: the code, then a sentence a line, without secrets.

    Of a bug only its kind is told: nobody has weighed what else its text may hold.
    """
    lines = [f"exit {code}"]
    for error in errors:
        foreseen = isinstance(error, HeatmapError)
        lines.append(str(error) if foreseen else f"a bug ({type(error).__name__}): see the run's own output")
    text = without("\n".join(lines), secrets)
    cut = text.encode("utf-8", "backslashreplace")[:MAX_BODY_BYTES]
    return cut.decode("utf-8", "ignore").encode()  # no half character at the end


def without(text: str, secrets: Iterable[str]) -> str:
    """Return `text` with every secret blotted out, also where it is written as in an address or in quotes."""
    forms = {
        form
        for secret in secrets
        for form in (secret, quote(secret), quote(secret, safe=""), quote_plus(secret), repr(secret)[1:-1])
        if form
    }
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, HIDDEN)
    return text
