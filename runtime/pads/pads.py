"""A sampler whose hits are new each time: a thread makes the next ones before they are triggered.

A trigger never waits. If a new hit is not ready, the pad plays an earlier one again, and counts that.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle, as_bundle
from ngs.runtime.bundle.state import check_state, field, needed_bundle, new_state
from ngs.runtime.chance import check_seed
from ngs.runtime.live.stream import Source
from ngs.runtime.pads.hit_maker import HitMaker
from ngs.runtime.pads.hit_store import HitStore, Wanted
from ngs.runtime.pads.hits import Hit, Recipe
from ngs.runtime.pads.pad_player import PadPlayer, SoundingHit, Workspace
from ngs.runtime.pads.pad_states import pad_state, read_pad
from ngs.runtime.pads.settings import check_argument, check_name
from ngs.runtime.synth.controls import check_sample_rate
from ngs.runtime.temperature import TEMPERATURE

RETIRED = 256  # hits that have sounded and wait to be freed


@dataclass(frozen=True)
class PadStatistics:
    """What pads did so far."""

    triggers: int
    stale: int  # triggers that played an earlier hit, or nothing, because the new one was not ready
    dropped: int  # triggers of a pad with too many hits waiting or sounding
    made: int  # hits, decoded or only resampled
    failures: int  # hits that could not be made
    last_failure: str
    waiting: tuple[int, ...]  # hits that are ready, by pad

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class Pads(Source):
    """`count` pads of a bundle, each a mono voice whose hits are new. At first they play the classes in turn.

    Hit number k of pad p (triggers take 0, 1, 2 ...) is sound `index = k * count + p` of the seed. A hit from a note is
    exactly `render.sample(bundle, condition, temperature, seed, index)`, then resampled. As long as `stale` is 0, only
    triggers and settings decide which hits play: with and without a thread, pads play the same bits.

    ready: how many hits a pad keeps ready. overlap: how many hits of a pad sound at once; one more fades the oldest in
    5 ms. threaded: between `start` and `stop` a thread makes the hits; otherwise a trigger makes its own, and takes as
    long. `trigger`, `process`, `set`, `resample`, `choke` and `reset` belong to one thread, the host's callback; any
    thread may call the rest. A block is [count, n].
    """

    latency = 0

    def __init__(
        self, bundle: Bundle, sample_rate: int, count: int, seed: int = 0, ready: int = 4, overlap: int = 4,
        threaded: bool = True,
    ) -> None:  # fmt: skip
        for name, value, most in (("count", count, 128), ("ready", ready, 64), ("overlap", overlap, 64)):
            if not 1 <= value <= most:
                raise ValueError(f"{name} is {value}: choose 1 to {most}")
        (self.seed,) = check_seed(seed)
        self.sample_rate, self.count = check_sample_rate(sample_rate), count
        self.ready, self.threaded = ready, threaded
        self._bundle = bundle
        self._incoming: deque[tuple[Bundle, list[tuple[int, Hit]]]] = deque(maxlen=1)
        classes = bundle.manifest.attributes[0].classes
        self._stores = []
        for pad in range(count):
            choice = classes[pad % len(classes)]
            recipe = Recipe(bundle, tuple(bundle.condition(choice).tolist()), "note", TEMPERATURE, 0.0)
            self._stores.append(HitStore(Wanted(choice, recipe)))
        retired: deque[SoundingHit] = deque(maxlen=RETIRED if threaded else 0)
        self._players = [PadPlayer(overlap, self.sample_rate, retired) for _ in range(count)]
        self._maker = HitMaker(self._stores, self.sample_rate, self.seed, ready, retired)
        self._workspace = Workspace()
        self._time = self._triggers = self._stale = self._dropped = self._loaded = 0

    def start(self) -> None:
        """Make a hit for each pad and, if `threaded`, start the thread. Raises BundleError.

        Thread: any but the callback's, one at a time. Waits: for a hit of each pad. Memory: the hits.
        """
        if self._maker.running:
            return
        self._maker.prepare()
        if self.threaded:
            self._maker.start()

    def stop(self) -> None:
        """End the thread. What is ready can still be played.

        Thread: any but the callback's, one at a time. Waits: for the hit that is being made. Memory: none.
        """
        self._maker.stop()

    def __enter__(self) -> Pads:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    @property
    def rows(self) -> int:
        return self.count

    def _facts(self) -> list[str]:
        return [self.bundle.path.name, f"{self.sample_rate} Hz", f"seed {self.seed}", *super()._facts()]

    @property
    def bundle(self) -> Bundle:
        """The bundle of the hits that are made next."""
        try:
            return self._incoming[-1][0]
        except IndexError:
            return self._bundle

    def statistics(self) -> PadStatistics:
        """What happened so far. Any thread may call this at any time, but not the callback: it takes too long.

        Thread: any but the callback's. Waits: no. Memory: a little.
        """
        waiting = tuple(
            sum(store.wanted.fits(store.hits.get(number)) for number in store.wanted.numbers(self.ready))
            for store in self._stores
        )
        made = self._maker.made + self._loaded
        return PadStatistics(self._triggers, self._stale, self._dropped, made, *self._maker.failures, waiting)

    def last(self, pad: int) -> tuple[Array, int] | None:
        """The last hit triggered, float32 [n] at `sample_rate` before gain and decay, and its number.

        Thread: any. Waits: no. Memory: none.
        """
        self.check(pad=pad)
        hit = self._stores[pad].last
        return None if hit is None else (hit.samples, hit.number)

    def load(self, bundle: Bundle | str | Path, provider: str = "auto") -> None:
        """Change to another bundle. The caller's thread makes the first hits while the old ones play on.

        A pad whose class the new bundle lacks takes the bundle's classes in turn. Raises BundleError, ValueError.

        Thread: any but the callback's, one at a time. Waits: for the first hits. Memory: the hits.
        """
        opened = as_bundle(bundle, provider)
        hits = []
        for place in range(self.ready if self.threaded else 1):
            for pad, store in enumerate(self._stores):
                wanted = store.wanted
                numbers = wanted.numbers(self.ready)
                if place < len(numbers):
                    hits.append((pad, self._maker.make(pad, _moved(opened, pad, wanted), numbers[place])))
                    self._loaded += 1
        self._incoming.append((opened, hits))

    def state(self) -> dict[str, Any]:
        """What a host stores with its project, as plain JSON values: the bundle, the seed, and the pads.

        Of each pad: what can be set, and which hit is next. A bundle that was loaded counts from the next block on.

        Thread: any. Waits: no. Memory: the dictionary.
        """
        pads = [pad_state(self._bundle, store.wanted) for store in self._stores]
        return new_state("Pads", self._bundle, seed=self.seed, pads=pads)

    def restore(self, state: Mapping[str, Any], bundle: Bundle | str | Path | None = None) -> None:
        """Play what `state` stored, of as many pads. All of it or, if that raises, nothing. What sounds goes on.

        bundle: plays instead of the one that was stored, which is otherwise looked for where it was. Raises
        BundleError, ValueError, and RuntimeError while the thread runs.

        Thread: that of `process`. Waits: for another bundle until it is open. Memory: a little.
        """
        if self._maker.running:
            raise RuntimeError("Stop the Pads before you restore them: their thread makes hits")
        check_state(state, "Pads")
        (seed,) = check_seed(field(state, "seed", int))
        told = field(state, "pads", list)
        if len(told) != self.count:
            raise ValueError(
                f"the state has {len(told)} pads, and there are {self.count}: make them with count={len(told)}"
            )
        with needed_bundle(state, self._bundle, bundle) as opened:
            wanted = [read_pad(each, pad, self.count, opened) for pad, each in enumerate(told)]
        self._incoming.clear()
        self._bundle, self.seed, self._maker.seed = opened, seed, seed
        for store, each in zip(self._stores, wanted, strict=True):
            store.hits.clear()
            store.wanted, store.last = each, None

    def check(self, **what: Any) -> None:
        """Raise ValueError if arguments of `set`, `trigger` or `choke`, by name, cannot have these values.

        Thread: any. Waits: no. Memory: a little.
        """
        for name, value in what.items():
            check_argument(name, value, self.bundle, self.count)

    # the host's callback

    def reset(self) -> None:
        """Silence, and hit 0 is the next one of each pad: it has to be made again. Settings stay.

        Thread: the callback's. Waits: no. Memory: a little.
        """
        self._take_in()
        for player, store in zip(self._players, self._stores, strict=True):
            player.clear()
            store.rewind()
        self._time = 0
        self._maker.wake()

    def set(self, pad: int, **what: Any) -> None:
        """Change what the next triggers of a pad play: all of it or, if that raises ValueError, nothing.

        choices: classes by attribute, or a class of the first attribute. source: "note", or "path" for a free path
        between grains. temperature: of notes. pitch: semitones. fresh: a new hit for each trigger, or always the same.

        Thread: the callback's. Waits: no. Memory: a little.
        """
        self._take_in()
        for name in what:
            check_name(name)
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
        self._maker.wake()

    def resample(self, pad: int) -> None:
        """Let the next trigger of a pad play a new hit, whether it is `fresh` or not.

        Thread: the callback's. Waits: no. Memory: a little.
        """
        self.check(pad=pad)
        store = self._stores[pad]
        store.wanted = replace(store.wanted, renew=True)
        self._maker.wake()

    def trigger(self, pad: int, offset: int = 0, gain: float = 1.0, decay: float | None = None) -> None:
        """Play a hit from `offset` samples into the next block. decay: seconds to -60 dB. Raises ValueError.

        Thread: the callback's. Waits: no, without a thread for the hit. Memory: a little.
        """
        self.check(pad=pad, offset=offset, gain=gain, decay=decay)
        self._take_in()
        self._triggers += 1
        store, player = self._stores[pad], self._players[pad]
        if player.full:
            self._dropped += 1
            return
        wanted, number = store.wanted, store.wanted.target
        if not self.threaded and not wanted.fits(store.hits.get(number)):
            self._maker.serve(pad, number)
        hit = store.hits.get(number)
        if not wanted.fits(hit):
            self._stale += 1
            hit = hit or store.last
        elif number == wanted.next:
            store.wanted = replace(wanted, renew=False, held=number, next=number + 1)
        self._maker.wake()
        if hit:
            store.last = hit
            player.begin(hit.samples, self._time + int(offset), float(gain), decay)

    def choke(self, pad: int | None = None, seconds: float = 0.005, offset: int = 0) -> None:
        """Fade a pad out, or all, from `offset` samples into the next block. Hits that begin later are dropped.

        Thread: the callback's. Waits: no. Memory: a little.
        """
        self.check(seconds=seconds, offset=offset, **({} if pad is None else {"pad": pad}))
        length = max(1, round(seconds * self.sample_rate))
        for player in self._players if pad is None else [self._players[pad]]:
            player.fade(self._time + int(offset), length)

    def process(self, out: Array) -> None:
        """Overwrite `out`, float32 [count, n], with the next n samples of every pad.

        Thread: the callback's. Waits: no. Memory: what hits with a gain or a decay take and give back.
        """
        self._check(out)
        self._take_in()
        count = out.shape[1]
        if count > len(self._workspace.index):
            self._workspace.reserve(count)
        out[:] = 0.0
        for player, row in zip(self._players, out, strict=True):
            player.add(row, self._time, self._workspace)
        self._time += count

    def _take_in(self) -> None:
        """Go over to a bundle that was loaded."""
        if not self._incoming:
            return
        self._bundle, hits = self._incoming.popleft()
        for pad, store in enumerate(self._stores):
            store.wanted = replace(store.wanted, recipe=_moved(self._bundle, pad, store.wanted))
        for pad, hit in hits:
            self._stores[pad].put(hit)
        self._maker.wake()


def _moved(bundle: Bundle, pad: int, wanted: Wanted) -> Recipe:
    """What a pad plays of another bundle: the class asked for or, if there is no such class, the next in turn."""
    try:
        condition = bundle.condition(wanted.choices)
    except ValueError:
        classes = bundle.manifest.attributes[0].classes
        condition = bundle.condition(classes[pad % len(classes)])
    return replace(wanted.recipe, bundle=bundle, condition=tuple(condition.tolist()))
