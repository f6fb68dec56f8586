"""Files of saved values: JSON with the instrument's name and the values by address."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ngs.pyo_instruments.commands.arguments import CommandError, Value
from ngs.runtime.atomic import replaced
from ngs.runtime.spelling import on_disk


def write_values(path: Path, instrument: str, values: Mapping[str, Sequence[Value]]) -> None:
    """Write the values of an instrument. Raises OSError."""
    with replaced(path) as beside:
        beside.write_text(json.dumps({"instrument": instrument, "values": values}, indent=1) + "\n")


def read_values(path: Path, instrument: str) -> dict[str, list[Any]]:
    """The values of a file, by address, not yet checked. Raises CommandError if they are another instrument's."""
    path = on_disk(path)
    if not path.is_file():
        raise CommandError(f"There is no file {path}")
    try:
        told = json.loads(path.read_text("utf-8-sig"))
        values = {str(address): list(each) for address, each in told["values"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CommandError(f"{path} does not hold saved values: save some, and compare") from error
    if instrument_name(str(told.get("instrument"))) != instrument:
        raise CommandError(f"{path} holds values of another instrument, {told.get('instrument')!r}")
    return values


def instrument_name(written: str) -> str:
    """The public name of an instrument, as in `ngs play NAME`, from its class name: older files hold class names."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", written).lower()
