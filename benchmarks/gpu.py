"""What CUDA gives, beside the CPU in the same run: is a bundle the same, how fast does it play and does ngs train?

python benchmarks/gpu.py --minutes 7.5 --out gpu.json

parity    every graph on its golden inputs, judged as `ngs validate` judges it, and how many nodes run where
hop       a hop of `decoder_stream`, and of encoder, style and `decoder_stream`, for some numbers of voices:
          plain, bound (I/O binding, as ngs plays on the CPU), captured (bound, replayed as a CUDA graph, as ngs plays
          on CUDA), resident (states stay on the device), and both of these; on the CPU one thread
offline   ten minutes of drums, resynthesised
training  steps of every phase, with batches of the preset's size; on the CPU those of sounds are of eight at most

For a machine that is lent for minutes: every part runs in a process of its own that ends when its share of the minutes
is over, what fails is a row with an error, and FILE is written after each part. --device cpu does without a GPU.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TextIO, TypeVar

import numpy as np
from gpu_tables import tables

from ngs.evaluation.speed.timing import Durations, in_turns, machine
from ngs.runtime.arrays import Array
from ngs.runtime.atomic import replaced
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.bundle.files import Files
from ngs.runtime.bundle.golden import graph_error
from ngs.runtime.bundle.graph_check import MAX_GRAPH_BYTES
from ngs.runtime.bundle.session import PROVIDERS, make_session
from ngs.runtime.errors import reason

SHARES = {"parity": 0.1, "hop": 0.35, "offline": 0.2, "training": 0.35}  # of the minutes
USED = 0.7  # of a part's time that is planned; the rest is for imports and what takes longer
VOICES = (1, 16, 128, 1024)
CHAINS = (("decoder_stream",), ("encoder", "style", "decoder_stream"))
HEARD_HOPS = 4  # before the audio of the ways is compared; a captured graph is replayed by then
MOST_HOPS, MOST_STEPS, FEWEST_STEPS = 2000, 50, 2
OFFLINE_SECONDS, FIRST_SECONDS = 600.0, 10.0
PRESETS = ("fast", "paper-22k")
CPU_SEQUENCES = 8
Result = TypeVar("Result")
Row = dict[str, Any]


class Rows:
    """Results, each written as a line of JSON as soon as it is known."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def add(self, **row: Any) -> None:
        print(json.dumps(row), file=self._file, flush=True)

    def tried(self, function: Callable[[], Result], **names: Any) -> Result | None:
        """The result of a function, or None and a row that says why not."""
        try:
            return function()
        except Exception as error:
            self.add(**names, error=f"{type(error).__name__}: {reason(error)}")
            return None


def devices(options: argparse.Namespace) -> list[str]:
    """The CPU and, if it is another one, the device."""
    return list(dict.fromkeys(("cpu", options.device)))


def bundles(options: argparse.Namespace, rows: Rows) -> dict[str, Bundle]:
    """The bundle on each device that works, with sessions that stay there."""

    def keep(bundle: Bundle, graph: str) -> None:
        session = bundle.session(graph)
        session.disable_fallback()
        found = session.get_providers()[0]
        if found != PROVIDERS[bundle.provider]:
            raise RuntimeError(f"onnxruntime fell back to {found}")

    def opened(device: str) -> Bundle:
        bundle = Bundle.open(options.bundle, device)
        keep(bundle, "decoder")
        for graph in bundle.manifest.graphs:
            rows.tried(partial(keep, bundle, graph), graph=graph, device=device)
        return bundle

    tried = {device: rows.tried(partial(opened, device), device=device) for device in devices(options)}
    return {device: bundle for device, bundle in tried.items() if bundle is not None}


def parity(options: argparse.Namespace, rows: Rows) -> None:
    on = bundles(options, rows)
    golden, graphs = on["cpu"].golden(), on["cpu"].manifest.graphs
    for graph, spec in graphs.items():
        given = {tensor.name: golden[f"{graph}/{tensor.name}"] for tensor in spec.inputs}
        outputs = [tensor.name for tensor in spec.outputs]
        computed = rows.tried(partial(on["cpu"].run, graph, **given), graph=graph, device="cpu")
        of_cpu = {f"{graph}/{name}": value for name, value in zip(outputs, computed or (), strict=False)}
        for device, bundle in on.items():
            measure = partial(graph_error, graph, list(given), outputs, run=bundle.run)
            found: Row = {
                "from_golden": rows.tried(partial(measure, golden=golden), graph=graph, device=device),
                "from_cpu": rows.tried(partial(measure, golden={**golden, **of_cpu}), graph=graph, device=device)
                if computed
                else None,
                "nodes": rows.tried(partial(nodes, bundle, graph, given), graph=graph, device=device),
            }
            rows.add(graph=graph, device=device, **found)


def nodes(bundle: Bundle, graph: str, given: dict[str, Array]) -> dict[str, int]:
    """How many nodes of a graph each provider runs."""
    with tempfile.TemporaryDirectory() as folder:
        session = bundle.profiled_session(graph, f"{folder}/profile")
        session.run(None, given)
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    ran = (event["args"]["provider"] for event in events if event["name"].endswith("_kernel_time"))
    return dict(Counter(provider.removesuffix("ExecutionProvider") for provider in ran))


def hop(options: argparse.Namespace, rows: Rows) -> None:
    from hop_chain import Chain

    on = bundles(options, rows)
    manifest = on["cpu"].manifest
    chains = [graphs for graphs in CHAINS if set(graphs) <= set(manifest.graphs)]
    seconds = options.seconds / (len(chains) * len(options.voices) * len(on))
    for voices in options.voices:
        for graphs in chains:
            chain = Chain(on["cpu"], graphs, voices)
            reference: Array | None = None
            for device, bundle in on.items():
                names = {"chain": " + ".join(graphs), "voices": voices, "device": device}
                steps: dict[str, Callable[[], Array]] = {}
                differences: dict[str, float] = {}
                for way, make in ways(bundle, chain, device).items():
                    started = rows.tried(partial(begun, make), **names, way=way)
                    if started is not None:
                        steps[way], audio = started
                        reference = audio if reference is None else reference
                        differences[way] = float(np.sqrt(np.mean((audio - reference) ** 2) / np.mean(reference**2)))
                taken = rows.tried(partial(in_turns, steps, seconds, MOST_HOPS), **names) or {}
                for way, times in taken.items():
                    real_time = 1e3 * manifest.hop_length / manifest.sample_rate / times.p50_ms
                    rows.add(
                        **names, way=way, p50_ms=times.p50_ms, p99_ms=times.p99_ms, hops=times.count,
                        real_time=real_time, difference=differences[way],
                    )  # fmt: skip


def begun(make: Callable[[], Callable[[], Array]]) -> tuple[Callable[[], Array], Array]:
    """A way to play hops that has played some, and the audio of the last one."""
    play = make()
    for _ in range(HEARD_HOPS):
        audio = play()
    return play, audio.copy()


def ways(bundle: Bundle, chain: Any, device: str) -> dict[str, Callable[[], Callable[[], Array]]]:
    """Functions that make the ways to play a hop on a device; the first one is the simplest."""
    from hop_chain import bound, plain, resident

    sessions = {graph: bundle.session(graph) for graph in chain.graphs}
    made: dict[str, Callable[[], Callable[[], Array]]] = {
        "plain": lambda: plain(chain, sessions),
        "bound": lambda: bound(chain, sessions, device),
        "resident": lambda: resident(chain, sessions, device),
    }
    if device == "cuda":
        made["captured"] = lambda: bound(chain, captured(bundle, chain.graphs), device)
        made["resident, captured"] = lambda: resident(chain, captured(bundle, chain.graphs), device)
    return made


def captured(bundle: Bundle, graphs: tuple[str, ...]) -> dict[str, Any]:
    """New sessions that replay their calls. `Bundle.captured_session` would not say why onnxruntime refuses."""
    files = {graph: bundle.manifest.graphs[graph].file for graph in graphs}
    read = Files(bundle.path).read
    return {
        graph: make_session(read(file, MAX_GRAPH_BYTES), bundle.provider, bundle.threads, file, captured=True)
        for graph, file in files.items()
    }


def offline(options: argparse.Namespace, rows: Rows) -> None:
    from ngs.corpus.drum_synthesis import RECIPES, make_hit
    from ngs.runtime.offline.render import resynthesise

    on = bundles(options, rows)
    manifest = on["cpu"].manifest
    rng = np.random.default_rng(0)
    hits = np.concatenate([make_hit(name, rng, manifest.sample_rate) for name in RECIPES])
    condition = np.zeros(manifest.condition_size, np.float32)
    styles = (0.0, 1.0) if "style" in manifest.graphs else (0.0,)
    seconds = options.seconds / (len(on) * len(styles))

    def taken(bundle: Bundle, style: float, length: float) -> float:
        signal = np.resize(hits, round(length * manifest.sample_rate))
        start = time.perf_counter()
        resynthesise(bundle, signal, condition, style, 0)
        return time.perf_counter() - start

    def measured(bundle: Bundle, style: float) -> Row:
        """As much of ten minutes as there is time for."""
        taken(bundle, style, 1.0)  # makes the sessions
        first = taken(bundle, style, FIRST_SECONDS)
        length = min(OFFLINE_SECONDS, max(FIRST_SECONDS, FIRST_SECONDS * (seconds - first) / first))
        whole = taken(bundle, style, length)
        return {"seconds": length, "taken": whole, "real_time": length / whole, "an_hour": 3600 * whole / length}

    for style in styles:
        for device, bundle in on.items():
            found = rows.tried(partial(measured, bundle, style), device=device, style=style)
            if found:
                rows.add(device=device, style=style, **found)


def training(options: argparse.Namespace, rows: Rows) -> None:
    import torch

    from ngs.training.config import load_preset

    torch.set_float32_matmul_precision("high")  # as `ngs train` does
    cases = [(options.device, "32-true"), (options.device, "bf16-mixed"), ("cpu", "32-true")]
    cases = list(dict.fromkeys(cases))  # the CPU last: it may not end in time
    with tempfile.TemporaryDirectory() as folder:
        drawn: dict[tuple[str, str], Any] = {}
        for device, precision in cases:
            for preset in options.presets:
                names = {"preset": preset, "device": device, "precision": precision}
                seconds = options.seconds / (len(cases) * len(options.presets) * 4)  # phases
                prepared = phases(preset, load_preset(preset), Path(folder), device, drawn)
                while following := rows.tried(partial(next, prepared, None), **names):
                    phase, batch = following
                    measure = partial(steps, phase, batch, device, precision, seconds)
                    found = rows.tried(measure, **names, phase=phase.name)
                    if found:
                        rows.add(**names, phase=phase.name, **found)


def phases(preset: str, config: Any, folder: Path, device: str, drawn: dict[tuple[str, str], Any]) -> Iterator[Any]:
    """Each phase of an untrained model on a device, with a batch, from `drawn` if it is there."""
    import torch

    from ngs.corpus.cache import build_cache
    from ngs.corpus.drum_synthesis import write_hits
    from ngs.corpus.sounds import find_sounds
    from ngs.training.learning.plan import plan
    from ngs.training.model.model import NeuralGranularModel

    if not (folder / "hits").is_dir():
        write_hits(folder / "hits", 1)
    corpus = build_cache(find_sounds(folder / "hits"), config.audio.sample_rate, folder / "cache")
    everything = np.arange(len(corpus.names))
    torch.manual_seed(0)
    model = NeuralGranularModel(config, tuple(len(attribute.classes) for attribute in corpus.attributes)).to(device)
    before = None
    for planned in plan(config):
        phase = planned.phase(model, planned.stage)
        if (preset, phase.name) not in drawn:
            batches = phase.batches(corpus, everything, rank=0)
            if before is not None:
                batches.take_pool(before)
            drawn[preset, phase.name], before = batches[0], batches
        batch = drawn[preset, phase.name]
        if device == "cpu" and "audio" in batch:
            batch = {name: values[:CPU_SEQUENCES] for name, values in batch.items()}
        yield phase, batch


def steps(phase: Any, batch: Any, device: str, precision: str, seconds: float) -> Row:
    """How many steps a second, with the batch drawn but not yet on the device."""
    import torch

    optimizer = phase.configure_optimizers()
    phase.model.eval()
    for module in phase.trained():
        module.train()

    def step() -> float:
        moved = {name: values.to(device) for name, values in batch.items()}
        with torch.autocast(device, torch.bfloat16, enabled=precision == "bf16-mixed"):
            loss = sum(phase.losses(moved).values(), torch.zeros((), device=device))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return float(loss.detach())  # waits for the device, as the trainer does when it looks at the loss

    step()
    taken: list[float] = []
    while len(taken) < MOST_STEPS and (len(taken) < FEWEST_STEPS or sum(taken) < seconds):
        start = time.perf_counter()
        loss = step()
        taken.append(time.perf_counter() - start)
    times = Durations.of([(one, one) for one in taken])
    sequences = len(batch["label"]) / (len(batch["grain"]) / phase.stage.batch_size if "grain" in batch else 1)
    return {
        "sequences": round(sequences), "steps": times.count, "p50_ms": times.p50_ms,
        "steps_a_second": 1e3 / times.p50_ms, "sequences_a_second": 1e3 * sequences / times.p50_ms,
        "finite": bool(np.isfinite(loss)),
    }  # fmt: skip


PARTS: dict[str, Callable[[argparse.Namespace, Rows], None]] = {
    "parity": parity, "hop": hop, "offline": offline, "training": training,
}  # fmt: skip


def run_part(name: str, seconds: float, options: argparse.Namespace) -> Row:
    """What a part found in its own process, which is ended when the seconds are over."""
    command = [sys.executable, __file__, *([str(options.bundle)] if options.bundle else []), "--part", name]
    command += ["--minutes", str(USED * seconds / 60), "--device", options.device]
    command += ["--voices", *map(str, options.voices), "--presets", *options.presets]
    start, error = time.monotonic(), None
    with tempfile.TemporaryDirectory() as folder:
        found, log = Path(folder) / "rows", Path(folder) / "log"
        found.touch()
        with log.open("wb") as told:
            try:
                done = subprocess.run([*command, "--out", str(found)], stdout=told, stderr=told, timeout=seconds)
                error = f"exit status {done.returncode}" if done.returncode else None
            except subprocess.TimeoutExpired:
                error = f"not done after {seconds:.0f} s"
        lines = found.read_text(encoding="utf-8").splitlines(keepends=True)
        rows = [json.loads(line) for line in lines if line.endswith("\n")]
        said = log.read_text(encoding="utf-8", errors="replace")[-2000:]
    return {"seconds": time.monotonic() - start, "error": error, "said": said, "rows": rows}


def graphics() -> str:
    """What nvidia-smi says of the GPU."""
    query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    try:
        return subprocess.run(query, capture_output=True, text=True, timeout=30).stdout.strip()
    except (OSError, subprocess.TimeoutExpired) as error:
        return reason(error)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", nargs="?", type=Path, help="by default the one that comes with ngs")
    parser.add_argument("--device", choices=list(PROVIDERS), default="cuda")
    parser.add_argument("--minutes", type=float, default=7.5, help="for everything")
    parser.add_argument("--out", type=Path, default=Path("gpu.json"))
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--voices", nargs="+", type=int, default=VOICES)
    parser.add_argument("--presets", nargs="+", default=PRESETS)
    parser.add_argument("--part", choices=list(PARTS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.seconds = 60 * options.minutes
    if options.part:
        with options.out.open("w", encoding="utf-8") as file:
            PARTS[options.part](options, Rows(file))
        return
    document: Row = {"device": options.device, "gpu": graphics(), "machine": vars(machine()), "parts": {}}
    end, parts = time.monotonic() + options.seconds, list(options.parts)
    while parts:
        share = SHARES[parts[0]] / sum(SHARES[name] for name in parts)  # what a part leaves over goes to the next ones
        document["parts"][parts[0]] = run_part(parts[0], max(share * (end - time.monotonic()), 1.0), options)
        with replaced(options.out) as path:
            path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        parts.pop(0)
    print(document["gpu"], *tables(document), sep="\n")


if __name__ == "__main__":
    main()
