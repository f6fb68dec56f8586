"""The laws of the streaming contract (`ngs.runtime.live.stream`), for the tests of every stream."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import pytest

from ngs.runtime.arrays import Array
from ngs.runtime.live.stream import Effect, Source

S = TypeVar("S", bound=Source | Effect)
Player = TypeVar("Player", bound=Source)

BLOCKS = (1, 17, 64, 509, 4096)


def in_blocks(stream: Source | Effect, given: int | Array, block: int) -> Array:
    """What a stream plays in blocks. `given`: samples of a source, or the input [rows, n] of an effect."""
    total = given if isinstance(given, int) else given.shape[1]
    out = np.full((stream.rows, total), np.nan, np.float32)
    for start in range(0, total, block):
        part = slice(start, start + block)
        if isinstance(stream, Source):
            stream.process(out[:, part])
        else:
            assert not isinstance(given, int)
            stream.process(given[:, part], out[:, part])
    return out


def chunked_equals_whole_and_reset_equals_fresh(
    make: Callable[[], S], given: int | Array, ask: Callable[[S], Any] = lambda stream: None,
    blocks: Sequence[int] = BLOCKS,
) -> Array:  # fmt: skip
    """`ask` sends a new stream its commands. Returns the whole, which is not silent."""
    total = given if isinstance(given, int) else given.shape[1]
    stream = make()
    ask(stream)
    whole = in_blocks(stream, given, total)
    assert np.abs(whole).max() > 0.01
    for block in blocks:
        stream.reset()
        ask(stream)
        np.testing.assert_array_equal(in_blocks(stream, given, block), whole)
    return whole


def an_impulse_arrives_at_the_latency(make: Callable[[], Effect], at: int, total: int, block: int = 100) -> None:
    """The dry signal of an effect, to the sample."""
    given = np.zeros((make().rows, total), np.float32)
    given[:, at] = 1.0
    stream = make()
    heard = np.abs(in_blocks(stream, given, block))
    assert (heard.argmax(axis=1) == at + stream.latency).all()


def a_sound_arrives_at_the_latency(
    make: Callable[[], Player], strike: Callable[[Player], Any], at: int, total: int, block: int = 100
) -> None:
    """`strike` asks for a sound that is loud at once, after `at` samples."""
    stream = make()
    before = in_blocks(stream, at, block)
    strike(stream)
    heard = in_blocks(stream, total, block)
    assert not before.any() and np.flatnonzero(heard.any(axis=0))[0] == stream.latency


def silence_stays_silent(make: Callable[[], Source | Effect], total: int, block: int = 512) -> None:
    """Of a source that was asked for nothing, and of an effect that hears nothing."""
    stream = make()
    given: int | Array = total if isinstance(stream, Source) else np.zeros((stream.rows, total), np.float32)
    assert not in_blocks(stream, given, block).any()


def in_place_equals_apart(make: Callable[[], Effect], given: Array, blocks: Sequence[int] = BLOCKS) -> None:
    """The input of an effect may be its output, a block may be empty, and a block of another kind is refused."""
    for block in blocks:
        apart, stream = in_blocks(make(), given, block), make()
        both = given.copy()
        for start in range(0, given.shape[1], block):
            part = both[:, start : start + block]
            stream.process(part, part)
            stream.process(part[:, :0], part[:, :0])
        np.testing.assert_array_equal(both, apart)
    a_block_of_another_kind_is_refused(make())


def a_block_of_another_kind_is_refused(stream: Source | Effect) -> None:
    """Of another shape, dtype or layout, or none that can be written; of an effect, two blocks of different shapes."""
    good = np.zeros((stream.rows, 8), np.float32)
    for bad, kind in (
        (good[0], "float32 .8,."),
        (np.zeros((stream.rows + 1, 8), np.float32), f"float32 .{stream.rows + 1}, 8."),
        (good.astype(np.float64), "float64"),
        (good.astype(">f4"), ">f4"),
        (np.zeros((8, stream.rows), np.float32).T if stream.rows > 1 else good[:, ::2], "not side by side"),
        (good.tolist(), "a list"),
        (None, "a NoneType"),
    ):
        for blocks in ((bad,),) if isinstance(stream, Source) else ((good, bad), (bad, good)):
            with pytest.raises(ValueError, match=rf"a block is float32 .{stream.rows}, n., this one is .*{kind}.*copy"):
                stream.process(*blocks)
    fixed = good.copy()
    fixed.setflags(write=False)
    with pytest.raises(ValueError, match="read-only"):
        stream.process(*(fixed,) if isinstance(stream, Source) else (good, fixed))
    if isinstance(stream, Effect):
        stream.process(fixed, good)
        with pytest.raises(ValueError, match="blocks have one shape"):
            stream.process(good, good[:, :4])
