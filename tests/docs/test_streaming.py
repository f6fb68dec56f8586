"""What docs/streaming.md plays is heard."""

from __future__ import annotations

import numpy as np
from tests.docs.conftest import Play

PAGE = "docs/streaming.md"


def test_what_it_plays_is_heard(play_page: Play) -> None:
    names = play_page(PAGE).names
    assert np.abs(np.concatenate(names["blocks"], axis=1)).max() > 0.1
    assert np.abs(names["moved"]).max() > 0.01
    assert np.abs(names["slow"]).max() > 0.01 and max(names["peaks"]) > 0.05 and np.abs(names["heard"]).max() > 0.001
    assert np.abs(names["outputs"]).max(axis=1).min() > 0.01
    assert names["live"].time == 48000 and names["live"].statistics().failures == 0
