"""The common options of all online sources: timeouts, proxy, and the browser to impersonate."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 -- heatmap.config.fields reads the annotations as they stand here
from typing import TYPE_CHECKING

from heatmap.system.web_address import is_web_address

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heatmap.system.http.client import Client
    from heatmap.system.http.responses import Limits

FOLDER = "sources"  # in the state directory: data of sources for their next fetch
BROWSERS = ("chrome", "firefox", "safari")
PROXY_SCHEMES = ("http", "https", "socks5h")
TIMEOUTS = ("connect_timeout_seconds", "read_timeout_seconds", "fetch_timeout_seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlineSource:
    """A source that is fetched over HTTP. `fetch_timeout_seconds` limits the whole fetch.

    Without a `proxy` the environment's HTTPS_PROXY and NO_PROXY hold. `impersonate` is the name of a
    browser whose TLS and headers are used; None: Python's own.
    """

    connect_timeout_seconds: float = 5
    read_timeout_seconds: float = 10
    fetch_timeout_seconds: float = 25
    proxy: str | None = None
    proxy_password_env: str | None = None
    proxy_password_file: Path | None = None
    proxy_password_command: tuple[str, ...] | None = None
    impersonate: str | None = None

    def find_option_problems(self) -> list[str]:
        """Return a sentence for each problem of these options."""
        problems = [f"{name} must be 1 to 300" for name in TIMEOUTS if not 1 <= getattr(self, name) <= 300]
        places = (self.proxy_password_env, self.proxy_password_file, self.proxy_password_command)
        has_password = any(place is not None for place in places)
        if self.proxy is None and has_password:
            problems.append("proxy_password_env, _file and _command need a proxy")
        if self.proxy is not None:
            problems += _find_proxy_problems(self.proxy, has_password=has_password)
        if self.impersonate is not None and self.impersonate not in BROWSERS:
            problems.append(f"impersonate must be one of {', '.join(BROWSERS)}")
        return problems

    def client(
        self,
        *,
        headers: Mapping[str, str] | None = None,
        cookies: Path | None = None,
        limits: Limits | None = None,
    ) -> Client:
        """Return this source's HTTP client. Raises SourceImpossible if the proxy's password is missing."""
        from heatmap.system.http.client import Client

        return Client(
            headers=headers,
            timeouts_seconds=(self.connect_timeout_seconds, self.read_timeout_seconds),
            proxy=self._proxy_with_login(),
            impersonate=self.impersonate,
            cookies=cookies,
            limits=limits,
        )

    def _proxy_with_login(self) -> str | None:
        if self.proxy is None:
            return None
        from urllib.parse import quote, unquote, urlsplit

        from heatmap.errors import ConfigError, SourceImpossible
        from heatmap.system import secrets

        parts = urlsplit(self.proxy)
        if not parts.username:
            return self.proxy
        places = (self.proxy_password_env, self.proxy_password_file, self.proxy_password_command)
        try:
            password = secrets.read(*places, name="proxy_password") or ""
        except ConfigError as error:
            raise SourceImpossible(str(error)) from error
        login = f"{quote(unquote(parts.username), safe='')}:{quote(password, safe='')}"
        return parts._replace(netloc=f"{login}@{parts.netloc.rpartition('@')[2]}").geturl()


def _find_proxy_problems(proxy: str, *, has_password: bool) -> list[str]:
    """Return the problems of a proxy's address. They do not repeat it, because it may contain a password."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(proxy)
        password = parts.password
    except ValueError:
        return ["proxy must be an address such as http://proxy.example:3128"]
    if password is not None:
        return ["proxy must not contain a password: use proxy_password_env, _file or _command"]
    is_valid = is_web_address(proxy, schemes=PROXY_SCHEMES, may_login=True, may_query=False)
    if not is_valid or parts.path not in ("", "/"):
        schemes = ", ".join(f"{scheme}://" for scheme in PROXY_SCHEMES)
        return [
            f"proxy must be an address such as http://proxy.example:3128, and begin with one of {schemes}"
        ]
    if has_password and not parts.username:
        return ["proxy must name the user too, as in http://user@proxy.example:3128"]
    return []
