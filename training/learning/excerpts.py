"""The starts of some training sounds, kept in the run folder so that export needs no library of sounds."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np
import torch

from ngs.corpus.cache import FULL_SCALE, Corpus
from ngs.runtime.atomic import replaced
from ngs.training.config import Config
from ngs.training.learning.batches import first_signals
from ngs.training.run_folder import EXCERPTS, RunError

MOST_SOUNDS = 512


def write_excerpts(run: Path, corpus: Corpus, sounds: np.ndarray, config: Config) -> None:
    """Keep the starts of up to 512 of the sounds (indices), spread over the classes."""
    audio, labels = first_signals(corpus, sounds, config, MOST_SOUNDS)
    samples = (audio.numpy() * FULL_SCALE).round().astype(np.int16)
    with replaced(run / EXCERPTS) as beside, open(beside, "wb") as file:
        np.savez_compressed(file, audio=samples, labels=labels.numpy())


def read_excerpts(run: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Audio float32 [B, T * hop] and labels int32 [B, A] of training sounds. Raises RunError if they do not read."""
    try:
        with np.load(run / EXCERPTS, allow_pickle=False) as archive:
            audio = torch.from_numpy(archive["audio"].astype(np.float32) / FULL_SCALE)
            return audio, torch.from_numpy(archive["labels"])
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise RunError(f"{run / EXCERPTS} is missing or damaged: `ngs train --resume` writes it anew") from error
