"""A note is stored as plain JSON values and comes back to the bit."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from tests.tiny import EMBEDDING, LATENT

from ngs.runtime import Note

RNG = np.random.default_rng(0)


def same(one: Note, other: Note) -> bool:
    return all(np.array_equal(getattr(one, each.name), getattr(other, each.name)) for each in fields(Note))


@pytest.mark.parametrize(
    "note",
    [
        Note(),
        Note("Kick", seed=2**64 - 1, index=3, temperature=np.float32(0.7)),  # type: ignore[arg-type]
        Note({"class": "Hat"}, seed=np.int64(5), hold=True, controls={"gain": np.float32(0.1), "pan": -1}),  # type: ignore[arg-type]
        Note(embedding=RNG.normal(size=EMBEDDING).astype(np.float32), seconds=0.5, release=0.1),
        Note(
            path=RNG.normal(size=(3, 4, LATENT)).astype(np.float32), levels=np.ones((3, 4), np.float32), onset=False,
            mode="loop", style=0.5, output=2, held=False,
        ),
    ],
)  # fmt: skip
def test_a_note_comes_back_from_json(note: Note) -> None:
    told = json.loads(json.dumps(note.to_dict(), allow_nan=False))
    assert same(Note.from_dict(told), note)


def test_only_what_differs_is_stored() -> None:
    assert Note().to_dict() == {} and same(Note.from_dict({}), Note())
    for each in fields(Note):
        changed = replace(
            Note(), **{each.name: {"bool": not each.default, "int": 7, "str": "loop"}.get(str(each.type), 0.25)}
        )
        assert list(changed.to_dict()) == [each.name]


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ([], "a note is an object"),
        ({"colour": 1}, "a note has no 'colour'; known: choices, seed"),
        ({"seed": "3"}, "note: seed: expected a whole number, found '3'"),
        ({"hold": 1}, "note: hold: expected true or false, found 1"),
        ({"choices": 3}, "note: choices: expected an object, found 3"),
        ({"controls": [1]}, "note: controls: expected an object"),
        ({"seconds": None}, "note: seconds: expected a number, found None"),
        ({"path": [[1, 2], [3]]}, "path is .*expected lists of numbers, all as long"),
        ({"path": "x" * 500}, "path is .{80}: expected lists"),
    ],
)
def test_what_is_no_note_is_refused(told: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Note.from_dict(told)
