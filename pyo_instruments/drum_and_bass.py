"""Drum and bass machine: 10 tracks of 16 steps, for a bundle of loops, basses, pads and hits.

Play it with `ngs play drum-and-bass --bundle packs.ngs` or `python -m ngs.pyo_instruments.drum_and_bass`.
"""

from __future__ import annotations

from ngs.pyo_instruments.drum_machine import DrumMachine


class DrumAndBass(DrumMachine):
    """Ten tracks for long sounds: each new sound fades out the last one of its track."""

    counts = DrumMachine.counts | {"track": 10}
    overlap = 1
    first_tempo, first_level, first_pattern = 172.0, 0.5, "drum-and-bass"


if __name__ == "__main__":
    from ngs.pyo_instruments import run

    run(DrumAndBass)
