"""TODO."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ngs.training.config import Config, StageConfig
from ngs.training.learning.phases import EmbeddingPhase, GrainsPhase, JointPhase, Phase, SpectraPhase


@dataclass(frozen=True)
class PlannedPhase:
    phase: type[Phase]
    stage: StageConfig
    title: str  # for the progress display


def plan(config: Config) -> list[PlannedPhase]:
    """The phases in turn, with the grain stage's budget divided between spectra and sound."""
    grain, share = config.grain_stage, config.grain_stage.spectral_share
    sound = _part(grain, 1 - share)
    if share > 0:  # after the spectra this is fine-tuning
        sound = replace(sound, learning_rate=0.3 * grain.learning_rate, warm_up=0.0)
    phases = [
        PlannedPhase(SpectraPhase, _part(grain, share), "grains (spectra)"),
        PlannedPhase(GrainsPhase, sound, "grains (sound)"),
        PlannedPhase(EmbeddingPhase, config.embedding_stage, "embedding"),
        PlannedPhase(JointPhase, config.joint_stage, "joint"),
    ]
    dropped = {SpectraPhase: share == 0, GrainsPhase: share == 1}
    return [planned for planned in phases if not dropped.get(planned.phase, False)]


def _part(stage: StageConfig, share: float) -> StageConfig:
    steps = max(round(stage.steps * share), 1) if stage.steps else 0
    return replace(stage, minutes=max(stage.minutes * share, 1e-3), steps=steps)
