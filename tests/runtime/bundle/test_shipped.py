"""The bundle that comes with ngs."""

from __future__ import annotations

from pathlib import Path

import pytest

from ngs.runtime.bundle import bundle as bundles
from ngs.runtime.bundle.bundle import Bundle, shipped
from ngs.runtime.bundle.fields import BundleError
from ngs.runtime.bundle.golden import TOLERANCE, largest_errors

CLASSES = ("Clap", "Cowbell", "Crash", "Hat", "Kick", "Ride", "Snare", "Tom")
MOST_BYTES = 23_000_000


def test_it_opens_without_a_path_and_plays_as_exported() -> None:
    bundle = Bundle.open(provider="cpu")
    assert bundle.path == shipped() and bundle.path.is_file()
    assert bundle.path.stat().st_size <= MOST_BYTES
    assert max(largest_errors(bundle).values()) < TOLERANCE
    assert bundle.latent_map["points"].any()


def test_it_holds_drums_at_full_bandwidth_and_names_their_source() -> None:
    manifest = Bundle.open(provider="cpu").manifest
    assert manifest.name == "drums"
    assert [condition.classes for condition in manifest.attributes] == [CLASSES]
    assert manifest.sample_rate == 44100
    assert manifest.graphs["synthesis"].states
    assert {"data", "licence", "figures", "intended_use", "limits"} <= manifest.model_card.keys()
    assert "smpldsnds/drum-machines" in manifest.model_card["data"]


def test_an_installation_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles.resources, "files", lambda package: tmp_path)
    for missing in (shipped, Bundle.open):
        with pytest.raises(BundleError, match="comes with ngs is missing.*drums.ngs.*install ngs again"):
            missing()
