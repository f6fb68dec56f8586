"""A fifo gives what it promises, and the same samples however they are taken."""

import numpy as np
import pytest

from ngs.runtime.synth.fifo import PIECE, Fifo


@pytest.mark.parametrize("seed", range(24))
def test_assured_samples_are_there_and_the_same_piece_by_piece(seed: int) -> None:
    """At any rates, which change often, seldom or never."""
    rng = np.random.default_rng(seed)
    rate, host = int(rng.choice([8000, 16000, 44100, 48000])), int(rng.choice([8000, 11025, 44100, 48000, 96000]))
    hop, turned = int(rng.choice([64, 512, 1024, 2048])), (0.3, 0.01, 0)[seed % 3]
    fifo, reference = Fifo(hop, rate, host), Fifo(hop, rate, host)
    most = 0
    for step in range(300):
        if step == 0 or rng.random() < turned:
            tuned = rate * 2 ** rng.uniform(-2, 2)
            fifo.tune(tuned)
            reference.tune(tuned)
        while fifo.pending < hop or fifo.available == 0:
            samples = rng.standard_normal(hop).astype(np.float32)
            for each in (fifo, reference):
                if each.pending < hop:
                    each.put(samples)
                each.fetch(last=False)
        count = fifo.assured
        assert count >= fifo.available > 0
        most = max(most, count - fifo.available)
        count = int(rng.integers(1, count + 1)) if step % 2 else count
        pieces: list[np.ndarray] = []
        while (left := count - sum(map(len, pieces))) > 0:
            reference.fetch(last=False)
            assert reference.available, "fewer samples came than were assured"
            pieces.append(reference.take(min(left, reference.available)))
        np.testing.assert_array_equal(fifo.take(count), np.concatenate(pieces))
        assert (fifo.pending, fifo.available) == (reference.pending, reference.available)
    assert most > 0 or turned == 0.3 or hop <= 2 * PIECE
