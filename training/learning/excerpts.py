"""TODO."""

from __future__ import annotations

import os
import zipfile
import zlib
from pathlib import Path

import numpy as np
import torch

from ngs.corpus.cache import Corpus
from ngs.training.config import Config
from ngs.training.learning.batches import (
    validation_signals,
)
from ngs.training.run_folder import RunError

EXCERPTS = 512


def write_excerpts(run: Path, corpus: Corpus, sounds: np.ndarray, config: Config) -> None:
    audio, labels = validation_signals(corpus, sounds, config, EXCERPTS)
    beside = run / "excerpts.npz.part"
    with open(beside, "wb") as file:
        np.savez_compressed(file, audio=(audio.numpy() * 32767).round().astype(np.int16), labels=labels.numpy())
    os.replace(beside, run / "excerpts.npz")


def read_excerpts(run: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Audio [B, T * hop] and labels [B, A] of some of the sounds that the run was trained on."""
    try:
        with np.load(run / "excerpts.npz", allow_pickle=False) as archive:
            return torch.from_numpy(archive["audio"].astype(np.float32) / 32767), torch.from_numpy(archive["labels"])
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise RunError(f"{run / 'excerpts.npz'} is missing or damaged: `ngs train --resume` writes it anew") from error
