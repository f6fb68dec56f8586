"""`ngs report`: a page of everything that a bundle does, measured, seen and heard."""

from __future__ import annotations

import base64
import datetime
import io
import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from ngs import __version__
from ngs.corpus.words import listing
from ngs.evaluation.quality.evaluate import Evaluation, Options, evaluate
from ngs.evaluation.quality.quality_tables import tables
from ngs.evaluation.quality.selection import Entry, Progress, read, select
from ngs.report import examples
from ngs.report.curves import training_curves
from ngs.report.gallery import Gallery
from ngs.report.grains import chosen, heard_grains, sound_grains
from ngs.report.latent_map import LatentMap, contours, latent_map
from ngs.report.page import write_page
from ngs.report.page_model import Map, MapPath, Page, Section, Table
from ngs.report.spectrogram import frequency_ticks
from ngs.runtime.arrays import Array
from ngs.runtime.atomic import replace_path, writable
from ngs.runtime.bundle.bundle import Bundle

MARK = re.compile(r'<meta name="generator" content="ngs [^"]*, report">')  # a page of ours may be replaced
PARTS = {"index.html", "style.css", "page.js", "map.js", "audio", "pictures"}
MAP_SOUNDS, MAP_POINTS = 300, 800
MAP_SAMPLES = 800 * 4096  # of the grains of all points, which are part of the page
REMARKS = {
    "Reconstruction": "Distances of reconstructions to sounds, less is better; a level below 0 dB is softer.",
    "Against baselines (mean of classes)": "The same beside classic concatenative synthesis and the mean of the class.",
    "Latents": "Nats against N(0, 1), and dimensions in use.",
    "Sampling": "How often a classifier trained on real sounds names the class asked for; distance to real sounds.",
    "Crispness (medians)": "Of real sounds, their reconstructions, and samples.",
}


@dataclass(frozen=True)
class Summary:
    page: Path
    sounds: int
    bytes: int
    explained_variance: float  # of timbre, by the two axes of the map
    remarks: tuple[str, ...]


def write_report(
    bundle: Bundle, data: Path, output: Path, run: Path | None = None, labels: Path | None = None,
    sounds: tuple[Path, ...] = (), limit: int | None = None, seed: int = 0, progress: Progress = lambda *_: None,
) -> Summary:  # fmt: skip
    """Write the page of a bundle and the sounds in `data` into the folder `output`, replacing an earlier report.

    With `run` reconstructions are of sounds it set apart, and its training curves are shown; `sounds` are files to
    resynthesise; `limit` takes so many files a class. The folder appears when all is written. Raises ValueError,
    OSError.
    """
    page_name, output = output / "index.html", output.resolve()
    check_output(output, data)
    given = examples.read_given(sounds, bundle.manifest.sample_rate)
    curves = training_curves(run) if run else ()
    scratch = Path(tempfile.mkdtemp(prefix=f".{output.name}-", dir=writable(output.parent)))
    try:
        evaluation = evaluate(bundle, data, Options(run=run, labels=labels, limit=limit, seed=seed), progress)
        remarks = list(evaluation.remarks)
        if run and not _is_of(run, bundle):
            remarks.append(f"{run} trained another model than {bundle.path}: the curves are not of this one")
        selection = select(bundle, data, run, None, labels, limit, seed)
        made = scratch / output.name
        made.mkdir()
        gallery = Gallery(made, bundle.manifest.sample_rate)
        sections = _sections(bundle, gallery, selection.test, given, seed, remarks, progress)
        drawn = _drawn_map(bundle, [*selection.test, *(selection.training or [])], seed, remarks, progress)
        assert drawn.explained is not None
        placed = _Frame(drawn)
        page = Page(
            title=bundle.manifest.name,
            made=datetime.date.today().isoformat(),
            version=__version__,
            facts=tuple(bundle.manifest.facts().items()),
            card=tuple((name.replace("_", " "), text) for name, text in bundle.manifest.model_card.items()),
            remarks=tuple(f"{remark}." for remark in dict.fromkeys(remarks)),
            charts=curves,
            tables=_tables(evaluation),
            map=_map(bundle, drawn, drawn.explained[:2], placed, seed),
            sections=tuple(placed.within(section) for section in sections),
            frequencies=tuple(frequency_ticks(bundle.manifest.sample_rate / 2)),
        )
        write_page(page, made)
        size = sum(file.stat().st_size for file in made.rglob("*") if file.is_file())
        replace_path(made, output, scratch / "former")
    except OSError as error:
        if error.filename and not Path(error.filename).is_relative_to(scratch):
            raise
        raise OSError(f"{output} cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return Summary(page_name, gallery.count, size, drawn.explained[2], tuple(dict.fromkeys(remarks)))


def check_output(output: Path, data: Path) -> None:
    """Raise ValueError where a folder holds something else than a report, or is one of sounds."""
    if output.is_relative_to(data.resolve()):
        raise ValueError(
            f"{output} lies among the sounds, and would be taken for sounds the next time: name another folder"
        )
    if not output.exists() or (output.is_dir() and not any(output.iterdir())):
        return
    page = output / "index.html"
    if not (page.is_file() and MARK.search(page.read_text(encoding="utf-8", errors="replace")[:2000])):
        raise ValueError(f"{output} is there and is not a report: name another folder, or remove it")
    others = sorted({entry.name for entry in output.iterdir()} - PARTS)
    if others:
        raise ValueError(f"{output} holds more than a report, which would be lost: {listing(others)}; move it away")


def _is_of(run: Path, bundle: Bundle) -> bool:
    """Whether a run has the rate, the grains and the classes of a bundle. Raises ValueError for a damaged run."""
    manifest = bundle.manifest
    wanted = [manifest.sample_rate, manifest.grain_length, *(list(known.classes) for known in manifest.attributes)]
    try:
        document = json.loads((run / "run.json").read_text(encoding="utf-8"))
        audio, classes = document["config"]["audio"], [list(names) for _, names in document["attributes"]]
        found = [audio["sample_rate"], audio["grain_length"], *classes]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{run / 'run.json'} is damaged ({error})") from error
    return found == wanted


def _read(
    bundle: Bundle, entries: list[Entry], remarks: list[str], title: str, progress: Progress
) -> Iterator[tuple[Entry, Array]]:
    for _, entry, signal in read(entries, bundle.manifest.sample_rate, title, remarks, progress):
        yield entry, signal


def _drawn_map(bundle: Bundle, entries: list[Entry], seed: int, remarks: list[str], progress: Progress) -> LatentMap:
    few = chosen(entries, MAP_SOUNDS, seed)
    grains = sound_grains(bundle, _read(bundle, few, remarks, "Reading sounds for the map", progress))
    points = max(min(MAP_POINTS, MAP_SAMPLES // bundle.manifest.grain_length), 1)
    return latent_map(bundle, grains.drawn(points, seed), seed=seed)


def _sections(
    bundle: Bundle, gallery: Gallery, entries: list[Entry], given: list[tuple[str, str, Array]], seed: int,
    remarks: list[str], progress: Progress,
) -> list[Section]:  # fmt: skip
    attribute = bundle.manifest.attributes[0].name

    def sounds(few: list[Entry]) -> list[tuple[Entry, Array]]:
        return list(_read(bundle, few, remarks, "Reading sounds", lambda *_: None)) if few else []

    parts: list[tuple[str, str, str, Callable[[], examples.Rows]]] = [
        ("reconstructions", "Reconstructions",
         "Sounds, and what encoder and decoder make of their grains, one by one.",
         lambda: examples.reconstructions(bundle, sounds(examples.to_reconstruct(entries, seed)), seed)),
        ("samples", "Samples", f"New sounds of every {attribute}, drawn at temperature {examples.TEMPERATURE}.",
         lambda: examples.samples(bundle, seed)),
        ("paths", "Free paths", "Sounds without beginning or end: grains along a path through the map.",
         lambda: examples.free_paths(bundle, seed)),
        ("resyntheses", "Resynthesis", "Other sounds, played with the grains of this model.",
         lambda: examples.resyntheses(bundle, given, seed)),
        ("morphs", "Morphs", f"From one sound to another in {examples.MORPH_STEPS} steps; the ends are decoded, too.",
         lambda: examples.morphs(bundle, sounds(examples.to_morph(entries, seed)), seed)),
        ("loops", "Loops", "Patterns with a fresh hit at every step.", lambda: examples.loops(bundle, seed)),
    ]  # fmt: skip
    sections = []
    for done, (name, title, text, make) in enumerate(parts):
        progress("Playing", done, len(parts))
        rows = make()
        if rows:
            sections.append(gallery.section(name, title, text, rows))
    progress("Playing", len(parts), len(parts))
    return sections


class _Frame:
    """Brings places on the map, which may lie anywhere, to 0 to 1."""

    def __init__(self, drawn: LatentMap) -> None:
        everything = np.concatenate((drawn.places, *drawn.paths.values()))
        low, high = everything.min(axis=0), everything.max(axis=0)
        margin = 0.1 * (high - low) + 1e-6
        self._low, self._span = low - margin, high - low + 2 * margin

    def __call__(self, places: NDArray[np.float64]) -> tuple[tuple[float, float], ...]:
        inside = np.clip((places - self._low) / self._span, 0, 1).round(4)
        return tuple((x, y) for x, y in inside.tolist())

    def within(self, section: Section) -> Section:
        """A section whose paths are brought to 0 to 1."""
        rows = tuple(
            replace(row, sounds=tuple(
                replace(sound, path=self(np.asarray(sound.path))) if sound.path else sound for sound in row.sounds
            ))
            for row in section.rows
        )  # fmt: skip
        return replace(section, rows=rows)


def _map(bundle: Bundle, drawn: LatentMap, shares: tuple[float, float], placed: _Frame, seed: int) -> Map:
    attribute, grains = bundle.manifest.attributes[0], drawn.grains
    places = placed(drawn.places)
    heard = heard_grains(bundle, grains, seed)
    peak = float(np.abs(heard).max(initial=0.0))
    recording = io.BytesIO()
    soundfile.write(
        recording, (heard * (0.9 / max(peak, 1e-9))).reshape(-1), bundle.manifest.sample_rate, "PCM_16", format="FLAC"
    )
    return Map(
        attribute=attribute.name, classes=attribute.classes, shares=shares, brighter=drawn.brighter,
        x=tuple(x for x, _ in places), y=tuple(y for _, y in places),
        labels=tuple(grains.labels.tolist()), owners=tuple(grains.owners.tolist()),
        times=tuple(grains.times.round(3).tolist()), files=grains.files,
        contours=tuple(
            tuple(placed(line) for line in contours(drawn.places[grains.labels == label]))
            for label in range(len(attribute.classes))
        ),
        paths=tuple(MapPath(kind, placed(path)) for kind, path in drawn.paths.items()),
        grains=base64.b64encode(recording.getvalue()).decode("ascii"),
        grain_seconds=bundle.manifest.grain_length / bundle.manifest.sample_rate,
    )  # fmt: skip


def _tables(evaluation: Evaluation) -> tuple[Table, ...]:
    found = []
    for header, *rows in tables(evaluation):
        title = header[0]
        remark = next((text for name, text in REMARKS.items() if title.startswith(name)), "")
        found.append(Table(title, ("", *header[1:]), tuple(tuple(row) for row in rows), remark))
    return tuple(found)
