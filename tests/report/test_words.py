"""What the page says in words, of sounds whose differences are known."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import numpy as np

from ngs.evaluation.quality.class_agreement import Agreement
from ngs.evaluation.quality.compared import compare
from ngs.evaluation.quality.envelope import Crispness
from ngs.evaluation.quality.evaluate import Evaluation
from ngs.evaluation.quality.novelty import Novelty
from ngs.evaluation.quality.profiles import Profile
from ngs.evaluation.quality.sampling import Sampling
from ngs.evaluation.quality.told_apart import ToldApart
from ngs.evaluation.quality.transfers import STYLES, Transfer
from ngs.report.words import EVERYTHING, in_words, transfer_words

AGREED = Agreement(
    {"sampled": {"Kick": 0.93, "Snare": 1.0}, "real": {"Kick": 0.95}}, {"sampled": 0.965, "real": 0.95}, 1.0, {}, 9
)
TOLD = ToldApart({"Kick": 0.8}, 0.8, "level above 5 kHz in the first 30 ms", False, 0.3)
NEW = Novelty(1.0, 0.6, "sample 2", "Kick/kick_12.wav", [])
COPY = Novelty(0.9, 0.04, "sample 3", "Snare/snare_12.wav", [("sample 3", "Snare/snare_12.wav")])


def sounds(loudness: float, attack: float, decay: float, spread: float = 0.0) -> list[Profile]:
    shape = Crispness(attack, decay, 12.0, 300.0)
    return [Profile("", np.zeros(1, np.float32), loudness + offset, shape) for offset in (-spread, 0.0, spread)]


def evaluation(agreed: Agreement | None, told: dict[str, ToldApart], novelty: dict[str, Novelty]) -> Evaluation:
    real = {"Kick": sounds(-18, 4, 200), "Snare": sounds(-20, 4, 100)}
    sampled = {"Kick": sounds(-18.4, 7, 210), "Snare": sounds(-14, 4.4, 50, 5.0), "Tom": sounds(0, 1, 1)}
    sampling = Sampling(3, 0.7, agreed, told, {"sampled": novelty}, {})
    return cast(Evaluation, SimpleNamespace(compared=compare(real, {}, {"sampled": sampled}), sampling=sampling))


def test_each_class_is_told_in_words() -> None:
    words = dict(in_words(evaluation(AGREED, {"sampled": TOLD}, {"Kick": NEW, "Snare": COPY})))
    assert list(words) == [EVERYTHING, "Kick", "Snare"]
    assert words["Kick"] == (
        "As loud as your sounds (0.4 dB quieter). 3 ms slower attack. Rings as long. "
        "Named right 0.93 of the time, your own sounds 0.95. Nearest to kick_12.wav, not a copy."
    )
    assert words["Snare"] == (
        "6.0 dB louder than your sounds. Less even: the loudness varies by 3.4 dB, that of yours by 0.0 dB. "
        "Attacks as fast. Rings 0.5 times as long. Named right 1.00 of the time. "
        "Sample 3 is nearly a copy of snare_12.wav."
    )
    assert words[EVERYTHING].startswith("2.8 dB louder than your sounds. Less even")
    assert words[EVERYTHING].endswith(
        "A classifier tells a new sound from one of yours 0.80 of the time (0.50 is guessing). "
        "It goes by this most: level above 5 kHz in the first 30 ms, new sounds have less."
    )


def test_what_was_not_measured_is_not_told() -> None:
    words = dict(in_words(evaluation(None, {}, {})))
    assert words["Kick"] == "As loud as your sounds (0.4 dB quieter). 3 ms slower attack. Rings as long."
    none = SimpleNamespace(compared=compare({"Kick": sounds(-18, 4, 200)}, {}, {}), sampling=None)
    none.sampling = Sampling(0, 0.7, None, {}, {}, {})
    assert in_words(cast(Evaluation, none)) == ()


def test_other_sounds_are_told_in_words() -> None:
    def words(style: float, chosen: str | None = None, **measures: float) -> str:
        return transfer_words(Transfer("speech", style, chosen, measures), {"Kick": 0.957})

    assert [words(style) for style in STYLES] == [
        "as the model knows it", "half way to your sounds", "made of your sounds"
    ]  # fmt: skip
    assert words(1.0, "Kick", heard=0.929) == "heard as Kick 0.93 of the time, your own 0.96"
    assert words(1.0, "Tom", heard=1.0) == "heard as Tom 1.00 of the time"
    assert words(1.0, "Kick") == "made of Kick"
    assert words(1.0, cents=7.4) == "made of your sounds, 7 cents out of tune"
    assert words(1.0, "Tom", heard=0.5, cents=180.0) == "heard as Tom 0.50 of the time, not at its pitch"
