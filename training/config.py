"""Configuration: one frozen dataclass a section, presets as TOML, `section.key=value` overrides.

A checkpoint and a bundle carry their configuration, so nothing has to be remembered to load them. Imports no torch.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from importlib import resources
from typing import Any

# the words that name the parts of a grain VAE; `ngs.training.model.parts` has a class for each
ENCODERS = ("spectral", "convolution")
DECODERS = ("log_magnitude", "sigmoid")
EXCITATIONS = ("locked", "noise")
# those that read and decode log spectra, as their classes say too
SPECTRAL_ENCODERS = {"spectral"}
SPECTRAL_DECODERS = {"log_magnitude"}
STAGES = ("grain", "embedding", "joint", "prior")


class ConfigError(ValueError):
    """A preset, section, key or value that does not exist or is out of range."""


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ConfigError(message)


def _check(section: object, name: str, accepted: bool, choice: str) -> None:
    """Raise ConfigError with what a key holds and what it may hold, unless that is accepted."""
    key = name.rpartition(".")[2]
    _require(accepted, f"{name} is {getattr(section, key)!r}: choose {choice}")


def _check_word(section: object, name: str, words: tuple[str, ...]) -> None:
    _check(section, name, getattr(section, name.rpartition(".")[2]) in words, " or ".join(map(repr, words)))


@dataclass(frozen=True)
class AudioConfig:
    """Sample rate, grains and the length of a sound."""

    sample_rate: int = 22050  # Sample rate in Hz; all sounds are converted to it.
    grain_length: int = 2048  # Length of a grain in samples, a power of two; the hop is a quarter of it.
    path_length: int = 64  # Length in grains of the paths that the embedding learns, a multiple of grains_per_step.

    def __post_init__(self) -> None:
        length = self.grain_length
        _check(self, "audio.sample_rate", 1000 <= self.sample_rate <= 384000, "1000 to 384000 Hz")
        _check(
            self, "audio.grain_length", 64 <= length <= 32768 and length & (length - 1) == 0,
            "a power of two, 64 to 32768",
        )  # fmt: skip
        _check(self, "audio.path_length", 4 <= self.path_length <= 65536, "4 to 65536 grains")

    @property
    def hop_length(self) -> int:
        """Samples from one grain to the next."""
        return self.grain_length // 4


@dataclass(frozen=True)
class DataConfig:
    """How sounds are read, drawn and varied."""

    normalize: bool = True  # Whether every sound is scaled to a peak of 0.9.
    validation_share: float = 0.1  # Share of each class, in files, that is held back for validation.
    # A class is drawn in proportion to its number of files to this power: 0 draws all classes alike, 1 all files.
    balance: float = 0.5
    gain_db: float = 12.0  # Grains are made quieter by a random amount of up to this many dB.
    pitch_semitones: float = 0.5  # Sounds are shifted up or down by up to this many semitones.
    low_pass_share: float = 0.25  # Share of the spectra that are low-passed at a random frequency.

    def __post_init__(self) -> None:
        _check(self, "data.validation_share", 0 < self.validation_share < 1, "a number between 0 and 1")
        _check(self, "data.pitch_semitones", 0 <= self.pitch_semitones <= 12, "a number between 0 and 12")
        _check(self, "data.gain_db", 0 <= self.gain_db <= 96, "a number between 0 and 96")
        _check(self, "data.low_pass_share", 0 <= self.low_pass_share <= 1, "a number between 0 and 1")


@dataclass(frozen=True)
class GrainConfig:
    """Level 1, the grain VAE (paper, sections 3.1 to 3.3)."""

    # What reads a grain: "spectral" takes its log magnitude spectrum, "convolution" the waveform (the paper).
    encoder: str = "spectral"
    # The decoder's head: "log_magnitude" decodes a log spectrum over a floor, "sigmoid" the paper's filter (eq. 6).
    decoder: str = "log_magnitude"
    # What fills the spectrum: "locked" is tones with steady phases and noise between them, "noise" only noise (paper).
    excitation: str = "locked"
    latent_size: int = 256  # Dimensions of a grain's latent.
    hidden_size: int = 512  # Width of the linear layers of encoder and decoder.
    blocks: int = 2  # Residual blocks of the decoder and of the spectral encoder.
    channels: int = 128  # Channels of the convolution encoder.
    stride: int = 4  # Stride of each stage of the convolution encoder.
    stages: int = 4  # Stages of the convolution encoder.
    # A bin of a windowed grain is silent up to this magnitude |DFT|; for "spectral" and "log_magnitude" only.
    floor: float = 0.007
    condition_dropout: float = 0.15  # Share of labels hidden in the grain and joint stages, so that they are optional.
    postprocessing_taps: int = 33  # Length of the FIR filter in samples; one less divides the hop.
    soft_sign_knee: float = 0.8  # Level up to which the soft sign is linear; 0 is the paper's x / (1 + |x|).

    def __post_init__(self) -> None:
        _check_word(self, "grain.encoder", ENCODERS)
        _check_word(self, "grain.decoder", DECODERS)
        _check_word(self, "grain.excitation", EXCITATIONS)
        _require(
            self.excitation != "locked" or self.spectral,
            "grain.excitation 'locked' needs grain.encoder 'spectral' and grain.decoder 'log_magnitude'",
        )
        _check(self, "grain.latent_size", 2 <= self.latent_size <= 4096, "a size between 2 and 4096")
        _check(self, "grain.soft_sign_knee", 0 <= self.soft_sign_knee < 1, "a level in [0, 1)")
        _check(self, "grain.floor", self.floor > 0, "a magnitude above 0")
        for key in ("hidden_size", "channels", "stride", "stages"):
            _check(self, f"grain.{key}", getattr(self, key) >= 1, "at least 1")
        _check(self, "grain.blocks", self.blocks >= 0, "at least 0")

    @property
    def spectral(self) -> bool:
        """Whether the decoder decodes the spectra that the encoder reads, so that the two compare without sound."""
        return self.encoder in SPECTRAL_ENCODERS and self.decoder in SPECTRAL_DECODERS


@dataclass(frozen=True)
class EmbeddingConfig:
    """Level 2, the recurrent VAE over latent paths (paper, section 3.4)."""

    embedding_size: int = 256  # Dimensions of a sound's embedding.
    hidden_size: int = 256  # Width of the GRUs.
    grains_per_step: int = 4  # Grains that one step of the GRUs reads or writes; 1 in the paper.
    # Components of a grain's latent that paths keep, those most audible first; at most grain.latent_size.
    components: int = 64
    linear: bool = False  # Whether linear maps of whole paths, a PCA at first, stand beside the GRUs; not in the paper.
    prior_size: int = 256  # Width of the prior's network, which learns which embeddings sounds have; not in the paper.
    pool_mb: float = 512.0  # Memory in MiB, for each process, of the encoded paths that batches are drawn from.
    condition_dropout: float = 0.15  # Share of labels hidden in the embedding stage.

    def __post_init__(self) -> None:
        _check(self, "embedding.embedding_size", 1 <= self.embedding_size <= 4096, "a size between 1 and 4096")
        for key in ("hidden_size", "grains_per_step", "components", "prior_size"):
            _check(self, f"embedding.{key}", getattr(self, key) >= 1, "at least 1")
        _check(self, "embedding.pool_mb", self.pool_mb > 0, "a size above 0")


@dataclass(frozen=True)
class LossConfig:
    """Multi-scale spectral distance (paper, eq. 9)."""

    windows: tuple[int, ...] = (128, 256, 512, 1024, 2048)  # Window lengths in samples; windows overlap by 75 %.
    floor: float = 5e-3  # Power that is added to |S|^2 before the logarithm.
    log_frequency: float = 1.0  # Weight of the distance on a log-frequency axis beside that on a linear one.

    def __post_init__(self) -> None:
        windows = self.windows
        _check(self, "loss.windows", len(windows) > 0 and min(windows) >= 16, "windows of at least 16 samples")
        _check(self, "loss.windows", all(window % 4 == 0 for window in windows), "multiples of 4 samples")


@dataclass(frozen=True)
class StageConfig:
    """How long a stage trains, and how."""

    # Length of the stage in minutes, unless steps is above 0. The joint stage is left out if both are 0.
    minutes: float = 5.0
    steps: int = 0  # Length of the stage in steps; 0 goes by minutes.
    learning_rate: float = 1e-3  # Learning rate of AdamW at the start.
    final_learning_rate: float = 0.02  # Learning rate at the end as a share of learning_rate; it falls by a cosine.
    batch_size: int = 16  # Sequences in a batch; single grains are learned 16 for each sequence.

    @property
    def trained(self) -> bool:
        """Whether the stage is not left out."""
        return self.minutes > 0 or self.steps > 0

    def check(self, section: str) -> None:
        """Raise ConfigError for a value that is out of range. The error names the section of the stage."""
        _require(self.trained or section == "joint_stage", f"{section} needs minutes or steps above 0")
        _check(self, f"{section}.batch_size", self.batch_size >= 1, "at least 1")
        _check(self, f"{section}.learning_rate", self.learning_rate > 0, "a number above 0")


@dataclass(frozen=True)
class VariationalStageConfig(StageConfig):
    """How long a stage that trains a VAE lasts, and how."""

    beta: float = 1e-4  # Weight of the KL divergence in nats.
    warm_up: float = 0.2  # Share of the stage over which beta rises linearly from 0.


@dataclass(frozen=True)
class PriorStageConfig(StageConfig):
    """How long the prior's stage trains, and how."""

    minutes: float = 1.0  # Length of the stage in minutes, unless steps is above 0.
    batch_size: int = 256  # Embeddings in a batch.


@dataclass(frozen=True)
class GrainStageConfig(VariationalStageConfig):
    """How long the grain stage trains, and how."""

    spectral_share: float = 0.0  # Share of the stage that compares spectra of single grains, before sound is compared.

    def check(self, section: str) -> None:
        super().check(section)
        _check(self, f"{section}.spectral_share", 0 <= self.spectral_share <= 1, "a number between 0 and 1")


@dataclass(frozen=True)
class Config:
    """All settings of a run, in sections."""

    audio: AudioConfig = field(default_factory=AudioConfig)
    data: DataConfig = field(default_factory=DataConfig)
    grain: GrainConfig = field(default_factory=GrainConfig)
    embedding: EmbeddingConfig = field(default_factory=EmbeddingConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    grain_stage: GrainStageConfig = field(default_factory=GrainStageConfig)
    embedding_stage: VariationalStageConfig = field(default_factory=VariationalStageConfig)
    joint_stage: VariationalStageConfig = field(
        default_factory=lambda: VariationalStageConfig(batch_size=8, learning_rate=1e-4, warm_up=0.0)
    )
    prior_stage: PriorStageConfig = field(default_factory=PriorStageConfig)
    seed: int = 0

    def __post_init__(self) -> None:
        _check(self, "seed", 0 <= self.seed < 2**63, "0 to 2 ** 63 - 1")
        for name in STAGES:
            self.stage(name).check(f"{name}_stage")
        _require(
            self.grain.spectral or self.grain_stage.spectral_share == 0,
            "grain_stage.spectral_share above 0 needs grain.encoder 'spectral' and grain.decoder 'log_magnitude'",
        )
        reduction = self.grain.stride**self.grain.stages
        _require(
            self.grain.encoder != "convolution" or self.audio.grain_length % reduction == 0,
            f"grain.stride ** grain.stages is {reduction}: "
            f"choose them so that it divides the grain of {self.audio.grain_length} samples",
        )
        history = self.grain.postprocessing_taps - 1
        _require(
            history > 0 and self.audio.hop_length % history == 0,
            f"grain.postprocessing_taps is {history + 1}: "
            f"choose it so that one less divides the hop of {self.audio.hop_length} samples",
        )
        _require(
            self.audio.path_length % self.embedding.grains_per_step == 0,
            f"audio.path_length is {self.audio.path_length}: "
            f"choose a multiple of embedding.grains_per_step, {self.embedding.grains_per_step}",
        )

    def stage(self, name: str) -> StageConfig:
        """The section of a stage: "grain", "embedding", "joint" or "prior"."""
        stage: StageConfig = getattr(self, f"{name}_stage")
        return stage

    def to_dict(self) -> dict[str, Any]:
        """Nested plain values, which `from_dict` takes."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Config:
        """Build from nested mappings; unknown sections and keys raise ConfigError."""
        return _changed(cls(), values)


def with_stage(config: Config, stage: str, changed: StageConfig) -> Config:
    """The configuration with one of its stages changed."""
    sections: dict[str, Any] = {f"{stage}_stage": changed}
    return replace(config, **sections)


def presets() -> list[str]:
    """Names of the presets that come with ngs."""
    folder = resources.files(__package__) / "presets"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_preset(name: str) -> Config:
    """The configuration of a preset. Raises ConfigError if there is none of that name."""
    if name not in presets():
        raise ConfigError(f"There is no preset {name!r}; " + _choices(name, presets()))
    text = (resources.files(__package__) / "presets" / f"{name}.toml").read_text()
    return Config.from_dict(tomllib.loads(text))


def override(config: Config, assignments: Iterable[str]) -> Config:
    """Apply `section.key=value` (or `seed=value`) strings; the value is read as TOML, else as text.

    Raises ConfigError for what does not exist, is out of range, or does nothing in the resulting configuration.
    """
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
    changed = _changed(config, changes)
    for section, key, accepted, choice in _limits(changed):
        if key in changes.get(section, {}):
            _check(getattr(changed, section), f"{section}.{key}", accepted, choice)
    for section, key, need in idle(changed):
        _require(key not in changes.get(section, {}), f"{section}.{key} does nothing here: it needs {need}")
    return changed


def budget(config: Config, option: str, text: str) -> Config:
    """Apply `--minutes` or `--steps`: one number for every stage that is not left out, or `grain=8,embedding=4`.

    `option` is "minutes" or "steps". Raises ConfigError for another text.
    """
    entries = {}
    for part in text.split(","):
        stage, equals, number = part.rpartition("=")
        if equals and stage.strip() not in STAGES:
            raise ConfigError(f"--{option}: there is no stage {stage.strip()!r}; known: {', '.join(STAGES)}")
        try:
            value = float(number) if option == "minutes" else int(number)
        except ValueError as error:
            raise ConfigError(f"--{option}: {number!r} is not a number") from error
        if not value > 0:
            raise ConfigError(f"--{option}: {number} is not above 0")
        for name in [stage.strip()] if equals else STAGES:
            if equals or config.stage(name).trained:
                entries[name] = value
    for name, value in entries.items():
        if option == "minutes":
            changed = replace(config.stage(name), minutes=float(value), steps=0)
        else:
            changed = replace(config.stage(name), steps=int(value))
        config = with_stage(config, name, changed)
    return config


def _limits(config: Config) -> Iterator[tuple[str, str, bool, str]]:
    """Limits that only `override` enforces, since runs from before there were any have to stay readable.

    Section and key of each, whether the value is within it, and what to choose.
    """
    grain, embedding, loss = config.grain, config.embedding, config.loss
    yield "grain", "condition_dropout", 0 <= grain.condition_dropout <= 1, "a number between 0 and 1"
    yield "embedding", "condition_dropout", 0 <= embedding.condition_dropout <= 1, "a number between 0 and 1"
    at_most = f"at most grain.latent_size, {grain.latent_size}"
    yield "embedding", "components", embedding.components <= grain.latent_size, at_most
    yield "loss", "floor", loss.floor > 0, "a power above 0"
    yield "loss", "log_frequency", loss.log_frequency >= 0, "a weight of at least 0"
    for name in STAGES:
        section, stage = f"{name}_stage", config.stage(name)
        yield section, "steps", stage.steps >= 0, "at least 0"
        yield section, "final_learning_rate", stage.final_learning_rate >= 0, "at least 0"
        if isinstance(stage, VariationalStageConfig):
            yield section, "beta", stage.beta >= 0, "at least 0"
            yield section, "warm_up", 0 <= stage.warm_up <= 1, "a number between 0 and 1"


def idle(config: Config) -> Iterator[tuple[str, str, str]]:
    """Section and key of the settings that do nothing in a configuration, and what they need to do something."""
    if config.grain.encoder != "convolution":
        for key in ("channels", "stride", "stages"):
            yield "grain", key, "grain.encoder=convolution"
    if config.grain.encoder not in SPECTRAL_ENCODERS and config.grain.decoder not in SPECTRAL_DECODERS:
        yield "grain", "floor", "grain.encoder=spectral or grain.decoder=log_magnitude"
    if config.grain_stage.spectral_share == 0:
        yield "data", "low_pass_share", "a grain_stage.spectral_share above 0"
    for name in STAGES:
        if config.stage(name).steps > 0:
            yield f"{name}_stage", "minutes", f"{name}_stage.steps=0"
    if not config.joint_stage.trained:
        for key in ("learning_rate", "final_learning_rate", "batch_size", "beta", "warm_up"):
            yield "joint_stage", key, "joint_stage.minutes or joint_stage.steps above 0"


def _sections() -> list[str]:
    return [entry.name for entry in fields(Config) if entry.name != "seed"]


def _changed(config: Config, changes: Mapping[str, Any]) -> Config:
    """Make all changes at once: rules across sections apply to the result, not to the steps on the way."""
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
    """The value with the type of the current one, or ConfigError."""
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
