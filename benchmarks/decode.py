"""Offline decoding of 10 s: the bundle's runtime against torch, and what one hop of live playing costs.

The reference is the trained module in eager mode, `NeuralGranularModel.decode`: all grains of a sound at once, phases
hop by hop. A hop is one call of the decoder's and one of the synthesis graph, for 1, 8 or 16 voices at once: the locked
excitation beside the paper's noise. One thread each, all in this process, in turns; noise is drawn by all that decode.
Prints tables, writes JSON with --json FILE.
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

from ngs.export.bundle import export_graph, export_run
from ngs.export.graphs import bundle_graphs
from ngs.runtime.bundle import Bundle, make_session
from ngs.runtime.render import decode
from ngs.training.config import load_preset, override
from ngs.training.model import NeuralGranularModel
from ngs.training.run import RunInfo

SECONDS = 10.0
VOICES = (1, 8, 16)


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


def one_hop(model: NeuralGranularModel, rows: int) -> Callable[[], object]:
    """A call that plays the next hop of so many voices with the exported graphs, the phases handed on."""
    graphs = {name: bundle_graphs(model)[name] for name in ("decoder", "synthesis")}
    sessions = {name: make_session(export_graph(graph), "cpu", 1, name) for name, graph in graphs.items()}
    rng = np.random.default_rng(2)
    drawn = {
        name: rng.normal(0, 1, (rows, *shape)).astype(np.float32)
        for graph in graphs.values()
        for name, shape in graph.inputs.items()
    }
    latent = {name: drawn[name] for name in graphs["decoder"].inputs}
    handed = {name: np.zeros_like(drawn[name]) for name in ("onset", "phase") if name in drawn}

    def play() -> None:
        frame = dict(zip(graphs["decoder"].outputs, sessions["decoder"].run(None, latent), strict=True))
        outputs = sessions["synthesis"].run(None, {**frame, "noise": drawn["noise"], **handed})
        if handed:
            handed["phase"] = outputs[1]

    return play


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


def decoding(model: NeuralGranularModel, bundle: Bundle, rounds: int) -> dict[str, dict[str, float]]:
    audio = model.config.audio
    results = {}
    for seconds in (1.0, SECONDS):
        grains = round(seconds * audio.sample_rate / audio.hop_length)
        path = np.random.default_rng(1).normal(0, 1, (grains, model.config.grain.latent_size)).astype(np.float32)
        condition = np.eye(8, dtype=np.float32)[0]
        torch_path, torch_condition = torch.from_numpy(path)[None], torch.from_numpy(condition)[None]
        times = measure(
            {
                "torch eager": lambda p=torch_path, c=torch_condition: eager(model, p, c),
                "ngs runtime": lambda p=path, c=condition: decode(bundle, p, c, seed=0),
            },
            rounds,
        )
        results[f"{seconds:g} s"] = {
            **times,
            "ratio": times["torch eager"] / times["ngs runtime"],
            "real_time_factor": seconds / times["ngs runtime"],
        }
    return results


@torch.no_grad()
def eager(model: NeuralGranularModel, path: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
    return model.decode(path, condition)


def hops(model: NeuralGranularModel, rounds: int) -> dict[str, dict[str, float]]:
    """Seconds of a hop by the number of voices, of a locked model and of the same one with noise alone."""
    torch.manual_seed(0)
    noise = NeuralGranularModel(override(model.config, ["grain.excitation=noise"]), model.sizes).eval()
    results = {}
    for rows in VOICES:
        times = measure({"locked": one_hop(model, rows), "noise": one_hop(noise, rows)}, 10 * rounds)
        results[f"{rows}"] = {**times, "ratio": times["locked"] / times["noise"]}
    return results


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
        results = decoding(model, bundle, options.rounds)
    audio = model.config.audio
    print(f"{options.preset}, one thread, {platform.machine()}, torch {torch.__version__}")
    print(f"{'decoding':<10}{'torch eager':>14}{'ngs runtime':>14}{'ratio':>8}{'x real time':>13}")
    for name, row in results.items():
        print(
            f"{name:<10}{row['torch eager'] * 1e3:>11.1f} ms{row['ngs runtime'] * 1e3:>11.1f} ms"
            f"{row['ratio']:>8.2f}{row['real_time_factor']:>13.0f}"
        )
    document = {"preset": options.preset, "results": results}
    if model.config.grain.excitation == "locked":
        document["hops"] = voices = hops(model, options.rounds)
        lasts_ms = 1e3 * audio.hop_length / audio.sample_rate
        print(f"a hop of {lasts_ms:.1f} ms, decoder and synthesis")
        print(f"{'voices':<10}{'locked':>14}{'noise':>14}{'ratio':>8}")
        for name, row in voices.items():
            print(f"{name:<10}{row['locked'] * 1e3:>11.3f} ms{row['noise'] * 1e3:>11.3f} ms{row['ratio']:>8.2f}")
    if options.json:
        options.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
