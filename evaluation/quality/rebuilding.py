"""Real sounds through the bundle, and through the baselines: how close each comes to the sound that it is made of."""

from __future__ import annotations

from ngs.evaluation.quality.baselines import GrainLibrary, MeanSounds
from ngs.evaluation.quality.by_class import Rows
from ngs.evaluation.quality.distances import distances, fitted
from ngs.evaluation.quality.frames import FrameLibrary, frame_timbres
from ngs.evaluation.quality.latents import LatentStatistics, embedding_posterior, grain_posterior
from ngs.evaluation.quality.levels import level_errors
from ngs.evaluation.quality.profiles import PAIRED, Profile, profile
from ngs.evaluation.quality.selection import Entry
from ngs.evaluation.quality.spectra import Spectra
from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.offline.render import decode_embeddings, reconstruct


class Reference:
    """The real sounds that others are compared with: their grains and frames, mean sounds, and profiles by class."""

    def __init__(self, bundle: Bundle, seed: int) -> None:
        self.rate = bundle.manifest.sample_rate
        self.grain_length = bundle.manifest.grain_length
        self.library = GrainLibrary(self.grain_length, self.rate, seed)
        self.frames = FrameLibrary(seed)
        self.means = MeanSounds()
        self.profiles: dict[str, list[Profile]] = {}
        self.by_owner: dict[int, Profile] = {}

    def add(self, owner: int, entry: Entry, signal: Array) -> None:
        """Add a sound [n]. `owner` is a number for the sound."""
        self.library.add(signal, owner)
        timbres, heard = frame_timbres(signal, self.rate, self.grain_length)
        self.frames.add(timbres[heard], entry.name, owner)
        self.means.add(entry.name, Spectra(signal, self.rate))
        self.by_owner[owner] = profile(entry.file.name, signal, self.rate)
        self.profiles.setdefault(entry.name, []).append(self.by_owner[owner])


class Rebuilding:
    """Runs sounds through the bundle and the baselines, and gathers what it measures.

    `own`: the sounds are those of the reference, and each is compared with all others.
    """

    def __init__(self, bundle: Bundle, reference: Reference, own: bool, seed: int) -> None:
        self.bundle, self.reference, self.own, self.seed = bundle, reference, own, seed
        self.reconstruction, self.through_embedding, self.nearest_grain, self.mean_sound = (Rows() for _ in range(4))
        self.grains = LatentStatistics(bundle.manifest.latent_size)
        self.embeddings = LatentStatistics(bundle.manifest.embedding_size)
        self.levels = {kind: Rows() for kind in PAIRED}
        self.made: dict[str, dict[str, list[Profile]]] = {kind: {} for kind in PAIRED}
        self.originals: dict[str, dict[str, list[Profile]]] = {kind: {} for kind in PAIRED}  # what each is made of

    def add(self, owner: int, entry: Entry, signal: Array) -> None:
        """Measure what is made of a sound [n]."""
        rate, name = self.reference.rate, entry.name
        target = Spectra(signal, rate)
        original = self.reference.by_owner[owner] if self.own else profile(entry.file.name, signal, rate)
        self._reconstruct(entry, target, original)
        self._through_embedding(entry, target, original)

        nearest = self.reference.library.rebuild(signal, owner if self.own else -1)
        if nearest is not None:
            self.nearest_grain.add(name, distances(target, Spectra(nearest, rate)))
        mean = self.reference.means.distances(name, target, self.own)
        if mean is not None:
            self.mean_sound.add(name, mean)

    def _reconstruct(self, entry: Entry, target: Spectra, original: Profile) -> None:
        rebuilt = reconstruct(self.bundle, target.signal, entry.condition, self.seed)
        self.reconstruction.add(entry.name, distances(target, Spectra(rebuilt, target.sample_rate)))
        self.grains.add(*grain_posterior(self.bundle, target.signal))
        self._compare("reconstructed", entry, original, target.signal, rebuilt)

    def _through_embedding(self, entry: Entry, target: Spectra, original: Profile) -> None:
        """Both VAEs: the first `path_length` grains of the sound are heard."""
        manifest, signal, rate = self.bundle.manifest, target.signal, target.sample_rate
        embedding, log_variance = embedding_posterior(self.bundle, signal, entry.condition)
        self.embeddings.add(embedding, log_variance)
        (decoded,) = decode_embeddings(self.bundle, embedding, entry.condition[None], [self.seed])
        heard = signal[: manifest.path_length * manifest.hop_length]
        if len(heard) < len(signal):
            target, original = Spectra(heard, rate), profile(entry.file.name, heard, rate)
        sound = fitted(decoded, len(heard))
        self.through_embedding.add(entry.name, distances(target, Spectra(sound, rate)))
        self._compare("through_embedding", entry, original, heard, sound)

    def _compare(self, kind: str, entry: Entry, original: Profile, target: Array, sound: Array) -> None:
        self.levels[kind].add(entry.name, level_errors(target, sound, self.reference.rate))
        made = profile(entry.file.name, sound, self.reference.rate)
        self.made[kind].setdefault(entry.name, []).append(made)
        self.originals[kind].setdefault(entry.name, []).append(original)
