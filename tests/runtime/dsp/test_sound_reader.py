"""Every file is read to where its samples end, whatever its header says, or refused in words: never anything else."""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings, strategies as st
from tests.mutations import noise

from ngs.corpus.reading import decode
from ngs.runtime.dsp.audio_files import AudioError, read_audio
from ngs.runtime.dsp.sound_headers import CUT, LONGER, STREAMED
from ngs.runtime.dsp.sound_reader import BLOCK, CANCELLING, LARGEST, SoundError, is_silent, read_sound

RATE = 22050
TONE = (0.5 * np.cos(np.arange(30000) * 0.05) * np.exp(-np.arange(30000) / 2e4)).astype(np.float32)
UNKNOWN = 2**32 - 1
Change = Callable[[bytes], bytes]


def encoded(kind: str, samples: np.ndarray = TONE, subtype: str | None = None, rate: int = RATE) -> bytes:
    content = io.BytesIO()
    soundfile.write(content, samples, rate, format=kind, subtype=subtype)
    return content.getvalue()


def chunk(tag: bytes, body: bytes, length: int | None = None) -> bytes:
    return tag + struct.pack("<I", len(body) if length is None else length) + body


def wave(*chunks: bytes) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def form(tag: int = 1, bits: int = 16) -> bytes:
    return chunk(b"fmt ", struct.pack("<HHIIHH", tag, 1, RATE, RATE * bits // 8, bits // 8, bits))


def put(content: bytes, place: int, number: int, layout: str) -> bytes:
    """Bytes with a number in another place."""
    changed = bytearray(content)
    struct.pack_into(layout, changed, place, number)
    return bytes(changed)


def length_of(tag: bytes, number: int, layout: str = "<I", also: int | None = None) -> Change:
    """Sets the length of a chunk, and that of the whole at byte 4."""

    def change(content: bytes) -> bytes:
        content = put(content, content.index(tag) + len(tag), number, layout)
        return content if also is None else put(content, 4, also, layout)

    return change


def frames_of_flac(number: int) -> Change:
    return lambda content: content[:21] + bytes([content[21] & 0xF0]) + number.to_bytes(4) + content[26:]


def half(content: bytes) -> bytes:
    return content[: len(content) // 2]


PCM = (TONE * 32767).round().astype("<i2").tobytes()
HEADERS: list[tuple[str, str, Change, str | None]] = [
    ("unfinished", "WAV", length_of(b"data", 0, also=0), LONGER),
    ("unfinished, the whole right", "WAV", length_of(b"data", 0), LONGER),
    ("last written long ago", "WAV", length_of(b"data", 20000), LONGER),
    ("an odd length", "WAV", length_of(b"data", len(PCM) - 1001), LONGER),
    ("streamed", "WAV", length_of(b"data", UNKNOWN, also=UNKNOWN), None),
    ("streamed, signed", "WAV", length_of(b"data", 2**31 - 1), None),
    ("streamed, less a header", "WAV", length_of(b"data", STREAMED), None),
    ("a header's length too long", "WAV", length_of(b"data", len(PCM) + 8), None),
    ("too long", "WAV", length_of(b"data", len(PCM) + 1000), CUT),
    ("padded to a sector", "WAV", lambda content: content + bytes(700), None),
    ("with a tag", "WAV", lambda content: content + b"TAG" + bytes(125), None),
    ("unknown", "RF64", length_of(b"data", 0), LONGER),
    ("no lengths", "RF64", lambda content: content[:20] + bytes(24) + content[44:], LONGER),
    ("unknown lengths", "RF64", lambda content: content[:20] + b"\xff" * 24 + content[44:], None),
    ("unfinished", "AIFF", length_of(b"SSND", 0, ">I", also=0), LONGER),
    ("header only", "AIFF", length_of(b"SSND", 8, ">I"), LONGER),
    ("streamed", "AIFF", length_of(b"SSND", UNKNOWN, ">I"), None),
    ("unfinished", "AU", lambda content: put(content, 8, 0, ">I"), LONGER),
    ("too short", "AU", lambda content: put(content, 8, 30000, ">I"), LONGER),
    ("streamed", "AU", lambda content: put(content, 8, UNKNOWN, ">I"), None),
    ("streamed", "CAF", length_of(b"data", -1, ">q"), None),
    ("unfinished", "CAF", length_of(b"data", 0, ">q"), LONGER),
    ("unfinished", "W64", lambda content: put(content, content.index(b"data") + 16, 24, "<Q"), None),
    ("streamed", "FLAC", frames_of_flac(0), None),
    ("too short", "FLAC", frames_of_flac(9000), LONGER),
    ("too long", "FLAC", frames_of_flac(90000), CUT),
    ("after a tag", "FLAC", lambda content: b"ID3\3\0\0\0\0\1\1" + bytes(129) + frames_of_flac(0)(content), None),
]


@pytest.mark.parametrize(("what", "kind", "change", "note"), HEADERS, ids=[f"{h[1]}: {h[0]}" for h in HEADERS])
def test_a_wrong_header_does_not_cost_samples(
    tmp_path: Path, what: str, kind: str, change: Change, note: str | None
) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(change(encoded(kind)))
    read = read_sound(path)
    assert (len(read.samples), read.sample_rate) == (len(TONE), RATE) or what == "padded to a sector"
    np.testing.assert_allclose(read.samples[: len(TONE)], TONE, atol=1e-4)
    assert read.notes == ((note,) if note else ())


@pytest.mark.parametrize("kind", ["WAV", "RF64", "AIFF", "AU", "CAF", "FLAC"])
def test_what_is_cut_short_is_read_as_far_as_it_goes(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(half(encoded(kind)))
    read = read_sound(path)
    assert 0.4 * len(TONE) - BLOCK < len(read.samples) < 0.6 * len(TONE)
    np.testing.assert_allclose(read.samples, TONE[: len(read.samples)], atol=1e-4)
    assert read.notes == (CUT,)


def test_a_chunk_without_padding_hides_nothing(tmp_path: Path) -> None:
    odd = chunk(b"LIST", b"INFOISFT\5\0\0\0Tool\0")
    assert len(odd) % 2
    for content in (wave(form(), odd, chunk(b"data", PCM)), wave(form(), chunk(b"data", PCM), odd)):
        (tmp_path / "a.wav").write_bytes(content)
        np.testing.assert_allclose(read_sound(tmp_path / "a.wav").samples, TONE, atol=1e-4)
    (tmp_path / "a.wav").write_bytes(wave(form(), chunk(b"data", PCM[:-1]), chunk(b"LIST", b"INFO")))
    assert len(read_sound(tmp_path / "a.wav").samples) == len(TONE) - 1


def test_a_chunk_as_long_as_no_file_can_be_is_not_passed_over(tmp_path: Path) -> None:
    content = length_of(b"desc", 2**63 - 1, ">q")(encoded("CAF"))
    (tmp_path / "a.caf").write_bytes(content)
    with pytest.raises(SoundError, match="cannot be read as sound"):
        read_sound(tmp_path / "a.caf")


@pytest.mark.parametrize("following", [b"", chunk(b"LIST", b"INFO"), chunk(b"XYZ!", bytes(3000))])
def test_a_file_without_samples_stays_one(tmp_path: Path, following: bytes) -> None:
    (tmp_path / "a.wav").write_bytes(wave(form(), chunk(b"data", b""), following))
    with pytest.raises(SoundError, match="holds no samples: "):
        read_sound(tmp_path / "a.wav")


@pytest.mark.parametrize("tag", [0x674F, 0x6750, 0x676F, 0x6771])
@pytest.mark.parametrize("kind", ["OGG", "FLAC"])
def test_other_formats_inside_of_wav_files_are_read(tmp_path: Path, kind: str, tag: int) -> None:
    content = encoded(kind)
    (tmp_path / "plain").write_bytes(content)
    (tmp_path / "a.wav").write_bytes(wave(form(tag), chunk(b"fact", bytes(4)), chunk(b"data", content)))
    np.testing.assert_array_equal(read_sound(tmp_path / "a.wav").samples, read_sound(tmp_path / "plain").samples)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.nan, "NaN or infinite"), (-np.inf, "NaN or infinite"), (1e300, "NaN or infinite"),
        (1e30, "too large for any sound"), (-2 * LARGEST, "too large for any sound"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("place", [0, -1])
def test_samples_that_are_none_are_refused_alike(tmp_path: Path, bad: float, message: str, place: int) -> None:
    path, samples = tmp_path / "a.wav", TONE.astype(np.float64)
    samples[place] = bad
    soundfile.write(path, samples, RATE, subtype="DOUBLE")
    with pytest.raises(SoundError, match=f"{message}.*: repair it in an editor, or export it again") as training:
        decode(path, RATE, tmp_path)
    with pytest.raises(AudioError) as rendering:
        read_audio(path, RATE)
    assert str(rendering.value) == f"{path} {training.value}"


def test_floats_on_the_scale_of_integers_are_samples(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", TONE * 2**31, RATE, subtype="FLOAT")
    np.testing.assert_array_equal(read_sound(tmp_path / "a.wav").samples, TONE * 2**31)


@pytest.mark.parametrize("offset", [0.0, 0.3])
@pytest.mark.parametrize("shares", [(1, -1), (0.5, -0.49), (-0.4, 0.5), (1, -0.5, -0.5), (0.1, -0.1, 0.5, -0.49)])
def test_of_channels_that_cancel_each_other_the_loudest_is_taken(
    tmp_path: Path, shares: tuple[float, ...], offset: float
) -> None:
    channels = np.stack([share * TONE for share in shares], 1) + offset
    soundfile.write(tmp_path / "a.wav", channels, RATE, subtype="FLOAT")
    read = read_sound(tmp_path / "a.wav")
    np.testing.assert_allclose(read.samples, channels[:, np.abs(shares).argmax()], atol=1e-6)
    assert read.notes == (CANCELLING,)


@pytest.mark.parametrize("shares", [(1, 1), (1, 0), (0, 0, 0, 1, 0, 0, 0, 0), (1, -0.5), (0, 0)])
def test_other_channels_are_averaged(tmp_path: Path, shares: tuple[float, ...]) -> None:
    channels = np.stack([share * TONE for share in shares], 1)
    soundfile.write(tmp_path / "a.wav", channels, RATE, subtype="FLOAT")
    read = read_sound(tmp_path / "a.wav")
    np.testing.assert_allclose(read.samples, channels.mean(1), atol=1e-6)
    assert read.notes == ()
    noises = np.random.default_rng(0).uniform(-0.5, 0.5, (9000, 2))
    soundfile.write(tmp_path / "a.wav", noises, RATE, subtype="FLOAT")
    np.testing.assert_allclose(read_sound(tmp_path / "a.wav").samples, noises.mean(1), atol=1e-6)


@pytest.mark.parametrize("means", [(0.3, 0.3), (0.3, -0.3), (0.123, 0.456), (1e-3, 1e-3), (3e8, 3e8), (0.1, 0.1, 0.1)])
@pytest.mark.parametrize("frames", [1000, 30000])
def test_means_alone_do_not_cancel_each_other(tmp_path: Path, means: tuple[float, ...], frames: int) -> None:
    channels = np.tile(np.float32(means), (frames, 1))
    soundfile.write(tmp_path / "a.wav", channels, RATE, subtype="FLOAT")
    read = read_sound(tmp_path / "a.wav")
    np.testing.assert_allclose(read.samples, channels.mean(1), rtol=1e-6)
    assert read.notes == ()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty: "),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n", "git lfs pull"),
        (b"<!doctype html><html>404", "is a web page"),
        (b"\0\0\0\x20ftypM4A \0\0\0\0", "is MPEG-4"),
        (b"no sound at all\n" * 50, "cannot be read as sound .*: convert it to WAV or FLAC"),
        (put(encoded("WAV"), 24, 0, "<I"), "cannot be read as sound"),
        (put(encoded("WAV"), 22, 0, "<H"), "cannot be read as sound"),
        (encoded("WAV", rate=3), "has a sample rate of 3 Hz: "),
    ],
)
@pytest.mark.parametrize("suffix", [".wav", ".au"])
def test_what_is_no_sound_says_what_it_is(tmp_path: Path, content: bytes, message: str, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    with pytest.raises(SoundError, match=message) as caught:
        read_sound(path)
    assert "\n" not in str(caught.value)


def test_places_that_hold_no_file_are_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    for path, message in (
        (tmp_path, "is a folder"), (tmp_path / "pipe", "is a device or a pipe"), (Path("/dev/zero"), "is a device"),
        (tmp_path / "gone", "does not exist"), (tmp_path / "pipe" / "x", "does not exist"),
        (tmp_path / "a\0b", "does not exist"), (tmp_path / "loop", "cannot be read: "),
        (tmp_path / ("x" * 300), "cannot be read: "),
    ):  # fmt: skip
        with pytest.raises(SoundError, match=message):
            read_sound(path)


def test_a_name_may_hold_any_bytes(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"Schl\xe4gel\x1b[31m\n.wav")
    path.write_bytes(encoded("WAV"))
    assert len(read_sound(path).samples) == len(decode(path, RATE, tmp_path).samples) == len(TONE)


def test_silence_is_told_by_its_level_without_its_mean() -> None:
    assert is_silent(np.zeros(9, np.float32)) and is_silent(np.full(9, 0.7, np.float32))
    assert is_silent(9e-4 * TONE / 0.5) and not is_silent(2e-3 * TONE / 0.5)


def test_remarks_are_said(tmp_path: Path) -> None:
    said: list[str] = []
    soundfile.write(tmp_path / "a.wav", np.stack([TONE, -TONE], 1), RATE)
    soundfile.write(tmp_path / "b.wav", 1e-4 * TONE, RATE)
    for name in ("a.wav", "b.wav"):
        read_audio(tmp_path / name, RATE, said.append)
    assert said == [f"{tmp_path / 'a.wav'} {CANCELLING}", f"{tmp_path / 'b.wav'} is silent (below -60 dB)"]


SHORT = TONE[:3000]
SEEDS = [
    *(encoded(kind, SHORT) for kind in "WAV WAVEX RF64 W64 AIFF AU CAF FLAC OGG MP3 SVX".split()),
    *(encoded("WAV", SHORT, subtype) for subtype in ("PCM_24", "FLOAT", "DOUBLE", "MS_ADPCM", "IMA_ADPCM", "ULAW")),
    encoded("WAV", np.stack([SHORT, -SHORT, SHORT], 1), "FLOAT"), encoded("CAF", SHORT, "ALAC_16"),
    encoded("OGG", SHORT, "OPUS", 48000), wave(form(0x674F), chunk(b"data", encoded("OGG", SHORT))),
    frames_of_flac(0)(encoded("FLAC", SHORT)), length_of(b"data", 0)(encoded("WAV", SHORT)),
]  # fmt: skip


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(random=st.integers(0, 2**64).map(Random), suffix=st.sampled_from([".wav", ".au", ".snd", ".flac", ".mp3", ""]))
def test_a_damaged_file_gives_samples_or_a_reason(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], random: Random, suffix: str
) -> None:
    content = random.choice(SEEDS)
    for _ in range(random.choice((1, 1, 2, 4))):
        if random.randrange(2) and len(content) > 64:  # headers are short: most damage would be elsewhere
            place, number = random.randrange(60), random.choice((0, 1, 8, 127, 255, 2**15, 2**31 - 1, 2**31, UNKNOWN))
            content = put(content, place, number, random.choice("<>") + "I")
        content = noise(content, random) if content and random.randrange(2) else content
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    outcomes = []
    for read in (lambda: read_audio(path, RATE), lambda: decode(path, RATE, tmp_path).samples):
        try:
            samples = read()
        except (AudioError, SoundError) as error:
            outcomes.append(str(error).removeprefix(f"{path} "))
            assert "\n" not in outcomes[-1]
        else:
            outcomes.append("")
            assert samples.dtype == np.float32 and samples.ndim == 1 and len(samples) > 0
            assert np.isfinite(samples).all()
    # what is silent is played, and not trained on; nothing else is told apart
    if outcomes[0] != outcomes[1]:
        assert outcomes[1].startswith(("is silent", "holds nothing above")) or "is too short" in outcomes[0]
    assert "Traceback" not in capfd.readouterr().err
