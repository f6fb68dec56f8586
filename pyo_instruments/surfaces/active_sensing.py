"""Active sensing of MIDI: a device that sends it says three times a second that its cable is plugged in."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ngs.pyo_instruments.timing.clock import Clock

SILENCE_SECONDS = 0.33  # MIDI asks for a message every 0.3 s; receivers allow a tenth more


class ActiveSensing:
    """Calls `lost` once a device that has sent active sensing sends nothing more.

    Time is that of the audio clock, which calls: a program that was held up does not take it for a pulled cable.
    """

    def __init__(self, clock: Clock, lost: Callable[[], None]) -> None:
        self._clock, self._lost = clock, lost
        self._on = False
        self._frame = 0  # of the last message
        clock.add(self)

    def heard(self, sensing: bool) -> None:
        """A message has come; `sensing` if it was active sensing itself."""
        self._frame = self._clock.frame
        self._on = self._on or sensing

    def before_block(self) -> None:
        if self._on and self._clock.frame - self._frame > SILENCE_SECONDS * self._clock.sample_rate:
            self._on = False
            self._lost()

    def statistics(self) -> dict[str, Any]:
        return {}

    def close(self) -> None:
        """It has no thread to end."""
