"""The temperature of drawn sounds: the standard deviation of what they are drawn from. 1 is as varied as the corpus."""

from __future__ import annotations

TEMPERATURE = 1.0  # unless another one is asked for
MOST_TEMPERATURE = 10
