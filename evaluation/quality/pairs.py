"""Compares the bundle's reconstruction of a sound with that of another system: `ngs evaluate --pair`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ngs.evaluation.quality.distances import Measures, distances, fitted
from ngs.evaluation.quality.spectra import Spectra
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.dsp.audio_files import read_audio, resample
from ngs.runtime.offline.render import reconstruct


@dataclass(frozen=True)
class Pair:
    """Distances from one input, of the bundle's reconstruction and of another system's."""

    input: str
    output: str
    seconds: float  # that were compared: as long as the shorter of the two files
    ours: Measures
    other: Measures


def compare_pairs(bundle: Bundle, pairs: Sequence[tuple[Path, Path]], sample_rate: int | None, seed: int) -> list[Pair]:
    """Compare pairs of (input, output of another system) at `sample_rate` Hz, by default the bundle's.

    Levels are those of the files, and the bundle reconstructs without a condition. Raises AudioError.
    """
    ours_hz = bundle.manifest.sample_rate
    rate = sample_rate or ours_hz
    results = []
    for source, other in pairs:
        target, theirs = read_audio(source, rate), read_audio(other, rate)
        rebuilt = reconstruct(bundle, read_audio(source, ours_hz), bundle.condition({}), seed)
        length = min(len(target), len(theirs))
        spectra = Spectra(target[:length], rate)
        ours, published = (
            distances(spectra, Spectra(fitted(sound, length), rate))
            for sound in (resample(rebuilt, ours_hz, rate), theirs)
        )
        results.append(Pair(str(source), str(other), length / rate, ours, published))
    return results
