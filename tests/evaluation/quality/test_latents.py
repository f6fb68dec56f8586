"""How much latents hold, for Gaussians with a known answer."""

from __future__ import annotations

import numpy as np
import pytest

from ngs.evaluation.quality.latents import LatentStatistics


def test_divergence_and_active_dimensions() -> None:
    statistics = LatentStatistics(2)
    assert statistics.result().count == 0
    mean = np.array([[1.0, 0.5], [-1.0, 0.5]], np.float32)
    statistics.add(mean[:1], np.zeros((1, 2), np.float32))
    statistics.add(mean[1:], np.zeros((1, 2), np.float32))
    result = statistics.result()
    assert result.kl_nats == pytest.approx(0.5 * (1 + 0.25)) and (result.active, result.size, result.count) == (1, 2, 2)
