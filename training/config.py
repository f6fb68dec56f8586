"""Configuration: one frozen dataclass a component, presets as TOML, `section.key=value` overrides.

A checkpoint and a bundle carry their configuration, so nothing has to be remembered to load them.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from importlib import resources
from typing import Any

PROFILE_POINTS = 8  # of the energy within a grain


class ConfigError(ValueError):
    """A preset, section, key or value that does not exist or is out of range."""


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ConfigError(message)


@dataclass(frozen=True)
class AudioConfig:
    sample_rate: int = 22050  # Hz
    grain_length: int = 2048  # samples, a power of two; the hop is a quarter of it
    path_length: int = 64  # grains of the paths that the embedding learns

    def __post_init__(self) -> None:
        _require(
            1000 <= self.sample_rate <= 384000, f"audio.sample_rate is {self.sample_rate}: choose 1000 to 384000 Hz"
        )
        power_of_two = 64 <= self.grain_length <= 32768 and self.grain_length & (self.grain_length - 1) == 0
        _require(power_of_two, f"audio.grain_length is {self.grain_length}: choose a power of two, 64 to 32768")
        _require(4 <= self.path_length <= 65536, f"audio.path_length is {self.path_length}: choose 4 to 65536 grains")

    @property
    def hop_length(self) -> int:
        return self.grain_length // 4


@dataclass(frozen=True)
class DataConfig:
    normalize: bool = True  # every sound to a peak of 0.9
    validation_share: float = 0.1  # of each class, by file
    balance: float = 0.5  # a class is drawn in proportion to its number of files to this power: 0 = all alike
    gain_db: float = 12.0  # augmentation: quieter by up to this much
    pitch_semitones: float = 0.5  # augmentation: up or down by up to this much
    low_pass_share: float = 0.25  # augmentation of spectra: this share is band-limited at a random frequency

    def __post_init__(self) -> None:
        _require(0 < self.validation_share < 1, "data.validation_share lies between 0 and 1")
        _require(0 <= self.pitch_semitones <= 12, "data.pitch_semitones lies between 0 and 12")
        _require(0 <= self.gain_db <= 96, "data.gain_db lies between 0 and 96")
        _require(0 <= self.low_pass_share <= 1, "data.low_pass_share lies between 0 and 1")


@dataclass(frozen=True)
class GrainConfig:
    """Level 1, the grain VAE (paper, sections 3.1 to 3.3)."""

    encoder: str = (
        "spectral"  # "spectral": log magnitude spectrum; "convolution": strided residual convolutions (the paper)
    )
    decoder: str = "log_magnitude"  # over a floor, PCA path; or "sigmoid": 2 sigmoid(h)^ln 10 (the paper)
    excitation: str = (
        "locked"  # "locked": tones with steady phases and levelled noise; "noise": noise alone (the paper)
    )
    latent_size: int = 256
    hidden_size: int = 512  # width of the linear layers
    blocks: int = 2  # residual blocks of each
    channels: int = 128  # convolution encoder: channels
    stride: int = 4  # convolution encoder: stride of each stage
    stages: int = 4  # convolution encoder: stages
    floor: float = 0.007  # magnitude that is small against any sound, |DFT| of a windowed grain
    condition_dropout: float = 0.15  # share of training sounds whose conditions are hidden
    postprocessing_taps: int = 33  # length of the FIR filter in samples
    soft_sign_knee: float = 0.8  # level up to which the soft sign is linear; 0 = x / (1 + |x|) (the paper)

    def __post_init__(self) -> None:
        _require(self.encoder in ("spectral", "convolution"), "grain.encoder is 'spectral' or 'convolution'")
        _require(self.decoder in ("log_magnitude", "sigmoid"), "grain.decoder is 'log_magnitude' or 'sigmoid'")
        _require(self.excitation in ("locked", "noise"), "grain.excitation is 'locked' or 'noise'")
        _require(
            self.excitation == "noise" or self.spectral,
            "grain.excitation 'locked' needs grain.encoder 'spectral' and grain.decoder 'log_magnitude'",
        )
        _require(2 <= self.latent_size <= 4096, "grain.latent_size lies between 2 and 4096")
        _require(0 <= self.soft_sign_knee < 1, "grain.soft_sign_knee lies in [0, 1)")
        _require(self.floor > 0, "grain.floor is above 0")
        for key in ("hidden_size", "channels", "stride", "stages"):
            _require(getattr(self, key) >= 1, f"grain.{key} is {getattr(self, key)}: choose at least 1")
        _require(self.blocks >= 0, f"grain.blocks is {self.blocks}: choose at least 0")

    @property
    def spectral(self) -> bool:
        """Whether the decoder decodes what the encoder reads, so that the two compare without sound."""
        return (self.encoder, self.decoder) == ("spectral", "log_magnitude")

    @property
    def profile_points(self) -> int:
        """Points of the energy profile within a grain, which the locked excitation follows."""
        return PROFILE_POINTS if self.excitation == "locked" else 0


@dataclass(frozen=True)
class EmbeddingConfig:
    """Level 2, the recurrent VAE over latent paths (paper, section 3.4)."""

    embedding_size: int = 256
    hidden_size: int = 256  # of the GRUs
    grains_per_step: int = 4  # of the recurrence; 1 in the paper
    components: int = 64  # of a grain's latent, the strongest to the ear, that paths are made of
    linear: bool = False  # a PCA of whole paths beside the GRUs; not in the paper
    pool_mb: float = 512.0  # of each process, for encoded paths that batches are drawn from
    condition_dropout: float = 0.05

    def __post_init__(self) -> None:
        _require(1 <= self.embedding_size <= 4096, "embedding.embedding_size lies between 1 and 4096")
        _require(self.hidden_size >= 1, f"embedding.hidden_size is {self.hidden_size}: choose at least 1")
        _require(self.grains_per_step >= 1, "embedding.grains_per_step is at least 1")
        _require(self.components >= 1, f"embedding.components is {self.components}: choose at least 1")
        _require(self.pool_mb > 0, "embedding.pool_mb is above 0")


@dataclass(frozen=True)
class LossConfig:
    """Multi-scale spectral distance (paper, eq. 9)."""

    windows: tuple[int, ...] = (128, 256, 512, 1024, 2048)  # samples, 75 % overlap
    floor: float = 5e-3  # of log(floor + |S|^2)
    log_frequency: float = 1.0  # weight of the log-frequency terms beside the linear ones

    def __post_init__(self) -> None:
        _require(len(self.windows) > 0 and min(self.windows) >= 16, "loss.windows are at least 16 samples")
        _require(all(window % 4 == 0 for window in self.windows), "loss.windows are multiples of 4 samples")


@dataclass(frozen=True)
class StageConfig:
    """How long and how one stage trains; `minutes` holds unless `steps` is above 0."""

    minutes: float = 5.0
    steps: int = 0
    learning_rate: float = 1e-3
    final_learning_rate: float = 0.02  # as a share of learning_rate, reached by a cosine
    batch_size: int = 16  # sequences; the spectral phase takes 16 grains for each
    beta: float = 1e-4  # weight of the KL divergence in nats
    warm_up: float = 0.2  # share of the stage over which beta rises linearly from 0
    spectral_share: float = 0.0  # share of the stage that compares spectra of grains before the waveform loss

    def __post_init__(self) -> None:
        _require(self.minutes > 0 or self.steps > 0, "a stage needs minutes or steps above 0")
        _require(self.batch_size >= 1, "batch_size is at least 1")
        _require(self.learning_rate > 0, "learning_rate is above 0")
        _require(0 <= self.spectral_share <= 1, "spectral_share lies between 0 and 1")


@dataclass(frozen=True)
class Config:
    audio: AudioConfig = field(default_factory=AudioConfig)
    data: DataConfig = field(default_factory=DataConfig)
    grain: GrainConfig = field(default_factory=GrainConfig)
    embedding: EmbeddingConfig = field(default_factory=EmbeddingConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    grain_stage: StageConfig = field(default_factory=StageConfig)
    embedding_stage: StageConfig = field(default_factory=StageConfig)
    joint_stage: StageConfig = field(default_factory=StageConfig)
    seed: int = 0

    def __post_init__(self) -> None:
        _require(0 <= self.seed < 2**63, f"seed is {self.seed}: choose 0 to 2 ** 63 - 1")
        _require(
            self.grain.spectral or self.grain_stage.spectral_share == 0,
            "grain_stage.spectral_share above 0 needs grain.encoder 'spectral' and grain.decoder 'log_magnitude'",
        )
        reduction = self.grain.stride**self.grain.stages
        _require(
            self.grain.encoder == "spectral" or self.audio.grain_length % reduction == 0,
            f"grain.stride ** grain.stages ({reduction}) divides the grain of {self.audio.grain_length} samples",
        )
        history = self.grain.postprocessing_taps - 1
        _require(
            history > 0 and self.audio.hop_length % history == 0,
            f"grain.postprocessing_taps - 1 ({history}) divides the hop of {self.audio.hop_length} samples",
        )
        _require(
            self.audio.path_length % self.embedding.grains_per_step == 0,
            f"audio.path_length ({self.audio.path_length}) is not a multiple of embedding.grains_per_step",
        )

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Config:
        """Build from nested mappings; unknown sections and keys raise ConfigError."""
        return _changed(cls(), values)


def with_stage(config: Config, stage: str, changed: StageConfig) -> Config:
    """The configuration with one of its stages ("grain", "embedding", "joint") changed."""
    sections: dict[str, Any] = {f"{stage}_stage": changed}
    return replace(config, **sections)


def presets() -> list[str]:
    """Names of the presets that come with ngs."""
    folder = resources.files(__package__) / "presets"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_preset(name: str) -> Config:
    if name not in presets():
        raise ConfigError(f"There is no preset {name!r}; " + _choices(name, presets()))
    text = (resources.files(__package__) / "presets" / f"{name}.toml").read_text()
    return Config.from_dict(tomllib.loads(text))


def override(config: Config, assignments: Iterable[str]) -> Config:
    """Apply `section.key=value` (or `seed=value`) strings; the value is read as TOML, else as text."""
    changes: dict[str, Any] = {}
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        section, _, key = path.strip().partition(".")
        _require(bool(equals), f"{assignment!r} is not of the form section.key=value")
        try:
            value = tomllib.loads(f"value = {text.strip()}")["value"]
        except tomllib.TOMLDecodeError:
            value = text.strip()
        if section == "seed" and not key:
            changes["seed"] = value
        else:
            changes.setdefault(section, {})[key] = value
    return _changed(config, changes)


def _sections() -> list[str]:
    return [entry.name for entry in fields(Config) if entry.name != "seed"]


def _changed(config: Config, changes: Mapping[str, Any]) -> Config:
    """All changes at once: rules that span sections hold for the result, not for the steps on the way."""
    sections: dict[str, Any] = {}
    for section, entries in changes.items():
        if section == "seed":
            sections[section] = _convert(section, entries, 0)
            continue
        if not isinstance(entries, Mapping):
            raise ConfigError(f"{section!r} is not a section; " + _choices(section, _sections()))
        if section not in _sections():
            raise ConfigError(f"There is no section {section!r}; " + _choices(section, _sections()))
        current = getattr(config, section)
        keys = [entry.name for entry in fields(current)]
        values = {}
        for key, value in entries.items():
            if key not in keys:
                raise ConfigError(f"Section {section!r} has no key {key!r}; " + _choices(key, keys))
            values[key] = _convert(f"{section}.{key}", value, getattr(current, key))
        sections[section] = replace(current, **values)
    return replace(config, **sections)


def _convert(name: str, value: Any, current: Any) -> Any:
    """Return value with the type of the current one, or raise ConfigError."""
    if isinstance(current, tuple) and isinstance(value, list | tuple) and all(type(v) is int for v in value):
        return tuple(value)
    if isinstance(current, float) and type(value) in (int, float):
        return float(value)
    if type(value) is type(current) and not isinstance(current, tuple):
        return value
    expected = "a list of whole numbers" if isinstance(current, tuple) else type(current).__name__
    raise ConfigError(f"{name} is {value!r}: expected {expected}, such as {current!r}")


def _choices(name: str, known: Iterable[str]) -> str:
    known = list(known)
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}known: {', '.join(known)}"
