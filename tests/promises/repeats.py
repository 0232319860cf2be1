"""Pages that are published twice."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from tests.promises.places import Place
from tests.promises.versions import moment, page_set

SAMPLE, WHOLE = 1, 10


class Repeats(NamedTuple):
    """What the second time put and kept."""

    publishes: int
    files: int
    put_again: int
    kept: int
    there: int  # byte by byte, after the second time

    @property
    def holds(self) -> bool:
        """Nothing is put again, and all is there, as it was published."""
        return 0 < self.files == self.kept == self.there and self.put_again == 0


def measure(place: Place, _: Random, amount: int) -> Repeats:
    """Publish the files of `amount` ticks, each twice."""
    files = put = kept = there = 0
    for number in range(amount):
        pages = page_set(moment(number))
        place.publish(pages)
        again = place.publish(pages)
        found = place.files()
        files, put, kept = files + len(pages), put + again.put, kept + again.unchanged
        there += sum(found.get(page.path) == page.content for page in pages)
    return Repeats(amount, files, put, kept, there)
