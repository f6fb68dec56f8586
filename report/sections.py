"""The sections of a report, in the order of the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ngs.evaluation.quality.selection import Entry, Progress
from ngs.evaluation.quality.transfers import Transfers
from ngs.report import examples
from ngs.report.page_map import MapFrame
from ngs.report.page_model import Section
from ngs.report.players import ClipRow, PlayerFiles
from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.temperature import TEMPERATURE


def play_sections(
    bundle: Bundle, files: PlayerFiles, sounds: Sequence[tuple[Entry, Array]], given: Sequence[examples.GivenSound],
    transfers: Transfers | None, frame: MapFrame, seed: int, progress: Progress,
) -> tuple[Section, ...]:  # fmt: skip
    """Play every example of a bundle and write its files.

    `sounds` are of the corpus, `given` the user's own; `transfers` were measured with the same seed. Sections without
    examples are left out.
    """
    attribute = bundle.manifest.attributes[0].name
    parts: tuple[tuple[str, str, str, Callable[[], Sequence[ClipRow]]], ...] = (
        ("reconstructions", "Reconstructions",
         "Sounds beside what encoder and decoder make of them, grain by grain.",
         lambda: examples.reconstructions(bundle, sounds, seed)),
        ("samples", "Samples", f"New sounds of every {attribute}, sampled at temperature {TEMPERATURE}.",
         lambda: examples.samples(bundle, seed)),
        ("paths", "Free paths", "Sounds without beginning or end: the grains along a path through the map.",
         lambda: examples.free_paths(bundle, frame, seed)),
        ("resyntheses", "Resynthesis", "Other sounds, played with this model's grains as they are.",
         lambda: examples.resyntheses(bundle, given, seed)),
        ("transfers", "Other sounds, played by yours",
         "Sounds that this model was not trained on, brought to yours by the style: at 0 they are themselves, at 1 "
         f"each grain is a mix of those grains of your sounds that are most like it; last, of one {attribute} only. "
         "They keep their rhythm and their loudness, and their pitch as far as your sounds have it.",
         lambda: examples.transfers(bundle, transfers, seed)),
        ("morphs", "Morphs",
         f"From one sound to another in {examples.MORPH_STEPS} steps. The ends are reconstructions.",
         lambda: examples.morphs(bundle, sounds, seed)),
        ("loops", "Loops", "Patterns with a newly sampled hit at every step.", lambda: examples.loops(bundle, seed)),
    )  # fmt: skip
    sections = []
    for done, (name, title, text, play) in enumerate(parts):
        progress("Playing", done, len(parts))
        rows = play()
        if rows:
            sections.append(files.section(name, title, text, rows))
    progress("Playing", len(parts), len(parts))
    return tuple(sections)
