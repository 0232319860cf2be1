"""Pings a monitoring service with the protocol of healthchecks: `<url>/start`, `<url>`, `<url>/fail`.

The address is a secret: anyone who knows it can silence the alarm. No message contains it.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from heatmap.errors import EXIT_OK, ConfigError, is_known_error
from heatmap.system import secrets
from heatmap.system.background import BackgroundTask
from heatmap.system.http import webhook
from heatmap.system.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from heatmap.notify.monitoring.options import MonitorOptions
    from heatmap.publishers.interface import Publisher

START, SUCCESS, FAIL = "start", "", "fail"
MAX_BODY_BYTES = 10_000  # the default limit of a healthchecks server


def read_address(options: MonitorOptions) -> str:
    """Return the address to ping. Raises ConfigError, whose text never contains the address."""
    return webhook.read_address(options.ping_url_env, options.ping_url_file, name="ping_url")


def endpoint_url(url: str, event: str) -> str:
    """Return the address of an event: its name follows the path; the query stays."""
    parts = urlsplit(url)
    path = f"{parts.path.rstrip('/')}/{event}" if event else parts.path
    return urlunsplit(parts._replace(path=path, fragment=""))


def send(url: str, event: str, body: bytes | None = None) -> str | None:
    """Send an event, with POST if there is a body. No retry. Return the problem, or None."""
    return webhook.post("GET" if body is None else "POST", endpoint_url(url, event), body).problem


def start_end_ping(
    url: str, code: int, errors: Sequence[BaseException], targets: Sequence[Publisher]
) -> BackgroundTask:
    """Start to send a run's end: success, or failure with its reason, without any secret."""
    if code == EXIT_OK:
        return BackgroundTask(lambda: send(url, SUCCESS))
    body = describe_failure(code, errors, [url, *_read_secrets(targets), *secrets.get_all()])
    return BackgroundTask(lambda: send(url, FAIL, body))


def describe_failure(code: int, errors: Iterable[BaseException], secrets: Sequence[str]) -> bytes:
    """Return the body of a failure's ping: the exit code, then one sentence for each error, without secrets.

    For a bug it has only the error's type, because the text of a bug may contain anything.
    """
    sentences = [
        str(error) if is_known_error(error) else f"a bug ({type(error).__name__}): see the run's own output"
        for error in errors
    ]
    text = redact("\n".join([f"exit {code}", *sentences]), secrets)
    start = text.encode("utf-8", "backslashreplace")[:MAX_BODY_BYTES]
    return start.decode("utf-8", "ignore").encode()  # drops half a character at the end


def _read_secrets(targets: Sequence[Publisher]) -> list[str]:
    """Return the targets' secrets that can be read without running a command again."""
    values = []
    for target in targets:
        for name in [key.removesuffix("_env") for key in dir(target) if key.endswith("_env")]:
            places = (getattr(target, f"{name}_env"), getattr(target, f"{name}_file", None))
            with suppress(ConfigError):
                values.append(secrets.read(*places, name=name))
    return [value for value in values if value]
