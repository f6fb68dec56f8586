"""A small drum synthesiser: eight classes of hits. Every hit is different, and a seed gives the same hits again.

The recipes follow analogue drum machines (G. Reid, Synth Secrets 31 to 41, Sound on Sound, 2001 to 2002): swept sines
for skins, clusters of square waves for metal, filtered noise for wires, hands and cymbals.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from ngs.corpus.reading import PEAK
from ngs.runtime.atomic import replaced_folder

SHORTEST_SECONDS, LONGEST_SECONDS = 0.08, 1.5
METAL_HZ = (205.3, 304.4, 369.6, 522.7, 540.0, 800.0)  # the six oscillators of the TR-808's cymbals
_FILE = re.compile(r"(\w+)/\1_\d{3,}\.wav")

Rng = np.random.Generator
Array = NDArray[np.float64]


class _Bench:
    """The tools of a recipe, for a hit of `seconds` at a sample rate, with a source of random numbers."""

    def __init__(self, rng: Rng, sample_rate: int, seconds: float) -> None:
        self.rng, self.sample_rate = rng, sample_rate
        number = round(float(np.clip(seconds, SHORTEST_SECONDS, LONGEST_SECONDS)) * sample_rate)
        self.t = np.arange(number) / sample_rate

    def decay(self, seconds: float, start: float = 0.0) -> Array:
        """An envelope: 0 before `start`, then 1, falling by 60 dB in `seconds`."""
        since = self.t - start
        return np.where(since < 0, 0.0, np.exp(-6.9 * np.maximum(since, 0) / seconds))

    def rise(self, seconds: float) -> Array:
        """An envelope: from 0 to 1 in `seconds`, linearly."""
        return np.minimum(self.t / seconds, 1.0)

    def sweep(self, end_hz: float, start_hz: float, time_constant: float) -> Array:
        """A sine that falls exponentially from start_hz to end_hz; the phase is the frequency's exact integral."""
        cycles = end_hz * self.t + (start_hz - end_hz) * time_constant * (1 - np.exp(-self.t / time_constant))
        return np.sin(2 * np.pi * cycles)

    def filtered(self, signal: Array, low_hz: float, high_hz: float, order: int = 2) -> Array:
        """The band from low_hz to high_hz, at unit power; zero phase, slopes of 6 dB an octave for each order."""
        frequency = np.fft.rfftfreq(len(signal), 1 / self.sample_rate)
        low_hz, high_hz = min(low_hz, 0.3 * self.sample_rate), min(high_hz, 0.45 * self.sample_rate)
        high_pass = (frequency / low_hz) ** order / np.sqrt(1 + (frequency / low_hz) ** (2 * order))
        low_pass = 1 / np.sqrt(1 + (frequency / high_hz) ** (2 * order))
        band: Array = np.fft.irfft(np.fft.rfft(signal) * high_pass * low_pass, len(signal))
        band /= np.sqrt(np.mean(band**2) + 1e-12)
        return band

    def noise(self, low_hz: float, high_hz: float, order: int = 2) -> Array:
        """Noise in a band, at unit power."""
        return self.filtered(self.rng.standard_normal(len(self.t)), low_hz, high_hz, order)

    def oscillation(self, hz: float, phase: float, seconds: float = np.inf) -> Array:
        """A sine that falls by 60 dB in `seconds`, by powers of one complex number: much cheaper than calling sin."""
        step = 256
        power = complex(-6.9 / seconds, 2 * np.pi * hz) / self.sample_rate
        fine = np.exp(power * np.arange(step) + 1j * phase)
        coarse = np.exp(power * step * np.arange(-(-len(self.t) // step)))
        turns: Array = np.imag(coarse[:, None] * fine).ravel()
        return turns[: len(self.t)]

    def square(self, hz: float) -> Array:
        """A square wave, without harmonics above the Nyquist frequency."""
        phase = 2 * np.pi * self.rng.random()
        total = np.zeros_like(self.t)
        for harmonic in range(1, int(max(0.45 * self.sample_rate / hz, 2)), 2):
            total += self.oscillation(hz * harmonic, phase * harmonic) / harmonic
        return total

    def partials(self, hz: Array, amplitudes: Array, seconds: Array) -> Array:
        """Damped sines with random phases, each with its frequency, amplitude and time to -60 dB in seconds."""
        total = np.zeros_like(self.t)
        phases = self.rng.uniform(0, 2 * np.pi, len(hz))
        for f, a, d, phase in np.stack([hz, amplitudes, seconds, phases], 1).tolist():
            if f < 0.45 * self.sample_rate:
                total += a * self.oscillation(f, phase, d)
        return total

    def between(self, low: float, high: float) -> float:
        """A random number, uniform on a logarithmic scale."""
        return float(low * (high / low) ** self.rng.random())


def _kick(rng: Rng, sample_rate: int) -> Array:
    b = _Bench(rng, sample_rate, seconds := float(rng.uniform(0.18, 0.9)))
    low = b.between(38, 68)
    body = b.sweep(low, low * b.between(2, 7), b.between(0.01, 0.05)) * b.decay(seconds)
    click = b.noise(b.between(800, 3000), b.between(4000, 12000)) * b.decay(b.between(0.006, 0.03))
    drive = b.between(0.6, 5)
    driven: Array = np.tanh(drive * body) / np.tanh(drive)
    return driven + b.between(0.03, 0.35) * click


def _snare(rng: Rng, sample_rate: int) -> Array:
    b = _Bench(rng, sample_rate, seconds := float(rng.uniform(0.12, 0.45)))
    tuning = b.between(150, 260)
    skin = np.zeros_like(b.t)
    for ratio, amount in ((1.0, 1.0), (b.between(1.5, 1.95), b.between(0.3, 0.8))):
        skin += amount * b.sweep(tuning * ratio, tuning * ratio * b.between(1.1, 1.8), 0.012)
    skin *= b.decay(seconds * b.between(0.35, 0.8))
    wires = b.noise(b.between(700, 2500), b.between(5000, 14000)) * b.decay(seconds)
    snap = b.noise(2000, 15000) * b.decay(0.015)
    mixed = skin + b.between(0.25, 1.2) * wires + b.between(0.1, 0.8) * snap
    return np.tanh(b.between(0.3, 1.5) * mixed)


def _clap(rng: Rng, sample_rate: int) -> Array:
    tail = float(rng.uniform(0.1, 0.5))
    hands, gap = int(rng.integers(3, 6)), float(rng.uniform(0.007, 0.014))
    times = np.concatenate([[0.0], np.cumsum(gap * rng.uniform(0.7, 1.3, hands - 1))])
    b = _Bench(rng, sample_rate, float(times[-1]) + tail)
    center = b.between(900, 2200)
    envelope = np.zeros_like(b.t)
    for time in times[:-1]:
        envelope = np.maximum(envelope, rng.uniform(0.6, 1.0) * b.decay(gap * 1.6, float(time)))
    envelope = np.maximum(envelope, b.decay(0.03, float(times[-1])))
    envelope = np.maximum(envelope, b.between(0.25, 0.6) * b.decay(tail, float(times[-1])))
    bright = b.noise(3000, 12000) * b.between(0.1, 0.5)
    return (b.noise(center / b.between(1.2, 1.7), center * b.between(1.2, 2.2)) + bright) * envelope


def _metal(b: _Bench, scale: float) -> Array:
    """The six square waves of a cymbal, each slightly out of tune."""
    total = np.zeros_like(b.t)
    for hz in METAL_HZ:
        total += b.square(hz * scale * b.between(0.96, 1.04))
    return total


def _hat(rng: Rng, sample_rate: int) -> Array:
    is_open = rng.random() < 0.35
    seconds = float(rng.uniform(0.25, 0.8) if is_open else rng.uniform(0.05, 0.16))
    b = _Bench(rng, sample_rate, seconds)
    cutoff = b.between(4500, 9000)
    metal = b.filtered(_metal(b, b.between(0.8, 2.2)), cutoff, 16000, 3)
    mixed = metal + b.between(0.2, 1.5) * b.noise(cutoff, 18000, 3)
    tick = b.between(0.2, 1.0) * b.noise(cutoff * 0.7, 18000) * b.decay(0.01)
    return mixed * b.decay(seconds) + tick


def _tom(rng: Rng, sample_rate: int) -> Array:
    b = _Bench(rng, sample_rate, seconds := float(rng.uniform(0.25, 1.0)))
    tuning = b.between(75, 240)
    sound = np.zeros_like(b.t)
    bend = b.between(1.15, 1.9)
    # the first modes of an ideal circular membrane: ratio, amplitude, share of the decay
    modes = ((1.0, 1.0, 1.0), (1.594, b.between(0.08, 0.4), 0.5), (2.136, b.between(0.03, 0.2), 0.3))
    for ratio, amount, share in modes:
        sound += amount * b.sweep(tuning * ratio, tuning * ratio * bend, 0.04) * b.decay(seconds * share)
    skin = b.noise(tuning * 2, b.between(1500, 6000)) * b.decay(b.between(0.02, 0.08))
    return np.tanh(b.between(0.5, 2.0) * sound) + b.between(0.03, 0.25) * skin


def _cowbell(rng: Rng, sample_rate: int) -> Array:
    b = _Bench(rng, sample_rate, seconds := float(rng.uniform(0.15, 0.7)))
    tuning = b.between(420, 760)
    pair = b.square(tuning) + b.square(tuning * b.between(1.42, 1.56)) * b.between(0.6, 1.2)
    center = tuning * b.between(1.4, 2.4)
    bell = b.filtered(pair, center / 1.6, center * b.between(1.5, 3.5))
    strike = b.between(0.3, 0.7)
    return bell * (strike * b.decay(0.06) + (1 - strike) * b.decay(seconds)) * b.rise(0.0005)


def _crash(rng: Rng, sample_rate: int) -> Array:
    b = _Bench(rng, sample_rate, seconds := float(rng.uniform(0.9, 1.5)))
    size = b.between(0.7, 1.4)
    hz = size * 280 * (16000 / 280) ** rng.random(56)
    # high modes fade first; a slow bloom follows the stroke
    lives = seconds * np.clip((3500 / hz) ** b.between(0.2, 0.5), 0.25, 1.0)
    plate = b.partials(hz, rng.uniform(0.2, 1.0, len(hz)), lives) / 4
    wash = b.noise(size * 2500, b.between(7000, 16000)) * b.decay(seconds) * (0.6 + 0.4 * b.rise(0.05))
    sizzle = b.noise(6000, 18000) * b.decay(seconds * b.between(0.3, 0.6))
    stroke = b.noise(300, 9000) * b.decay(0.04)
    return b.between(0.5, 1.5) * plate + wash + b.between(0.3, 1.0) * sizzle + b.between(0.3, 1.0) * stroke


def _ride(rng: Rng, sample_rate: int) -> Array:
    b = _Bench(rng, sample_rate, seconds := float(rng.uniform(0.7, 1.5)))
    bell = b.between(350, 620) * np.array([1.0, 1.48, 2.03, 2.71, 3.62, 4.9, 6.3, 8.1]) * rng.uniform(0.98, 1.02, 8)
    ping = b.partials(bell, rng.uniform(0.3, 1.0, 8) / np.sqrt(np.arange(1, 9)), seconds * rng.uniform(0.5, 1.0, 8))
    hz = 1500 * (14000 / 1500) ** rng.random(40)
    plate = b.partials(hz, rng.uniform(0.1, 0.5, 40), seconds * rng.uniform(0.3, 0.9, 40)) / 3
    stick = b.noise(b.between(2500, 5000), 14000) * b.decay(b.between(0.012, 0.04))
    wash = b.noise(3500, b.between(8000, 14000)) * b.decay(seconds * 0.8)
    return b.between(0.3, 1.0) * ping + plate + b.between(0.8, 2.0) * stick + b.between(0.1, 0.4) * wash


RECIPES: dict[str, Callable[[Rng, int], Array]] = {
    "Kick": _kick, "Snare": _snare, "Clap": _clap, "Hat": _hat,
    "Tom": _tom, "Cowbell": _cowbell, "Crash": _crash, "Ride": _ride,
}  # fmt: skip


def make_hit(class_name: str, rng: Rng, sample_rate: int) -> NDArray[np.float32]:
    """One hit of a class of RECIPES: float32 [n] mono, 0.08 to 1.5 s long, peak 0.9, no offset, fading to silence."""
    signal = RECIPES[class_name](rng, sample_rate)
    fade = min(round(0.02 * sample_rate), len(signal))
    signal[-fade:] *= 0.5 + 0.5 * np.cos(np.pi * np.arange(1, fade + 1) / fade)
    bow = np.hanning(len(signal))
    signal -= bow * (signal.sum() / bow.sum())
    signal *= PEAK / np.abs(signal).max()
    return signal.astype(np.float32)


def write_hits(folder: Path, count: int, seed: int = 0, sample_rate: int = 44100) -> int:
    """Write `count` hits of each class as 16-bit WAV: `folder`/Kick/Kick_000.wav and so on. Returns the number of hits.

    The same arguments give the same bytes, and a larger count begins with the same hits. A folder that holds nothing
    but such hits is replaced. Raises ValueError if it holds anything else, OSError if it cannot be written.
    """
    folder = folder.resolve()
    if folder.exists():
        _require_hits_only(folder)
    with replaced_folder(folder) as made:
        for index, name in enumerate(RECIPES):
            (made / name).mkdir()
            for number in range(count):
                hit = make_hit(name, np.random.default_rng([seed, index, number]), sample_rate)
                encoded = io.BytesIO()
                soundfile.write(encoded, hit, sample_rate, subtype="PCM_16", format="WAV")
                (made / name / f"{name}_{number:03d}.wav").write_bytes(encoded.getbuffer())
    return count * len(RECIPES)


def _require_hits_only(folder: Path) -> None:
    if not folder.is_dir():
        raise ValueError(f"{folder} is a file: name a folder for the hits")
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if not (_FILE.fullmatch(name) if path.is_file() else name in RECIPES):
            raise ValueError(f"{folder} holds {name}, not only hits of `ngs hits`: name a new or an empty folder")
