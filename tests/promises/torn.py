"""What visitors meet while a page is published again and again."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from tests.promises.places import Place
from tests.promises.readers import Readers
from tests.promises.versions import versioned

SAMPLE, WHOLE = 15, 150


class Torn(NamedTuple):
    """What two visitors met during so many publishes."""

    publishes: int
    reads: int
    torn: int
    not_found: int
    versions: int
    price: bool  # whether a page that is not there is what the target's owner agreed to

    @property
    def holds(self) -> bool:
        """No torn page; none missing, but where the owner agreed to that; and the visitors saw it change."""
        return not self.torn and (self.price or not self.not_found) and self.versions > 1


def measure(place: Place, _: Random, amount: int) -> Torn:
    """Publish `amount` versions under the eyes of two visitors."""
    place.publish(versioned(0))
    with place.visited() as address, Readers(address) as readers:
        for number in range(1, amount + 1):
            place.publish(versioned(number))
        reads = readers.stop()
    return Torn(amount, *reads, price=not place.renames)
