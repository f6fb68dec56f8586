"""`ngs evaluate --pair`: the bundle's reconstruction of a sound beside that of another system."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ngs.evaluation.quality.distances import Figures, distances, fitted
from ngs.evaluation.quality.spectra import Spectra
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.dsp.audio_files import read_audio, resample
from ngs.runtime.offline.render import resynthesise


@dataclass(frozen=True)
class Pair:
    """Distances of the bundle's reconstruction and of another system's from the same input."""

    input: str
    output: str
    seconds: float  # compared: the shorter of both
    ours: Figures
    other: Figures


def compare_pairs(bundle: Bundle, pairs: Sequence[tuple[Path, Path]], sample_rate: int | None, seed: int) -> list[Pair]:
    """Compare at `sample_rate` Hz (default: the bundle's), at the files' own levels, without condition.

    Raises AudioError.
    """
    ours_hz = bundle.manifest.sample_rate
    rate = sample_rate or ours_hz
    results = []
    for source, other in pairs:
        target, theirs = read_audio(source, rate), read_audio(other, rate)
        rebuilt = resynthesise(bundle, read_audio(source, ours_hz), bundle.condition({}), seed)
        length = min(len(target), len(theirs))
        spectra = Spectra(target[:length], rate)
        ours, published = (
            distances(spectra, Spectra(fitted(sound, length), rate))
            for sound in (resample(rebuilt, ours_hz, rate), theirs)
        )
        results.append(Pair(str(source), str(other), length / rate, ours, published))
    return results
