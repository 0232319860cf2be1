"""Options that the configuration tables of all remote targets have, beside the address."""

from __future__ import annotations

ATTEMPTS = 3  # how many times a delivery is tried if the error may be temporary
VERIFY = ("page", "all", "size")  # which files are read back: each page itself, every file, none
REPLACE = ("rename", "delete-then-rename")  # how a file replaces another
MAX_TIMEOUT_SECONDS = 300
BLOCK_BYTES = 64 * 1024  # as much must be transferred within one timeout


def find_problems(verify: str, replace: str, timeout_seconds: float) -> list[str]:
    """Return a sentence for each of these options that is not valid."""
    problems = []
    if not 1 <= timeout_seconds <= MAX_TIMEOUT_SECONDS:
        problems.append(f"timeout_seconds must be 1 to {MAX_TIMEOUT_SECONDS}")
    for name, value, choices in (("verify", verify, VERIFY), ("replace", replace, REPLACE)):
        if value not in choices:
            problems.append(f"{name} must be one of {', '.join(choices)}")
    return problems


def allowed_seconds(timeout_seconds: float, size: int) -> float:
    """Return the seconds that a step may take: one timeout, and one more per BLOCK_BYTES of `size` bytes."""
    return timeout_seconds * (1 + size // BLOCK_BYTES)
