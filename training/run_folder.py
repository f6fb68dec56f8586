"""TODO."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from ngs.training.config import Config

RUN_FORMAT = 2


class RunError(ValueError):
    """A folder that is not a run, or a run in a state that does not allow what was asked."""


@dataclass(frozen=True)
class RunInfo:
    """What run.json holds."""

    config: Config
    attributes: tuple[tuple[str, tuple[str, ...]], ...]  # (name, classes)
    data: str
    labels: str | None
    sounds: int  # how many there were when the run began
    validation: tuple[str, ...]  # names of those set apart then

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(len(classes) for _, classes in self.attributes)

    def write(self, run: Path) -> None:
        document = {
            "format": RUN_FORMAT,
            "data": self.data,
            "labels": self.labels,
            "sounds": self.sounds,
            "validation": list(self.validation),
            "attributes": [[name, list(classes)] for name, classes in self.attributes],
            "config": self.config.to_dict(),
        }
        beside = run / "run.json.part"
        beside.write_text(json.dumps(document, indent=2) + "\n")
        os.replace(beside, run / "run.json")

    @classmethod
    def read(cls, run: Path) -> RunInfo:
        path = run / "run.json"
        if not path.is_file():
            raise RunError(f"{run} is not a run folder: it has no run.json. `ngs train DATA --out {run}` makes one")
        try:
            document = json.loads(path.read_text())
            if document["format"] != RUN_FORMAT:
                raise RunError(f"{path} has format {document['format']}; this version of ngs reads {RUN_FORMAT}")
            attributes = tuple((str(name), tuple(map(str, classes))) for name, classes in document["attributes"])
            return cls(
                Config.from_dict(document["config"]),
                attributes,
                document["data"],
                document["labels"],
                int(document["sounds"]),
                tuple(map(str, document["validation"])),
            )
        except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
            raise RunError(f"{path} is damaged ({error}): restore it or train anew") from error


def phase_checkpoints(run: Path, name: str) -> tuple[Path, Path]:
    """(finished, under way) checkpoint of a phase."""
    folder = run / "checkpoints"
    return folder / f"{name}.ckpt", folder / f"{name}.last.ckpt"
