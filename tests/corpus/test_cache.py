"""Sounds are decoded once, alike whatever their format; bad files are named; the split depends on names and seed."""

from __future__ import annotations

import dataclasses
import errno
import os
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ngs.corpus import cache, reading as decoding
from ngs.corpus.cache import Corpus, build_cache, split
from ngs.corpus.sounds import find_sounds
from ngs.runtime.bundle.manifest import Attribute
from ngs.runtime.dsp.sound_headers import CUT
from ngs.runtime.dsp.sound_reader import CANCELLING

RATE = 22050


def whole(corpus: Corpus, index: int = 0) -> np.ndarray:
    return corpus.read(index, 0, int(corpus.lengths[index]))


def snapshot(root: Path) -> dict[str, int]:
    """When the files of the caches were written, except the one that tells who used them last."""
    files = [path for folder in root.glob(f"{RATE}-*") for path in folder.iterdir() if path.name != cache.USE]
    return {path.name: path.stat().st_mtime_ns for path in files}


@pytest.mark.parametrize(
    ("name", "subtype", "tolerance"),
    [
        ("a.wav", "PCM_16", 1e-4), ("a.wav", "PCM_24", 1e-4), ("a.wav", "FLOAT", 1e-4), ("a.flac", "PCM_16", 1e-4),
        ("a.aiff", "PCM_16", 1e-4), ("a.ogg", "VORBIS", 0.1), ("a.mp3", "MPEG_LAYER_III", 0.1),
    ],
)  # fmt: skip
def test_every_format_reads_alike(
    write_sound, data: Path, root: Path, name: str, subtype: str, tolerance: float
) -> None:
    t = np.arange(RATE) / RATE
    signal = (0.5 * np.sin(2 * np.pi * 441 * t)).astype(np.float32)
    write_sound(name, signal, subtype=subtype)
    heard = whole(build_cache(find_sounds(data), RATE, root, normalize=False))
    middle = slice(5000, 10000)
    shifts = range(-30, 31) if tolerance > 0.01 else range(1)  # lossy coders may delay
    error = min(np.abs(heard[5000 + shift : 10000 + shift] - signal[middle]).max() for shift in shifts)
    assert error < tolerance


def test_stereo_at_another_rate_becomes_mono_at_ours(write_sound, data: Path, root: Path) -> None:
    t = np.arange(48000) / 48000
    tone = 0.5 * np.sin(2 * np.pi * 1000 * t)
    write_sound("a.wav", np.stack([tone, 0.5 * tone], 1), 48000, "PCM_24")
    corpus = build_cache(find_sounds(data), RATE, root, normalize=False)
    heard = whole(corpus)
    assert abs(len(heard) - RATE) <= 1
    power = np.abs(np.fft.rfft(heard[:22000] * np.hanning(22000)))
    assert power.argmax() == round(1000 * 22000 / RATE)
    assert np.sqrt(2 * np.mean(heard[2000:20000] ** 2)) == pytest.approx(0.375, rel=1e-3)


def test_normalised_to_a_peak_or_at_its_own_level(write_sound, data: Path, root: Path) -> None:
    write_sound("a.wav")
    sounds = find_sounds(data)
    normalised, own = (build_cache(sounds, RATE, root, normalize=normalize) for normalize in (True, False))
    assert np.abs(whole(normalised)).max() == pytest.approx(0.9, rel=1e-6)
    assert np.abs(whole(own)).max() == pytest.approx(0.5, abs=0.01)


def test_sixteen_bits_lose_less_than_a_ten_thousandth(write_sound, data: Path, root: Path) -> None:
    signal = (0.3 * np.sin(2 * np.pi * 441 * np.arange(5000) / RATE)).astype(np.float32)
    write_sound("a.wav", signal, subtype="FLOAT")
    heard = whole(build_cache(find_sounds(data), RATE, root, normalize=False))
    assert np.abs(heard - signal).max() < 1e-4


def test_an_offset_is_removed(write_sound, data: Path, root: Path) -> None:
    write_sound("a.wav", 0.2 + 0.1 * np.sin(np.arange(RATE) * 2 * np.pi / 100).astype(np.float32), subtype="FLOAT")
    heard = whole(build_cache(find_sounds(data), RATE, root, normalize=False))
    assert np.abs(heard.mean()) < 1e-3 and np.abs(heard).max() == pytest.approx(0.1, rel=1e-2)


@pytest.mark.parametrize("rate", [RATE, 44100, 48000])
def test_the_onset_is_kept_and_silence_around_is_cut(write_sound, data: Path, root: Path, rate: int) -> None:
    signal = np.zeros(2 * rate, np.float32)
    signal[int(0.3 * rate)] = 0.8
    write_sound("a.wav", signal, rate, "FLOAT")
    corpus = build_cache(find_sounds(data), RATE, root)
    heard = whole(corpus)
    assert 0.0009 <= np.abs(heard).argmax() / RATE <= 0.0011
    assert len(heard) / RATE == pytest.approx(0.021, abs=0.0005)


def test_a_cut_end_fades_and_a_whole_sound_stays(write_sound, data: Path, root: Path) -> None:
    loud = 0.5 * np.sin(2 * np.pi * np.arange(4410) * 100 / RATE)
    hiss = 2e-4 * np.sign(np.sin(2 * np.pi * np.arange(RATE) * 441 / RATE))
    write_sound("cut.wav", np.concatenate([loud, hiss]), subtype="FLOAT")
    write_sound("whole.wav", loud, subtype="FLOAT")
    corpus = build_cache(find_sounds(data), RATE, root)
    cut, kept = whole(corpus, 0), whole(corpus, 1)
    assert len(cut) == pytest.approx(4410 + 0.02 * RATE, abs=4)
    assert np.abs(cut[-2:]).max() < 5e-5 < np.abs(cut[-100:-30]).min()
    assert len(kept) == 4410 and np.abs(kept - 1.8 * loud).max() < 5e-4


def test_long_sounds_pass_through_a_file_unchanged(
    write_sound, data: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_sound("a.wav", np.random.default_rng(0).uniform(-0.5, 0.5, 30000), 48000, "FLOAT")
    sounds = find_sounds(data)
    short = whole(build_cache(sounds, RATE, root / "1"))
    monkeypatch.setattr(decoding, "BLOCK", 1009)
    monkeypatch.setattr(decoding, "IN_MEMORY", 4000)
    monkeypatch.setattr(cache, "BLOCK", 997)
    assert np.array_equal(whole(build_cache(sounds, RATE, root / "2")), short)


def bad_sounds(write_sound, data: Path) -> None:
    data.mkdir(exist_ok=True)
    (data / "text.wav").write_text("no sound at all\n")
    (data / "nothing.wav").touch()
    write_sound("silent.wav", np.full(2000, 1e-5, np.float32), subtype="FLOAT")
    write_sound("offset.wav", np.full(2000, 0.5, np.float32), subtype="FLOAT")
    write_sound("nan.wav", np.array([0.1, np.nan, 0.2], np.float32), subtype="FLOAT")
    write_sound("inf.wav", np.array([0.1, np.inf, 0.2], np.float32), subtype="FLOAT")


def test_bad_files_are_named_skipped_and_counted(write_sound, data: Path, root: Path) -> None:
    bad_sounds(write_sound, data)
    write_sound("good.wav")
    sounds = find_sounds(data)
    for _ in range(2):  # decoded, then read from the cache
        corpus = build_cache(sounds, RATE, root)
        assert corpus.names == ("good.wav",)
        reasons = dict(corpus.skipped)
        assert len(reasons) == 6
        assert reasons["silent.wav"] == reasons["offset.wav"] == "is silent (below -60 dB)"
        assert reasons["nan.wav"] == reasons["inf.wav"]
        assert reasons["nan.wav"].startswith("holds NaN or infinite samples: ")
        assert "2 files left out (is silent (below -60 dB)): offset.wav, silent.wav" in corpus.remarks
        assert all("\n" not in remark for remark in corpus.remarks)


def test_only_bad_files_are_an_error(write_sound, data: Path, root: Path) -> None:
    bad_sounds(write_sound, data)
    with pytest.raises(ValueError, match="No sound in .* can be used: .* and 3 more"):
        build_cache(find_sounds(data), RATE, root)


def test_odd_files_are_read_and_named(write_sound, data: Path, root: Path) -> None:
    for name in ("cut.wav", "cut.flac", "cut.aiff"):
        path = write_sound(name, np.random.default_rng(len(name)).uniform(-0.5, 0.5, 20000))
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    tone = 0.5 * np.sin(np.arange(9000) * 0.1)
    write_sound("wide.wav", np.stack([0.5 * tone, -tone / 2.1], 1))
    sounds = find_sounds(data)
    for _ in range(2):  # decoded, then read from the cache
        corpus = build_cache(sounds, RATE, root, normalize=False)
        assert corpus.names == ("cut.aiff", "cut.flac", "cut.wav", "wide.wav") and corpus.skipped == ()
        assert corpus.lengths[:3].min() > 8000 and np.abs(whole(corpus, 3)).max() == pytest.approx(0.25, rel=0.02)
        assert corpus.remarks == (
            f"3 files read ({CUT}): cut.aiff, cut.flac, cut.wav",
            f"1 file read ({CANCELLING}): wide.wav",
        )


def test_read_and_gather_pad_with_zeros(write_sound, data: Path, root: Path) -> None:
    for name in ("a.wav", "b.wav", "c.wav"):
        write_sound(name)
    corpus = build_cache(find_sounds(data), RATE, root)
    rng = np.random.default_rng(0)
    indices = rng.integers(0, 3, 50)
    starts = rng.integers(0, 9000, 50)
    slices = corpus.gather(indices, starts, 2048)
    assert slices.dtype == np.float32 and slices.shape == (50, 2048)
    for index, start, row in zip(indices, starts, slices, strict=True):
        expected = np.zeros(2048, np.float32)
        part = whole(corpus, int(index))[start : start + 2048]
        expected[: len(part)] = part
        assert np.array_equal(row, expected)
        assert np.array_equal(corpus.read(int(index), int(start), 2048), expected)


def test_a_second_start_decodes_nothing(write_sound, data: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("A/a.wav", "A/b.wav", "B/c.wav"):
        write_sound(name)
    steps: list[tuple[int, int]] = []
    first = build_cache(find_sounds(data), RATE, root, progress=lambda *step: steps.append(step))
    assert steps[-1] == (3, 3) and steps == sorted(steps)
    before = snapshot(root)
    monkeypatch.setattr(cache, "decode", lambda *_: pytest.fail("decoded again"))
    monkeypatch.setattr("hashlib.file_digest", lambda *_: pytest.fail("read again"))
    again = build_cache(find_sounds(data), RATE, root, progress=lambda *_: pytest.fail("nothing to decode"))
    assert snapshot(root) == before
    assert again.names == first.names and np.array_equal(again.gather(np.arange(3), np.zeros(3, int), 99),
                                                         first.gather(np.arange(3), np.zeros(3, int), 99))  # fmt: skip


def test_the_key_is_content_and_settings(write_sound, data: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_sound("A/a.wav")
    write_sound("A/b.wav")
    build_cache(find_sounds(data), RATE, root)

    decoded: list[str] = []
    original = decoding.decode
    monkeypatch.setattr(cache, "decode", lambda path, *rest: decoded.append(path.name) or original(path, *rest))
    os.utime(path, ns=(1, 1))
    build_cache(find_sounds(data), RATE, root)
    assert not decoded, "touched, not changed"
    (data / "C").mkdir()
    path.rename(data / "C" / "renamed.wav")
    moved = build_cache(find_sounds(data), RATE, root)
    assert not decoded and moved.labels[:, 0].tolist() == [0, 1], "moved, not changed"
    build_cache(find_sounds(data), 16000, root)
    assert len(decoded) == 2, "another rate"
    write_sound("A/b.wav", np.sin(np.arange(2000)))
    build_cache(find_sounds(data), RATE, root)
    assert len(decoded) == 4, "changed"


def test_equal_files_are_stored_once(write_sound, data: Path, root: Path) -> None:
    path = write_sound("A/a.wav")
    copy = data / "B" / "copy.wav"
    copy.parent.mkdir()
    copy.write_bytes(path.read_bytes())
    corpus = build_cache(find_sounds(data), RATE, root)
    assert len(corpus.names) == 2 and len(corpus.audio) == corpus.lengths[0]
    assert np.array_equal(whole(corpus, 0), whole(corpus, 1))


def test_a_damaged_cache_is_built_anew(write_sound, data: Path, root: Path) -> None:
    write_sound("a.wav")
    expected = whole(build_cache(find_sounds(data), RATE, root))
    (audio,) = root.glob(f"*/{cache.AUDIO}")
    for damage in (
        lambda: audio.write_bytes(audio.read_bytes()[:-2]),
        lambda: audio.with_name(cache.INDEX).write_text("x"),
    ):
        damage()
        assert np.array_equal(whole(build_cache(find_sounds(data), RATE, root)), expected)


def test_a_corpus_is_sent_to_another_process_without_its_audio(write_sound, data: Path, root: Path) -> None:
    write_sound("a.wav", np.random.default_rng(0).uniform(-0.5, 0.5, 100_000))
    corpus = build_cache(find_sounds(data), RATE, root)
    expected = whole(corpus)
    sent = pickle.dumps(corpus)
    assert len(sent) < 5000
    assert np.array_equal(whole(pickle.loads(sent)), expected)


def test_a_cache_that_cannot_be_written_is_one_line(write_sound, data: Path, tmp_path: Path) -> None:
    write_sound("a.wav")
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="The cache of decoded sounds in .* cannot be written"):
        build_cache(find_sounds(data), RATE, tmp_path / "file" / "cache")


def test_a_full_disk_leaves_nothing_behind(
    write_sound, data: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_sound("a.wav")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(cache, "decode", full)
    with pytest.raises(OSError, match="cannot be written: No space left on device"):
        build_cache(find_sounds(data), RATE, root)
    assert not [path for path in root.iterdir() if path.is_dir()]


def make_corpus(sizes: dict[str, int], order: int = 0) -> Corpus:
    """A corpus without audio; `order` shuffles its files."""
    names = [(f"{name}/{i:03d}.wav", label) for label, name in enumerate(sizes) for i in range(sizes[name])]
    shuffled = [names[i] for i in np.random.default_rng(order).permutation(len(names))]
    count = np.arange(len(names))
    return Corpus(
        Path("none"), count, count, count.astype(np.float32), np.array([[label] for _, label in shuffled], np.int32),
        (Attribute("class", tuple(sizes)),), tuple(name for name, _ in shuffled), RATE,
    )  # fmt: skip


def test_the_split_is_stratified_and_complete() -> None:
    corpus = make_corpus({"A": 100, "B": 30, "C": 4, "D": 3})
    training, validation, remarks = split(corpus, 0.1, seed=0)
    assert sorted([*training, *validation]) == list(range(137))
    assert np.bincount(corpus.labels[validation, 0], minlength=4).tolist() == [10, 3, 1, 0]
    assert remarks == ("Fewer than 4 sounds of D: all are trained on, none is held back",)


def test_the_split_depends_on_names_and_seed_only() -> None:
    def chosen(order: int, seed: int) -> set[str]:
        corpus = make_corpus({"A": 50, "B": 20}, order)
        return {corpus.names[i] for i in split(corpus, 0.2, seed)[1]}

    assert chosen(0, 0) == chosen(1, 0)
    assert chosen(0, 0) != chosen(0, 1)


def test_splitting_a_class_looks_at_each_sound_a_few_times() -> None:
    looked = 0

    class Counted(str):
        def __hash__(self) -> int:
            nonlocal looked
            looked += 1
            return super().__hash__()

    corpus = make_corpus({"A": 2000})
    split(replace(corpus, names=tuple(Counted(name) for name in corpus.names)))
    assert looked <= 4 * 2000


def test_files_of_the_same_content_are_kept_apart_together() -> None:
    corpus = make_corpus({"A": 40})
    twice = replace(corpus, starts=corpus.starts // 2 * 2)
    training, validation, _ = split(twice, 0.2, 0)
    assert len(validation) >= 8
    assert not set(twice.starts[training]) & set(twice.starts[validation])


def test_a_single_sound_validates_itself() -> None:
    training, validation, remarks = split(make_corpus({"A": 1}))
    assert training.tolist() == validation.tolist() == [0]
    assert len(remarks) == 1


def test_a_large_share_leaves_something_to_train_on() -> None:
    training, validation, _ = split(make_corpus({"A": 4}), 0.99)
    assert len(training) == 1 and len(validation) == 3


def test_a_corpus_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        make_corpus({"A": 4}).sample_rate = 1  # type: ignore[misc]


def test_files_of_an_absurd_rate_are_skipped(write_sound, data: Path, root: Path) -> None:
    write_sound("good.wav")
    soundfile.write(data / "slow.wav", np.ones(10), 3)
    corpus = build_cache(find_sounds(data), RATE, root)
    assert corpus.skipped == (("slow.wav", "has a sample rate of 3 Hz: correct it or convert the file again"),)
