"""Sampled sounds are those that `ngs render` draws. Everything else is tested through the command."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ngs.evaluation.quality.profiles import profile
from ngs.evaluation.quality.sampling import RealSounds, compare_samples, sample_class, sample_profiles
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.dsp.loudness import loudness
from ngs.runtime.offline.render import sample


def test_samples_are_those_that_render_draws(tiny_bundle: Path) -> None:
    bundle = Bundle.open(tiny_bundle, provider="cpu")
    three, two = (sample_class(bundle, "Kick", count, 0.7, seed=1) for count in (3, 2))
    assert len(three) == 3
    for ours, theirs in zip(three, two, strict=False):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(three[2], sample(bundle, bundle.condition("Kick"), 0.7, 1, 2))


def test_samples_are_measured_at_the_level_at_which_they_are_drawn(tiny_bundle: Path) -> None:
    bundle = Bundle.open(tiny_bundle, provider="cpu")
    measured = sample_profiles(bundle, 2, 0.7, 1, lambda *_: None)
    assert list(measured) == list(bundle.manifest.attributes[0].classes)
    for name, profiles in measured.items():
        drawn = sample_class(bundle, name, 2, 0.7, 1)
        assert [one.loudness for one in profiles] == [loudness(signal, 8000) for signal in drawn]
        assert [one.name for one in profiles] == ["sample 0", "sample 1"]


def test_a_sample_that_is_nearly_a_copy_is_remarked() -> None:
    random = np.random.default_rng(0)
    noises = [
        (random.standard_normal(3000) * np.exp(-np.arange(3000) / tau)).astype(np.float32) for tau in (100, 300, 900)
    ]
    training = {"Snare": [profile(f"Snare/{at}.wav", noise, 8000) for at, noise in enumerate(noises)]}
    sampled = {"Snare": [profile("sample 0", noises[1] / 3, 8000)]}
    remarks: list[str] = []
    made = {"sampled": sampled}
    result = compare_samples(RealSounds(training, None), made, 8000, 1, 0.7, 0, remarks)
    assert result.novelty["sampled"]["Snare"].least < 0.05
    assert "Samples of Snare that are nearly copies: sample 0 of Snare/1.wav" in remarks
