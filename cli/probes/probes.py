"""Every probe of `ngs doctor`, by name, in the order they are shown."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

from ngs.cli.probes.finding import BROKEN, NOTE, Finding
from ngs.cli.probes.libraries import (
    of_ngs,
    of_numpy,
    of_onnxruntime,
    of_python,
    of_soundfile,
    of_soxr,
    of_system,
    of_training,
)
from ngs.cli.probes.live import of_audio_outputs, of_jack, of_midi_inputs, of_pyo, of_real_time
from ngs.cli.probes.rendering import of_bundle, of_cuda

AGAIN = "Install it again: pip install --force-reinstall "
ONNXRUNTIME = "onnxruntime" if sys.platform == "darwin" else "onnxruntime-gpu"


@dataclass(frozen=True)
class Probe:
    run: Callable[[], Finding]
    repair: str = ""  # what to do when it fails; only if rendering needs it
    limit_seconds: float = 10.0  # it is stopped after


PROBES = {
    "ngs": Probe(of_ngs),
    "Python": Probe(of_python),
    "system": Probe(of_system),
    "numpy": Probe(of_numpy, AGAIN + "numpy"),
    "onnxruntime": Probe(of_onnxruntime, AGAIN + ONNXRUNTIME, 30),
    "soundfile": Probe(of_soundfile, AGAIN + "soundfile"),
    "soxr": Probe(of_soxr, AGAIN + "soxr"),
    "bundle": Probe(of_bundle, "If all above is ok: install ngs again", 30),
    "CUDA": Probe(of_cuda, limit_seconds=30),
    "training": Probe(of_training),
    "pyo": Probe(of_pyo),
    "audio outputs": Probe(of_audio_outputs),
    "MIDI inputs": Probe(of_midi_inputs),
    "JACK": Probe(of_jack),
    "real time": Probe(of_real_time),
}


def failed(name: str, problem: str) -> Finding:
    """The finding of a probe that gave none."""
    return Finding(BROKEN if PROBES[name].repair else NOTE, problem, PROBES[name].repair)
