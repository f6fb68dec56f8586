"""Hits: what decides how one sounds, and how it is made."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.bundle.levels import path_levels
from ngs.runtime.bundle.seeds import completed
from ngs.runtime.chance import Draws, Purpose
from ngs.runtime.dsp.audio_files import resample
from ngs.runtime.dsp.paths import KINDS, free_path
from ngs.runtime.offline.render import play_path, sample, trim_tail

SOURCES = ("note", "path")
SEMITONES = 12  # in an octave


@dataclass(frozen=True)
class Recipe:
    """What decides how a hit sounds, besides its number."""

    bundle: Bundle
    condition: tuple[float, ...]  # [C]
    source: str  # "note": a sound as `render.sample` draws it; "path": a free path between grains of the corpus
    temperature: float  # of a note
    pitch: float  # semitones, by resampling

    def same_sound(self, other: Recipe) -> bool:
        """Whether hits of both recipes differ in pitch only, or not at all."""
        return replace(other, pitch=self.pitch) == self


@dataclass(frozen=True, eq=False)
class Hit:
    """A drum sound, ready to be played."""

    number: int
    recipe: Recipe
    sound: Array  # float32 [m], as decoded, at the bundle's rate
    samples: Array  # float32 [n], read-only, at the pads' rate and pitch


def make_sound(recipe: Recipe, seed: int, index: int) -> Array:
    """Sound number `index` of a seed, float32 [n] at the bundle's rate. A "note" equals that of `render.sample`."""
    condition = np.array(recipe.condition, dtype=np.float32)
    if recipe.source == "note":
        return sample(recipe.bundle, condition, recipe.temperature, seed, index)
    return _make_path(recipe.bundle, condition, seed, index)


def _make_path(bundle: Bundle, condition: Array, seed: int, index: int) -> Array:
    """A free path of a random kind, half as long as a sound, between grains of the class if one is given."""
    manifest, sound_seed = bundle.manifest, (seed, index)
    label = bundle.first_class(condition)
    kind = KINDS[Draws(Purpose.PATH_KIND, sound_seed).below(len(KINDS), 1)[0]]
    path = free_path(kind, max(manifest.path_length // 2, 1), sound_seed, bundle.latent_map, label)
    condition = completed(bundle, condition, sound_seed)
    sound = play_path(bundle, path, condition, sound_seed, path_levels(bundle, path, condition))
    return trim_tail(sound, manifest.hop_length)


def tune(sound: Array, from_hz: float, pitch: float, to_hz: float) -> Array:
    """A sound [n] at another rate, `pitch` semitones higher and so shorter. A view of it if nothing changes."""
    return resample(sound, from_hz * 2 ** (pitch / SEMITONES), to_hz)


def make_hit(recipe: Recipe, number: int, seed: int, index: int, sample_rate: int, earlier: Hit | None = None) -> Hit:
    """Hit `number`, sound `index` of a seed. If `earlier` is the same sound at another pitch, it is only resampled."""
    decoded = earlier is not None and earlier.number == number and earlier.recipe.same_sound(recipe)
    sound = earlier.sound if earlier and decoded else make_sound(recipe, seed, index)
    samples = tune(sound, recipe.bundle.manifest.sample_rate, recipe.pitch, sample_rate).view()
    samples.setflags(write=False)
    return Hit(number, recipe, sound, samples)
