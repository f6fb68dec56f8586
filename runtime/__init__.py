"""Play bundles: numpy and onnxruntime, no torch.

Offline: `Bundle.open`, then the functions of `ngs.runtime.render`. In blocks: a `Synth` of `Note`s, a `GrainStream` of
one, a `Resynthesiser` of a signal. Live: an `Engine`, whose `read` a host's callback calls, or a
`ResynthesisEngine`, whose `process` it calls; `Pads`, a sampler of one-shots that are made anew.
"""

from ngs.runtime.bundle import Bundle
from ngs.runtime.engine import Engine, EngineBusy, Statistics
from ngs.runtime.manifest import BundleError, Manifest
from ngs.runtime.notes import CONTROLS, Note
from ngs.runtime.pads import Pads, PadStatistics
from ngs.runtime.resynthesis_engine import ResynthesisEngine, ResynthesisStatistics
from ngs.runtime.resynthesiser import Resynthesiser
from ngs.runtime.synth import GrainStream, Synth

__all__ = [
    "CONTROLS", "Bundle", "BundleError", "Engine", "EngineBusy", "GrainStream", "Manifest", "Note", "PadStatistics",
    "Pads", "ResynthesisEngine", "ResynthesisStatistics", "Resynthesiser", "Statistics", "Synth",
]  # fmt: skip
