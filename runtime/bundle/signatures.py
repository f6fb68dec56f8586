"""The inputs, outputs and states that the graphs of every bundle must have.

docs/bundle-format.md says what they mean.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ngs.runtime.bundle.fields import as_integer, wrong
from ngs.runtime.bundle.specs import BATCH, TensorSpec

if TYPE_CHECKING:
    from ngs.runtime.bundle.manifest import Manifest

REQUIRED_GRAPHS = (
    "encoder", "decoder", "synthesis", "postprocessing", "decoder_stream",
    "embedding_encoder", "embedding_decoder", "embedding_step",
)  # fmt: skip
SINCE = {"style": 4, "prior": 4, "prior_inverse": 4, "loudness": 4}  # version of the format, of later graphs
MAX_PROFILE_POINTS = 64  # in the profile of a grain
MAX_HIDDEN_SIZE = 65536  # of an embedding step's state
MAX_HISTORY_SAMPLES = 65536  # that post-processing looks back


def required_graphs(version: int) -> tuple[str, ...]:
    """The graphs that a bundle of this version of the format must have."""
    return (*REQUIRED_GRAPHS, *(name for name, since in SINCE.items() if version >= since))


def check_signatures(manifest: Manifest) -> None:
    """Raise BundleError unless each required graph has exactly the inputs, outputs and states it must have."""
    for name, (inputs, outputs) in _signatures(manifest).items():
        if name not in manifest.graphs:
            raise wrong(f"graphs.{name}", "an entry", "none")
        graph = manifest.graphs[name]
        states = tuple(tensor for tensor in inputs if f"next_{tensor.name}" in [other.name for other in outputs])
        _compare(f"graphs.{name}.states", states, graph.states)
        _compare(f"graphs.{name}.inputs", inputs, graph.inputs)
        _compare(f"graphs.{name}.outputs", outputs, graph.outputs)


def _signatures(manifest: Manifest) -> dict[str, tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]]:
    """Inputs and outputs of every required graph, for the sizes in this manifest."""

    def tensor(name: str, *sizes: int) -> TensorSpec:
        return TensorSpec(name, "float32", (BATCH, *sizes))

    hop, bins = manifest.hop_length, manifest.grain_length // 2 + 1
    signal = _size(manifest, "postprocessing", "signal", hop, hop + MAX_HISTORY_SAMPLES)
    history = _size(manifest, "decoder_stream", "history", 1, MAX_HISTORY_SAMPLES)
    hidden = _size(manifest, "embedding_step", "hidden", 1, MAX_HIDDEN_SIZE)
    steps = _size(manifest, "embedding_step", "path", 1, manifest.path_length)
    latent, embedding = tensor("latent", manifest.latent_size), tensor("embedding", manifest.embedding_size)
    normal = tensor("normal", manifest.embedding_size)
    condition, noise, onset = tensor("condition", manifest.condition_size), tensor("noise", 4 * hop), tensor("onset", 1)
    path = tensor("path", manifest.path_length, manifest.latent_size)
    latest = manifest.format_version >= 4
    frame: tuple[TensorSpec, ...] = (tensor("magnitude", bins),)
    flags: tuple[TensorSpec, ...] = ()
    phase: tuple[TensorSpec, ...] = ()
    motion: tuple[TensorSpec, ...] = ()
    if manifest.graphs["synthesis"].states:
        points = _size(manifest, "synthesis", "profile", 1, MAX_PROFILE_POINTS)
        frame += (tensor("peak", bins), tensor("advance", bins), tensor("profile", points))
        flags, phase = () if latest else (onset,), (tensor("phase", bins),)
        motion = (tensor("motion", points),)
    starts = bool(phase) and latest  # sounds begin with a grain of their own
    grain, first = tensor("grain", 4 * hop), (tensor("first", 4 * hop), *motion) if starts else ()
    past = (tensor("sum", 3 * hop), tensor("weight", 3 * hop), tensor("history", history), *phase)

    def following(states: tuple[TensorSpec, ...]) -> tuple[TensorSpec, ...]:
        return tuple(replace(state, name=f"next_{state.name}") for state in states)

    def gaussian(size: int) -> tuple[TensorSpec, ...]:
        return tensor("mean", size), tensor("log_variance", size)

    written = (tensor("step", 1), tensor("hidden", hidden))
    audio = tensor("audio", hop)
    signatures = {
        "encoder": ((grain, onset) if latest else (grain,), gaussian(manifest.latent_size)),
        "decoder": ((latent, condition), frame),
        "onset": ((latent, condition, noise), (grain, *phase)),
        "style": (
            (latent, condition, tensor("amount", 1)),
            (tensor("moved", manifest.latent_size), tensor("level", 1), *motion),
        ),
        "synthesis": ((*frame, noise, *flags, *phase), (grain, *following(phase))),
        "postprocessing": ((tensor("signal", signal),), (audio,)),
        "decoder_stream": (
            (latent, condition, noise, onset, tensor("level", 1), *past, *first), (audio, *following(past))
        ),
        "embedding_encoder": ((path, condition), gaussian(manifest.embedding_size)),
        "embedding_decoder": ((embedding, condition), (path,)),
        "embedding_step": (
            (embedding, condition, *written), (tensor("path", steps, manifest.latent_size), *following(written))
        ),
        "prior": ((normal, condition), (embedding,)),
        "prior_inverse": ((embedding, condition), (normal,)),
        "loudness": ((embedding, condition), (tensor("loudness", 1), tensor("envelope", manifest.path_length))),
    }  # fmt: skip
    names = (*required_graphs(manifest.format_version), *(("onset",) if starts else ()))
    return {name: signatures[name] for name in names}


def _size(manifest: Manifest, graph: str, name: str, low: int, high: int) -> int:
    """A size that the graph is free to choose: the first after the batch, from `low` to `high`."""
    specs = (*manifest.graphs[graph].inputs, *manifest.graphs[graph].outputs)
    shape = next((spec.shape for spec in specs if spec.name == name), ())
    found = shape[1] if len(shape) > 1 else None
    return as_integer(found, f"graphs.{graph}.{name}.shape", low, high)


def _compare(field: str, expected: tuple[TensorSpec, ...], found: tuple[TensorSpec, ...]) -> None:
    if [tensor.name for tensor in found] != [tensor.name for tensor in expected]:
        raise wrong(field, _names(expected), _names(found))
    for tensor, other in zip(expected, found, strict=True):
        if (other.dtype, other.shape) != (tensor.dtype, tensor.shape):
            raise wrong(f"{field}.{tensor.name}", _described(tensor), _described(other))


def _names(tensors: tuple[TensorSpec, ...]) -> str:
    return ", ".join(tensor.name for tensor in tensors) or "none"


def _described(tensor: TensorSpec) -> str:
    return f"{tensor.dtype} [{', '.join(str(size) for size in tensor.shape)}]"
