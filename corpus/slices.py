"""Recordings cut into sounds, at onsets or every so many seconds: each slice is a sound of its own."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ngs.corpus.cache import FULL_SCALE, Corpus
from ngs.corpus.digests import parallel
from ngs.corpus.onsets import HEARD, activity, beginning, onsets
from ngs.corpus.reading import END_KEPT_SECONDS
from ngs.corpus.stretches import LONG_SECONDS, PAUSE_SECONDS, runs, shortened
from ngs.corpus.words import counted

ONSETS = "onsets"
LEAST_SECONDS = 0.05  # of a slice
AHEAD_SECONDS = 0.1  # what is heard for less than that before the first onset after a silence is left out

Progress = Callable[[int, int], None]


def checked(choice: str) -> str:
    """`--slice` as it is kept with a run: "onsets", or a number of seconds. Raises ValueError for all else."""
    text = choice.strip().lower()
    try:
        seconds = LEAST_SECONDS if text == ONSETS else float(text)
    except ValueError:
        seconds = math.nan
    if not LEAST_SECONDS <= seconds < math.inf:
        raise ValueError(f"--slice {choice}: choose {ONSETS}, or a number of seconds, {LEAST_SECONDS:g} or more")
    return text


def sliced(corpus: Corpus, choice: str, progress: Progress = lambda done, total: None) -> Corpus:
    """The corpus with the slices of each sound in its place, named as `slice_name` does.

    A slice has the labels of its sound, and the level that it has in it. The corpus gets a remark on how many there
    are; `progress` is called with (done, total) sounds. Raises ValueError if no sound has more than one slice, or all
    are silent.
    """
    total, rate = len(corpus.names), corpus.sample_rate
    owners, starts, lengths = list[int](), list[int](), list[int]()

    def found(sound: int) -> list[tuple[int, int]]:
        start = corpus.starts[sound]
        return slices(corpus.audio[start : start + corpus.lengths[sound]], choice, rate)

    for sound, parts in enumerate(parallel(found, range(total))):
        owners += [sound] * len(parts)
        starts += [start for start, _ in parts]
        lengths += [stop - start for start, stop in parts]
        progress(sound + 1, total)
    if len(owners) == len(set(owners)):
        why = "no onsets were found to cut at" if choice == ONSETS else "no sound is cut by that"
        raise ValueError(f"--slice {choice}: {why}; choose another number of seconds, or leave it out")
    chosen = np.array(owners, np.int64)
    how = "at onsets" if choice == ONSETS else f"every {choice} s"
    return replace(
        corpus,
        starts=corpus.starts[chosen] + np.array(starts, np.int64),
        lengths=np.array(lengths, np.int64),
        levels=corpus.levels[chosen],
        labels=corpus.labels[chosen],
        names=tuple(slice_name(corpus.names[owner], start, rate) for owner, start in zip(owners, starts, strict=True)),
        remarks=(*corpus.remarks, f"{counted(total, 'sound')} cut {how}: {len(chosen)} slices"),
    )


def slice_name(sound: str, start: int, sample_rate: int) -> str:
    """The name of the slice of a sound that begins at a sample: rain.wav@12.345, in seconds."""
    return f"{sound}@{start / sample_rate:.3f}"


def slices(samples: np.ndarray, choice: str, sample_rate: int) -> list[tuple[int, int]]:
    """Where the slices of a sound, int16 [n] with a peak of 32767, begin and end; silence is in none, or is left out.

    A slice lasts from an onset to the next, or to 20 ms after it is last heard before a silence; what goes on for more
    than 10 s is cut every 5 to 10 s, where its spectrum rises most. Slices of so many seconds that are silent
    throughout are left out.
    """
    least = round(LEAST_SECONDS * sample_rate)
    if choice != ONSETS:
        step = round(float(choice) * sample_rate)
        parts = _cut(0, len(samples), np.arange(step, len(samples), step), least)
        return [(start, stop) for start, stop in parts if np.abs(samples[start:stop]).max() > HEARD * FULL_SCALE]
    found, kept = activity(samples, sample_rate), round(END_KEPT_SECONDS * sample_rate)
    cuts, longest = onsets(found, samples, sample_rate), round(LONG_SECONDS * sample_rate)
    result = list[tuple[int, int]]()
    for first, last in runs(found.heard, round(PAUSE_SECONDS * sample_rate / found.hop)):
        start = beginning(samples, first, found.hop, sample_rate)
        near = cuts[(cuts >= start) & (cuts < start + AHEAD_SECONDS * sample_rate)]
        if first and len(near):  # in silence, the high-pass filter rings ahead of an onset
            start = int(near[0])
        for begin, end in _cut(start, min(last * found.hop + kept, len(samples)), cuts, least):
            result += shortened(found, samples, begin, end, longest, sample_rate)
    return result


def _cut(start: int, stop: int, cuts: np.ndarray, least: int) -> list[tuple[int, int]]:
    """What lies from `start` to `stop`, cut at places, ascending, that leave at least `least` samples on each side."""
    edges = [start]
    for cut in cuts[(cuts >= start + least) & (cuts <= stop - least)].tolist():
        if cut - edges[-1] >= least:
            edges.append(cut)
    return list(zip(edges, [*edges[1:], stop], strict=True))
