"""A run folder: where `ngs train` keeps what it knows. Imports no torch.

RUN/run.json             configuration, attributes and the place of the sounds: all that a resumed run needs
RUN/excerpts.npz         starts of some sounds, so that export needs no library
RUN/history.jsonl        one line for each validation
RUN/checkpoints/NAME.ckpt        a finished phase
RUN/checkpoints/NAME.last.ckpt   the phase under way
RUN/logs/                TensorBoard
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ngs.runtime.atomic import replaced
from ngs.runtime.bundle.manifest import Attribute
from ngs.runtime.errors import reason
from ngs.training.config import Config, ConfigError

RUN_FORMAT = 3
DESCRIPTION, HISTORY, EXCERPTS = "run.json", "history.jsonl", "excerpts.npz"


class RunError(ValueError):
    """A folder that is not a run, or a run in a state that does not allow what was asked."""


@dataclass(frozen=True)
class RunInfo:
    """What run.json holds."""

    config: Config
    attributes: tuple[Attribute, ...]
    data: str  # folder of the sounds
    labels: str | None  # CSV file of more attributes
    sounds: int  # number of sounds when the run began
    validation: tuple[str, ...]  # names of the sounds that were held back then
    class_from: str | None = "top"  # the level of folders that gave the classes
    pitch_from_names: bool = False
    slice: str | None = None  # how sounds are cut: "onsets", or every so many seconds

    @property
    def sizes(self) -> tuple[int, ...]:
        """Numbers of classes of the attributes."""
        return tuple(len(attribute.classes) for attribute in self.attributes)

    def write(self, run: Path) -> None:
        """Write run.json into the folder `run`, whole or not at all."""
        document = {
            "format": RUN_FORMAT,
            "data": self.data,
            "labels": self.labels,
            "class_from": self.class_from,
            "pitch_from_names": self.pitch_from_names,
            "slice": self.slice,
            "sounds": self.sounds,
            "validation": list(self.validation),
            "attributes": [[attribute.name, list(attribute.classes)] for attribute in self.attributes],
            "config": self.config.to_dict(),
        }
        with replaced(run / DESCRIPTION) as beside:
            beside.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, run: Path) -> RunInfo:
        """Read run.json in the folder `run`. Raises RunError if there is none or it is damaged."""
        path = run / DESCRIPTION
        if not path.is_file():
            raise RunError(f"{run} is not a run folder: it has no run.json. `ngs train DATA --out {run}` makes one")
        try:
            document = json.loads(path.read_text(encoding="utf-8-sig"))
        except ValueError as error:  # neither UTF-8 nor JSON
            raise RunError(f"{path} is damaged ({reason(error)}): restore it or train anew") from error
        if not isinstance(document, dict):
            raise RunError(f"{path} is damaged (it holds no object): restore it or train anew")
        if document.get("format", RUN_FORMAT) != RUN_FORMAT:
            raise RunError(f"{path} has format {document['format']!r}; this version of ngs reads {RUN_FORMAT}")
        # runs from before these were kept
        document = {"class_from": "top", "pitch_from_names": False, "slice": None, **document}
        for name, fits in _MEMBERS.items():
            if name not in document or not fits(document[name]):
                raise RunError(f"{path} is damaged ({name!r}): restore it or train anew")
        try:
            config = Config.from_dict(document["config"])
        except ConfigError as error:
            raise RunError(f"{path}: {error}") from error
        return cls(
            config=config,
            attributes=tuple(Attribute(name, tuple(classes)) for name, classes in document["attributes"]),
            data=document["data"],
            labels=document["labels"],
            class_from=document["class_from"],
            pitch_from_names=document["pitch_from_names"],
            slice=document["slice"],
            sounds=document["sounds"],
            validation=tuple(document["validation"]),
        )


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _are_attributes(value: Any) -> bool:
    """Whether this is a list of at least one [name, classes], with at least one class each."""
    return (
        isinstance(value, list)
        and len(value) > 0
        and all(isinstance(entry, list) and len(entry) == 2 for entry in value)
        and all(isinstance(name, str) and _are_names(classes) and len(classes) > 0 for name, classes in value)
    )


# what run.json holds: the name of each member, and whether a value fits it
_MEMBERS: dict[str, Callable[[Any], bool]] = {
    "format": lambda value: value == RUN_FORMAT,
    "data": lambda value: isinstance(value, str),
    "labels": lambda value: value is None or isinstance(value, str),
    "class_from": lambda value: value is None or isinstance(value, str),
    "pitch_from_names": lambda value: isinstance(value, bool),
    "slice": lambda value: value is None or isinstance(value, str),
    "sounds": lambda value: type(value) is int,
    "validation": _are_names,
    "attributes": _are_attributes,
    "config": lambda value: isinstance(value, dict),
}


@dataclass(frozen=True)
class HistoryEntry:
    """What one validation measured."""

    phase: str
    seconds: float  # of training in this phase until then
    values: Mapping[str, float]  # figures by name, and "step"


def read_history(run: Path) -> list[HistoryEntry]:
    """The validations of a run so far, none if there was no validation. Raises RunError for a damaged line."""
    path = run / HISTORY
    entries: list[HistoryEntry] = []
    if not path.is_file():
        return entries
    for number, text in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), start=1):
        try:
            line = json.loads(text)
            phase, seconds = str(line.pop("phase")), float(line.pop("seconds"))
            entries.append(HistoryEntry(phase, seconds, {name: float(value) for name, value in line.items()}))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise RunError(f"{path}, line {number} is damaged ({reason(error)})") from error
    return entries


def append_history(run: Path, entry: HistoryEntry) -> None:
    """Add a validation to the history of a run."""
    line = {"phase": entry.phase, "seconds": round(entry.seconds, 1), **entry.values}
    with open(run / HISTORY, "a", encoding="utf-8") as history:
        history.write(json.dumps(line) + "\n")


def phase_checkpoints(run: Path, name: str) -> tuple[Path, Path]:
    """(finished, under way): the checkpoints of a phase."""
    folder = run / "checkpoints"
    return folder / f"{name}.ckpt", folder / f"{name}.last.ckpt"


def remove_parts(run: Path) -> None:
    """Remove the half-written files of a process that was killed while it saved."""
    for folder in (run, run / "checkpoints"):
        for part in folder.glob("*.part"):
            part.unlink(missing_ok=True)
