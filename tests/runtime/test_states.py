"""Whatever is in a state, it is restored or refused in one line, and what was refused changed nothing."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as some
from tests.tiny import EMBEDDING, LATENT

from ngs.runtime import Bundle, Engine, Note, Pads, ResynthesisEngine

NUMBERS = (0, -1, 3, 2**64, 10**400, 0.5, -2.5, 1e30, float("nan"), float("inf"))  # onnxruntime flushes subnormals
WORDS = ("", "Kick", "Cow", "loop", "once", "path", "Engine", "Pads", "class", "gain", "seed", "number")
JSON = some.recursive(
    some.sampled_from((None, True, False, *NUMBERS, *WORDS)),
    lambda each: some.lists(each, max_size=3) | some.dictionaries(some.sampled_from(WORDS), each, max_size=3),
    max_leaves=5,
)


def playing(kind: str, bundle: Bundle) -> Any:
    if kind == "Pads":
        return Pads(bundle, 8000, 2, threaded=False)
    if kind == "ResynthesisEngine":
        return ResynthesisEngine(bundle, "Kick", 8000, threaded=False)
    engine = Engine(bundle, 8000, 3, 64, 256, threaded=False)
    path = np.ones((2, LATENT), np.float32)
    engine.note_on(Note(path=path, levels=np.ones(2, np.float32), mode="loop", controls={"gain": 0.5}))
    engine.note_on(
        Note(
            {"class": "Kick"},
            embedding=np.ones(EMBEDDING, np.float32),
            hold=True,
            release=0.1,
            temperature=0.5,
            index=3,
        )
    )
    engine.render(300)
    return engine


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where there are values in a document, outer ones first."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(place for key, each in inner for place in places(each, (*at, key)))]


@pytest.fixture(scope="module")
def tiny(tiny_bundle: Path) -> Bundle:
    return Bundle.open(tiny_bundle, "cpu")


@pytest.mark.parametrize("kind", ["Engine", "ResynthesisEngine", "Pads"])
def test_a_state_with_any_value_anywhere(kind: str, tiny: Bundle) -> None:
    player = playing(kind, tiny)
    whole = json.loads(json.dumps(player.state()))
    assert len(places(whole)) > 15
    outcomes = set()

    @settings(max_examples=400, deadline=None, derandomize=True)
    @given(some.sampled_from(places(whole)[1:]), JSON, some.booleans())
    def restore(place: tuple[Any, ...], value: Any, gone: bool) -> None:
        state = copy.deepcopy(whole)
        *outer, last = place
        part = state
        for key in outer:
            part = part[key]
        if gone:
            del part[last]
        else:
            part[last] = value
        before = player.state()
        try:
            player.restore(state)
            outcomes.add("restored")
            if kind != "Pads":
                player.reset()
                player.restore(whole)
        except ValueError as error:
            assert "\n" not in str(error)
            outcomes.add("refused")
            assert player.state() == before

    restore()
    assert outcomes == {"restored", "refused"}


@pytest.mark.parametrize("kind", ["Engine", "ResynthesisEngine", "Pads"])
def test_a_bundle_opened_for_nothing_is_closed(
    kind: str, tiny: Bundle, tiny_noise: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    player, closed = playing(kind, tiny), []
    state = json.loads(json.dumps(player.state()).replace('"Kick"', '"Cow"'))
    state |= {"pads": [{**each, "choices": {"class": "Cow"}} for each in state.get("pads", [])]}
    monkeypatch.setattr(Bundle, "close", lambda bundle: closed.append(bundle.path))
    with pytest.raises(ValueError, match="no class 'Cow'"):
        player.restore(state, tiny_noise)
    assert closed == [tiny_noise] and player.bundle is tiny
