"""Which phases a configuration trains, and with what budget."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ngs.training.config import Config, GrainStageConfig, StageConfig
from ngs.training.learning.phase import Phase
from ngs.training.learning.phases import EmbeddingPhase, GrainsPhase, JointPhase, PriorPhase, SpectraPhase

FINE_TUNING = 0.3  # learning rate on sound, as a share of that on spectra


@dataclass(frozen=True)
class PlannedPhase:
    """A phase and how it trains."""

    phase: type[Phase]
    stage: StageConfig


def plan(config: Config) -> list[PlannedPhase]:
    """The phases in order. Spectra and sound share the grain stage's budget; the joint stage may have none."""
    grain, share = config.grain_stage, config.grain_stage.spectral_share
    sound = _part(grain, 1 - share)
    if share > 0:
        sound = replace(sound, learning_rate=FINE_TUNING * grain.learning_rate, warm_up=0.0)
    phases = [PlannedPhase(SpectraPhase, _part(grain, share))] if share > 0 else []
    phases += [PlannedPhase(GrainsPhase, sound)] if share < 1 else []
    phases += [PlannedPhase(EmbeddingPhase, config.embedding_stage)]
    if config.joint_stage.trained:
        phases += [PlannedPhase(JointPhase, config.joint_stage)]
    return [*phases, PlannedPhase(PriorPhase, config.prior_stage)]


def _part(stage: GrainStageConfig, share: float) -> GrainStageConfig:
    """A stage with that share of its steps or minutes, at least one step and a few hundredths of a second."""
    steps = max(round(stage.steps * share), 1) if stage.steps else 0
    return replace(stage, minutes=max(stage.minutes * share, 1e-3), steps=steps)
