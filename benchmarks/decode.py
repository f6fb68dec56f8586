"""Offline decoding of 10 s: the bundle's runtime against a straightforward torch decoder of the same weights.

The reference does what the original implementation does: each grain's filter goes to an impulse response and back
(two FFT round trips a grain), grains are windowed, folded together, divided by the folded windows, filtered. One
thread each, both in this process, in turns; noise is drawn by both. Prints a table, writes JSON with --json FILE.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from ngs.export.bundle import export_run
from ngs.runtime.bundle import Bundle
from ngs.runtime.render import decode
from ngs.training.config import load_preset
from ngs.training.model import NeuralGranularModel
from ngs.training.run import RunInfo

SECONDS = 10.0


def untrained_run(folder: Path, preset: str) -> NeuralGranularModel:
    """A run folder with random weights: speed does not depend on what they are."""
    config = load_preset(preset)
    info = RunInfo(config, (("class", tuple(f"class {index}" for index in range(8))),), "none", None, 16, ())
    torch.manual_seed(0)
    model = NeuralGranularModel(config, info.sizes).eval()
    for parameter in model.parameters():
        if parameter.dim() > 1 and not parameter.any():
            torch.nn.init.normal_(parameter, std=0.02)
    (folder / "checkpoints").mkdir(parents=True)
    info.write(folder)
    state = {f"model.{name}": value for name, value in model.state_dict().items()}
    torch.save({"state_dict": state}, folder / "checkpoints" / "joint.ckpt")
    length = config.audio.path_length * config.audio.hop_length
    audio = (np.random.default_rng(0).normal(0, 3000, (16, length))).astype(np.int16)
    np.savez(folder / "excerpts.npz", audio=audio, labels=np.arange(16, dtype=np.int32)[:, None] % 8)
    return model


class EagerDecoder:
    """The decoder as one would first write it in torch."""

    def __init__(self, model: NeuralGranularModel, grains: int) -> None:
        audio = model.config.audio
        self.model, self.length, self.hop = model, audio.grain_length, audio.hop_length
        self.filter_window = torch.fft.fftshift(torch.hann_window(self.length))
        self.windows = torch.hann_window(self.length).repeat(grains, 1)
        self.windows[0, : self.length // 2] = 1
        samples = (grains - 1) * self.hop + self.length
        self.fold = torch.nn.Fold((samples, 1), (self.length, 1), stride=(self.hop, 1))
        self.divisor = self.fold(self.windows.T[None])

    @torch.no_grad()
    def __call__(self, path: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        decoder = self.model.decoder
        magnitudes = decoder.magnitudes(decoder.coefficients(path, condition))
        response = torch.fft.fftshift(torch.fft.irfft(magnitudes) * self.filter_window, dim=-1)
        noise = torch.fft.rfft(torch.rand(len(path), self.length) * 2 - 1)
        grains = torch.fft.irfft(noise / (noise.abs() + 1e-9) * torch.fft.rfft(response)) * self.windows
        signal = (self.fold(grains.T[None]) / self.divisor).reshape(1, -1)
        result: torch.Tensor = self.model.postprocessing(signal)
        return result


def measure(functions: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median seconds of each, taken in turns so that a busy machine slows all alike."""
    times: dict[str, list[float]] = {name: [] for name in functions}
    for turn in range(rounds + 2):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            if turn >= 2:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="fast")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        model = untrained_run(Path(folder) / "run", options.preset)
        export_run(Path(folder) / "run", Path(folder) / "bench.ngs", "bench", zipped=False)
        bundle = Bundle.open(Path(folder) / "bench.ngs", provider="cpu", threads=1)
        audio = model.config.audio
        results = {}
        for seconds in (1.0, SECONDS):
            grains = round(seconds * audio.sample_rate / audio.hop_length)
            path = np.random.default_rng(1).normal(0, 1, (grains, model.config.grain.latent_size)).astype(np.float32)
            condition = np.eye(8, dtype=np.float32)[0]
            eager = EagerDecoder(model, grains)
            torch_path, torch_condition = torch.from_numpy(path), torch.from_numpy(condition).expand(grains, -1)
            times = measure(
                {
                    "torch eager": lambda e=eager, p=torch_path, c=torch_condition: e(p, c),
                    "ngs runtime": lambda p=path, c=condition: decode(bundle, p, c, seed=0),
                },
                options.rounds,
            )
            results[f"{seconds:g} s"] = {
                **times,
                "ratio": times["torch eager"] / times["ngs runtime"],
                "real_time_factor": seconds / times["ngs runtime"],
            }
    print(f"{options.preset}, one thread, {platform.machine()}, torch {torch.__version__}")
    print(f"{'decoding':<10}{'torch eager':>14}{'ngs runtime':>14}{'ratio':>8}{'x real time':>13}")
    for name, row in results.items():
        print(
            f"{name:<10}{row['torch eager'] * 1e3:>11.1f} ms{row['ngs runtime'] * 1e3:>11.1f} ms"
            f"{row['ratio']:>8.2f}{row['real_time_factor']:>13.0f}"
        )
    if options.json:
        options.json.write_text(json.dumps({"preset": options.preset, "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
