"""Banks of resynthesisers and the crossfade between them obey the laws of streams."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.runtime.laws import (
    BLOCKS,
    an_impulse_arrives_at_the_latency,
    chunked_equals_whole_and_reset_equals_fresh,
    in_blocks,
    in_place_equals_apart,
    silence_stays_silent,
)

from ngs.runtime import Bundle
from ngs.runtime.arrays import Array
from ngs.runtime.resynthesis.crossfade import Crossfade
from ngs.runtime.resynthesis.resynthesiser_bank import ResynthesiserBank

RATE, MOST = 11025, 6000
Make = Callable[[Bundle], ResynthesiserBank | Crossfade]


def bank(bundle: Bundle, choice: str = "Kick") -> ResynthesiserBank:
    return ResynthesiserBank(bundle, choice, RATE, seed=3, channels=2)


def crossfade(bundle: Bundle) -> Crossfade:
    return Crossfade(bank(bundle), MOST)


def changing(bundle: Bundle) -> Crossfade:
    """In the middle of a change, for blocks smaller than some of those it is given."""
    stream = Crossfade(bank(bundle), 300)
    stream.change(bank(bundle, "Hat"), 500)
    return stream


@pytest.fixture(scope="module")
def tiny(tiny_bundle: Path) -> Bundle:
    return Bundle.open(tiny_bundle, "cpu")


@pytest.fixture(scope="module")
def given() -> Array:
    return np.random.default_rng(0).uniform(-1, 1, (2, MOST)).astype(np.float32)


@pytest.mark.parametrize("make", [bank, crossfade])
def test_the_laws_of_streams_hold(tiny: Bundle, given: Array, make: Make) -> None:
    def dry() -> ResynthesiserBank | Crossfade:
        stream = make(tiny)
        for each in (stream if isinstance(stream, ResynthesiserBank) else stream._now).streams:
            each.set(mix=0)
        stream.reset()
        return stream

    whole = chunked_equals_whole_and_reset_equals_fresh(lambda: make(tiny), given)
    assert np.abs(whole[0] - whole[1]).max() > 0.01
    an_impulse_arrives_at_the_latency(dry, 777, MOST)
    silence_stays_silent(lambda: make(Bundle.open(provider="cpu")), MOST)


@pytest.mark.parametrize("make", [bank, crossfade, changing])
def test_the_input_may_be_the_output(tiny: Bundle, given: Array, make: Make) -> None:
    in_place_equals_apart(lambda: make(tiny), given)


def test_a_change_does_not_depend_on_blocks(tiny: Bundle, given: Array) -> None:
    heard = []
    for block in (*BLOCKS, MOST):
        stream = changing(tiny)
        heard.append(in_blocks(stream, given, block))
        assert len(stream.retired) == 1
    for other in heard[1:]:
        np.testing.assert_array_equal(other, heard[0])
    end = stream.latency + 500
    np.testing.assert_array_equal(heard[0][:, end:], bank(tiny, "Hat").render(given)[:, end:])


def test_a_channel_that_fails_is_silent_for_a_block(
    tiny: Bundle, given: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = bank(tiny)
    stream.render(given)

    def failing(*blocks: Array) -> None:
        raise MemoryError

    monkeypatch.setattr(stream.streams[0], "process", failing)
    heard = stream.render(given)
    assert not heard[0].any() and heard[1].any() and stream.failures == (1, "MemoryError")
