"""The latent map as text."""

from __future__ import annotations

import numpy as np

from ngs.pyo_instruments.text_map import TextMap


def test_places_are_where_they_lie_and_many_are_darker() -> None:
    places = np.array([[0, 0], *[[1, 1]] * 20, [0.5, 0.5], [-3, 9]])
    assert TextMap(places, 5, 3).lines(1, 0) == ["+-----+", "|.   #|", "|  .  |", "|.   O|", "+-----+"]


def test_the_mark_covers_what_is_there_and_stays_inside() -> None:
    drawn = TextMap(np.array([[0.0, 1.0]]), 3, 2)
    assert drawn.lines(0, 1)[1] == "|O  |" and drawn.lines(7, -7)[2] == "|  O|"
    assert drawn.lines(1, 0)[1] == "|.  |"
