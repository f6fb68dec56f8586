"""The code of docs/streaming.md runs from top to bottom, and its tables are those of the code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from ngs.runtime import CONTROLS

PAGE = Path(__file__).parents[1] / "docs" / "streaming.md"


def test_its_code_runs() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    assert len(blocks) == 7
    assert np.abs(np.concatenate(names["blocks"], axis=1)).max() > 0.1
    assert np.abs(names["moved"]).max() > 0.01
    assert np.abs(names["slow"]).max() > 0.01 and max(names["peaks"]) > 0.05 and np.abs(names["heard"]).max() > 0.001
    assert np.abs(names["outputs"]).max(axis=1).min() > 0.01
    assert names["live"].time == 48000 and names["live"].statistics().failures == 0


def test_its_controls_are_those_there_are() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (-?\d+) (?:to|or) (\d+) \|", PAGE.read_text(), re.MULTILINE)
    assert {name: (float(low), float(high)) for name, low, high in rows} == {
        name: (control.low, control.high) for name, control in CONTROLS.items()
    }
