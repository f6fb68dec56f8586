"""A bundle that is made in a moment, for tests: ONNX graphs of a few nodes that react to each of their inputs.

It obeys the format, streams as whole sounds do, and has random weights: what it plays means nothing. Two variants, as
in real bundles: `locked` has phases as state, `noise` has none. A third, `filled`, is `locked` with the synthesis of
real bundles. All also come in format 3.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from ngs.runtime.bundle.manifest import FORMAT_VERSION, Attribute, Manifest
from ngs.runtime.bundle.session import make_session
from ngs.runtime.bundle.specs import LoudnessRange
from ngs.runtime.bundle.writer import write_bundle
from ngs.runtime.dsp.grains import hann, onset_window
from ngs.runtime.dsp.locked_tones import GAIN, PROFILE_FLOOR, PROFILE_LIMIT

LENGTH, HOP, LATENT, EMBEDDING, PATH, HISTORY, GRAINS_PER_STEP = 256, 64, 4, 4, 8, 16, 2
BINS, POINTS = LENGTH // 2 + 1, 4
CLASSES = ("Kick", "Snare", "Hat")
RANGES = tuple(
    LoudnessRange(tuple(at + x for x in (0.0, 0.5, 1.0, 2.0, 4.0)), tuple(at + x for x in (-8.0, -4.0, 0.0, 4.0, 8.0)))
    for at in (2.0, 0.0, -6.0, -2.0)
)

Shapes = dict[str, tuple[int, ...]]
Weights = Callable[..., NDArray[np.float32]]


def make_graph(
    inputs: Shapes, outputs: Shapes, nodes: list[onnx.NodeProto], constants: dict[str, NDArray[np.generic]]
) -> bytes:
    """An ONNX model whose tensors have a dynamic batch before the sizes given."""

    def values(shapes: Shapes) -> list[onnx.ValueInfoProto]:
        return [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape]) for name, shape in shapes.items()
        ]

    initializers = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "graph", values(inputs), values(outputs), initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


class Part(NamedTuple):
    """The arguments of `make_graph`."""

    inputs: Shapes
    outputs: Shapes
    nodes: list[onnx.NodeProto]
    constants: dict[str, NDArray[Any]]

    def within(self, prefix: str, public: Container[str]) -> tuple[list[onnx.NodeProto], dict[str, NDArray[Any]]]:
        """The nodes and constants for a larger graph: all names get a prefix, except the public ones."""

        def renamed(names: Iterable[str]) -> list[str]:
            return [name if name in public else prefix + name for name in names]

        nodes = []
        for node in self.nodes:
            copy = onnx.NodeProto()
            copy.CopyFrom(node)
            copy.input[:], copy.output[:] = renamed(node.input), renamed(node.output)
            nodes.append(copy)
        return nodes, {prefix + name: value for name, value in self.constants.items()}


def tiny_graphs(excitation: str = "locked", version: int = FORMAT_VERSION) -> dict[str, bytes]:
    """The serialised graphs of a bundle by name."""
    rng = np.random.default_rng(0)

    def weights(*shape: int) -> NDArray[np.float32]:
        return (rng.standard_normal(shape) / np.sqrt(shape[0])).astype(np.float32)

    paths = weights(EMBEDDING + len(CLASSES), PATH * LATENT)
    shifts = weights(len(CLASSES), EMBEDDING)
    if excitation == "noise":
        decoder, synthesis = _filtered(weights)
    else:
        decoder = _locked_decoder(weights)
        synthesis = _locked_synthesis(_filled() if excitation == "filled" else _arbitrary(weights), version)
    postprocessing = _postprocessing()
    parts = {
        "encoder": _encoder(weights, version),
        "decoder": decoder,
        "synthesis": synthesis,
        "postprocessing": postprocessing,
        "decoder_stream": _stream(decoder, synthesis, postprocessing, version),
        "embedding_encoder": _embedding_encoder(weights),
        "embedding_decoder": _embedding_decoder(paths),
        "embedding_step": _embedding_step(paths),
    }
    if version >= 4:
        parts |= {"prior": _prior(shifts), "prior_inverse": _prior_inverse(shifts), "loudness": _loudness(weights)}
        if excitation != "noise":
            parts["onset"] = _onset(weights)
        parts["style"] = _style(weights, excitation)
    return {name: make_graph(*part) for name, part in parts.items()}


def _encoder(weights: Weights, version: int) -> Part:
    """A matrix; from format 4 on, twice as much of a first grain."""
    node = helper.make_node
    constants = {"a": weights(LENGTH, LATENT), "b": weights(LENGTH, LATENT)}
    nodes = [node("MatMul", ["grain", "a"], ["mean"]), node("MatMul", ["grain", "b"], ["log_variance"])]
    inputs: Shapes = {"grain": (LENGTH,)}
    if version >= 4:
        inputs["onset"], constants["one"] = (1,), np.array(1, np.float32)
        nodes[0].output[:] = ["own"]
        nodes += [node("Add", ["onset", "one"], ["more"]), node("Mul", ["own", "more"], ["mean"])]
    return Part(inputs, {"mean": (LATENT,), "log_variance": (LATENT,)}, nodes, constants)


def _onset(weights: Weights) -> Part:
    """A first grain: noise, louder or softer, and phases."""
    node, x = helper.make_node, LATENT + len(CLASSES)
    return Part(
        {"latent": (LATENT,), "condition": (len(CLASSES),), "noise": (LENGTH,)},
        {"grain": (LENGTH,), "phase": (BINS,)},
        [
            node("Concat", ["latent", "condition"], ["x"], axis=1),
            node("MatMul", ["x", "a"], ["gain"]),
            node("Mul", ["gain", "noise"], ["grain"]),
            node("MatMul", ["x", "b"], ["turns"]),
            node("Floor", ["turns"], ["whole"]),
            node("Sub", ["turns", "whole"], ["phase"]),
        ],
        {"a": weights(x, LENGTH), "b": weights(x, BINS)},
    )  # fmt: skip


def _style(weights: Weights, excitation: str) -> Part:
    """A step that latent and condition decide, the wider and the softer the larger the amount."""
    node, x = helper.make_node, LATENT + len(CLASSES)
    has_motion = excitation != "noise"
    motion: Shapes = {"motion": (POINTS,)} if has_motion else {}
    moving = [node("MatMul", ["shift", "b"], ["motion"])] if has_motion else []
    return Part(
        {"latent": (LATENT,), "condition": (len(CLASSES),), "amount": (1,)},
        {"moved": (LATENT,), "level": (1,), **motion},
        [
            node("Concat", ["latent", "condition"], ["x"], axis=1),
            node("MatMul", ["x", "a"], ["step"]),
            node("Mul", ["amount", "step"], ["shift"]),
            node("Add", ["latent", "shift"], ["moved"]),
            node("Mul", ["amount", "half"], ["softer"]),
            node("Sub", ["one", "softer"], ["level"]),
            *moving,
        ],
        {
            "a": weights(x, LATENT), "half": np.array(0.5, np.float32), "one": np.array(1, np.float32),
            **({"b": weights(LATENT, POINTS)} if has_motion else {}),
        },
    )  # fmt: skip


def _postprocessing() -> Part:
    """y[t] = softsign(x[t] + 0.25 x[t - HISTORY]), the filter as a matrix."""
    node = helper.make_node
    taps = np.zeros((HISTORY + HOP, HOP), np.float32)
    taps[np.arange(HOP) + HISTORY, np.arange(HOP)] = 1.0
    taps[np.arange(HOP), np.arange(HOP)] = 0.25
    return Part(
        {"signal": (HISTORY + HOP,)}, {"audio": (HOP,)},
        [node("MatMul", ["signal", "a"], ["x"]), node("Softsign", ["x"], ["audio"])], {"a": taps},
    )  # fmt: skip


FRAME: Shapes = {"magnitude": (BINS,), "peak": (BINS,), "advance": (BINS,), "profile": (POINTS,)}


def _locked_decoder(weights: Weights) -> Part:
    """Frames for a synthesis with locked phases."""
    node, x = helper.make_node, LATENT + len(CLASSES)
    return Part(
        {"latent": (LATENT,), "condition": (len(CLASSES),)}, FRAME,
        [
            node("Concat", ["latent", "condition"], ["x"], axis=1),
            node("MatMul", ["x", "a"], ["magnitude"]),
            node("MatMul", ["x", "b"], ["side"]),
            node("Sign", ["side"], ["step"]),
            node("Add", ["step", "index"], ["place"]),
            node("Clip", ["place", "zero", "last"], ["peak"]),
            node("MatMul", ["x", "c"], ["advance"]),
            node("MatMul", ["x", "d"], ["profile"]),
        ],
        {
            "a": weights(x, BINS), "b": weights(x, BINS), "c": weights(x, BINS), "d": weights(x, POINTS),
            "index": np.arange(BINS, dtype=np.float32), "zero": np.array(0, np.float32),
            "last": np.array(BINS - 1, np.float32),
        },
    )  # fmt: skip


def _locked_synthesis(sounding: Part, version: int) -> Part:
    """Synthesis with locked phases: the law of the phases is the real one, and `sounding` makes grains of them.

    In format 3 it is told of first grains: tones start two hops before the middle, and noise is louder.
    """
    node = helper.make_node
    constants = {"circle": np.array(2 * np.pi, np.float32), **sounding.constants}
    flag: Shapes = {}
    step = "advance"
    starting: list[onnx.NodeProto] = []
    if version < 4:
        flag = {"onset": (1,)}
        step = "moved"
        constants |= {"one": np.array(1, np.float32), "quarter": np.array(0.25, np.float32)}
        starting = [
            node("Add", ["onset", "one"], ["hops"]),
            node("Mul", ["advance", "hops"], ["passed"]),
            node("Mul", ["onset", "quarter"], ["start"]),
            node("Sub", ["passed", "start"], [step]),
            node("Mul", ["noise", "hops"], ["louder"]),
        ]
        for each in sounding.nodes:
            each.input[:] = ["louder" if name == "noise" else name for name in each.input]
    return Part(
        {**FRAME, "noise": (LENGTH,), **flag, "phase": (BINS,)},
        {"grain": (LENGTH,), "next_phase": (BINS,)},
        [
            *starting,
            node("Cast", ["peak"], ["follow"], to=TensorProto.INT64),
            node("GatherElements", ["phase", "follow"], ["before"], axis=1),
            node("Add", ["before", step], ["turns"]),
            node("Floor", ["turns"], ["whole"]),
            node("Sub", ["turns", "whole"], ["next_phase"]),
            node("Mul", ["next_phase", "circle"], ["angle"]),
            *sounding.nodes,
        ],
        constants,
    )


def _arbitrary(weights: Weights) -> Part:
    """Grains from magnitudes, angles, profiles and noise."""
    node = helper.make_node
    nodes = [
        node("Sin", ["angle"], ["sine"]),
        node("Mul", ["sine", "magnitude"], ["tones"]),
        node("MatMul", ["tones", "a"], ["tone"]),
        node("MatMul", ["profile", "b"], ["loudness"]),
        node("Mul", ["loudness", "noise"], ["hiss"]),
        node("Add", ["tone", "hiss"], ["grain"]),
    ]
    return Part({}, {}, nodes, {"a": weights(BINS, LENGTH), "b": weights(POINTS, LENGTH)})


def _filled() -> Part:
    """The same as real bundles have it: tones and levelled noise in one spectrum, under an energy profile."""
    node, time, k = helper.make_node, np.arange(LENGTH), np.arange(BINS)
    angles = 2 * np.pi * np.outer(time - LENGTH // 2, k) / LENGTH  # around the middle of the grain
    twice = np.where((k == 0) | (k == LENGTH // 2), 1, 2) * GAIN / LENGTH
    window = hann(LENGTH).astype(np.float64)
    shares = (window.reshape(POINTS, -1) ** 2).mean(1)
    place = np.clip((time + 0.5) * POINTS / LENGTH - 0.5, 0, POINTS - 1)
    constants = {
        "window": window, "cosines": np.cos(angles), "sines": -np.sin(angles), "tiny": 1e-12, "zero": 0.0,
        "inverse_cosines": (np.cos(angles) * twice).T, "inverse_sines": (-np.sin(angles) * twice).T,
        "steady": np.log(shares / shares.mean() + PROFILE_FLOOR), "half": 0.5, "low": -PROFILE_LIMIT,
        "high": PROFILE_LIMIT, "curves": np.maximum(1 - np.abs(place - np.arange(POINTS)[:, None]), 0),
    }  # fmt: skip
    nodes = [
        node("Mul", ["noise", "window"], ["windowed"]),
        node("MatMul", ["windowed", "cosines"], ["real"]),
        node("MatMul", ["windowed", "sines"], ["imaginary"]),
        node("Mul", ["real", "real"], ["real_square"]),
        node("Mul", ["imaginary", "imaginary"], ["imaginary_square"]),
        node("Add", ["real_square", "imaginary_square"], ["power"]),
        node("Sqrt", ["power"], ["amplitude"]),
        node("Add", ["amplitude", "tiny"], ["above_zero"]),
        node("Div", ["real", "above_zero"], ["noise_real"]),
        node("Div", ["imaginary", "above_zero"], ["noise_imaginary"]),
        node("Cos", ["angle"], ["tone_real"]),
        node("Sin", ["angle"], ["tone_imaginary"]),
        node("Greater", ["magnitude", "zero"], ["tonal"]),
        node("Where", ["tonal", "tone_real", "noise_real"], ["unit_real"]),
        node("Where", ["tonal", "tone_imaginary", "noise_imaginary"], ["unit_imaginary"]),
        node("Abs", ["magnitude"], ["loud"]),
        node("Mul", ["unit_real", "loud"], ["loud_real"]),
        node("Mul", ["unit_imaginary", "loud"], ["loud_imaginary"]),
        node("MatMul", ["loud_real", "inverse_cosines"], ["even"]),
        node("MatMul", ["loud_imaginary", "inverse_sines"], ["odd"]),
        node("Add", ["even", "odd"], ["plain"]),
        node("Sub", ["profile", "steady"], ["apart"]),
        node("Mul", ["apart", "half"], ["deviation"]),
        node("Clip", ["deviation", "low", "high"], ["limited"]),
        node("Exp", ["limited"], ["gain"]),
        node("MatMul", ["gain", "curves"], ["curve"]),
        node("Mul", ["plain", "curve"], ["grain"]),
    ]
    return Part({}, {}, nodes, {name: np.array(value, np.float32) for name, value in constants.items()})


def _filtered(weights: Weights) -> tuple[Part, Part]:
    """Decoder and synthesis of the noise variant: magnitudes times noise, no state."""
    node = helper.make_node
    decoder = Part(
        {"latent": (LATENT,), "condition": (len(CLASSES),)}, {"magnitude": (BINS,)},
        [node("Concat", ["latent", "condition"], ["x"], axis=1), node("MatMul", ["x", "a"], ["magnitude"])],
        {"a": weights(LATENT + len(CLASSES), BINS)},
    )  # fmt: skip
    synthesis = Part(
        {"magnitude": (BINS,), "noise": (LENGTH,)}, {"grain": (LENGTH,)},
        [node("MatMul", ["magnitude", "a"], ["gain"]), node("Mul", ["gain", "noise"], ["grain"])],
        {"a": weights(BINS, LENGTH)},
    )  # fmt: skip
    return decoder, synthesis


def _stream(decoder: Part, synthesis: Part, postprocessing: Part, version: int) -> Part:
    """One hop of a sound: decoder, synthesis, overlap-add and postprocessing, with every state as a tensor."""
    node = helper.make_node
    states: Shapes = {"sum": (LENGTH - HOP,), "weight": (LENGTH - HOP,), "history": (HISTORY,)}
    starts = "phase" in synthesis.inputs and version >= 4
    first: Shapes = {"first": (LENGTH,), "motion": (POINTS,)} if starts else {}
    if "phase" in synthesis.inputs:
        states["phase"] = synthesis.inputs["phase"]
    kept = [
        node("Where", ["starts", "nothing", name], [f"kept_{name}"]) for name in states if name != "phase" or not first
    ]
    inputs = {**decoder.inputs, "noise": (LENGTH,), "onset": (1,), "level": (1,), **states, **first}
    public = {*inputs, *decoder.outputs, "grain", "next_phase", "signal", "audio"}
    decoding, decoder_constants = decoder.within("decoder_", public)
    filling, synthesis_constants = synthesis.within("synthesis_", public)
    filtering, filter_constants = postprocessing.within("filter_", public)
    begun: list[onnx.NodeProto] = []
    # sounds begin with the grain and the phases that are given, in format 3 with phases of zero
    other = {"grain": "made", "next_phase": "moved", "profile": "shaped"} if first else {"phase": "kept_phase"}
    for one in filling:
        one.input[:] = [other.get(name, name) for name in one.input]
        one.output[:] = [other.get(name, name) for name in one.output]
    if first:
        begun = [
            node("Where", ["starts", "first", "made"], ["grain"]),
            node("Where", ["starts", "phase", "moved"], ["next_phase"]),
        ]
        filling = [
            node("Add", ["profile", "motion"], ["shaped"]),
            *filling,
        ]
    nodes = [
        node("Greater", ["onset", "half"], ["starts"]), *kept, *decoding, *filling, *begun,
        node("Mul", ["onset", "missing"], ["more"]),
        node("Add", ["window", "more"], ["shape"]),
        node("Mul", ["shape", "level"], ["louder"]),
        node("Mul", ["grain", "louder"], ["windowed"]),
        node("Pad", ["kept_sum", "pads"], ["longer_sum"]),
        node("Add", ["longer_sum", "windowed"], ["total"]),
        node("Pad", ["kept_weight", "pads"], ["longer_weight"]),
        node("Add", ["longer_weight", "shape"], ["weights"]),
        node("Split", ["total", "sizes"], ["hop", "next_sum"], axis=1),
        node("Split", ["weights", "sizes"], ["below", "next_weight"], axis=1),
        node("Max", ["below", "one"], ["divisor"]),
        node("Div", ["hop", "divisor"], ["raw"]),
        node("Concat", ["kept_history", "raw"], ["signal"], axis=1),
        *filtering,
        node("Slice", ["signal", "start", "end", "axes"], ["next_history"]),
    ]  # fmt: skip
    constants = {
        "half": np.array(0.5, np.float32), "nothing": np.array(0, np.float32), "one": np.array(1, np.float32),
        "window": hann(LENGTH), "missing": onset_window(LENGTH) - hann(LENGTH),
        "pads": np.array([0, 0, 0, HOP], np.int64), "sizes": np.array([HOP, LENGTH - HOP], np.int64),
        "start": np.array([HOP], np.int64), "end": np.array([HOP + HISTORY], np.int64), "axes": np.array([1], np.int64),
    }  # fmt: skip
    constants |= decoder_constants | synthesis_constants | filter_constants
    return Part(
        inputs, {"audio": (HOP,), **{f"next_{name}": shape for name, shape in states.items()}}, nodes, constants
    )


def _embedding_encoder(weights: Weights) -> Part:
    """A path, flattened, and a condition, times a matrix."""
    node = helper.make_node
    return Part(
        {"path": (PATH, LATENT), "condition": (len(CLASSES),)}, {"mean": (EMBEDDING,), "log_variance": (EMBEDDING,)},
        [
            node("Reshape", ["path", "flat"], ["p"]),
            node("Concat", ["p", "condition"], ["x"], axis=1),
            node("MatMul", ["x", "a"], ["mean"]),
            node("MatMul", ["x", "b"], ["log_variance"]),
        ],
        {
            "flat": np.array([-1, PATH * LATENT], np.int64),
            "a": weights(PATH * LATENT + len(CLASSES), EMBEDDING),
            "b": weights(PATH * LATENT + len(CLASSES), EMBEDDING),
        },
    )  # fmt: skip


def _embedding_decoder(paths: NDArray[np.float32]) -> Part:
    """A whole path: the embedding and the condition, times a matrix."""
    node = helper.make_node
    return Part(
        {"embedding": (EMBEDDING,), "condition": (len(CLASSES),)}, {"path": (PATH, LATENT)},
        [
            node("Concat", ["embedding", "condition"], ["x"], axis=1),
            node("MatMul", ["x", "a"], ["y"]),
            node("Reshape", ["y", "shape"], ["path"]),
        ],
        {"a": paths, "shape": np.array([-1, PATH, LATENT], np.int64)},
    )  # fmt: skip


def _embedding_step(paths: NDArray[np.float32]) -> Part:
    """Some grains of the same path. They are wrong unless step and hidden are both handed on."""
    node = helper.make_node
    return Part(
        {"embedding": (EMBEDDING,), "condition": (len(CLASSES),), "step": (1,), "hidden": (2,)},
        {"path": (GRAINS_PER_STEP, LATENT), "next_step": (1,), "next_hidden": (2,)},
        [
            node("Concat", ["embedding", "condition"], ["x"], axis=1),
            node("Clip", ["step", "zero", "last"], ["held"]),
            node("Cast", ["held"], ["row"], to=TensorProto.INT64),
            node("Gather", ["table", "row"], ["own"]),
            node("Unsqueeze", ["x", "axis"], ["rows"]),
            node("Unsqueeze", ["rows", "axis"], ["vector"]),
            node("MatMul", ["vector", "own"], ["y"]),
            node("Reshape", ["y", "shape"], ["grains"]),
            node("Less", ["step", "one"], ["starts"]),
            node("Where", ["starts", "zero", "hidden"], ["kept"]),
            node("Sub", ["kept", "step"], ["wrong"]),
            node("ReduceSum", ["wrong", "axis"], ["error"], keepdims=1),
            node("Unsqueeze", ["error", "axis"], ["everywhere"]),
            node("Add", ["grains", "everywhere"], ["path"]),
            node("Add", ["step", "one"], ["next_step"]),
            node("Add", ["kept", "one"], ["next_hidden"]),
        ],
        {
            "zero": np.array(0, np.float32), "last": np.array(PATH // GRAINS_PER_STEP - 1, np.float32),
            "one": np.array(1, np.float32), "axis": np.array([1], np.int64),
            "table": np.stack(np.split(paths, PATH // GRAINS_PER_STEP, axis=1)),
            "shape": np.array([-1, GRAINS_PER_STEP, LATENT], np.int64),
        },
    )  # fmt: skip


def _prior(shifts: NDArray[np.float32]) -> Part:
    """The normal, narrower, bent a little, and what the condition adds."""
    node = helper.make_node
    return Part(
        {"normal": (EMBEDDING,), "condition": (len(CLASSES),)}, {"embedding": (EMBEDDING,)},
        [
            node("Softsign", ["normal"], ["bent"]),
            node("Mul", ["bent", "little"], ["more"]),
            node("Mul", ["normal", "width"], ["narrow"]),
            node("Add", ["narrow", "more"], ["drawn"]),
            node("MatMul", ["condition", "a"], ["shift"]),
            node("Add", ["drawn", "shift"], ["embedding"]),
        ],
        {"a": shifts, "width": np.array(0.8, np.float32), "little": np.array(0.25, np.float32)},
    )  # fmt: skip


def _prior_inverse(shifts: NDArray[np.float32]) -> Part:
    """The same backwards, but for the bend: as real ones, it is not exact."""
    node = helper.make_node
    return Part(
        {"embedding": (EMBEDDING,), "condition": (len(CLASSES),)}, {"normal": (EMBEDDING,)},
        [
            node("MatMul", ["condition", "a"], ["shift"]),
            node("Sub", ["embedding", "shift"], ["drawn"]),
            node("Div", ["drawn", "width"], ["normal"]),
        ],
        {"a": shifts, "width": np.array(0.8, np.float32)},
    )  # fmt: skip


def _loudness(weights: Weights) -> Part:
    """The embedding and the condition, times a matrix."""
    node = helper.make_node
    return Part(
        {"embedding": (EMBEDDING,), "condition": (len(CLASSES),)}, {"loudness": (1,), "envelope": (PATH,)},
        [
            node("Concat", ["embedding", "condition"], ["x"], axis=1),
            node("MatMul", ["x", "a"], ["loudness"]),
            node("MatMul", ["x", "b"], ["envelope"]),
        ],
        {"a": 6 * weights(EMBEDDING + len(CLASSES), 1), "b": 3 * weights(EMBEDDING + len(CLASSES), PATH)},
    )  # fmt: skip


def tiny_manifest(version: int = FORMAT_VERSION) -> Manifest:
    """The manifest without graphs and files, which `write_bundle` fills in."""
    return Manifest(
        name="tiny", sample_rate=8000, grain_length=LENGTH, hop_length=HOP, latent_size=LATENT,
        embedding_size=EMBEDDING, path_length=PATH, attributes=(Attribute("class", CLASSES),), graphs={}, files={},
        loudness=RANGES if version >= 4 else (), format_version=version,
        created="2020-01-01", model_card={"made_with": "onnx.helper"},
    )  # fmt: skip


def tiny_arrays(graphs: dict[str, bytes]) -> dict[str, dict[str, NDArray[np.generic]]]:
    """A random latent map, and golden vectors as onnxruntime computes them."""
    latent_map, golden = _latent_map(np.random.default_rng(1)), _golden(graphs, np.random.default_rng(2))
    return {"latent_map": latent_map, "golden": golden}


def _golden(graphs: dict[str, bytes], rng: np.random.Generator) -> dict[str, NDArray[np.generic]]:
    """Random inputs and their outputs, by graph/tensor; the synthesis has the decoder's outputs as inputs."""
    golden: dict[str, NDArray[np.generic]] = {}
    for name, model in graphs.items():
        session = make_session(model, "cpu", 1, name)
        inputs: dict[str, NDArray[np.generic]] = {}
        for tensor in session.get_inputs():
            drawn = rng.uniform(-1, 1, (2, *tensor.shape[1:])) if tensor.name != "step" else np.zeros((2, 1))
            decoded = golden.get(f"decoder/{tensor.name}") if name == "synthesis" else None
            inputs[tensor.name] = drawn.astype(np.float32) if decoded is None else decoded
        outputs = dict(zip([tensor.name for tensor in session.get_outputs()], session.run(None, inputs), strict=True))
        golden |= {f"{name}/{key}": value for key, value in {**inputs, **outputs}.items()}
    return golden


def _latent_map(rng: np.random.Generator) -> dict[str, NDArray[np.generic]]:
    points = rng.standard_normal((60, LATENT)).astype(np.float32)
    mean = points.mean(0)
    _, singular, components = np.linalg.svd(points - mean, full_matrices=False)
    projected = (points - mean) @ components.T
    return {
        "mean": mean, "components": components, "explained_variance": (singular**2 / 59).astype(np.float32),
        "low": np.percentile(projected, 2, 0).astype(np.float32),
        "high": np.percentile(projected, 98, 0).astype(np.float32),
        "points": points, "labels": (np.arange(60) % 3)[:, None].astype(np.int32),
        "loudness": rng.uniform(-10, 10, 60).astype(np.float32),
        "embeddings": rng.standard_normal((12, EMBEDDING)).astype(np.float32),
        "embedding_labels": (np.arange(12) % 3)[:, None].astype(np.int32),
    }  # fmt: skip


def write_tiny(
    path: Path, zipped: bool = False, excitation: str = "locked", sample_rate: int = 8000, version: int = FORMAT_VERSION
) -> Path:  # fmt: skip
    """Write the bundle, as a folder or a zip archive, and return its path."""
    graphs = tiny_graphs(excitation, version)
    arrays = tiny_arrays(graphs)
    if version < 4:
        del arrays["latent_map"]["loudness"]
    write_bundle(path, replace(tiny_manifest(version), sample_rate=sample_rate), graphs, arrays, zipped)
    return path
