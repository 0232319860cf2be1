"""What visitors meet while a page is published again and again."""

from __future__ import annotations

import time
from random import Random
from typing import NamedTuple

from tests.promises.places import Place
from tests.promises.readers import Readers
from tests.promises.versions import versioned

SAMPLE, WHOLE = 15, 150
LEAST_PART = 3  # of so many versions visitors must see one: machines are busy at times
PAUSE_SECONDS = 0.02  # between two publishes, so that visitors see each


class Torn(NamedTuple):
    """What two visitors met during so many publishes to a target that renames."""

    publishes: int
    reads: int
    torn: int
    not_found: int
    versions: int

    @property
    def holds(self) -> bool:
        """No page was torn, none was missing, and the visitors saw it change all the while."""
        return not (self.torn or self.not_found) and self.has_changed

    @property
    def has_changed(self) -> bool:
        """Whether the visitors looked often enough to meet what might have gone wrong."""
        return self.versions >= max(2, self.publishes // LEAST_PART)


class Paid(Torn):
    """The same for a target that deletes before it renames: there a page may be missing for a moment."""

    @property
    def holds(self) -> bool:
        """No page was torn, and the visitors saw it change all the while."""
        return not self.torn and self.has_changed


def measure(place: Place, _: Random, amount: int) -> Torn:
    """Publish `amount` versions under the eyes of two visitors."""
    place.publish(versioned(0))
    with place.visited() as address, Readers(address) as readers:
        for number in range(1, amount + 1):
            place.publish(versioned(number))
            time.sleep(PAUSE_SECONDS)
        reads = readers.stop()
    return (Torn if place.renames else Paid)(amount, *reads)
