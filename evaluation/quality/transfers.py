"""Other sounds, played by the grains of the corpus: how much they become those of the corpus, and stay themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ngs.evaluation.quality.class_agreement import classifier_available
from ngs.evaluation.quality.descriptors import normalised
from ngs.evaluation.quality.distances import Measures, fitted, log_mel_distance, mean_measures
from ngs.evaluation.quality.envelope import envelopes
from ngs.evaluation.quality.frames import FrameEar, FrameLibrary, crossed_shares, frame_timbres, mean_change
from ngs.evaluation.quality.selection import Entry, Progress
from ngs.evaluation.quality.spectra import Spectra
from ngs.evaluation.quality.yin import pitches
from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.bundle.manifest import Manifest
from ngs.runtime.bundle.pitches import pitch_attribute
from ngs.runtime.dsp.audio_files import read_audio
from ngs.runtime.offline.render import resynthesise

SOUNDS = Path(__file__).with_name("transfer_sounds")  # scripts/transfer-sounds makes them
NAMES = ("speech", "clarinet", "bursts")
MOST_SECONDS = 10.0
STYLES = (0.0, 0.5, 1.0)
MOST_CLASSES = 3
MOST_HELD_BACK = 4000  # frames
ENVELOPE_SECONDS = 0.05
VOICED = 0.5  # share of the heard frames; below, a sound is not asked for its pitch
LEAST_VOICED = 5  # frames that both sounds need


@dataclass(frozen=True)
class Transfer:
    """A sound as the bundle plays it."""

    sound: str
    style: float
    chosen: str | None  # the class that is asked for
    measures: Measures  # domain_db, flutter, envelope, log_mel; heard with a class; cents and voiced with a pitch


@dataclass(frozen=True)
class Transfers:
    """Other sounds beside real ones, as they are and as the bundle plays them.

    domain_db: the mean distance of the timbre of heard frames to the nearest frame of the reference. flutter: the mean
    change of timbre from frame to frame, over that of real sounds. envelope: the correlation of the levels over time
    with those of the sound itself; 0 if one is steady. log_mel: the distance from it, as in `distances`. heard: the
    share of frames that a classifier hears as the class. cents: the median difference of the pitch, where both have
    one; voiced: on which share of the frames in which the sound itself has one.
    """

    real: Measures  # domain_db, flutter and heard, the mean of the classes, of the sounds that are evaluated
    heard: Measures  # by class, of the same
    sounds: dict[str, Measures]  # domain_db and flutter of each sound as it is
    played: list[Transfer]
    mean: dict[str, Measures]  # of what is played at "style 0", "style 0.5", "style 1", and at "style 1, a class"


class Domain:
    """Real sounds, which transfers are measured against.

    `reference` holds frames of real sounds, and `sounds` are held back from it. `own`: they are its sounds, and each is
    compared with all others.
    """

    def __init__(
        self, reference: FrameLibrary, sounds: Sequence[tuple[int, Entry, Array]], own: bool, rate: int, window: int,
        seed: int,
    ) -> None:  # fmt: skip
        self.rate, self.window, self._reference = rate, window, reference
        held_back, changes = FrameLibrary(seed, MOST_HELD_BACK), []
        for owner, entry, signal in sounds:
            rows, heard = frame_timbres(signal, rate, window)
            held_back.add(rows[heard], entry.name, owner)
            changes.append(mean_change(rows, heard))
        known = [change for change in changes if change is not None]
        self._change = float(np.mean(known)) if known else 0.0
        self.real: Measures = {"flutter": 1.0} if self._change else {}
        distances = reference.distances(held_back.rows, held_back.owners if own else None)
        if np.isfinite(distances).any():
            self.real["domain_db"] = float(distances[np.isfinite(distances)].mean())
        self.ear: FrameEar | None = None
        self.heard: Measures = {}
        if classifier_available() and len(set(reference.names)) > 1:
            self.ear = FrameEar(reference, seed)
            self.heard = crossed_shares(reference, seed) if own else self.ear.own_shares(held_back)
        if self.heard:
            self.real["heard"] = float(np.mean(list(self.heard.values())))

    def measure(self, signal: Array, chosen: str | None = None) -> Measures:
        """Measure a signal [n], and whether it is heard as a class; nothing of silence."""
        rows, heard = frame_timbres(signal, self.rate, self.window)
        measures: Measures = {}
        if heard.any():
            measures["domain_db"] = float(self._reference.distances(rows[heard]).mean())
        change = mean_change(rows, heard)
        if change is not None and self._change:
            measures["flutter"] = change / self._change
        if self.ear and chosen is not None and chosen in self.ear.classes and heard.any():
            measures["heard"] = self.ear.share(rows[heard], chosen)
        return measures


def measure_transfers(
    bundle: Bundle, reference: FrameLibrary, test: Sequence[tuple[int, Entry, Array]], own: bool,
    sounds: dict[str, Array], seed: int, remarks: list[str], progress: Progress,
) -> Transfers | None:  # fmt: skip
    """Play sounds [n] by name at each style, and at style 1 with some classes, and measure what comes out.

    `reference`, `test` and `own` are as for `Domain`. Adds a remark if the bundle knows no style, and returns None.
    """
    manifest = bundle.manifest
    if not manifest.has_style:
        remarks.append("Other sounds are not played: a bundle of format 3 knows no style; export its run anew")
        return None
    if not classifier_available():
        remarks.append("What other sounds are heard as is left out: it needs scikit-learn (pip install scikit-learn)")
    domain = Domain(reference, test, own, manifest.sample_rate, manifest.grain_length, seed)
    itself, played, groups = {}, list[Transfer](), dict[str, list[Measures]]()
    for done, (name, signal) in enumerate(sounds.items()):
        progress("Playing other sounds", done, len(sounds))
        itself[name] = domain.measure(signal)
        for style, chosen in plays(manifest):
            sound = transfer(bundle, signal, style, chosen, seed)
            measures = domain.measure(sound, chosen) | _kept(signal, sound, domain.rate)
            if pitch_attribute(manifest.attributes):
                measures |= pitch_kept(signal, sound, domain.rate)
            played.append(Transfer(name, style, chosen, measures))
            groups.setdefault(f"style {style:g}" + (", a class" if chosen else ""), []).append(measures)
    progress("Playing other sounds", len(sounds), len(sounds))
    means = {group: mean_measures(rows) for group, rows in groups.items()}
    return Transfers(domain.real, domain.heard, itself, played, means)


def read_sounds(files: Sequence[Path], sample_rate: int) -> dict[str, Array]:
    """The first 10 s of each file at a peak of 0.9, float32 [n], by name; without files, of those that come with ngs.

    Raises ValueError if one cannot be used.
    """
    files = files or [SOUNDS / f"{name}.flac" for name in NAMES]
    stems = [file.stem for file in files]
    names = [stem if stems.count(stem) == 1 else str(file) for stem, file in zip(stems, files, strict=True)]
    return {name: read_sound(file, sample_rate, MOST_SECONDS) for name, file in zip(names, files, strict=True)}


def read_sound(file: Path, sample_rate: int, most_seconds: float) -> Array:
    """The first seconds of a file, float32 [n] at a peak of 0.9. Raises ValueError if it cannot be used."""
    signal = normalised(read_audio(file, sample_rate)[: round(most_seconds * sample_rate)])
    if not signal.any():
        raise ValueError(f"{file} is silent")
    return signal


def plays(manifest: Manifest) -> list[tuple[float, str | None]]:
    """The styles at which sounds are played, and the class, or None: style 1 also has three classes, far apart."""
    names = manifest.attributes[0].classes
    places = np.linspace(0, len(names) - 1, min(MOST_CLASSES, len(names))).astype(int) if len(names) > 1 else ()
    return [*((style, None) for style in STYLES), *((1.0, names[place]) for place in places)]


def transfer(bundle: Bundle, signal: Array, style: float, chosen: str | None, seed: int) -> Array:
    """A signal [n] at the bundle's rate, played by grains of the corpus, of the class `chosen` if it is not None: [n].

    Raises BundleError if the bundle knows no style.
    """
    choices = {} if chosen is None else {bundle.manifest.attributes[0].name: chosen}
    return fitted(resynthesise(bundle, signal, bundle.condition(choices), style, seed), len(signal))


def _kept(signal: Array, sound: Array, sample_rate: int) -> Measures:
    """envelope and log_mel of a sound [n] beside a signal [n]."""
    return {
        "envelope": envelope_correlation(signal, sound, sample_rate),
        "log_mel": log_mel_distance(Spectra(signal, sample_rate), Spectra(sound, sample_rate)),
    }


def envelope_correlation(signal: Array, sound: Array, sample_rate: int) -> float:
    """The correlation of the RMS levels in windows of 50 ms of two signals [n]; 0 if one of them is steady."""
    (ours,), (other,) = (envelopes(each, sample_rate, ENVELOPE_SECONDS) for each in (signal, sound))
    a, b = (each.levels - each.levels.mean() for each in (ours, other))
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / size if size > 0 else 0.0


def pitch_kept(signal: Array, sound: Array, sample_rate: int) -> Measures:
    """cents and voiced of a sound [n] beside a signal [n]; nothing unless the signal has a pitch most of the time."""
    (wanted, heard), (found, _) = (pitches(each, sample_rate) for each in (signal, sound))
    voiced = wanted > 0
    if not voiced.any() or voiced.sum() < VOICED * heard.sum():
        return {}
    both = voiced & (found > 0)
    measures = {"voiced": float(both.sum() / voiced.sum())}
    if both.sum() >= LEAST_VOICED:
        measures["cents"] = float(np.median(np.abs(1200 * np.log2(found[both] / wanted[both]))))
    return measures
