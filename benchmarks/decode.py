"""How fast sound is decoded offline (1 s and 10 s), beside torch, and what one hop costs when played live.

Three decoders run in torch, eagerly, with all grains of a sound at once: the one published with the paper
(ngs.training.published_decoder), the same with linear instead of circular convolution, and the model that was trained,
`NeuralGranularModel.decode`, which follows phases hop by hop. The floor is what the arithmetic takes alone: the
decoder's linear layers as matrix products in onnxruntime, and two FFTs for each grain in numpy. A hop is a call of the
decoder and one of the synthesis graph, for 1, 8 or 16 voices at once, with the locked excitation and with the paper's
noise.

Everything runs in this process with one thread (set OMP_NUM_THREADS=1 for numpy), in turns; the results are medians.
Prints tables, with times relative to ngs in brackets; --json FILE writes all results.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from ngs.evaluation.speed.products import Product, alone
from ngs.evaluation.speed.timing import in_turns
from ngs.export.graphs import grain_graphs
from ngs.export.onnx_export import export_graph
from ngs.export.run_to_bundle import export_run
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.bundle.manifest import Attribute
from ngs.runtime.bundle.session import make_session
from ngs.runtime.offline.render import decode
from ngs.training.config import load_preset, override
from ngs.training.model.model import NeuralGranularModel
from ngs.training.published_decoder import PublishedDecoder
from ngs.training.run_folder import RunInfo

SECONDS = 10.0
FLOOR_GRAINS = 48  # in one call
VOICES = (1, 8, 16)


def untrained_run(folder: Path, preset: str) -> NeuralGranularModel:
    """A run folder with random weights, on which speed does not depend."""
    config = load_preset(preset)
    info = RunInfo(config, (Attribute("class", tuple(f"class {index}" for index in range(8))),), "none", None, 16, ())
    torch.manual_seed(0)
    model = NeuralGranularModel(config, info.sizes).eval()
    for parameter in model.parameters():
        if parameter.dim() > 1 and not parameter.any():
            torch.nn.init.normal_(parameter, std=0.02)
    (folder / "checkpoints").mkdir(parents=True)
    info.write(folder)
    state = {f"model.{name}": value for name, value in model.state_dict().items()}
    torch.save({"state_dict": state}, folder / "checkpoints" / "embedding.ckpt")
    length = config.audio.path_length * config.audio.hop_length
    audio = (np.random.default_rng(0).normal(0, 3000, (16, length))).astype(np.int16)
    np.savez(folder / "excerpts.npz", audio=audio, labels=np.arange(16, dtype=np.int32)[:, None] % 8)
    return model


def one_hop(model: NeuralGranularModel, rows: int) -> Callable[[], object]:
    """A function that plays the next hop of `rows` voices with the exported graphs, and carries their phases on."""
    graphs = {name: grain_graphs(model)[name] for name in ("decoder", "synthesis")}
    sessions = {name: make_session(export_graph(graph), "cpu", 1, name) for name, graph in graphs.items()}
    rng = np.random.default_rng(2)
    drawn = {
        name: rng.normal(0, 1, (rows, *shape)).astype(np.float32)
        for graph in graphs.values()
        for name, shape in graph.inputs.items()
    }
    latent = {name: drawn[name] for name in graphs["decoder"].inputs}
    handed = {"phase": np.zeros_like(drawn["phase"])} if "phase" in drawn else {}

    def play() -> None:
        frame = dict(zip(graphs["decoder"].outputs, sessions["decoder"].run(None, latent), strict=True))
        outputs = sessions["synthesis"].run(None, {**frame, "noise": drawn["noise"], **handed})
        if handed:
            handed["phase"] = outputs[1]

    return play


def measure(functions: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median seconds of each function, all called in turns."""
    return {name: 1e-3 * calls.p50_ms for name, calls in in_turns(functions, math.inf, rounds).items()}


def floor(model: NeuralGranularModel, grains: int) -> Callable[[], object]:
    """A function that does only the arithmetic of `grains` grains: linear layers and transforms."""
    module = grain_graphs(model)["decoder"].module
    layers = [layer for layer in model.decoder.network.modules() if isinstance(layer, torch.nn.Linear)]
    sizes = [(layer.in_features, layer.out_features) for layer in (*layers, module.output)]
    counts = [min(FLOOR_GRAINS, grains - at) for at in range(0, grains, FLOOR_GRAINS)]
    products = {
        count: alone([Product((count, inputs), (inputs, outputs), "right") for inputs, outputs in sizes])
        for count in set(counts)
    }
    noise = np.random.default_rng(4).uniform(-1, 1, (FLOOR_GRAINS, model.config.audio.grain_length)).astype(np.float32)

    def run() -> None:
        for count in counts:
            products[count]()
            np.fft.irfft(np.fft.rfft(noise[:count], norm="forward"))

    return run


def decoding(model: NeuralGranularModel, bundle: Bundle, rounds: int) -> dict[str, dict[str, float]]:
    """Seconds for decoding 1 s and 10 s of sound, by decoder."""
    audio, grain = model.config.audio, model.config.grain
    sizes = {"latent_size": grain.latent_size, "hidden_size": grain.hidden_size, "blocks": grain.blocks}
    linear, circular = (
        PublishedDecoder(audio.grain_length, condition_size=8, **sizes, padded=padded) for padded in (True, False)
    )
    results = {}
    for seconds in (1.0, SECONDS):
        grains = round(seconds * audio.sample_rate / audio.hop_length)
        path = np.random.default_rng(1).normal(0, 1, (grains, model.config.grain.latent_size)).astype(np.float32)
        condition = np.eye(8, dtype=np.float32)[0]
        torch_path, torch_condition = torch.from_numpy(path), torch.from_numpy(condition).expand(grains, -1)
        times = measure(
            {
                "linear": lambda p=torch_path, c=torch_condition: linear(p, c),
                "as published": lambda p=torch_path, c=torch_condition: circular(p, c),
                "trained": lambda p=torch_path[None], c=torch_condition[:1]: eager(model, p, c),
                "ngs": lambda p=path, c=condition: decode(bundle, p, c, seed=0),
                "floor": floor(model, grains),
            },
            rounds,
        )
        results[f"{seconds:g} s"] = {**times, "real_time_factor": seconds / times["ngs"]}
    return results


@torch.no_grad()
def eager(model: NeuralGranularModel, path: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
    return model.decode(path, condition)


def hops(model: NeuralGranularModel, rounds: int) -> dict[str, dict[str, float]]:
    """Seconds for a hop by the number of voices, for a model with the locked excitation and the same with noise."""
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
    columns = ("ngs", "floor", "as published", "linear", "trained")
    print(f"{'decoding':<10}{'x real time':>11}" + "".join(f"{column:>19}" for column in columns))
    for name, row in results.items():
        cells = (f"{row[column] * 1e3:.1f} ms ({row[column] / row['ngs']:.2f})" for column in columns)
        print(f"{name:<10}{row['real_time_factor']:>11.0f}" + "".join(f"{cell:>19}" for cell in cells))
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
