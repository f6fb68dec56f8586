"""Where a training runs. Imports no torch, so that a wrong word is refused at once."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ngs.training.run_folder import RunError

MISFIT = "--accelerator, --devices or --precision do not fit this machine"
ACCELERATORS = ("auto", "cpu", "gpu", "cuda", "mps", "tpu")
PRECISIONS = (
    "32-true", "32", "64-true", "64", "16-mixed", "16", "16-true", "bf16-mixed", "bf16", "bf16-true",
    "transformer-engine", "transformer-engine-float16",
)  # fmt: skip
DEVICES = re.compile(r"auto|-1|\d+(?:,\d+)*,?")


@dataclass(frozen=True)
class Machine:
    """Where the training runs: handed to Lightning as it is. Raises RunError for words that Lightning does not know."""

    accelerator: str = "auto"
    devices: str = "auto"
    nodes: int = 1
    precision: str = "32-true"
    workers: int = 1  # processes that draw batches

    def __post_init__(self) -> None:
        for given, known in ((self.accelerator, ACCELERATORS), (self.precision, PRECISIONS)):
            if given not in known:
                raise RunError(f"{MISFIT}: {given!r} is none of {', '.join(known)}")
        if not DEVICES.fullmatch(self.devices.replace(" ", "")):
            raise RunError(f"{MISFIT}: {self.devices!r} is neither auto, a number of devices, nor their numbers: 0,1")
