"""Training speed of each phase of each preset: sequences (of path_length grains) a second, and drawing of batches.

A step is timed with its batch ready, and drawing the batch is timed apart: while drawing takes less time than a step,
one worker process keeps up. In the spectral phase 16 single grains count as a sequence, as in its batches.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ngs.corpus.cache import Corpus, build_cache
from ngs.corpus.drum_synthesis import write_hits
from ngs.corpus.sounds import find_sounds
from ngs.training.config import Config, load_preset, presets
from ngs.training.learning.batches import CounterBatches
from ngs.training.learning.phase import Phase
from ngs.training.learning.plan import plan
from ngs.training.learning.trainer import start_grains
from ngs.training.model.model import NeuralGranularModel

SEQUENCES = 8  # in a batch, at most: the presets of the paper would take minutes for a step on a CPU
STEPS = 4


def time_steps(phase: Phase, batches: CounterBatches) -> tuple[float, float]:
    """Median seconds of a step and of drawing its batch."""
    optimizer = phase.configure_optimizers()
    for module in phase.trained():
        module.train()
    drawing, working = [], []
    for step in range(STEPS + 1):
        start = time.perf_counter()
        batch = batches[step]
        drawn = time.perf_counter()
        torch.stack(list(phase.losses(batch).values())).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
        drawing.append(drawn - start)
        working.append(time.perf_counter() - drawn)
    return sorted(working[1:])[STEPS // 2], sorted(drawing[1:])[STEPS // 2]


def measure(name: str, config: Config, corpus: Corpus) -> None:
    """Print a line for each phase of a preset."""
    everything = np.arange(len(corpus.names))
    sizes = tuple(len(attribute.classes) for attribute in corpus.attributes)
    model = NeuralGranularModel(config, sizes)
    start_grains(model, corpus, everything)
    for planned in plan(config):
        size = min(planned.stage.batch_size, SEQUENCES)
        phase = planned.phase(model, replace(planned.stage, batch_size=size))
        batches = phase.batches(corpus, everything, rank=0)
        phase.prepare(batches)
        step_seconds, drawing_seconds = time_steps(phase, batches)
        print(
            f"{name:<12}{phase.name:<11}{size:>6}{size / step_seconds:>13.1f}{step_seconds * 1e3:>7.0f} ms"
            f"{drawing_seconds * 1e3:>15.1f} ms",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", nargs="+", default=presets())
    options = parser.parse_args()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    print(f"{'preset':<12}{'phase':<11}{'batch':>6}{'sequences/s':>13}{'step':>10}{'drawing a batch':>18}")
    with tempfile.TemporaryDirectory() as folder:
        sounds = Path(folder) / "hits"
        write_hits(sounds, 8, 0, 44100)
        for name in options.presets:
            config = load_preset(name)
            measure(name, config, build_cache(find_sounds(sounds), config.audio.sample_rate, Path(folder) / "cache"))


if __name__ == "__main__":
    main()
