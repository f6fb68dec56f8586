"""What is measured of sounds that become those of the corpus, and of sounds that stay themselves."""

from __future__ import annotations

import dataclasses
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from ngs.corpus.sounds import SoundFile
from ngs.evaluation.quality import transfers
from ngs.evaluation.quality.frames import FrameLibrary, frame_timbres
from ngs.evaluation.quality.selection import Entry
from ngs.evaluation.quality.transfer_tables import transfer_tables
from ngs.evaluation.quality.transfers import (
    NAMES,
    Domain,
    Transfers,
    envelope_correlation,
    measure_transfers,
    pitch_kept,
    plays,
    read_sounds,
    transfer,
)
from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.bundle.manifest import Attribute
from ngs.runtime.offline.render import resynthesise

RATE, WINDOW, CLASSES = 8000, 256, ("Kick", "Snare", "Hat")
SCRIPT = Path(__file__).parents[3] / "scripts" / "transfer-sounds"
Sounds = list[tuple[int, Entry, Array]]


def band(low: float, high: float, seed: int, samples: int = 4000) -> Array:
    """Decaying noise between two frequencies in Hz."""
    random = np.random.default_rng(seed)
    spectrum = np.fft.rfft(random.standard_normal(samples))
    hz = np.fft.rfftfreq(samples, 1 / RATE)
    noise = np.fft.irfft(np.where((hz > low) & (hz < high), spectrum, 0), samples) * np.exp(-np.arange(samples) / 1500)
    return (0.9 * noise / np.abs(noise).max()).astype(np.float32)


def corpus(seed: int) -> Sounds:
    """Two sounds of each class: low, middle and high noise."""
    edges = {"Kick": (50, 400), "Snare": (500, 1500), "Hat": (2000, 3900)}
    found = []
    for number, name in enumerate(name for name in CLASSES for _ in range(2)):
        entry = Entry(SoundFile(Path(), f"{number}", ()), name, np.zeros(3, np.float32))
        found.append((number, entry, band(*edges[name], 100 * seed + number)))
    return found


def library(sounds: Sounds) -> FrameLibrary:
    frames = FrameLibrary(0)
    for owner, entry, signal in sounds:
        rows, heard = frame_timbres(signal, RATE, WINDOW)
        frames.add(rows[heard], entry.name, owner)
    return frames


@pytest.fixture
def bundle(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> Bundle:
    """Its style is ideal: a sound becomes one of the corpus, of the class that is asked for, with its envelope."""

    def ideal(bundle: Bundle, signal: Array, condition: Array, style: float, seed: int) -> Array:
        assert seed == 5
        wanted = CLASSES[int(condition.argmax())] if condition.any() else "Snare"
        noise = next(sound for _, entry, sound in corpus(0) if entry.name == wanted)
        envelope = np.convolve(np.abs(signal), np.ones(200) / 200, "same")
        played = (1 - style) * signal + style * envelope * np.resize(noise[:1000], len(signal))
        return np.concatenate((played, np.zeros(3 * 64))).astype(np.float32)

    monkeypatch.setattr(transfers, "resynthesise", ideal)
    return Bundle.open(tiny_bundle, "cpu")


def measured(bundle: Bundle, signal: Array, own: bool = False, remarks: list[str] | None = None) -> Transfers:
    known = corpus(0)
    found = measure_transfers(
        bundle, library(known), known if own else corpus(1), own, {"it": signal}, 5, [] if remarks is None else remarks,
        lambda *_: None,
    )  # fmt: skip
    assert found is not None
    return found


def test_a_sound_of_the_corpus_is_in_the_domain_and_style_0_leaves_it_alone(bundle: Bundle) -> None:
    found = measured(bundle, corpus(0)[0][2])
    assert found.sounds["it"]["domain_db"] == pytest.approx(0, abs=0.05)
    assert found.real["domain_db"] > 1  # other sounds of its kind
    first = found.played[0]
    assert (first.style, first.chosen) == (0.0, None)
    assert first.measures["domain_db"] == pytest.approx(0, abs=0.05)
    assert first.measures["envelope"] == pytest.approx(1) and first.measures["log_mel"] == 0
    assert first.measures["flutter"] == pytest.approx(1, rel=0.3)


def test_a_strange_sound_comes_nearer_and_is_heard_as_its_class(bundle: Bundle) -> None:
    pytest.importorskip("sklearn")
    time = np.arange(4000) / RATE
    found = measured(bundle, (0.5 * np.sin(2 * np.pi * 3000 * time) * (1 - time)).astype(np.float32))
    domain = [found.mean[f"style {style}"]["domain_db"] for style in ("0", "0.5", "1")]
    assert domain == sorted(domain, reverse=True) and domain[0] == found.sounds["it"]["domain_db"]
    named = [one for one in found.played if one.chosen]
    assert [one.chosen for one in named] == list(CLASSES)
    assert all(one.measures["heard"] > 0.9 and one.measures["envelope"] > 0.8 for one in named)
    assert set(found.heard) == set(CLASSES) and found.real["heard"] > 0.9
    assert "heard" not in found.played[0].measures and "cents" not in found.mean["style 1"]  # no class, no pitches


def test_sounds_that_are_the_reference_are_compared_with_the_others(bundle: Bundle) -> None:
    pytest.importorskip("sklearn")
    found = measured(bundle, corpus(0)[0][2], own=True)
    assert found.real["domain_db"] > 1 and found.real["heard"] > 0.9


def test_silence_is_measured_as_nothing_and_a_single_sound_has_no_other(bundle: Bundle) -> None:
    (known, *_) = corpus(0)
    domain = Domain(library([known]), [known], True, RATE, WINDOW, 5)
    assert set(domain.real) == {"flutter"} and domain.heard == {} and domain.ear is None
    assert domain.measure(np.zeros(2000, np.float32), "Kick") == {}


def test_without_scikit_learn_no_class_is_heard(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfers, "classifier_available", lambda: False)
    remarks: list[str] = []
    found = measured(bundle, corpus(0)[0][2], remarks=remarks)
    assert found.heard == {} and not any("heard" in one.measures for one in found.played)
    assert len(remarks) == 1 and "pip install scikit-learn" in remarks[0]
    (table,) = transfer_tables(found)
    assert table[0] == ["Other sounds, played", "style", "class", "domain dB", "flutter", "envelope", "log-mel"]


def test_a_bundle_of_format_3_is_left_out_with_a_remark(tiny_older: Path) -> None:
    remarks: list[str] = []
    known = corpus(0)
    found = measure_transfers(
        Bundle.open(tiny_older, "cpu"), library(known), known, True, {"it": known[0][2]}, 0, remarks, lambda *_: None
    )
    assert found is None and transfer_tables(found) == []
    assert remarks == ["Other sounds are not played: a bundle of format 3 knows no style; export its run anew"]


def test_where_classes_are_pitches_the_pitch_is_asked(bundle: Bundle) -> None:
    pitched = Attribute("note", ("C3", "C4", "C5"))
    bundle.manifest = dataclasses.replace(bundle.manifest, attributes=(pitched,))
    tone = (0.5 * np.sin(2 * np.pi * 440 * np.arange(4000) / RATE)).astype(np.float32)
    found = measured(bundle, tone)
    assert found.mean["style 0"] == {**found.mean["style 0"], "cents": 0.0, "voiced": 1.0}
    assert "cents" not in measured(bundle, corpus(0)[0][2]).mean["style 0"]  # noise has no pitch to keep
    (table,) = transfer_tables(found)
    assert table[0][-2:] == ["cents", "voiced"]


def test_the_table_has_a_line_for_everything_that_was_played(bundle: Bundle) -> None:
    pytest.importorskip("sklearn")
    (table,) = transfer_tables(measured(bundle, corpus(0)[0][2]))
    assert len({len(row) for row in table}) == 1
    assert [row[:3] for row in table[1:]] == [
        ["real sounds", "-", "-"], ["it itself", "-", "-"], ["it", "0", "-"], ["it", "0.5", "-"], ["it", "1", "-"],
        *(["it", "1", name] for name in CLASSES), *(["mean of sounds", style, "-"] for style in ("0", "0.5", "1")),
        ["mean of sounds", "1", "a class"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("classes", "chosen"),
    [(("one",), []), (("a", "b"), ["a", "b"]), (tuple("abcdefgh"), ["a", "d", "h"])],
)
def test_at_most_three_classes_are_asked_for_and_none_where_there_is_no_choice(
    bundle: Bundle, classes: tuple[str, ...], chosen: list[str]
) -> None:
    manifest = dataclasses.replace(bundle.manifest, attributes=(Attribute("class", classes),))
    assert plays(manifest) == [(0.0, None), (0.5, None), (1.0, None), *((1.0, name) for name in chosen)]


def test_a_transfer_is_what_render_makes_at_its_length(tiny_bundle: Path) -> None:
    bundle, signal = Bundle.open(tiny_bundle, "cpu"), band(100, 3000, 0, 1003)
    made = transfer(bundle, signal, 0.7, "Snare", 3)
    assert made.shape == signal.shape
    np.testing.assert_array_equal(made, resynthesise(bundle, signal, bundle.condition("Snare"), 0.7, 3)[:1003])
    free = resynthesise(bundle, signal, bundle.condition({}), 0.7, 3)[:1003]
    np.testing.assert_array_equal(transfer(bundle, signal, 0.7, None, 3), free)


def test_an_envelope_is_correlated_with_itself_at_every_level() -> None:
    signal, steady = band(100, 3000, 0), band(100, 3000, 1) * np.exp(np.arange(4000) / 1500).astype(np.float32)
    assert envelope_correlation(signal, signal, RATE) == pytest.approx(1)
    assert envelope_correlation(signal, -signal / 9, RATE) == pytest.approx(1)
    assert envelope_correlation(signal, band(2000, 3900, 2), RATE) > 0.9  # another sound with the same decay
    assert abs(envelope_correlation(signal, steady, RATE)) < 0.6
    assert envelope_correlation(signal, signal[::-1], RATE) < 0
    assert envelope_correlation(signal, 0 * signal, RATE) == 0


@pytest.mark.parametrize(("semitones", "cents"), [(0, 0), (0.1, 10), (1, 100), (-12, 1200)])
def test_a_change_of_pitch_is_measured_in_cents(semitones: float, cents: float) -> None:
    time = np.arange(8000) / RATE
    tone, other = (
        np.sin(2 * np.pi * hz * time).astype(np.float32) for hz in (440.0, 440.0 * 2 ** (semitones / 12))
    )  # fmt: skip
    kept = pitch_kept(tone, other, RATE)
    assert kept["cents"] == pytest.approx(cents, abs=5) and kept["voiced"] == 1
    half = pitch_kept(tone, np.where(time < 0.5, other, band(100, 3000, 0, 8000)).astype(np.float32), RATE)
    assert half["cents"] == pytest.approx(cents, abs=5) and half["voiced"] == pytest.approx(0.5, abs=0.1)


def test_noise_keeps_no_pitch_and_becomes_none() -> None:
    time = np.arange(8000) / RATE
    tone, noise = np.sin(2 * np.pi * 440 * time).astype(np.float32), band(100, 3900, 0, 8000)
    assert pitch_kept(noise, tone, RATE) == {}
    assert "cents" not in (kept := pitch_kept(tone, noise, RATE)) and kept["voiced"] < 0.05


def test_the_sounds_that_come_with_ngs_are_short_and_loud() -> None:
    for rate in (8000, 44100):
        sounds = read_sounds((), rate)
        assert tuple(sounds) == NAMES
        for signal in sounds.values():
            assert signal.dtype == np.float32 and 3 * rate < len(signal) < 5 * rate
            assert np.abs(signal).max() == pytest.approx(0.9)


def test_given_sounds_take_their_place_and_are_cut(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        soundfile.write(tmp_path / folder / "voice.wav", band(100, 900, 0, 12 * RATE), RATE)
    soundfile.write(tmp_path / "other.flac", band(100, 900, 0), RATE)
    files = [tmp_path / "a" / "voice.wav", tmp_path / "b" / "voice.wav", tmp_path / "other.flac"]
    sounds = read_sounds(files, RATE)
    assert list(sounds) == [str(files[0]), str(files[1]), "other"]
    assert [len(signal) for signal in sounds.values()] == [10 * RATE, 10 * RATE, 4000]
    soundfile.write(tmp_path / "silent.wav", np.zeros(100), RATE)
    with pytest.raises(ValueError, match=r"silent\.wav is silent"):
        read_sounds([tmp_path / "silent.wav"], RATE)


def test_the_script_makes_the_sounds_that_come_with_ngs() -> None:
    script: dict[str, Any] = runpy.run_path(str(SCRIPT))
    assert tuple(script["MAKERS"]) == NAMES
    for name in ("clarinet", "bursts"):
        made = script["MAKERS"][name]()
        shipped, rate = soundfile.read(transfers.SOUNDS / f"{name}.flac")
        assert rate == script["RATE"]
        np.testing.assert_allclose(shipped, 0.9 / np.abs(made).max() * made, atol=1e-3)


def test_without_espeak_the_script_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("sys.argv", [str(SCRIPT), str(tmp_path / "out")])
    with pytest.raises(SystemExit, match="1"):
        runpy.run_path(str(SCRIPT), run_name="__main__")
    assert capsys.readouterr().err == "espeak-ng, which speaks, is not installed: apt-get install espeak-ng\n"
    assert not (tmp_path / "out").exists()
