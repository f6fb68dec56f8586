"""All sounds decoded into one memory-mapped file, once; its key is the sounds' content and the sample rate."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import numpy as np

from ngs.corpus.digests import content_digests, parallel
from ngs.corpus.reading import BLOCK, PEAK, Sound, decode
from ngs.corpus.sounds import SoundFile, Sounds
from ngs.corpus.words import counted, listing
from ngs.runtime.atomic import replaced
from ngs.runtime.bundle.manifest import Attribute
from ngs.runtime.dsp.sound_reader import SoundError

FORMAT = 3  # part of every key: raise it when decoding changes samples
FULL_SCALE = 32767  # samples are kept as 16-bit integers
AUDIO, INDEX, USE = "audio.int16", "index.npz", "used-by.txt"
STALE_SECONDS = 24 * 3600.0  # an unfinished cache older than this was left by a killed process

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Corpus:
    """N decoded sounds, read from disk on demand. May be pickled for other processes.

    Shapes: N sounds, A attributes.
    """

    audio_file: Path  # int16, little-endian
    starts: np.ndarray  # int64 [N], samples
    lengths: np.ndarray  # int64 [N], samples
    levels: np.ndarray  # float32 [N]: float sample = int16 sample * level
    labels: np.ndarray  # int32 [N, A], -1 if unknown
    attributes: tuple[Attribute, ...]
    names: tuple[str, ...]
    sample_rate: int  # Hz
    skipped: tuple[tuple[str, str], ...] = ()  # (name, reason)
    remarks: tuple[str, ...] = field(default=())  # lines for the user
    divided: bool = False  # whether some of the sounds are stretches of longer ones

    @cached_property
    def audio(self) -> np.ndarray:
        """All samples of all sounds, int16."""
        audio: np.ndarray = np.memmap(self.audio_file, "<i2", "r").view(np.ndarray)  # slices of a memmap are slow
        return audio

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "audio"}

    def read(self, index: int, start: int, n: int) -> np.ndarray:
        """The n samples of a sound from `start` on: float32 [n], zeros past its end."""
        samples: np.ndarray = self.gather(np.array([index]), np.array([start]), n)[0]
        return samples

    def gather(self, indices: np.ndarray, starts: np.ndarray, n: int) -> np.ndarray:
        """The n samples of the sounds `indices` from their `starts` on: float32 [number, n], zeros past the end."""
        slices = np.zeros((len(indices), n), np.int16)
        lengths = np.minimum(self.lengths[indices] - starts, n)
        begins = self.starts[indices] + starts
        for row, begin, length in zip(slices, begins.tolist(), lengths.tolist(), strict=True):
            if length > 0:
                row[:length] = self.audio[begin : begin + length]
        scaled: np.ndarray = slices * self.levels[indices, None]
        return scaled


def default_root() -> Path:
    """The folder of decoded sounds: ngs in $XDG_CACHE_HOME or ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ngs"


def build_cache(
    sounds: Sounds,
    sample_rate: int,
    root: Path | None = None,
    *,
    normalize: bool = True,
    progress: Progress = lambda done, total: None,
) -> Corpus:
    """Decode what the cache does not hold yet, and open it; meanwhile `progress` is called with (done, total) files.

    With `normalize`, sounds are read at a peak of 0.9, else at their own level. Neither names nor labels are part of
    the key: files may be moved, and get new labels. The folder `root` (`default_root` if None) may be deleted at any
    time. Raises ValueError if no sound is usable, OSError if `root` cannot be written.
    """
    root = (root or default_root()).absolute()
    total, worked = len(sounds.files), False

    def half_done(halves: int) -> None:  # a file counts half when its content is known, half when it is decoded
        nonlocal worked
        worked = True
        progress(halves // 2, total)

    try:
        root.mkdir(parents=True, exist_ok=True)
        digests = content_digests(sounds, root, half_done)
        key = _key([digest for digest in digests if digest], sample_rate)
        index = open_index(root / key)
        if index is None:
            _build(sounds.files, digests, sample_rate, root / key, lambda done: half_done(total + done))
            index = open_index(root / key)
            if index is None:
                raise OSError(errno.EIO, "what was written there does not read back")
    except OSError as error:
        reason = error.strerror or str(error)
        raise OSError(f"The cache of decoded sounds in {root} cannot be written: {reason}") from error
    if worked:
        progress(total, total)
    _note_use(root / key, sounds.folder)
    return _corpus(sounds, digests, index, root / key / AUDIO, sample_rate, normalize)


def _note_use(folder: Path, data: Path) -> None:
    """Remember when a cache was last used, and for which folder of sounds, if that can be written."""
    with contextlib.suppress(OSError), replaced(folder / USE) as beside:
        beside.write_bytes(os.fsencode(data.resolve()))


def _key(digests: Sequence[str], sample_rate: int) -> str:
    text = "\n".join([f"{FORMAT} {sample_rate}", *sorted(set(digests))])
    return f"{sample_rate}-{hashlib.blake2b(text.encode(), digest_size=16).hexdigest()}"


def _build(
    files: Sequence[SoundFile], digests: Sequence[str], sample_rate: int, target: Path, progress: Callable[[int], None]
) -> None:
    """Decode each content once into a folder beside `target`, which then takes its name."""
    for stale in target.parent.glob(".build-*"):
        if time.time() - stale.stat().st_mtime > STALE_SECONDS:
            shutil.rmtree(stale, ignore_errors=True)
    contents = {digest: file.path for file, digest in zip(files, digests, strict=True) if digest}
    beside = Path(tempfile.mkdtemp(prefix=".build-", dir=target.parent))
    try:
        _decode_into(beside, contents, sample_rate, progress)
        if target.exists():
            if open_index(target) is not None:
                return  # another process was quicker
            shutil.rmtree(target)
        beside.replace(target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _decode_into(folder: Path, contents: dict[str, Path], sample_rate: int, progress: Callable[[int], None]) -> None:
    """Write the samples of files, and the index of what is known of them.

    That is their digests, lengths, peaks, reasons not to read them, and notes on what is odd about them.
    """

    def attempt(path: Path) -> Sound | str:
        try:
            return decode(path, sample_rate, folder)
        except SoundError as error:
            return str(error)

    lengths, peaks, reasons, notes = [], [], [], []
    with open(folder / AUDIO, "wb") as audio:
        for done, sound in enumerate(parallel(attempt, contents.values()), 1):
            reasons.append(sound if isinstance(sound, str) else "")
            notes.append("" if isinstance(sound, str) else "; ".join(sound.notes))
            lengths.append(0 if isinstance(sound, str) else len(sound.samples))
            peaks.append(0.0 if isinstance(sound, str) else sound.peak)
            if not isinstance(sound, str):
                _write_samples(audio, sound)
            progress(done)
    np.savez(
        folder / INDEX,
        digests=np.array(list(contents), dtype=np.str_),
        lengths=np.array(lengths, np.int64),
        peaks=np.array(peaks, np.float32),
        reasons=np.array(reasons, dtype=np.str_),
        notes=np.array(notes, dtype=np.str_),
    )


def _write_samples(audio: IO[bytes], sound: Sound) -> None:
    for start in range(0, len(sound.samples), BLOCK):
        audio.write(sixteen_bits(sound.samples[start : start + BLOCK], sound.peak).data)


def sixteen_bits(samples: np.ndarray, peak: float) -> np.ndarray:
    """Samples, float32 [n], as the cache keeps those of a sound with that peak: little-endian int16 [n]."""
    return np.rint(samples * np.float32(FULL_SCALE / peak)).astype("<i2")


def open_index(folder: Path) -> dict[str, np.ndarray] | None:
    """The arrays digests, lengths, peaks, reasons and notes of a cache, or None if it is not whole."""
    try:
        with np.load(folder / INDEX, allow_pickle=False) as arrays:
            index = {name: arrays[name] for name in ("digests", "lengths", "peaks", "reasons", "notes")}
        whole = (folder / AUDIO).stat().st_size == 2 * int(index["lengths"].sum())
    except (OSError, ValueError, KeyError, EOFError):
        return None
    return index if whole else None


def _corpus(
    sounds: Sounds, digests: Sequence[str], index: dict[str, np.ndarray], audio: Path, sample_rate: int, normalize: bool
) -> Corpus:
    place = {digest: i for i, digest in enumerate(index["digests"].tolist())}
    places = [place.get(digest, -1) for digest in digests]
    reasons = ["cannot be read: check its permissions" if i < 0 else str(index["reasons"][i]) for i in places]
    skipped = [(file.name, reason) for file, reason in zip(sounds.files, reasons, strict=True) if reason]
    if len(skipped) == len(sounds.files):
        detail = listing([f"{name} {reason}" for name, reason in skipped], 3)
        raise ValueError(f"No sound in {sounds.folder} can be used: {detail}")
    sounds = sounds.keep([not reason for reason in reasons])
    kept = np.array([i for i, reason in zip(places, reasons, strict=True) if not reason])
    peaks = np.full(len(kept), PEAK, np.float32) if normalize else index["peaks"][kept]
    odd = [(file.name, note) for file, i in zip(sounds.files, kept, strict=True) if (note := str(index["notes"][i]))]
    remarks = [*_by_reason("left out", skipped), *_by_reason("read", odd)]
    return Corpus(
        audio_file=audio,
        starts=(np.cumsum(index["lengths"]) - index["lengths"])[kept],
        lengths=index["lengths"][kept],
        levels=peaks / np.float32(FULL_SCALE),
        labels=np.array([file.labels for file in sounds.files], np.int32),
        attributes=sounds.attributes,
        names=tuple(file.name for file in sounds.files),
        sample_rate=sample_rate,
        skipped=tuple(skipped),
        remarks=(*sounds.remarks, *remarks),
    )


def _by_reason(what: str, files: Sequence[tuple[str, str]]) -> list[str]:
    """A remark for each reason, on the files (name, reason) that it holds for."""
    return [
        f"{counted(len(names), 'file')} {what} ({reason}): {listing(names)}"
        for reason in dict.fromkeys(reason for _, reason in files)
        if (names := [name for name, why in files if why == reason])
    ]


def split(corpus: Corpus, share: float = 0.1, seed: int = 0) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Sounds to train on and to validate on (int64 indices, ascending), and remarks.

    `share` of the files of each class is held back; names and `seed` alone decide which. A class of 4 sounds or more
    holds back at least one, a smaller class none. If that holds back none at all, validation uses the training sounds.
    """
    apart, small = list[int](), list[str]()
    # files of the same content share a place in the cache, and so their order: they are held back together
    first = {int(start): name for start, name in zip(corpus.starts[::-1], corpus.names[::-1], strict=True)}
    owners = [first[int(start)] for start in corpus.starts]
    order = [hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=8).digest() for name in owners]
    for label in np.unique(corpus.labels[:, 0]).tolist():
        members = np.flatnonzero(corpus.labels[:, 0] == label).tolist()
        number = max(round(share * len(members)), 1) if len(members) >= 4 else 0
        if number == 0 and label >= 0:
            small.append(corpus.attributes[0].classes[label])
        chosen = sorted(members, key=lambda member: order[member])[: min(number, len(members) - 1)]
        held = {owners[member] for member in chosen}
        group = [member for member in members if owners[member] in held]
        apart += group if len(group) < len(members) else []
    everything = np.arange(len(corpus.names))
    if not apart:
        return everything, everything, ("Too few sounds to set any apart: validation uses the training sounds",)
    validation = np.array(sorted(apart), np.int64)
    few = (f"Fewer than 4 sounds of {listing(small)}: all are trained on, none is held back",) if small else ()
    return np.setdiff1d(everything, validation), validation, few
