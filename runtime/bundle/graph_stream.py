"""A graph with state, run again and again for any adjacent rows of a batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.bundle.fields import BundleError
from ngs.runtime.errors import reason

EVERY = 16  # numbers of rows, beyond the first 16, that are warmed up


class GraphStream:
    """A graph of a bundle with its state. Its inputs and outputs stay in the same arrays, so nothing is allocated.

    `inputs` and `outputs` are float32 [rows, ...] by name. States are among the inputs; `step` carries them over.
    On the CPU the graph reads and writes these arrays directly. On CUDA all rows go through buffers of the device. They
    never move, so onnxruntime can replay the calls as a CUDA graph.
    """

    def __init__(self, bundle: Bundle, graph: str, rows: int) -> None:
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
        if bundle.provider == "cuda":
            self._run = OnDevice(bundle.captured_session(graph), self.inputs, everything, "cuda")
        else:
            self._run = InPlace(bundle.session(graph), self.inputs, everything)

    def step(self, start: int, stop: int) -> None:
        """Run rows start .. stop - 1 and carry their states over. Raises BundleError.

        The next call overwrites the outputs.
        """
        self._try(start, stop)
        for state, following in self._next:
            state[start:stop] = following[start:stop]

    def move(self, source: int, target: int) -> None:
        """Copy a row to another's place, with its state."""
        for array in self.inputs.values():
            array[target] = array[source]

    def clear(self, row: int) -> None:
        """Zero the state of a row."""
        for name in self.states:
            self.inputs[name][row] = 0.0

    def warm_up(self) -> None:
        """Run numbers of rows once, so that onnxruntime allocates its memory now. Raises BundleError.

        Every number up to 16; beyond, where all of them would take minutes, every sixteenth and the largest.
        """
        kept = {name: array.copy() for name, array in self.inputs.items()}
        for row in range(self.rows):
            if row < EVERY or (row + 1) % EVERY == 0 or row + 1 == self.rows:
                self._try(0, row + 1)
            self._try(row, row + 1)
        for name, array in kept.items():
            self.inputs[name][:] = array

    def _try(self, start: int, stop: int) -> None:
        try:
            self._run(start, stop)
        except Exception as error:  # the exceptions of onnxruntime have no base class in common
            raise BundleError(f"{self._where} cannot be run ({reason(error)})") from error


class SoundStream(GraphStream):
    """The graph `decoder_stream`. If the bundle has a graph `onset`, that makes the first grains of sounds."""

    def __init__(self, bundle: Bundle, rows: int) -> None:
        super().__init__(bundle, "decoder_stream", rows)
        self._onset = GraphStream(bundle, "onset", rows) if bundle.manifest.has_onset else None

    def step(self, start: int, stop: int) -> None:
        if self._onset is not None:
            for row in np.flatnonzero(self.inputs["onset"][start:stop, 0]) + start:
                self._begin(self._onset, int(row))
        super().step(start, stop)

    def warm_up(self) -> None:
        super().warm_up()
        if self._onset is not None:
            self._onset.warm_up()

    def _begin(self, onset: GraphStream, row: int) -> None:
        for name, array in onset.inputs.items():
            array[row] = self.inputs[name][row]
        onset.step(row, row + 1)
        self.inputs["first"][row] = onset.outputs["grain"][row]
        self.inputs["phase"][row] = onset.outputs["phase"][row]


class StyleStream(GraphStream):
    """The graph `style` in front of a `SoundStream` of as many rows, whose next grains it changes."""

    def __init__(self, bundle: Bundle, rows: int) -> None:
        super().__init__(bundle, "style", rows)
        self._moves = "motion" in self.outputs

    def still(self, sound: SoundStream, start: int, stop: int) -> None:
        """Let energy move within the next grains of rows start .. stop - 1 as their latents say."""
        if self._moves:
            sound.inputs["motion"][start:stop] = 0.0

    def take(self, sound: SoundStream, row: int, amount: float) -> None:
        """Take in a row's next grain, to be moved by an amount from 0 to 1."""
        for name in ("latent", "condition"):
            self.inputs[name][row] = sound.inputs[name][row]
        self.inputs["amount"][row] = amount

    def give(self, sound: SoundStream, start: int, stop: int) -> None:
        """Put the grains that `step` has moved in the place of those that were taken."""
        sound.inputs["latent"][start:stop] = self.outputs["moved"][start:stop]
        sound.inputs["level"][start:stop] *= self.outputs["level"][start:stop]
        if self._moves:
            sound.inputs["motion"][start:stop] = self.outputs["motion"][start:stop]


class InPlace:
    """Runs rows of numpy arrays in place. The bindings of rows are made when they first run."""

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


class OnDevice:
    """Runs all rows in buffers of a device, and copies back only the ones asked for."""

    def __init__(self, session: Any, inputs: dict[str, Array], outputs: dict[str, Array], device: str) -> None:
        import onnxruntime

        self._session = session
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
