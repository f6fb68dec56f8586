"""Training speed: sequences (of path_length grains) a second of each phase and preset, and the data side's share.

A phase's step is timed with its batch ready; drawing a batch is timed apart. While it takes less than a step,
one worker process keeps up. The spectral phase counts 16 single grains as a sequence, as its batches do.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch

from ngs.corpus.cache import build_cache
from ngs.corpus.drum_synthesis import write_hits
from ngs.corpus.sounds import find_sounds
from ngs.training.config import load_preset, presets
from ngs.training.learning.plan import plan
from ngs.training.learning.trainer import phase_batches, prepare
from ngs.training.model.model import NeuralGranularModel

SEQUENCES = 8  # at most, a step: the paper's presets would take minutes a step on a CPU
STEPS = 4


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
            corpus = build_cache(find_sounds(sounds, None), config.audio.sample_rate, Path(folder) / "cache")
            everything = torch.arange(len(corpus.names)).numpy()
            sizes = tuple(len(attribute.classes) for attribute in corpus.attributes)
            model = NeuralGranularModel(config, sizes)
            for planned in plan(config):
                planned = replace(
                    planned, stage=replace(planned.stage, batch_size=min(planned.stage.batch_size, SEQUENCES))
                )
                batches = phase_batches(planned, corpus, everything, model, 0)
                prepare(model, planned, batches, corpus, everything)
                phase = planned.phase(model, planned.stage, sizes, 0)
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
                step_seconds, draw_seconds = sorted(working[1:])[STEPS // 2], sorted(drawing[1:])[STEPS // 2]
                print(
                    f"{name:<12}{phase.name:<11}{planned.stage.batch_size:>6}"
                    f"{planned.stage.batch_size / step_seconds:>13.1f}{step_seconds * 1e3:>7.0f} ms"
                    f"{draw_seconds * 1e3:>15.1f} ms",
                    flush=True,
                )


if __name__ == "__main__":
    main()
