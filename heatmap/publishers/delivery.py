"""Puts pages on a target so that visitors never get a broken one. All kinds of servers share this module.

Only this module retries. `upload` does one attempt, in the primitive steps of `connection`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from heatmap.errors import PublishError, PublishImpossible, PublishRefused
from heatmap.publishers.upload import Upload
from heatmap.system.retry import backoff_seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heatmap.publishers.connection import Target
    from heatmap.publishers.groups import MissingPart
    from heatmap.system.deadline import Deadline
    from heatmap.system.web_file import WebFile

# The wait before the second attempt; before the third it is twice as long. Chance makes each wait up to half
# shorter or longer.
BACKOFF_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Delivery:
    """The result of a delivery: how many files were put, how many were in place before, how many attempts.

    `new_places` are in words, such as "the folder web": the pages' places that were missing, and were made.
    `removed_locks` are the paths of locks that killed processes had left. `missing_parts` were not put.
    """

    put: int
    unchanged: int
    attempts: int = 1
    new_places: tuple[str, ...] = field(default=(), compare=False)
    removed_locks: tuple[str, ...] = field(default=(), compare=False)
    missing_parts: tuple[MissingPart, ...] = ()

    def __str__(self) -> str:
        """Return it in words."""
        unchanged = f", {self.unchanged} unchanged" if self.unchanged else ""
        attempts = f", at attempt {self.attempts}" if self.attempts > 1 else ""
        files = "file" if self.put == 1 else "files"
        places = f"; made {' and '.join(self.new_places)}, not there before" if self.new_places else ""
        parts = ", ".join(f"{missing.part} of {missing.market}" for missing in self.missing_parts)
        return f"{self.put} {files} published{unchanged}{attempts}{places}{parts and f'; without {parts}'}"


def deliver(target: Target, pages: Sequence[WebFile], deadline: Deadline) -> Delivery:
    """Put every page in place, in order. Visitors get the old file or the new one. Raises PublishError.

    After an error that may be temporary, the next attempt uses a new connection and new temporary names,
    while there is time. Files that are in place by then stay: each attempt looks first, so a lost reply does
    no harm. Files of parts come last. A part that cannot be put is left out, and the result names it.
    """
    upload = Upload(target, deadline)
    attempt = 1
    while True:
        try:
            upload.attempt(pages)
            break
        except PublishError as error:
            may_pass = not isinstance(error, PublishRefused | PublishImpossible)
            if may_pass and attempt < target.attempts and _wait_before_retry(attempt, deadline):
                attempt += 1
                continue
            explained = upload.explain_obstacle(error)
            if not upload.leave_out_parts(pages, explained):
                upload.remove_leftovers()
                raise explained from error.__cause__
    upload.remove_leftovers()
    unchanged = sum(page.path in upload.in_place and page.path not in upload.replaced for page in pages)
    put = len(upload.replaced & upload.in_place)
    return Delivery(put, unchanged, attempt, upload.new_places, missing_parts=tuple(upload.missing_parts))


def _wait_before_retry(attempt: int, deadline: Deadline) -> bool:
    """Wait before another attempt, each time a different time. Return False if the deadline is too near."""
    import time

    seconds = backoff_seconds(BACKOFF_SECONDS, attempt)
    if deadline.remaining() <= seconds:
        return False
    time.sleep(seconds)
    return True
