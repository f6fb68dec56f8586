"""A graph with state, run again and again for the first rows of a batch, or for any rows beside each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.bundle.files import reason
from ngs.runtime.bundle.manifest import BundleError


class GraphStream:
    """One of a bundle's graphs with its state: what goes in and comes out stays where it is, nothing is allocated.

    `inputs` and `outputs` are float32 [rows, ...] by name; states are among the inputs and are handed on by `step`.
    On the CPU the graph reads and writes these arrays themselves. On CUDA all rows go to buffers of the device, whose
    addresses and shapes never change, so that the calls are replayed as a CUDA graph where onnxruntime can.
    """

    def __init__(self, bundle: Bundle, graph: str, rows: int, device: str | None = None) -> None:
        self._where, self._graph, self.rows = f"{bundle.path}: {graph}", graph, rows
        spec = bundle.manifest.graphs[graph]
        self.states = tuple(state.name for state in spec.states)

        def arrays(tensors: Any) -> dict[str, Array]:
            return {tensor.name: np.zeros((rows, *tensor.shape[1:]), dtype=np.float32) for tensor in tensors}

        self.inputs, everything = arrays(spec.inputs), arrays(spec.outputs)
        self._next = [(self.inputs[name], everything[f"next_{name}"]) for name in self.states]
        self.outputs = {
            name: array for name, array in everything.items() if name.removeprefix("next_") not in self.states
        }
        self._run: Callable[[int, int], None]
        if device or bundle.provider == "cuda":
            self._run = _OnDevice(bundle, graph, self.inputs, everything, device or "cuda")
        else:
            self._run = _InPlace(bundle.session(graph), self.inputs, everything)

    def step(self, start: int, stop: int) -> None:
        """Run rows start .. stop - 1: outputs stay until the next call, states are moved on. Raises BundleError."""
        self._try(start, stop)
        for state, following in self._next:
            state[start:stop] = following[start:stop]

    def move(self, source: int, target: int) -> None:
        """Put a row in another's place, its state and all."""
        for array in self.inputs.values():
            array[target] = array[source]

    def clear(self, row: int) -> None:
        """Zero the state of a row."""
        for name in self.states:
            self.inputs[name][row] = 0.0

    def warm_up(self) -> None:
        """Run every number of rows once: what onnxruntime allocates, it allocates now. Raises BundleError."""
        kept = {name: array.copy() for name, array in self.inputs.items()}
        for row in range(self.rows):
            self._try(0, row + 1)
            self._try(row, row + 1)
        for name, array in kept.items():
            self.inputs[name][:] = array

    def _try(self, start: int, stop: int) -> None:
        try:
            self._run(start, stop)
        except Exception as error:  # onnxruntime's own exceptions share no base class
            raise BundleError(f"{self._where} cannot be run ({reason(error)})") from error


class _InPlace:
    """Bindings of rows of numpy arrays, made when these rows are first run."""

    def __init__(self, session: Any, inputs: dict[str, Array], outputs: dict[str, Array]) -> None:
        self._session, self._inputs, self._outputs = session, inputs, outputs
        self._bindings: dict[tuple[int, int], Any] = {}

    def __call__(self, start: int, stop: int) -> None:
        binding = self._bindings.get((start, stop))
        if binding is None:
            binding = self._session.io_binding()
            for name, array in self._inputs.items():
                binding.bind_cpu_input(name, array[start:stop])
            for name, array in self._outputs.items():
                rows = array[start:stop]
                binding.bind_output(name, "cpu", 0, np.float32, rows.shape, rows.ctypes.data)
            self._bindings[start, stop] = binding
        self._session.run_with_iobinding(binding)


class _OnDevice:
    """All rows through buffers of a device; those that were not asked for are computed and left where they are."""

    def __init__(
        self, bundle: Bundle, graph: str, inputs: dict[str, Array], outputs: dict[str, Array], device: str
    ) -> None:
        import onnxruntime

        self._session = bundle.captured_session(graph) if device == "cuda" else bundle.session(graph)
        self._inputs, self._outputs = inputs, outputs
        self._given = {
            name: onnxruntime.OrtValue.ortvalue_from_numpy(array.copy(), device, 0) for name, array in inputs.items()
        }
        self._made = {
            name: onnxruntime.OrtValue.ortvalue_from_shape_and_type(array.shape, np.float32, device, 0)
            for name, array in outputs.items()
        }
        self._binding = self._session.io_binding()
        for name, value in self._given.items():
            self._binding.bind_ortvalue_input(name, value)
        for name, value in self._made.items():
            self._binding.bind_ortvalue_output(name, value)

    def __call__(self, start: int, stop: int) -> None:
        for name, value in self._given.items():
            value.update_inplace(self._inputs[name])
        self._session.run_with_iobinding(self._binding)
        for name, value in self._made.items():
            self._outputs[name][start:stop] = value.numpy()[start:stop]
