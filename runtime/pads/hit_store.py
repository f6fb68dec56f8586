"""The hits of a pad that wait to be played: which it needs, which it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ngs.runtime.pads.hits import Hit, Recipe


@dataclass(frozen=True)
class Wanted:
    """What a pad is to play: written by the thread that triggers, read by the one that makes."""

    choices: Mapping[str, str] | str  # as asked for, though the bundle may lack them
    recipe: Recipe
    fresh: bool = True
    renew: bool = False  # the next trigger takes a new hit, fresh or not
    held: int | None = None  # number of the hit taken last
    next: int = 0  # number of the hit that is taken next

    @property
    def target(self) -> int:
        """Number of the hit that the next trigger plays."""
        return self.next if self.fresh or self.renew or self.held is None else self.held

    def numbers(self, ready: int) -> list[int]:
        """Hits that should be there, the most urgent first."""
        following = range(self.next, self.next + (ready if self.fresh else 1))
        return [*([self.target] if self.target < self.next else []), *following]

    def fits(self, hit: Hit | None) -> bool:
        return hit is not None and hit.recipe == self.recipe


class HitStore:
    """What one pad is to play and the hits it has, by number.

    No step needs a lock: who triggers replaces `wanted` and looks hits up, who makes them puts and removes them.
    """

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self.hits: dict[int, Hit] = {}
        self.last: Hit | None = None  # that was triggered
        self.served = 0  # number of the job that was its last
        self.rests_until = 0.0  # after a failure

    def missing(self, ready: int) -> tuple[int, int] | None:
        """How many hits are ready before the first that is not, and its number; None where all are."""
        wanted = self.wanted
        for place, number in enumerate(wanted.numbers(ready)):
            if not wanted.fits(self.hits.get(number)):
                return place, number
        return None

    def put(self, hit: Hit) -> None:
        if not self.wanted.fits(self.hits.get(hit.number)):
            self.hits[hit.number] = hit  # even an obsolete one is closer to what is wanted than those before

    def prune(self, ready: int) -> None:
        """Let go of hits that will not be played again."""
        wanted = self.wanted
        kept = {*wanted.numbers(ready), wanted.held}
        for number in list(self.hits):
            if number not in kept:
                self.hits.pop(number, None)
