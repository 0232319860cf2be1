"""What can befall a request, in sentences that lack their subject: the same whichever library carries it."""

from __future__ import annotations

import re

from heatmap.errors import SourceBlocked, SourceError, SourceImpossible, SourceNonsense, SourceUntrusted


def timed_out() -> SourceBlocked:
    """Return what a hang means: whom they block, most sites just leave waiting."""
    return SourceBlocked("does not answer (it hangs): this address may be blocked there")


def unreachable() -> SourceError:
    """Return what a refused or broken connection means."""
    return SourceError("cannot be reached: check the network and the address")


def proxy_unreachable() -> SourceError:
    """Return what a proxy's trouble means."""
    return SourceError("cannot be reached through the proxy: check the proxy and the network")


def proxy_no_address() -> SourceImpossible:
    """Return what an address of a proxy means that cannot be one."""
    return SourceImpossible(
        "cannot be reached, for the proxy of the environment (HTTPS_PROXY) is no address: correct it there"
    )


def proxy_refusal() -> SourceUntrusted:
    """Return what the status 407 means."""
    return SourceUntrusted(
        "cannot be reached, for the proxy refuses the login: check proxy and proxy_password_env"
    )


def is_proxy_refusal(words: str) -> bool:
    """Whether a library's words tell of a status 407 to CONNECT; a port may have the same digits."""
    return re.search(r"(?:failed: |response |code )407\b", words) is not None


def untrusted() -> SourceUntrusted:
    """Return what a certificate means that cannot be verified."""
    return SourceUntrusted(
        "shows a certificate that is not accepted: check the address, the clock and the proxy"
    )


def truncated(what: str = "") -> SourceError:
    """Return what half an answer means; `what` is how much there was of it."""
    return SourceError(f"broke off {what or 'in the middle of its answer'}: try again later")


def damaged() -> SourceError:
    """Return what a body means that cannot be unpacked."""
    return SourceError("sends a packed answer that is damaged: try again later")


def too_large(most: int, verb: str = "sends") -> SourceNonsense:
    """Return what too many bytes mean; `verb` is how they came."""
    return SourceNonsense(f"{verb} more than {most:,} bytes: that is no list of quotes")


def no_http() -> SourceNonsense:
    """Return what an answer means that is none."""
    return SourceNonsense("answers with what is no HTTP, or with too many headers: correct the address")


def no_address() -> SourceNonsense:
    """Return what an address means that is none."""
    return SourceNonsense("is no address that can be asked: correct it")
