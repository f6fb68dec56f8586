"""The parts of docs/extending.md do what the page says."""

from __future__ import annotations

import numpy as np
from tests.docs.conftest import Play

PAGE = "docs/extending.md"


def test_its_parts_make_sound(play_page: Play) -> None:
    played = play_page(PAGE)
    clicks = played.names["clicks"].detach().numpy()
    assert clicks.shape == (1, 3, 2048) and (np.abs(clicks).argmax(-1) == 1024).all()
    assert np.abs(played.names["blocks"]).max() > 0.1
    assert len(played.servers) == 1
