"""The ring buffer hides a late writer: no clicks, and time goes on."""

from __future__ import annotations

import numpy as np
import pytest

from ngs.runtime.live.ring import Ring

STEP = 2 * np.pi * 200 / 48000  # phase step of a sine, and so its largest jump


@pytest.mark.parametrize("fade", [48, 240])
@pytest.mark.parametrize("host", [64, 128, 300, 1024])
@pytest.mark.parametrize("seed", range(3))
def test_there_is_no_click_however_late_the_writer_is(host: int, fade: int, seed: int) -> None:
    rng, block, ahead = np.random.default_rng(seed), 128, max(512, 2 * host)
    ring, heard, rests = Ring(1 << (ahead + block + 2 * fade).bit_length(), 2, fade), [], 0
    for _ in range(600):
        if rests:
            rests -= 1
        elif rng.random() < 0.3:
            rests = int(rng.integers(1, 8))
        else:
            ring.skip()
            for _ in range(rng.integers(1, 6)):
                if ring.filled + block <= ahead:
                    ring.write(np.tile(np.sin(STEP * (ring.written + np.arange(block))), (2, 1)).astype(np.float32))
        out = np.full((2, host), np.nan, np.float32)
        ring.take(out)
        heard.append(out)
    sound = np.concatenate(heard, axis=1)
    assert ring.late > 10 and ring.read == sound.shape[1]
    assert np.abs(np.diff(sound)).max() < STEP + 2 / fade and np.abs(sound).max() < 1.01
    assert np.array_equal(sound[0], sound[1])


def test_frames_keep_their_times_after_the_writer_was_late() -> None:
    ring, out = Ring(1024, 1, 16), np.zeros((1, 100), np.float32)
    ring.write(np.full((1, 100), 1.0, np.float32))
    ring.take(out)
    ring.take(out)
    assert ring.late == 1 and ring.skip() == 100 and ring.written == ring.read == 200
    ring.write(np.arange(200, 300, dtype=np.float32)[None])
    ring.take(out)
    np.testing.assert_array_equal(out[0, 16:], np.arange(216, 300))  # faded in, at their time
