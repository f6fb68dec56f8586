"""Makes the hits of all pads, the most urgent first, in a thread or when asked."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence

from ngs.runtime.live.worker import Worker
from ngs.runtime.pads.hit_store import HitStore
from ngs.runtime.pads.hits import Hit, Recipe, make_hit
from ngs.runtime.pads.pad_player import SoundingHit

IDLE_SECONDS = 0.25  # after which the thread looks for work unasked, and tries again what failed


class HitMaker(Worker):
    """Fills stores, one per pad, with up to `ready` hits each.

    Hit number k of pad p is sound k * pads + p of the seed. retired: hits that have sounded, freed by the thread.
    """

    thread_name = "ngs pads"
    urgent = False  # it decodes whole sounds: what plays comes first

    def __init__(
        self, stores: Sequence[HitStore], sample_rate: int, seed: int, ready: int, retired: deque[SoundingHit]
    ) -> None:
        super().__init__(IDLE_SECONDS)
        self.stores, self.ready, self.made = stores, ready, 0  # made: hits, in `start`, `serve` and the thread
        self._sample_rate, self.seed, self._retired = sample_rate, seed, retired
        self._served = 0
        self._bell = threading.Lock()  # released if there may be work; only the thread acquires it
        self._bell.acquire()

    @property
    def failures(self) -> tuple[int, str]:
        """How many failures so far, and the reason of the last one."""
        return self._failures, self._last_failure

    def prepare(self) -> None:
        """Make the hit that the next trigger of each pad plays. Raises BundleError."""
        for pad, store in enumerate(self.stores):
            missing = store.missing(self.ready)
            if missing and missing[0] == 0:
                store.put(self.make(pad, store.wanted.recipe, missing[1]))
                self.made += 1

    def start(self) -> None:
        if not self.running:
            self._start_thread()

    def stop(self) -> None:
        self._stopping = True
        self.wake()
        super().stop()

    def wake(self) -> None:
        """Tell the thread that there may be work. It never waits."""
        try:
            self._bell.release()
        except RuntimeError:  # told already
            pass

    def make(self, pad: int, recipe: Recipe, number: int) -> Hit:
        """Hit `number` of a pad. Raises BundleError."""
        store = self.stores[pad]
        index = number * len(self.stores) + pad
        return make_hit(recipe, number, self.seed, index, self._sample_rate, store.hits.get(number))

    def serve(self, pad: int, number: int) -> None:
        """Make hit `number` of a pad and store it. A failure is counted, and the hit is tried again later."""
        store = self.stores[pad]
        self._served += 1
        store.served = self._served
        hit = self._guarded(self.make, pad, store.wanted.recipe, number)
        if hit is None:
            store.rests_until = time.monotonic() + IDLE_SECONDS
            return
        store.put(hit)
        store.prune(self.ready)
        self.made += 1

    def most_urgent(self) -> tuple[int, int] | None:
        """Pad and number of the next hit to make.

        It is for the pad with the fewest hits or, of several, the one served longest ago.
        """
        now, jobs = time.monotonic(), []
        for pad, store in enumerate(self.stores):
            store.prune(self.ready)
            missing = store.missing(self.ready)
            if missing and now >= store.rests_until:
                jobs.append((missing[0], store.served, pad, missing[1]))
        return min(jobs)[2:] if jobs else None

    def _work(self) -> bool:
        self._retired.clear()
        job = self.most_urgent()
        if job:
            self.serve(*job)
        return job is not None

    def _rest(self) -> None:
        self._bell.acquire(timeout=IDLE_SECONDS)
