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

    @property
    def holds(self) -> bool:
        """Nothing is put again."""
        return self.put_again == 0 and self.kept == self.files


def measure(place: Place, _: Random, amount: int) -> Repeats:
    """Publish the files of `amount` ticks, each twice."""
    files = put = kept = 0
    for number in range(amount):
        pages = page_set(moment(number))
        place.publish(pages)
        again = place.publish(pages)
        files, put, kept = files + len(pages), put + again.put, kept + again.kept
    return Repeats(amount, files, put, kept)
