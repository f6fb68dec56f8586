"""Plays bundles with numpy and onnxruntime, without torch.

Offline: open a `Bundle`, then call `sample`, `reconstruct` and the other functions of `ngs.runtime.offline.render`.
In blocks: a `Synth` plays `Note`s, and a `Resynthesiser` plays a signal with the bundle's grains. Live, an
audio host's callback calls `process` of an `Engine` (a synth on a thread of its own), of a `ResynthesisEngine` or of
`Pads` (a sampler that renders a fresh one-shot for every hit). Names are imported when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ngs.runtime.lazy import lazy_face

if TYPE_CHECKING:
    from ngs.runtime.bundle.bundle import Bundle as Bundle
    from ngs.runtime.bundle.fields import BundleError as BundleError
    from ngs.runtime.bundle.manifest import Manifest as Manifest
    from ngs.runtime.bundle.prior import embeddings_between as embeddings_between
    from ngs.runtime.bundle.seeds import sample_embeddings as sample_embeddings
    from ngs.runtime.dsp.paths import free_path as free_path
    from ngs.runtime.live.schedule import EngineBusy as EngineBusy
    from ngs.runtime.offline.loop import render_loop as render_loop
    from ngs.runtime.offline.render import (
        decode as decode,
        decode_embeddings as decode_embeddings,
        embed as embed,
        encode as encode,
        play_path as play_path,
        reconstruct as reconstruct,
        resynthesise as resynthesise,
        sample as sample,
        vary as vary,
    )
    from ngs.runtime.pads.pads import Pads as Pads, PadStatistics as PadStatistics
    from ngs.runtime.resynthesis.resynthesis_engine import (
        ResynthesisEngine as ResynthesisEngine,
        ResynthesisStatistics as ResynthesisStatistics,
    )
    from ngs.runtime.resynthesis.resynthesiser import Resynthesiser as Resynthesiser
    from ngs.runtime.synth.controls import (
        CONTROLS as CONTROLS,
        RESYNTHESIS_CONTROLS as RESYNTHESIS_CONTROLS,
        Control as Control,
    )
    from ngs.runtime.synth.engine import Engine as Engine, Statistics as Statistics
    from ngs.runtime.synth.notes import Note as Note
    from ngs.runtime.synth.synth import Synth as Synth

_HOMES = {
    "ngs.runtime.bundle.bundle": "Bundle",
    "ngs.runtime.bundle.fields": "BundleError",
    "ngs.runtime.bundle.manifest": "Manifest",
    "ngs.runtime.bundle.prior": "embeddings_between",
    "ngs.runtime.bundle.seeds": "sample_embeddings",
    "ngs.runtime.dsp.paths": "free_path",
    "ngs.runtime.live.schedule": "EngineBusy",
    "ngs.runtime.offline.loop": "render_loop",
    "ngs.runtime.offline.render": (
        "decode decode_embeddings embed encode play_path reconstruct resynthesise sample vary"
    ),
    "ngs.runtime.pads.pads": "Pads PadStatistics",
    "ngs.runtime.resynthesis.resynthesis_engine": "ResynthesisEngine ResynthesisStatistics",
    "ngs.runtime.resynthesis.resynthesiser": "Resynthesiser",
    "ngs.runtime.synth.controls": "CONTROLS RESYNTHESIS_CONTROLS Control",
    "ngs.runtime.synth.engine": "Engine Statistics",
    "ngs.runtime.synth.notes": "Note",
    "ngs.runtime.synth.synth": "Synth",
}
__all__ = [name for names in _HOMES.values() for name in names.split()]

if not TYPE_CHECKING:  # so that type checkers still report unknown names
    __getattr__, __dir__ = lazy_face(__name__, _HOMES)
