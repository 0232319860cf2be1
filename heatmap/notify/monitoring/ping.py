"""Calls to a monitoring service in the manner of healthchecks: `<url>/start`, `<url>`, `<url>/fail`.

The address is a secret: whoever knows it can silence the alarm. No message made here repeats it.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from heatmap.errors import EXIT_OK, ConfigError, is_known_error
from heatmap.system import secrets as credentials
from heatmap.system.background import BackgroundTask
from heatmap.system.http import webhook
from heatmap.system.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from heatmap.notify.monitoring.options import MonitorOptions
    from heatmap.publishers.interface import Publisher

START, SUCCESS, FAIL = "start", "", "fail"
MAX_BODY_BYTES = 10_000  # what a healthchecks server keeps, as it comes


def read_address(options: MonitorOptions) -> str:
    """Return the address to ping. Raises ConfigError, which says what is missing and not what it is."""
    return webhook.read_address(options.ping_url_env, options.ping_url_file, what="ping_url")


def endpoint_url(url: str, event: str) -> str:
    """Return where an event is told: its name goes after the path, a query stays where it is."""
    parts = urlsplit(url)
    path = f"{parts.path.rstrip('/')}/{event}" if event else parts.path
    return urlunsplit(parts._replace(path=path, fragment=""))


def send(url: str, event: str, body: bytes | None = None) -> str | None:
    """Tell an event, by POST where there is a body. One try. Return what went wrong, or None."""
    return webhook.post("GET" if body is None else "POST", endpoint_url(url, event), body).problem


def start_end_ping(
    url: str, code: int, errors: Sequence[BaseException], targets: Sequence[Publisher]
) -> BackgroundTask:
    """Begin to tell that a run ended with this exit code; where it failed, why, without any secret."""
    if code == EXIT_OK:
        return BackgroundTask(lambda: send(url, SUCCESS))
    body = describe_failure(code, errors, [url, *_read_secrets(targets), *credentials.known()])
    return BackgroundTask(lambda: send(url, FAIL, body))


def describe_failure(code: int, errors: Iterable[BaseException], secrets: Sequence[str]) -> bytes:
    """Return why a run failed, as the body of a ping: the code, then a sentence a line, without secrets.

    Of a bug only its kind is told: nobody has weighed what else its text may hold.
    """
    sentences = [
        str(error) if is_known_error(error) else f"a bug ({type(error).__name__}): see the run's own output"
        for error in errors
    ]
    text = redact("\n".join([f"exit {code}", *sentences]), secrets)
    cut = text.encode("utf-8", "backslashreplace")[:MAX_BODY_BYTES]
    return cut.decode("utf-8", "ignore").encode()  # no half character at the end


def _read_secrets(targets: Sequence[Publisher]) -> list[str]:
    """Return the targets' secrets, as far as they can be had without running a command once more."""
    found = []
    for target in targets:
        for what in [key.removesuffix("_env") for key in dir(target) if key.endswith("_env")]:
            places = (getattr(target, f"{what}_env"), getattr(target, f"{what}_file", None))
            with suppress(ConfigError):
                found.append(credentials.read(*places, what=what))
    return [secret for secret in found if secret]
