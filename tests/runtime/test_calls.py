"""Every call of a host says by which thread, whether it waits, and what memory it takes. What plays takes none."""

from __future__ import annotations

import inspect
import re
import tracemalloc
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.runtime.waiting import wait_for

from ngs.runtime import Bundle, Engine, Note, Pads, ResynthesisEngine, Resynthesiser, Synth
from ngs.runtime.live.stream import Effect, Source

CALLED = (Bundle, Note, Synth, Engine, Pads, Resynthesiser, ResynthesisEngine, Source, Effect)
THREADS = (
    "any", "any, when no other uses it", "any, of a `Synth` the one that plays", "any but the callback's",
    "any but the callback's, one at a time", "the callback's", "the one that plays", "that of `process`",
)  # fmt: skip
SAID = re.compile(r"\n\nThread: ([^.]+)\. Waits: ((?:no|until|for|at first|as)\b[^.]*)\. Memory: ([^.]+)\.$")


def calls(kind: type) -> list[str]:
    """The public methods of a class, and the properties that do something when they are first read."""
    static = {name: inspect.getattr_static(kind, name) for name in dir(kind) if not name.startswith("_")}
    done = classmethod | staticmethod | cached_property
    return [name for name, value in static.items() if inspect.isfunction(value) or isinstance(value, done)]


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in CALLED for name in calls(kind)])
def test_a_call_says_who_makes_it_and_what_it_costs(kind: type, name: str) -> None:
    said = SAID.search(inspect.getdoc(inspect.getattr_static(kind, name)) or "")
    assert said, f"{kind.__name__}.{name}: end its docstring with Thread: ... Waits: ... Memory: ..."
    assert said[1] in THREADS, f"{kind.__name__}.{name}: Thread: {said[1]}: choose {', '.join(THREADS)}"


def made(name: str, bundle: Bundle) -> Any:
    return Engine(bundle, 48000, max_block=4096) if name == "Engine" else ResynthesisEngine(bundle, max_block=4096)


@pytest.mark.parametrize("name", ["Engine", "ResynthesisEngine"])
def test_the_callback_takes_no_memory(name: str, tiny_bundle: Path) -> None:
    """For sound that is ready, and for sound that is late: with an echo, silence, and the end of a fade."""
    bundle = Bundle.open(tiny_bundle, "cpu")
    engine, out = made(name, bundle), np.ones((2 if name == "Engine" else 1, 4096), np.float32)
    process: Callable[..., None] = engine.process
    given = (out,) if name == "Engine" else (out, out)
    with engine:
        if name == "Engine":
            engine.note_on(Note("Kick", hold=True))
        process(*given)
        ring = engine._ring if name == "Engine" else engine._out
        wait_for(lambda: ring.filled >= 4096)
    for _ in range(3):  # ready, then late
        tracemalloc.start()
        process(*given)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < out.nbytes / 4
    assert engine.statistics().late > 0
