"""The latent map as the page shows it: places from 0 to 1, contours, paths, and the sound of every grain."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable

import numpy as np
import soundfile
from numpy.typing import NDArray

from ngs.evaluation.quality.selection import Entry
from ngs.report.latent_map import LatentMap, contours, latent_map
from ngs.report.map_grains import heard_grains, sound_grains
from ngs.report.page_model import MapPath, PageMap
from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle

MOST_POINTS = 800
MOST_SAMPLES = 800 * 4096  # of the grains of all points together: they are part of the page
PEAK = 0.9  # of the loudest grain
MARGIN = 0.1  # around points and paths, as a share of their extent


def place_grains(bundle: Bundle, sounds: Iterable[tuple[Entry, Array]], seed: int) -> LatentMap:
    """The grains of sounds on the axes of timbre, as many as a page can hold."""
    most = max(min(MOST_POINTS, MOST_SAMPLES // bundle.manifest.grain_length), 1)
    return latent_map(bundle, sound_grains(bundle, sounds).drawn(most, seed), seed=seed)


class MapFrame:
    """Brings places on a latent map, which may lie anywhere, to 0 to 1."""

    def __init__(self, drawn: LatentMap) -> None:
        everything = np.concatenate((drawn.places, *drawn.paths.values()))
        low, high = everything.min(axis=0), everything.max(axis=0)
        margin = MARGIN * (high - low) + 1e-6
        self._low, self._span = low - margin, high - low + 2 * margin

    def __call__(self, places: NDArray[np.float64]) -> tuple[tuple[float, float], ...]:
        inside = np.clip((places - self._low) / self._span, 0, 1).round(4)
        return tuple((x, y) for x, y in inside.tolist())


def page_map(bundle: Bundle, drawn: LatentMap, frame: MapFrame, seed: int) -> PageMap:
    """A map of timbre with a recording of its grains."""
    assert drawn.explained is not None
    attribute, grains, places = bundle.manifest.attributes[0], drawn.grains, frame(drawn.places)
    return PageMap(
        attribute=attribute.name, classes=attribute.classes, shares=drawn.explained[:2], brighter=drawn.brighter,
        x=tuple(x for x, _ in places), y=tuple(y for _, y in places),
        labels=tuple(grains.labels.tolist()), owners=tuple(grains.owners.tolist()),
        times=tuple(grains.times.round(3).tolist()), files=grains.files,
        contours=tuple(
            tuple(frame(line) for line in contours(drawn.places[grains.labels == label]))
            for label in range(len(attribute.classes))
        ),
        paths=tuple(MapPath(kind, frame(path)) for kind, path in drawn.paths.items()),
        grains=_recording(heard_grains(bundle, grains, seed), bundle.manifest.sample_rate),
        grain_seconds=bundle.manifest.grain_length / bundle.manifest.sample_rate,
    )  # fmt: skip


def _recording(heard: Array, sample_rate: int) -> str:
    """Grains [N, L], one after another, as a FLAC file in base64."""
    gain = PEAK / max(float(np.abs(heard).max(initial=0.0)), 1e-9)
    file = io.BytesIO()
    soundfile.write(file, (heard * gain).reshape(-1), sample_rate, "PCM_16", format="FLAC")
    return base64.b64encode(file.getvalue()).decode("ascii")
