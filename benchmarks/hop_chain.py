"""A hop of many voices through a chain of graphs, in each of the ways in which onnxruntime can be called.

Graphs hand tensors on to one another, and their states to their own next call. A way is a function that plays the next
hop and returns its audio, float32 [rows, hop]; all ways begin with the same inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime

from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.bundle.graph_stream import InPlace, OnDevice

LAST = "decoder_stream"
LINKS = {  # input of a graph: the output that it gets, if that graph is in the chain too
    ("style", "latent"): ("encoder", "mean"),
    (LAST, "latent"): ("style", "moved"),
    (LAST, "level"): ("style", "level"),
    (LAST, "motion"): ("style", "motion"),
}
SELDOM = ("first", "motion")  # inputs that only few hops change
Way = Callable[[], Array]
Sessions = Mapping[str, Any]


class Chain:
    """Graphs in order, and what they are given: golden inputs, repeated for each of `rows` voices, in mid-sound."""

    def __init__(self, bundle: Bundle, graphs: Sequence[str], rows: int) -> None:
        self.graphs, self.rows, self._golden = tuple(graphs), rows, bundle.golden()
        self.specs = {graph: bundle.manifest.graphs[graph] for graph in graphs}
        self.states = {graph: [state.name for state in spec.states] for graph, spec in self.specs.items()}
        self.outputs = {graph: [tensor.name for tensor in spec.outputs] for graph, spec in self.specs.items()}

    def links(self, graph: str) -> dict[str, tuple[str, str]]:
        """The inputs of a graph that others in the chain give: graph and output by input."""
        names = [tensor.name for tensor in self.specs[graph].inputs]
        return {
            name: (source, output)
            for (user, name), (source, output) in LINKS.items()
            if user == graph and name in names and output in self.outputs.get(source, ())
        }

    def inputs(self, graph: str) -> dict[str, Array]:
        """New arrays [rows, ...] by name."""
        arrays = {}
        for tensor in self.specs[graph].inputs:
            shape = (self.rows, *map(int, tensor.shape[1:]))
            silent = tensor.name == "onset" or tensor.name in self.states[graph]
            drawn = np.resize(self._golden[f"{graph}/{tensor.name}"], shape)
            arrays[tensor.name] = np.zeros(shape, np.float32) if silent else drawn
        return arrays

    def empty_outputs(self, graph: str) -> dict[str, Array]:
        """New arrays [rows, ...] by name."""
        return {
            tensor.name: np.zeros((self.rows, *map(int, tensor.shape[1:])), np.float32)
            for tensor in self.specs[graph].outputs
        }


def plain(chain: Chain, sessions: Sessions) -> Way:
    """`session.run` with numpy arrays, which allocates its outputs."""

    def runner(graph: str, given: dict[str, Array]) -> Callable[[], Mapping[str, Array]]:
        return lambda: dict(zip(chain.outputs[graph], sessions[graph].run(None, given), strict=True))

    return _through_arrays(chain, runner, dict.__setitem__)


def bound(chain: Chain, sessions: Sessions, device: str) -> Way:
    """I/O binding as in `GraphStream`: in place on the CPU, else all tensors to the device and back."""

    def runner(graph: str, given: dict[str, Array]) -> Callable[[], Mapping[str, Array]]:
        made = chain.empty_outputs(graph)
        if device == "cpu":
            run: InPlace | OnDevice = InPlace(sessions[graph], given, made)
        else:
            run = OnDevice(sessions[graph], given, made, device)

        def call() -> Mapping[str, Array]:
            run(0, chain.rows)
            return made

        return call

    def hand(given: dict[str, Array], name: str, value: Array) -> None:
        given[name][:] = value

    return _through_arrays(chain, runner, hand)


def _through_arrays(
    chain: Chain,
    runner: Callable[[str, dict[str, Array]], Callable[[], Mapping[str, Array]]],
    hand: Callable[[dict[str, Array], str, Array], None],
) -> Way:
    inputs = {graph: chain.inputs(graph) for graph in chain.graphs}
    calls = {graph: runner(graph, given) for graph, given in inputs.items()}

    def play() -> Array:
        made: dict[str, Mapping[str, Array]] = {}
        for graph, given in inputs.items():
            for name, (source, output) in chain.links(graph).items():
                hand(given, name, made[source][output])
            made[graph] = calls[graph]()
            for state in chain.states[graph]:
                hand(given, state, made[graph][f"next_{state}"])
        return made[LAST]["audio"]

    return play


def resident(chain: Chain, sessions: Sessions, device: str) -> Way:
    """I/O binding, with states and what graphs hand on left on the device: new inputs go there, audio comes back.

    Each state has two buffers, which take turns, so a graph has two bindings; captured, two CUDA graphs.
    """
    made: dict[str, list[dict[str, Any]]] = {}
    sent: list[tuple[Any, Array]] = []
    calls: list[list[tuple[Any, Any, Any]]] = [[], []]
    options = []
    for turn in range(2):
        options.append(onnxruntime.RunOptions())
        options[turn].add_run_config_entry("gpu_graph_id", str(turn + 1))
    for graph in chain.graphs:
        arrays, links, states = chain.inputs(graph), chain.links(graph), chain.states[graph]
        given = {name: _on(device, array) for name, array in arrays.items() if name not in links}
        sent += [(given[name], arrays[name]) for name in given if name not in (*states, *SELDOM)]
        left = {name: _on(device, array) for name, array in chain.empty_outputs(graph).items()}
        other = {f"next_{state}": given[state] for state in states}
        made[graph] = [left, {**left, **other}]
        following = {state: left[f"next_{state}"] for state in states}
        for turn in range(2):
            taken = {**given, **(following if turn else {})}
            taken |= {name: made[source][turn][output] for name, (source, output) in links.items()}
            binding = sessions[graph].io_binding()
            for name, value in taken.items():
                binding.bind_ortvalue_input(name, value)
            for name in chain.outputs[graph]:
                binding.bind_ortvalue_output(name, made[graph][turn][name])
            calls[turn].append((sessions[graph], binding, options[turn]))
    turns = 0

    def play() -> Array:
        nonlocal turns
        for value, array in sent:
            value.update_inplace(array)
        for session, binding, option in calls[turns % 2]:
            session.run_with_iobinding(binding, option)
        turns += 1
        audio: Array = made[LAST][0]["audio"].numpy()
        return audio

    return play


def _on(device: str, array: Array) -> Any:
    return onnxruntime.OrtValue.ortvalue_from_numpy(array, device, 0)
