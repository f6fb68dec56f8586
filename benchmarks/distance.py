"""How near reconstructions come: log-spectral distances of a bundle's reconstructions to their inputs.

    python benchmarks/distance.py BUNDLE --run RUN            validation sounds of the run, by class
    python benchmarks/distance.py BUNDLE --pair INPUT OUTPUT  ours and OUTPUT, another system's reconstruction of INPUT

LSD: root mean square over bins of log(5e-3 + |S|^2), mean over frames, STFT of 1024 and 2048 samples, 75 % overlap, at
the bundle's rate; then the mean absolute difference over STFTs of 128 to 2048 samples. --picture draws INPUT, ours and
OUTPUT.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from ngs.runtime.audio import read_audio, write_audio
from ngs.runtime.bundle import Bundle
from ngs.runtime.render import resynthesise
from ngs.training.cache import build_cache, split
from ngs.training.config import LossConfig
from ngs.training.losses import log_spectral_distance, multi_scale_distance
from ngs.training.run import RunInfo
from ngs.training.sounds import find_sounds

SCALES = LossConfig(windows=(128, 256, 512, 1024, 2048), log_frequency=0.0)


def distances(target: np.ndarray, sound: np.ndarray) -> np.ndarray:
    """LSD 1024, LSD 2048, multi-scale distance of two signals [n]."""
    x, y = (torch.from_numpy(np.ascontiguousarray(signal))[None] for signal in (target, sound))
    lsd = [log_spectral_distance(y, x, window).item() for window in (1024, 2048)]
    return np.array([*lsd, multi_scale_distance(y, x, SCALES).item()])


def show(name: str, values: np.ndarray, note: str = "") -> None:
    print(f"{name:<18}" + " / ".join(f"{value:.3f}" for value in values) + note, flush=True)


def by_class(bundle: Bundle, run: Path) -> None:
    info = RunInfo.read(run)
    sounds = find_sounds(Path(info.data), Path(info.labels) if info.labels else None)
    corpus = build_cache(sounds, info.config.audio.sample_rate, normalize=info.config.data.normalize)
    _, validation, _ = split(corpus, info.config.data.validation_share, info.config.seed)
    means = []
    for place, name in enumerate(corpus.attributes[0].classes):
        results = []
        for sound in validation[corpus.labels[validation, 0] == place]:
            signal = corpus.read(int(sound), 0, int(corpus.lengths[sound]))
            choices = {
                attribute.name: attribute.classes[label]
                for attribute, label in zip(corpus.attributes, corpus.labels[sound], strict=True)
                if label >= 0
            }
            results.append(distances(signal, resynthesise(bundle, signal, bundle.condition(choices), 0)))
        if results:
            means.append(np.mean(results, 0))
            show(name, means[-1], f"   ({len(results)} sounds)")
    show("mean of classes", np.mean(means, 0))


def pair(bundle: Bundle, source: Path, other: Path, picture: Path | None) -> None:
    rate = bundle.manifest.sample_rate
    signal, theirs = read_audio(source, rate), read_audio(other, rate)
    ours = resynthesise(bundle, signal, bundle.condition({}), 0)
    length = min(len(signal), len(theirs))
    show("ours", distances(signal[:length], ours[:length]))
    show("the other", distances(signal[:length], theirs[:length]))
    if picture:
        with tempfile.TemporaryDirectory() as folder:
            files = [Path(folder) / f"{name}.wav" for name in ("input", "ours", "other")]
            for file, sound in zip(files, (signal, ours, theirs), strict=True):
                write_audio(file, sound, rate)
            command = [sys.executable, "-c", "from ngs.cli.main import main; main()", "spectrogram"]
            subprocess.run([*command, *map(str, files), "-o", str(picture)], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--run", type=Path)
    what.add_argument("--pair", nargs=2, type=Path, metavar=("INPUT", "OUTPUT"))
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    bundle = Bundle.open(options.bundle, provider="cpu")
    if options.run:
        by_class(bundle, options.run)
    else:
        pair(bundle, *options.pair, options.picture)


if __name__ == "__main__":
    main()
