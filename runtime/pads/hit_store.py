"""The hits of one pad: which it needs, and which are ready."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ngs.runtime.pads.hits import Hit, Recipe


@dataclass(frozen=True)
class Wanted:
    """What a pad plays next. The thread that triggers writes it, the one that makes hits reads it."""

    choices: Mapping[str, str] | str  # as asked for; the bundle may lack them
    recipe: Recipe
    fresh: bool = True
    renew: bool = False  # the next trigger takes a new hit, fresh or not
    held: int | None = None  # number of the last hit taken
    next: int = 0  # number of the next hit

    @property
    def target(self) -> int:
        """The number of the hit that the next trigger plays."""
        return self.next if self.fresh or self.renew or self.held is None else self.held

    def numbers(self, ready: int) -> list[int]:
        """The numbers of the hits that should be ready, the most urgent first."""
        following = range(self.next, self.next + (ready if self.fresh else 1))
        return [*([self.target] if self.target < self.next else []), *following]

    def fits(self, hit: Hit | None) -> bool:
        """Whether a hit sounds as wanted."""
        return hit is not None and hit.recipe == self.recipe


class HitStore:
    """What one pad plays next, and the hits it has, by number.

    Nothing needs a lock: the thread that triggers replaces `wanted` and looks hits up, the one that makes hits adds and
    removes them.
    """

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self.hits: dict[int, Hit] = {}
        self.last: Hit | None = None  # triggered
        self.served = 0  # number of the last job that was this pad's
        self.rests_until = 0.0  # after a failure, in seconds of the monotonic clock

    def missing(self, ready: int) -> tuple[int, int] | None:
        """The first hit that is not ready: how many come before it, and its number. None if all are ready."""
        wanted = self.wanted
        for place, number in enumerate(wanted.numbers(ready)):
            if not wanted.fits(self.hits.get(number)):
                return place, number
        return None

    def rewind(self) -> None:
        """Begin again with hit 0. What is wanted of it stays."""
        self.wanted = replace(self.wanted, renew=False, held=None, next=0)
        self.last = None

    def put(self, hit: Hit) -> None:
        """Add a hit, unless the one with its number is as wanted already."""
        if not self.wanted.fits(self.hits.get(hit.number)):
            self.hits[hit.number] = hit  # even if it is outdated: it is newer than the one before

    def prune(self, ready: int) -> None:
        """Drop hits that will not be played again."""
        wanted = self.wanted
        kept = {*wanted.numbers(ready), wanted.held}
        for number in list(self.hits):
            if number not in kept:
                self.hits.pop(number, None)
