"""What the tables of all remote targets have in common, beside the address."""

from __future__ import annotations

ATTEMPTS = 3  # how often a fault that may pass is worth a try
VERIFY = ("page", "all", "size")  # what is read back: each page itself, every file, none
REPLACE = ("rename", "delete-then-rename")  # how a file takes another's place
MAX_TIMEOUT_SECONDS = 300
BLOCK_BYTES = 64 * 1024  # what must go through within one timeout


def problems(verify: str, replace: str, timeout_seconds: float) -> list[str]:
    """Say what is wrong with these options."""
    found = []
    if not 1 <= timeout_seconds <= MAX_TIMEOUT_SECONDS:
        found.append(f"timeout_seconds must be 1 to {MAX_TIMEOUT_SECONDS}")
    for name, value, known in (("verify", verify, VERIFY), ("replace", replace, REPLACE)):
        if value not in known:
            found.append(f"{name} must be one of {', '.join(known)}")
    return found


def allowance(timeout_seconds: float, size: int) -> float:
    """Return the seconds for a step that carries `size` bytes: a timeout, and one for each block."""
    return timeout_seconds * (1 + size // BLOCK_BYTES)
