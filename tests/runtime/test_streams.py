"""Random streams do not share their numbers."""

from __future__ import annotations

from ngs.runtime.streams import seeded


def test_seeded_streams_are_independent() -> None:
    draws = [seeded(*key).integers(1 << 62) for key in ((0,), (1,), (0, 1), (1, 1), (0, 1, 1), (0, 1, 2))]
    assert len(set(draws)) == len(draws)
    assert seeded(0, 1).integers(1 << 62) == draws[2]
