"""A sampler of freshly made one-shots: the hit is ready before the step comes, and a thread makes the next one.

Whoever triggers waits for nothing: where a new hit is not ready, an earlier one sounds again, and is counted.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.live.realtime import interpreter
from ngs.runtime.pads.hit_store import HitStore, Wanted
from ngs.runtime.pads.hits import SOURCES, Hit, Recipe, make_hit
from ngs.runtime.pads.pad_player import PadPlayer, SoundingHit, Workspace
from ngs.runtime.synth.controls import check_sample_rate

SETTINGS = ("choices", "source", "temperature", "pitch", "fresh")
RANGES = {
    "temperature": (0.0, 10.0), "pitch": (-24.0, 24.0), "gain": (0.0, 4.0), "decay": (0.001, 60.0),
    "seconds": (0.0, 60.0),
}  # fmt: skip
MOST_AHEAD = 1 << 31  # samples
RETIRED = 256  # hits that have sounded and wait to be freed
IDLE_SECONDS = 0.25  # after which the worker looks for work unasked, and tries again what failed


@dataclass(frozen=True)
class PadStatistics:
    """What pads did so far."""

    triggers: int
    stale: int  # triggers that had to play an earlier hit, or nothing: the new one was not ready
    dropped: int  # triggers of a pad on which as many hits waited or sounded as there may be
    made: int  # hits, decoded or only tuned anew
    failures: int  # hits that could not be made
    last_failure: str
    waiting: tuple[int, ...]  # hits that are ready, by pad

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class Pads:
    """`count` pads of a bundle, each a mono voice of one-shots made anew; at first of the classes in turn.

    Hit number k of pad p (0, 1, 2 ... as triggers take them) is sound `index = k * count + p` of the seed: a note is
    exactly `render.sample(bundle, condition, temperature, seed, index)`, then tuned. As long as `stale` is 0, which
    hits are taken depends on triggers and settings alone: threaded pads and those that are not play the same bits.

    ready: hits a pad that wait at most. overlap: hits a pad that sound at once; one more fades the oldest in 5 ms.
    threaded: a thread makes the hits between `start` and `stop`; else a trigger makes its own, and takes as long.
    `trigger`, `process`, `set`, `resample` and `choke` belong to one thread, the host's callback; the rest to any.
    """

    def __init__(
        self, bundle: Bundle, sample_rate: int, count: int, seed: int = 0, ready: int = 4, overlap: int = 4,
        threaded: bool = True,
    ) -> None:  # fmt: skip
        for name, value, most in (("count", count, 128), ("ready", ready, 64), ("overlap", overlap, 64)):
            if not 1 <= value <= most:
                raise ValueError(f"{name} is {value}: choose 1 to {most}")
        if not isinstance(seed, int | np.integer) or seed < 0:
            raise ValueError(f"seed is {seed!r}: choose a whole number from 0")
        self.sample_rate, self.count, self.seed = check_sample_rate(sample_rate), count, int(seed)
        self.ready, self.threaded = ready, threaded
        self._bundle = bundle
        self._incoming: deque[tuple[Bundle, list[tuple[int, Hit]]]] = deque(maxlen=1)
        self._retired: deque[SoundingHit] = deque(maxlen=RETIRED if threaded else 0)
        classes = bundle.manifest.attributes[0].classes
        self._stores = []
        for pad in range(count):
            choice = classes[pad % len(classes)]
            recipe = Recipe(bundle, tuple(bundle.condition(choice).tolist()), "note", 0.7, 0.0)
            self._stores.append(HitStore(Wanted(choice, recipe)))
        self._players = [PadPlayer(overlap, self.sample_rate, self._retired) for _ in range(count)]
        self._workspace = Workspace()
        self._time = self._served = 0
        self._triggers = self._stale = self._dropped = self._made = self._loaded = self._failures = 0
        self._last_failure = ""
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._work = threading.Lock()  # released where there may be work, acquired by the worker alone
        self._work.acquire()

    def start(self) -> None:
        """Make a hit for each pad, and go on in a thread where `threaded`. Raises BundleError."""
        if self._thread:
            return
        for pad, store in enumerate(self._stores):
            missing = store.missing(self.ready)
            if missing and missing[0] == 0:
                store.put(self._make(pad, store.wanted.recipe, missing[1]))
                self._made += 1
        if not self.threaded:
            return
        self._stopping = False
        interpreter.hurry()
        self._thread = threading.Thread(target=self._run, name="ngs pads", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; what is ready can still be played."""
        if self._thread:
            self._stopping = True
            self._wake()
            self._thread.join()
            self._thread = None
            interpreter.rest()

    def __enter__(self) -> Pads:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    @property
    def bundle(self) -> Bundle:
        """The bundle whose hits are made next."""
        try:
            return self._incoming[-1][0]
        except IndexError:
            return self._bundle

    def statistics(self) -> PadStatistics:
        """What happened so far; safe to call at any time, not from the callback."""
        waiting = tuple(
            sum(store.wanted.fits(store.hits.get(number)) for number in store.wanted.numbers(self.ready))
            for store in self._stores
        )
        return PadStatistics(
            self._triggers, self._stale, self._dropped, self._made + self._loaded, self._failures, self._last_failure,
            waiting,
        )  # fmt: skip

    def last(self, pad: int) -> tuple[Array, int] | None:
        """The hit that was triggered last, float32 [n] at `sample_rate` before gain and decay, and its number."""
        self.check(pad=pad)
        hit = self._stores[pad].last
        return None if hit is None else (hit.samples, hit.number)

    def load(self, bundle: Bundle | str | Path, provider: str = "auto") -> None:
        """Go on with another bundle's hits: made ready here, in the caller's thread, while the old ones play on.

        Classes that it lacks are replaced by its classes in turn. Raises BundleError, ValueError.
        """
        opened = bundle if isinstance(bundle, Bundle) else Bundle.open(bundle, provider)
        hits = []
        for place in range(self.ready if self.threaded else 1):
            for pad, store in enumerate(self._stores):
                wanted = store.wanted
                numbers = wanted.numbers(self.ready)
                if place < len(numbers):
                    hits.append((pad, self._make(pad, _moved(opened, pad, wanted), numbers[place])))
                    self._loaded += 1
        self._incoming.append((opened, hits))

    def check(self, **what: Any) -> None:
        """Raise ValueError for arguments of `set`, `trigger` and `choke`, by name, that cannot be; change nothing."""
        for name, value in what.items():
            if name in RANGES:
                low, high = RANGES[name]
                number = isinstance(value, int | float | np.integer | np.floating)
                if not (number and low <= value <= high) and not (name == "decay" and value is None):  # NaN is nowhere
                    raise ValueError(f"{name} is {value!r}: choose {low:g} to {high:g}")
            elif name in ("pad", "offset"):
                last = self.count - 1 if name == "pad" else MOST_AHEAD
                if not isinstance(value, int | np.integer) or not 0 <= value <= last:
                    raise ValueError(f"{name} is {value!r}: choose a whole number, 0 to {last}")
            elif name == "choices":
                texts = [value] if not isinstance(value, Mapping) else [*value.keys(), *value.values()]
                if not all(isinstance(text, str) for text in texts):
                    raise ValueError(f"choices are {value!r}: choose a class, or classes by attribute")
                self.bundle.condition(value)
            elif name == "source":
                if value not in SOURCES:
                    raise ValueError(f"There is no source {value!r}; known: {', '.join(SOURCES)}")
            elif name == "fresh":
                if not isinstance(value, bool | np.bool_):
                    raise ValueError(f"fresh is {value!r}: choose True or False")
            else:
                raise ValueError(f"There is no setting {name!r}; known: {', '.join(SETTINGS)}")

    # the host's callback

    def set(self, pad: int, **what: Any) -> None:
        """Change what the next triggers of a pad play, all at once or, where that raises ValueError, nothing.

        choices: classes by attribute, or one of the first attribute. source: "note", or "path" for a free path between
        grains. temperature: of notes. pitch: semitones, -24 to 24. fresh: a new hit for each trigger, else the same.
        """
        self._take_in()
        for name in what:
            if name not in SETTINGS:
                raise ValueError(f"There is no setting {name!r}; known: {', '.join(SETTINGS)}")
        self.check(pad=pad, **what)
        store = self._stores[pad]
        wanted, recipe = store.wanted, store.wanted.recipe
        choices = what.get("choices", wanted.choices)
        if "choices" in what:
            choices = choices if isinstance(choices, str) else dict(choices)
            recipe = replace(recipe, condition=tuple(self._bundle.condition(choices).tolist()))
        recipe = replace(
            recipe,
            source=what.get("source", recipe.source),
            temperature=float(what.get("temperature", recipe.temperature)),
            pitch=float(what.get("pitch", recipe.pitch)),
        )
        fresh = bool(what.get("fresh", wanted.fresh))
        store.wanted = replace(wanted, choices=choices, recipe=recipe, fresh=fresh)
        self._wake()

    def resample(self, pad: int) -> None:
        """Let the next trigger of a pad play a new hit, whether it is fresh or not."""
        self.check(pad=pad)
        store = self._stores[pad]
        store.wanted = replace(store.wanted, renew=True)
        self._wake()

    def trigger(self, pad: int, offset: int = 0, gain: float = 1.0, decay: float | None = None) -> None:
        """Play a hit from `offset` samples into what is processed next; decay: seconds to -60 dB. Raises ValueError."""
        self.check(pad=pad, offset=offset, gain=gain, decay=decay)
        self._take_in()
        self._triggers += 1
        store, player = self._stores[pad], self._players[pad]
        if player.full:
            self._dropped += 1
            return
        wanted, number = store.wanted, store.wanted.target
        if not self.threaded and not wanted.fits(store.hits.get(number)):
            self._serve(pad, number)
        hit = store.hits.get(number)
        if not wanted.fits(hit):
            self._stale += 1
            hit = hit or store.last
        elif number == wanted.next:
            store.wanted = replace(wanted, renew=False, held=number, next=number + 1)
        self._wake()
        if hit:
            store.last = hit
            player.begin(hit.samples, self._time + int(offset), float(gain), decay)

    def choke(self, pad: int | None = None, seconds: float = 0.005, offset: int = 0) -> None:
        """Fade what a pad, or all, were asked to play, from `offset` samples on; what would begin later does not."""
        self.check(seconds=seconds, offset=offset, **({} if pad is None else {"pad": pad}))
        length = max(1, round(seconds * self.sample_rate))
        for player in self._players if pad is None else [self._players[pad]]:
            player.fade(self._time + int(offset), length)

    def process(self, out: Array) -> None:
        """Overwrite `out`, float32 [count, n], with the next n samples of every pad."""
        if out.ndim != 2 or len(out) != self.count or out.dtype != np.float32:
            raise ValueError(f"a block is float32 [{self.count}, n], this one is {out.dtype} {out.shape}")
        self._take_in()
        count = out.shape[1]
        if count > len(self._workspace.index):
            self._workspace.reserve(count)
        out[:] = 0.0
        for player, row in zip(self._players, out, strict=True):
            player.add(row, self._time, self._workspace)
        self._time += count

    def _take_in(self) -> None:
        """A bundle that was loaded, if there is one."""
        if not self._incoming:
            return
        self._bundle, hits = self._incoming.popleft()
        for pad, store in enumerate(self._stores):
            store.wanted = replace(store.wanted, recipe=_moved(self._bundle, pad, store.wanted))
        for pad, hit in hits:
            self._stores[pad].put(hit)
        self._wake()

    def _wake(self) -> None:
        """Tell the worker, without a wait."""
        try:
            self._work.release()
        except RuntimeError:  # it was told already
            pass

    # the worker's thread

    def _run(self) -> None:
        while not self._stopping:
            self._retired.clear()
            job = self._most_urgent()
            if job:
                self._serve(*job)
            else:
                self._work.acquire(timeout=IDLE_SECONDS)

    def _most_urgent(self) -> tuple[int, int] | None:
        """Pad and number of the hit to make: of the pads with the fewest ready, the one whose turn is longest ago."""
        now, jobs = time.monotonic(), []
        for pad, store in enumerate(self._stores):
            store.prune(self.ready)
            missing = store.missing(self.ready)
            if missing and now >= store.rests_until:
                jobs.append((missing[0], store.served, pad, missing[1]))
        return min(jobs)[2:] if jobs else None

    def _serve(self, pad: int, number: int) -> None:
        """Make hit `number` of a pad; where that fails it is counted, and tried again later."""
        store = self._stores[pad]
        self._served += 1
        store.served = self._served
        try:
            store.put(self._make(pad, store.wanted.recipe, number))
        except Exception as error:
            self._failures += 1
            self._last_failure = str(error) or type(error).__name__
            store.rests_until = time.monotonic() + IDLE_SECONDS
            return
        store.prune(self.ready)
        self._made += 1

    def _make(self, pad: int, recipe: Recipe, number: int) -> Hit:
        earlier = self._stores[pad].hits.get(number)
        return make_hit(recipe, number, self.seed, number * self.count + pad, self.sample_rate, earlier)


def _moved(bundle: Bundle, pad: int, wanted: Wanted) -> Recipe:
    """What a pad is to play of another bundle: the class asked for, or where it is lacking that of its turn."""
    try:
        condition = bundle.condition(wanted.choices)
    except ValueError:
        classes = bundle.manifest.attributes[0].classes
        condition = bundle.condition(classes[pad % len(classes)])
    return replace(wanted.recipe, bundle=bundle, condition=tuple(condition.tolist()))
