"""Distance over training time: grain models trained for longer and longer, each from the start, and a pair of sounds.

    python benchmarks/learning.py DATA --pair INPUT OUTPUT [--picture curve.png]

No model has heard the pair: OUTPUT is another system's reconstruction of INPUT, the distance to beat. Every budget is
a run of `ngs train` of its own, since the learning rate falls over the whole of it. Seconds are those of the grain
stage as the run counted them; the whole run also takes start-up, decoding, PCA and a moment of the later stages.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from ngs.evaluation.quality.distances import Measures, distances, fitted
from ngs.evaluation.quality.spectra import Spectra
from ngs.runtime.dsp.audio_files import read_audio
from ngs.training.learning.checkpoints import load_model
from ngs.training.run_folder import read_history

BUDGETS = (0.01, 0.1, 0.25, 0.5, 1.0, 2.0)  # minutes
SHOWN = ("lsd_1024", "lsd_2048", "multi_scale", "log_mel")


def reconstruct(run: Path, source: Path, target: Spectra) -> Measures:
    """The distances of a sound that the model of a run reconstructs, without any attribute chosen."""
    model, info, _ = load_model(run)
    signal = torch.from_numpy(read_audio(source, info.config.audio.sample_rate))
    torch.manual_seed(0)
    with torch.no_grad():
        sound = model.decode(model.encode(signal[None])[0], torch.zeros(1, sum(info.sizes)))[0].numpy()
    return distances(target, Spectra(fitted(sound, len(target.signal)), target.sample_rate))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--pair", nargs=2, type=Path, required=True, metavar=("INPUT", "OUTPUT"))
    parser.add_argument("--preset", default="fast")
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    source, published = options.pair
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder) / "cache"
        for minutes in BUDGETS:
            run = Path(folder) / f"run-{minutes}"
            budget = f"grain={minutes},embedding=0.001,prior=0.001"
            command = [sys.executable, "-c", "from ngs.cli.main import main; main()", "train", str(options.data)]
            start = time.perf_counter()
            subprocess.run(
                [*command, "--out", str(run), "--preset", options.preset, "--minutes", budget, "--cache", str(cache)],
                check=True,
                stderr=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
            whole = time.perf_counter() - start
            rate = load_model(run)[1].config.audio.sample_rate
            target = Spectra(read_audio(source, rate), rate)
            last = {entry.phase: entry.seconds for entry in read_history(run)}
            seconds = last.get("spectra", 0.0) + last.get("grains", 0.0)
            rows.append((seconds, whole, reconstruct(run, source, target)))
            line = " / ".join(f"{rows[-1][2][name]:.3f}" for name in SHOWN)
            print(f"{seconds:7.1f} s of grains, whole run {whole:6.1f} s: {line}", flush=True)
    other = distances(target, Spectra(fitted(read_audio(published, rate), len(target.signal)), rate))
    print(f"{'the other system':>40}: " + " / ".join(f"{other[name]:.3f}" for name in SHOWN))
    if options.picture:
        draw(options.picture, rows, other)


def draw(path: Path, rows: list[tuple[float, float, Measures]], other: Measures) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.5), layout="constrained")
    axes = figure.subplots()
    for index, name in enumerate(SHOWN):
        color = f"C{index}"
        axes.plot([row[0] for row in rows], [row[2][name] for row in rows], "o-", color=color, label=name)
        axes.axhline(other[name], color=color, linestyle=":", linewidth=1)
    axes.set(xlabel="seconds of grain training", ylabel="distance (dotted: the published system)", xscale="log")
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
