"""Long sounds divided into stretches, so that each part that holds something is learned, and silence is not."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from ngs.corpus.cache import Corpus
from ngs.corpus.digests import parallel
from ngs.corpus.onsets import Activity, activity, beginning, hop_of, steepest
from ngs.corpus.reading import END_KEPT_SECONDS
from ngs.runtime.atomic import replaced

LONG, LONGEST = 8, 4  # windows: a sound that is longer than LONG is divided into stretches of at most LONGEST
LONG_SECONDS = 10.0  # a shorter sound is not divided in any case
PAUSE_SECONDS = 0.25  # a shorter silence does not divide
ACTIVITY = "activity.npz"  # in the folder of a cache
FORMAT = 1  # of that file: raise it when `activity` finds something else

Progress = Callable[[int, int], None]


def long_sound(window: int, sample_rate: int) -> float:
    """The most samples that a sound has that is not divided; a window has `window` samples."""
    return max(LONG * window, LONG_SECONDS * sample_rate)


def divided(
    corpus: Corpus, sounds: np.ndarray, window: int, progress: Progress = lambda done, total: None
) -> tuple[Corpus, np.ndarray]:
    """The corpus with stretches in place of long sounds, and the indices in it that stand for `sounds`, int64.

    A sound longer than `long_sound` is divided where it is silent, and elsewhere at onsets into
    stretches of 2 to 4 windows. So it counts by what it holds. Other sounds stay as they are; if none of `sounds` is
    long, the corpus itself is returned. `progress` is called with (done, total) long sounds.
    """
    long = sounds[corpus.lengths[sounds] > long_sound(window, corpus.sample_rate)]
    if len(long) == 0:
        return corpus, sounds
    pieces = {
        int(sound): stretches(found, _samples(corpus, sound), LONGEST * window, corpus.sample_rate)
        for sound, found in zip(long, activities(corpus, long, progress), strict=True)
    }
    owners, starts, lengths = [], [], []
    for sound in sounds.tolist():
        for start, stop in pieces.get(sound, [(0, int(corpus.lengths[sound]))]):
            owners.append(sound)
            starts.append(int(corpus.starts[sound]) + start)
            lengths.append(stop - start)
    chosen = np.array(owners, np.int64)
    result = replace(
        corpus,
        starts=np.array(starts, np.int64),
        lengths=np.array(lengths, np.int64),
        levels=corpus.levels[chosen],
        labels=corpus.labels[chosen],
        names=tuple(corpus.names[owner] for owner in owners),
        divided=True,
    )
    return result, np.arange(len(chosen))


def _samples(corpus: Corpus, sound: int) -> np.ndarray:
    samples: np.ndarray = corpus.audio[corpus.starts[sound] : corpus.starts[sound] + corpus.lengths[sound]]
    return samples


def stretches(found: Activity, samples: np.ndarray, longest: int, sample_rate: int) -> list[tuple[int, int]]:
    """Where the stretches of a sound, int16 [n], begin and end: of at most `longest` samples, or one hop more."""
    hop, kept = found.hop, round(END_KEPT_SECONDS * sample_rate)
    result = list[tuple[int, int]]()
    for first, last in runs(found.heard, round(PAUSE_SECONDS * sample_rate / hop)):
        start, stop = beginning(samples, first, hop, sample_rate), min(last * hop + kept, len(samples))
        result += shortened(found, samples, start, stop, longest, sample_rate)
    return result


def shortened(
    found: Activity, samples: np.ndarray, start: int, stop: int, longest: int, sample_rate: int
) -> list[tuple[int, int]]:
    """What lies from `start` to `stop` in a sound, int16 [n], cut where its spectrum rises most, as `stretches` are."""
    hop, result = found.hop, list[tuple[int, int]]()
    while stop - start > longest:
        begin, end = (start + longest // 2) // hop + 1, (start + longest) // hop
        cut = steepest(samples, begin + int(found.flux[begin:end].argmax()), hop, sample_rate)
        result.append((start, cut))
        start = cut
    return [*result, (start, stop)]


def runs(heard: np.ndarray, pause: int) -> list[tuple[int, int]]:
    """The first hop and the one after the last of each run of heard hops, bool [F]; short pauses are bridged."""
    edges = np.diff(heard.astype(np.int8), prepend=0, append=0)
    starts, stops = np.flatnonzero(edges > 0), np.flatnonzero(edges < 0)
    apart = starts[1:] - stops[:-1] > pause
    starts = np.concatenate((starts[:1], starts[1:][apart]))
    stops = np.concatenate((stops[:-1][apart], stops[-1:]))
    return list(zip(starts.tolist(), stops.tolist(), strict=True))


def activities(corpus: Corpus, sounds: np.ndarray, progress: Progress) -> list[Activity]:
    """What happens in sounds (indices), computed once and then remembered beside the decoded sounds."""
    memo, hop = corpus.audio_file.parent / ACTIVITY, hop_of(corpus.sample_rate)
    known = _remembered(memo, hop)
    starts, lengths = corpus.starts[sounds].tolist(), corpus.lengths[sounds].tolist()
    # the first slice of a sound begins where the sound does
    places = [(start, -(-length // hop)) for start, length in zip(starts, lengths, strict=True)]
    ends = {place: place[0] + length for place, length in zip(places, lengths, strict=True)}
    missing = [place for place in ends if place not in known]

    def found(place: tuple[int, int]) -> Activity:
        result = activity(corpus.audio[place[0] : ends[place]], corpus.sample_rate)
        return replace(result, flux=result.flux.astype(np.float16), level=result.level.astype(np.float16))

    for done, (place, result) in enumerate(zip(missing, parallel(found, missing), strict=True), 1):
        known[place] = result
        progress(done, len(missing))
    if missing:
        _remember(memo, known, hop)
    return [known[place] for place in places]


def _remembered(memo: Path, hop: int) -> dict[tuple[int, int], Activity]:
    """What was found before, by start in samples and number of frames."""
    try:
        with np.load(memo, allow_pickle=False) as arrays:
            if arrays["made"].tolist() != [FORMAT, hop]:
                return {}
            flux, level = arrays["flux"], arrays["level"]
            stops = np.cumsum(arrays["counts"])
            parts = zip(arrays["starts"].tolist(), (stops - arrays["counts"]).tolist(), stops.tolist(), strict=True)
            return {(at, last - first): Activity(flux[first:last], level[first:last], hop) for at, first, last in parts}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return {}


def _remember(memo: Path, known: dict[tuple[int, int], Activity], hop: int) -> None:
    if not os.access(memo.parent, os.W_OK):
        return
    with replaced(memo) as beside, open(beside, "wb") as file:
        np.savez(
            file,
            made=np.array([FORMAT, hop]),
            starts=np.array([start for start, _ in known], np.int64),
            counts=np.array([len(found.flux) for found in known.values()], np.int64),
            flux=np.concatenate([found.flux for found in known.values()]),
            level=np.concatenate([found.level for found in known.values()]),
        )
