"""What was measured of new sounds, in a musician's words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from ngs.evaluation.quality.compared import Compared
from ngs.evaluation.quality.distances import Measures
from ngs.evaluation.quality.evaluate import Evaluation
from ngs.evaluation.quality.novelty import NEARLY_A_COPY, Novelty
from ngs.evaluation.quality.transfers import Transfer

AS_LOUD_DB, AS_FAST_MS, AS_LONG = 1.0, 1.0, 1.25  # differences that are hardly heard; AS_LONG is a factor
EVERYTHING = "All together"
STYLES = {0.0: "as the model knows it", 0.5: "half way to your sounds", 1.0: "made of your sounds"}
IN_TUNE_CENTS = 50.0


def in_words(evaluation: Evaluation) -> tuple[tuple[str, str], ...]:
    """The name of each class that was sampled and what was measured; all of them together come first."""
    compared, agreed = evaluation.compared, evaluation.sampling.agreement
    names = [name for name, one in compared["loudness"].by_class.items() if "sampled" in one.difference]
    if not names:
        return ()
    means = {number: comparison.mean_of_classes for number, comparison in compared.items()}
    shares = agreed.mean if agreed else {}
    entries = [(EVERYTHING, [*_sound(means), *_named(shares.get("sampled"), shares.get("real")), *_told(evaluation)])]
    for name in names:
        own = {number: comparison.by_class[name] for number, comparison in compared.items()}
        by_kind = agreed.by_class if agreed else {}
        ours, theirs = (by_kind.get(kind, {}).get(name) for kind in ("sampled", "real"))
        nearest = evaluation.sampling.novelty.get("sampled", {}).get(name)
        entries.append((name, [*_sound(own), *_named(ours, theirs), *_nearest(nearest)]))
    return tuple((name, " ".join(f"{part[0].upper()}{part[1:]}." for part in parts)) for name, parts in entries)


def transfer_words(played: Transfer, heard: Measures) -> str:
    """How another sound is played, and what of it is heard. `heard`: how often real frames are heard as their class."""
    name, measures = played.chosen, played.measures
    parts = [f"made of {name}" if name else STYLES[played.style]]
    if name and "heard" in measures:
        parts = [f"heard as {name} {measures['heard']:.2f} of the time"]
        parts += [f"your own {heard[name]:.2f}"] if name in heard else []
    if (cents := measures.get("cents")) is not None:
        parts.append(f"{cents:.0f} cents out of tune" if cents < IN_TUNE_CENTS else "not at its pitch")
    return ", ".join(parts)


def _sound(compared: dict[str, Compared]) -> Iterator[str]:
    """How loud and how crisp samples are, beside real sounds."""
    loudness, attack, decay = (compared[number] for number in ("loudness", "attack_ms", "decay_ms"))
    louder = loudness.difference["sampled"]
    much = f"{abs(louder):.1f} dB {'louder' if louder > 0 else 'quieter'}"
    yield f"as loud as your sounds ({much})" if abs(louder) < AS_LOUD_DB else f"{much} than your sounds"
    own, others = loudness.spread["sampled"], loudness.spread["real"]
    if abs(own - others) >= AS_LOUD_DB:
        less = "less even" if own > others else "more even"
        yield f"{less}: the loudness varies by {own:.1f} dB, that of yours by {others:.1f} dB"
    slower = attack.difference["sampled"]
    speed = f"{abs(slower):.0f} ms {'slower' if slower > 0 else 'faster'} attack"
    yield speed if abs(slower) >= AS_FAST_MS else "attacks as fast"
    if (longer := decay.ratio.get("sampled")) is not None:
        yield "rings as long" if 1 / AS_LONG <= longer <= AS_LONG else f"rings {longer:.1f} times as long"


def _named(sampled: float | None, real: float | None) -> Iterator[str]:
    if sampled is not None:
        yield f"named right {sampled:.2f} of the time" + ("" if real is None else f", your own sounds {real:.2f}")


def _told(evaluation: Evaluation) -> Iterator[str]:
    told = evaluation.sampling.told_apart.get("sampled")
    if told:
        more = "more" if told.more else "less"
        yield f"a classifier tells a new sound from one of yours {told.mean:.2f} of the time (0.50 is guessing)"
        yield f"it goes by this most: {told.goes_by}, new sounds have {more}"


def _nearest(novelty: Novelty | None) -> Iterator[str]:
    if novelty:
        name = PurePosixPath(novelty.nearest).name
        copy = novelty.least < NEARLY_A_COPY
        yield f"{novelty.sound} is nearly a copy of {name}" if copy else f"nearest to {name}, not a copy"
