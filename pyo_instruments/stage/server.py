"""pyo servers of two kinds: live, on a sound card or JACK, and offline, as fast as the computer can."""

from __future__ import annotations

import itertools
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from ngs.pyo_instruments.quiet_output import quiet
from ngs.pyo_instruments.quiet_pyo import pyo
from ngs.pyo_instruments.stage.recorder import BackgroundRecorder, Recorder
from ngs.pyo_instruments.timing.clock import Clock

CHANNELS = 2
LOOK_SECONDS = 0.1  # between two looks at a live server
STUCK_SECONDS = 2.0  # without a block, after which a live server counts as gone
FADE_SECONDS = 0.15  # in which the sound fades out if a live server is interrupted
WITHOUT_CARD = "without one, write to a file: --audio offline --record take.wav --seconds 10"


class StageError(OSError):
    """Audio that cannot be opened: one line that says what can be done."""


@dataclass(frozen=True)
class AudioOutput:
    """Where the sound goes."""

    audio: str = "portaudio"  # or "jack", "offline"
    device: str | None = None  # part of a sound card's name, or its number in `ngs doctor`
    sample_rate: int = 48000  # Hz; JACK has its own
    block: int = 128  # frames; JACK has its own


class AudioServer(ABC):
    """A pyo server, booted and not yet started, with its clock."""

    recorder: ClassVar[type[Recorder]]

    def __init__(self, server: pyo.Server) -> None:
        self._server = server
        self.clock = Clock.of(server)

    @property
    def started(self) -> bool:
        """Whether blocks are being made."""
        return bool(self._server.getIsStarted())

    def start(self) -> None:
        """Begin to make blocks."""
        with quiet():
            self._server.start()

    @abstractmethod
    def run(self, seconds: float | None, check: Callable[[], Any], look: Callable[[], Any]) -> None:
        """Play for so long, None for ever. `check` may raise to end it; `look` is called now and then."""

    def close(self, interrupted: bool = False) -> None:
        """Stop, and free the server."""
        with quiet():
            if self.started:
                self._server.setAmp(0.0)
                if interrupted:
                    self._fade()
                self._server.stop()
            self.clock.close()
            self._server.shutdown()

    @abstractmethod
    def _fade(self) -> None:
        """Wait while the sound fades out."""


class LiveServer(AudioServer):
    """A sound card or JACK asks for the blocks."""

    recorder = BackgroundRecorder

    def run(self, seconds: float | None, check: Callable[[], Any], look: Callable[[], Any]) -> None:
        """Raises StageError if no blocks are asked for any more."""
        clock = self.clock
        end = None if seconds is None else seconds * clock.sample_rate + clock.block
        seen, stuck = -1, 0
        while end is None or clock.frame < end:
            check()
            look()
            left = LOOK_SECONDS if end is None else (end - clock.frame) / clock.sample_rate
            time.sleep(min(LOOK_SECONDS, max(left, 0.002)))
            stuck, seen = (stuck + 1 if clock.frame == seen else 0), clock.frame
            if stuck > STUCK_SECONDS / LOOK_SECONDS:
                raise StageError("The sound has stopped: the sound card or the JACK server has gone")

    def _fade(self) -> None:
        time.sleep(FADE_SECONDS)


class OfflineServer(AudioServer):
    """`run` itself asks for the blocks."""

    recorder = Recorder

    def run(self, seconds: float | None, check: Callable[[], Any], look: Callable[[], Any]) -> None:
        """`look` is called once in each second of sound. Raises ValueError without `seconds`."""
        if seconds is None:
            raise ValueError("an offline server needs to know how many seconds to play")
        end = round(seconds * self.clock.sample_rate)
        blocks_a_second = self.clock.sample_rate // self.clock.block
        for number in itertools.count():
            if self.clock.frame >= end:
                break
            check()
            if number % blocks_a_second == 0:
                look()
            self._server.process()
        self.clock.hear()

    def _fade(self) -> None:
        """Do not wait: no time passes."""


def open_server(output: AudioOutput, listens: bool) -> AudioServer:
    """Boot a server; `listens` opens an input as well. Raises StageError."""
    offline = output.audio == "offline"
    device = _device_number(output.device) if output.audio == "portaudio" else None
    os.environ["JACK_NO_START_SERVER"] = "1"
    with quiet():
        server = pyo.Server(
            sr=output.sample_rate, nchnls=CHANNELS, buffersize=output.block, duplex=int(listens),
            audio="manual" if offline else output.audio, jackname="ngs", verbosity=0,
        )  # fmt: skip
        server.deactivateMidi()
        if device is not None:
            server.setOutputDevice(device)
        server.boot()
    if server.getIsBooted():
        return OfflineServer(server) if offline else LiveServer(server)
    if output.audio == "jack":
        raise StageError(f"No JACK server runs: start one (jackd, or PipeWire's pw-jack); {WITHOUT_CARD}")
    raise StageError(f"The sound card cannot be opened at {output.sample_rate} Hz: see `ngs doctor`; {WITHOUT_CARD}")


def _device_number(wanted: str | None) -> int | None:
    """The number of the output device with a name or number, None for the default."""
    with quiet():
        names, numbers = pyo.pa_get_output_devices()
    if not names:
        raise StageError(f"There is no sound card; {WITHOUT_CARD}")
    if wanted is None:
        return None
    for name, number in zip(names, numbers, strict=True):
        if wanted == str(number) or wanted.lower() in name.lower():
            return int(number)
    raise StageError(f"There is no sound card {wanted!r}; there are: {', '.join(names)}")
