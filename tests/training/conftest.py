"""A small configuration, and sounds that are decoded already."""

from __future__ import annotations

from pathlib import Path

import pytest

from ngs.corpus.cache import Corpus, build_cache
from ngs.corpus.sounds import find_sounds
from ngs.training.config import Config, load_preset, override


@pytest.fixture(scope="session")
def tiny_config(tiny_settings: tuple[str, ...]) -> Config:
    return override(load_preset("fast"), tiny_settings)


@pytest.fixture(scope="session")
def corpus(hits_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """32 hits of 8 classes at 8 kHz, decoded."""
    return build_cache(find_sounds(hits_folder), 8000, tmp_path_factory.mktemp("decoded"))
