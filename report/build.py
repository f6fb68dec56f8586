"""`ngs report`: the whole way from a bundle and a folder of sounds to a page."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path

from ngs import __version__
from ngs.evaluation.quality.evaluate import Evaluation, Options, measure
from ngs.evaluation.quality.quality_tables import tables
from ngs.evaluation.quality.selection import Progress, select
from ngs.report.curves import training_curves
from ngs.report.examples import read_given
from ngs.report.output_folder import check_output
from ngs.report.page import write_page
from ngs.report.page_map import MapFrame, page_map, place_grains
from ngs.report.page_model import PageTable, ReportPage
from ngs.report.players import PlayerFiles
from ngs.report.sections import play_sections
from ngs.report.sounds import ReportSounds
from ngs.report.spectrogram import frequency_ticks
from ngs.report.words import in_words
from ngs.runtime.atomic import replaced_folder
from ngs.runtime.bundle.bundle import Bundle
from ngs.training.run_folder import RunInfo

CAPTIONS = {
    "Reconstruction": "How far reconstructions are from the sounds: less is better. A level below 0 dB means softer.",
    "Against baselines (mean of classes)": "The same for classic concatenative synthesis and for mean sounds.",
    "Latents": "How far latents are from N(0, 1), and how many dimensions are in use.",
    "Named as their class": "How often a classifier of real sounds recognises the class: 1 is always.",
    "Loudness": "Medians and spreads; what reconstructions, sounds through the embedding and samples have more, in dB.",
    "Level against the original": "How much louder each part is: loud parts, the first 50 ms, the tail; three bands.",
    "Crispness": "Attack and crest: medians of real sounds, and what others have more. Decay: how many times as long.",
    "Told from real sounds": "How often a classifier tells them apart: 0.5 is guessing, 1 always. Frechet distance.",
    "What tells them": "What the classifier heeds most, and whether the sounds have more or less of it.",
    "Other sounds, played": "How far from your sounds they are, how restless beside yours, how often they are heard as "
    "the class that they are made of; how well their loudness follows, and how far they are from what they were.",
    "Novelty": "How far samples are from the nearest training sound: 0 is a copy, 1 as far as your sounds are apart.",
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

    With `run`, reconstructions are of sounds that it held back, and its training curves are shown; `sounds` are files
    to resynthesise; `limit` takes so many files of each class. The folder appears when all is written. Raises
    ValueError, OSError.
    """
    page_path, output = output / "index.html", output.resolve()
    check_output(output, data)
    given = read_given(sounds, bundle.manifest.sample_rate)
    curves = training_curves(run) if run else ()
    with replaced_folder(output) as folder:
        options = Options(run=run, labels=labels, limit=limit, seed=seed)
        selection = select(bundle, data, run, None, labels, limit, seed, progress)
        remarks = list(selection.remarks)
        read = ReportSounds(selection, bundle.manifest.sample_rate, seed, remarks, progress)
        evaluation = measure(bundle, data, read.test, read.training, options, remarks, progress)
        if selection.run and not _run_matches(selection.run, bundle):
            remarks.append(f"{run} trained another model than {bundle.path}: the curves are not of this one")
        remarks = list(dict.fromkeys(remarks))

        drawn = place_grains(bundle, read.on_map(), seed)
        assert drawn.explained is not None
        frame, files = MapFrame(drawn), PlayerFiles(folder, bundle.manifest.sample_rate)
        examples = [(entry, signal) for _, entry, signal in read.test]
        page = ReportPage(
            title=bundle.manifest.name,
            made=datetime.date.today().isoformat(),
            version=__version__,
            facts=tuple(bundle.manifest.facts().items()),
            model_card=tuple((name.replace("_", " "), text) for name, text in bundle.manifest.model_card.items()),
            remarks=tuple(f"{remark}." for remark in remarks),
            charts=curves,
            words=in_words(evaluation),
            tables=_tables(evaluation),
            map=page_map(bundle, drawn, frame, seed),
            sections=play_sections(bundle, files, examples, given, evaluation.transfers, frame, seed, progress),
            frequencies=tuple(frequency_ticks(bundle.manifest.sample_rate / 2)),
        )
        write_page(page, folder)
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return Summary(page_path, files.count, size, drawn.explained[2], tuple(remarks))


def _run_matches(run: RunInfo, bundle: Bundle) -> bool:
    """Whether a run has the rate, the grains and the classes of a bundle."""
    manifest, audio = bundle.manifest, run.config.audio
    classes = tuple(attribute.classes for attribute in run.attributes)
    return (audio.sample_rate, audio.grain_length, classes) == (
        manifest.sample_rate, manifest.grain_length, tuple(attribute.classes for attribute in manifest.attributes),
    )  # fmt: skip


def _tables(evaluation: Evaluation) -> tuple[PageTable, ...]:
    found = []
    for header, *rows in tables(evaluation):
        title = header[0]
        caption = next((text for name, text in CAPTIONS.items() if title.startswith(name)), "")
        found.append(PageTable(title, ("", *header[1:]), tuple(tuple(row) for row in rows), caption))
    return tuple(found)
