"""`ngs train`: sounds, run folder and phases put together."""

from __future__ import annotations

import logging
import math
import os
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from ngs.corpus.cache import Corpus, build_cache, split
from ngs.corpus.slices import checked, sliced
from ngs.corpus.sounds import find_sounds
from ngs.corpus.stretches import divided, long_sound
from ngs.training.config import Config
from ngs.training.learning.machine import Machine
from ngs.training.run_folder import DESCRIPTION, RunError, RunInfo, read_history, remove_parts

if TYPE_CHECKING:
    import torch

    from ngs.training.learning.plan import PlannedPhase
    from ngs.training.model.model import NeuralGranularModel

Say = Callable[[str], None]
Progress = Callable[[str, int, int], None]  # what is being done, how much of it is done, out of how much
Check: TypeAlias = "Callable[[NeuralGranularModel, torch.Tensor, torch.Tensor, bool], object]"
VALIDATION_SOUNDS = 32  # measured at each validation
CHECKED_SOUNDS = 32


def train(
    data: Path | None,
    labels: Path | None,
    out: Path,
    config: Config,
    resume: bool,
    machine: Machine,
    cache: Path | None,
    say: Say,
    progress: Progress,
    check: Check = lambda model, audio, labels, embedding: None,
    class_from: str | None = None,
    pitch_from_names: bool = False,
    cut: str | None = None,
) -> bool:
    """Train all stages into the run folder `out`; True if they are finished, False if it was stopped before.

    With `resume`, the run in `out` goes on with its own configuration, and with its own sounds unless `data` is given.
    `say` is called with lines for the user, `progress` while sounds are decoded into the folder `cache`, searched for
    onsets and encoded. `check(model, audio, labels, embedding)` may refuse a model before minutes are spent on it, when
    its linear maps have been computed: those of grains, with `embedding` also those of paths. It gets signals [N, n] of
    training sounds. `class_from` and `pitch_from_names` are those of `find_sounds`; with `cut`, "onsets" or a number of
    seconds, the slices of the sounds are trained on. Raises ValueError or OSError with one line for everything that the
    user can fix, and for a run that ends without having learned anything.
    """
    for needed in ("torch", "lightning", "onnx"):
        if find_spec(needed) is None:  # not only after minutes of decoding
            raise ModuleNotFoundError(f"No module named {needed!r}", name=needed)
    before = _description(out, resume)
    if before:
        data, labels = data or Path(before.data), labels or (Path(before.labels) if before.labels else None)
        config, class_from, pitch_from_names = before.config, before.class_from, before.pitch_from_names
        cut = before.slice
    cut = None if cut is None else checked(cut)
    if data is None:
        raise RunError("Which sounds? Give the folder: `ngs train DATA --out RUN`")
    sounds = find_sounds(data, labels, class_from, pitch_from_names)
    for line in () if before else sounds.understood:
        say(line)
    reading = partial(progress, "Reading sounds")
    corpus = build_cache(sounds, config.audio.sample_rate, cache, normalize=config.data.normalize, progress=reading)
    searching = partial(progress, "Finding onsets")
    if cut is not None:
        corpus = sliced(corpus, cut, searching)
    for line in corpus.remarks:
        say(line)
    if before:
        info, (training, validation) = before, _divided_as_before(out, data, corpus, before, say)
    else:
        training, validation, remarks = split(corpus, config.data.validation_share, config.seed)
        for line in remarks:
            say(line)
        info = _describe(config, data, labels, corpus, validation)
        info = replace(info, class_from=sounds.class_from or None, pitch_from_names=pitch_from_names, slice=cut)
    # importing torch takes seconds: only now that the input has been looked at
    from ngs.training.learning.batches import first_signals
    from ngs.training.learning.callbacks import Display, Keeper, StopSignal, Validation
    from ngs.training.learning.excerpts import write_excerpts
    from ngs.training.learning.phases import EmbeddingPhase
    from ngs.training.learning.plan import plan
    from ngs.training.learning.trainer import check_machine, train_phases

    _quiet()
    check_machine(machine, plan(config)[0], out)
    if _first_process():
        info.write(out)
        (out / "checkpoints").mkdir(exist_ok=True)
        remove_parts(out)
    say(_summary(corpus, len(training), len(validation)))
    window = config.audio.path_length * config.audio.hop_length
    signals = first_signals(*divided(corpus, validation, window, searching), config, limit=VALIDATION_SOUNDS)
    whole, (corpus, training) = len(training), divided(corpus, training, window, searching)
    if corpus.divided:
        seconds = long_sound(window, corpus.sample_rate) / corpus.sample_rate
        say(f"Sounds longer than {seconds:.0f} s are divided: {whole} sounds to train on are {len(training)} stretches")
    if _first_process():
        write_excerpts(out, corpus, training, config)
    with StopSignal() as stop:

        def callbacks(planned: PlannedPhase, index: int, total: int) -> list[object]:
            measured = Validation(out, planned, *signals)
            return [measured, Keeper(out, planned, stop), Display(planned, index, total, measured)]

        def prepared(model: NeuralGranularModel, planned: PlannedPhase) -> None:
            # those that compute linear maps from sounds
            if model.spectral and planned.phase in (plan(config)[0].phase, EmbeddingPhase):
                few = first_signals(corpus, training, config, CHECKED_SOUNDS)
                check(model, *few, planned.phase is EmbeddingPhase)

        encoding = partial(progress, "Encoding sounds")
        finished = train_phases(out, info, corpus, training, machine, callbacks, prepared, encoding)
    if finished and _first_process():
        check_learned(out, _distance_of_silence(signals[0], config))
    return finished


def check_learned(run: Path, silence: float) -> None:
    """Raise RunError if a phase of a finished run ended in NaN, or no better than silence, whose distance is given."""
    last = {entry.phase: entry.values["distance"] for entry in read_history(run)}
    for phase, distance in last.items():
        # the distance of the prior is no distance of sounds
        if distance < silence or phase == "prior" and math.isfinite(distance):
            continue
        raise RunError(
            f"{run} has not learned: phase {phase} ended at a validation distance of {distance:.3f}, and silence is at "
            f"{silence:.3f}. If it rose, train anew with a lower learning rate (--set SECTION.learning_rate=...), else "
            "for longer. All that was trained is kept"
        )


def _distance_of_silence(audio: torch.Tensor, config: Config) -> float:
    from ngs.training.learning.losses import multi_scale_distance

    return float(multi_scale_distance(audio * 0, audio, config.loss))


def _first_process() -> bool:
    """Whether this is the process that writes: the first of the first machine, however they were started."""
    node = os.environ.get("NODE_RANK") or os.environ.get("GROUP_RANK") or "0"
    return os.environ.get("LOCAL_RANK", "0") == "0" and node == "0"


def _description(out: Path, resume: bool) -> RunInfo | None:
    """The run to resume, or None for a new one. Raises RunError if there is none, or one is in the way."""
    if resume:
        return RunInfo.read(out)
    if _first_process() and (out / DESCRIPTION).exists():
        raise RunError(f"{out} already holds a run: add --resume to continue it, or choose another --out")
    return None


def _describe(config: Config, data: Path, labels: Path | None, corpus: Corpus, validation: np.ndarray) -> RunInfo:
    return RunInfo(
        config=config,
        attributes=corpus.attributes,
        data=str(data.resolve()),
        labels=str(labels.resolve()) if labels else None,
        sounds=len(corpus.names),
        validation=tuple(corpus.names[index] for index in validation),
    )


def _divided_as_before(out: Path, data: Path, corpus: Corpus, info: RunInfo, say: Say) -> tuple[np.ndarray, np.ndarray]:
    """Indices to train on and to validate on as the run began: what was held back stays held back."""
    if corpus.attributes != info.attributes:
        raise RunError(
            f"The classes in {data} are not those that {out} was trained on: restore them, or train anew with another "
            "--out"
        )
    if len(corpus.names) != info.sounds:
        say(f"There are {len(corpus.names)} sounds now, {info.sounds} when the run began: new ones are trained on")
    apart = set(info.validation)
    everything = np.arange(len(corpus.names))
    validation = np.array([index for index, name in enumerate(corpus.names) if name in apart], dtype=np.int64)
    if len(validation) == 0:
        raise RunError(f"None of the sounds that were held back is in {info.data}: restore them, or train anew")
    if len(apart) == info.sounds:  # too few to set any apart
        return everything, validation
    return np.setdiff1d(everything, validation), validation


def _summary(corpus: Corpus, training: int, validation: int) -> str:
    minutes = corpus.lengths.sum() / corpus.sample_rate / 60
    attributes = ", ".join(f"{len(attribute.classes)} x {attribute.name}" for attribute in corpus.attributes)
    return (
        f"{len(corpus.names)} sounds, {minutes:.1f} minutes, {attributes}; "
        f"{training} to train on, {validation} to validate on"
    )


def _quiet() -> None:
    """Silence Lightning and torch: their banners and hints are not for musicians. The display says what matters."""
    for name in ("lightning.pytorch", "lightning.fabric", "lightning"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    warnings.filterwarnings("ignore", module="torch")
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    import torch

    torch.set_float32_matmul_precision("high")
