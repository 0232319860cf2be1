"""The errors of requests, in sentences that lack their subject. They are the same for all transports."""

from __future__ import annotations

import re

from heatmap.errors import SourceBlocked, SourceError, SourceImpossible, SourceNonsense, SourceUntrusted


def timed_out() -> SourceBlocked:
    """Return the error for a hang: most sites that block a client never answer it."""
    return SourceBlocked("does not answer (it hangs): this address may be blocked there")


def unreachable() -> SourceError:
    """Return the error for a connection that is refused or broken."""
    return SourceError("cannot be reached: check the network and the address")


def proxy_unreachable() -> SourceError:
    """Return the error for a proxy that cannot be reached."""
    return SourceError("cannot be reached through the proxy: check the proxy and the network")


def invalid_proxy_address() -> SourceImpossible:
    """Return the error for a proxy's address that is invalid."""
    return SourceImpossible(
        "cannot be reached, for the proxy of the environment (HTTPS_PROXY) is no address: correct it there"
    )


def proxy_refusal() -> SourceUntrusted:
    """Return the error for the status 407."""
    return SourceUntrusted(
        "cannot be reached, for the proxy refuses the login: check proxy and proxy_password_env"
    )


def is_proxy_refusal(message: str) -> bool:
    """Whether a library's message reports a status 407 to CONNECT. A port may have the same digits."""
    return re.search(r"(?:failed: |response |code )407\b", message) is not None


def untrusted() -> SourceUntrusted:
    """Return the error for a certificate that cannot be verified."""
    return SourceUntrusted(
        "shows a certificate that is not accepted: check the address, the clock and the proxy"
    )


def truncated(position: str = "") -> SourceError:
    """Return the error for an incomplete body; `position`: where it ended, such as "after 5 of 9 bytes"."""
    return SourceError(f"broke off {position or 'in the middle of its answer'}: try again later")


def damaged() -> SourceError:
    """Return the error for a body that cannot be unpacked."""
    return SourceError("sends a packed answer that is damaged: try again later")


def too_large(most: int, verb: str = "sends") -> SourceNonsense:
    """Return the error for too many bytes; `verb` is "sends" or "unpacks to"."""
    return SourceNonsense(f"{verb} more than {most:,} bytes: that is no list of quotes")


def not_http() -> SourceNonsense:
    """Return the error for a response that is not HTTP."""
    return SourceNonsense("answers with what is no HTTP, or with too many headers: correct the address")


def invalid_address() -> SourceNonsense:
    """Return the error for an invalid address."""
    return SourceNonsense("is no address that can be asked: correct it")
