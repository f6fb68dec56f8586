"""Sounds decoded once into a memory-mapped cache, and the corpus that training reads from it.

    CACHE/digests.json   content digest of each file by path, size and time: a second start reads no sound
    CACHE/KEY/audio.i16  all sounds one after another, mono, 16 bit at full scale
    CACHE/KEY/index.npz  where each one starts, its length, and its level

KEY is a hash over the contents and the settings; labels are not part of it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from ngs.training.sounds import Attribute, Sounds, SoundsError

CACHE_VERSION = 1
SILENT_PEAK = 1e-3  # -60 dBFS
NORMAL_PEAK = 0.9
HEAD_LEVEL, TAIL_LEVEL = 10 ** (-50 / 20), 10 ** (-60 / 20)  # of the peak: where a sound begins and ends
HEAD_SECONDS, TAIL_SECONDS, FADE_SECONDS = 0.001, 0.020, 0.001
DECODE_FRAMES = 1 << 18
Report = Callable[[int, int], None]


@dataclass(frozen=True)
class Corpus:
    """N decoded sounds. `audio` is a memory map: nothing is in memory but what is read."""

    audio: np.ndarray  # int16 [total]
    starts: np.ndarray  # int64 [N]
    lengths: np.ndarray  # int64 [N], samples
    levels: np.ndarray  # float32 [N], the value of full scale
    labels: np.ndarray  # int32 [N, A], -1: unknown
    attributes: tuple[Attribute, ...]
    names: tuple[str, ...]
    sample_rate: int
    notes: tuple[str, ...]

    def read(self, sound: int, start: int, length: int) -> np.ndarray:
        """Samples [start, start + length) of a sound, zeros past its end: float32 [length]."""
        out = np.zeros(length, dtype=np.float32)
        count = min(length, int(self.lengths[sound]) - start)
        if count > 0:
            first = int(self.starts[sound]) + start
            np.multiply(self.audio[first : first + count], self.levels[sound] / 32767, out=out[:count])
        return out

    def gather(self, sounds: np.ndarray, starts: np.ndarray, length: int) -> np.ndarray:
        """One stretch of each of B sounds, as `read`: float32 [B, length]."""
        return np.stack([self.read(int(s), int(t), length) for s, t in zip(sounds, starts, strict=True)])


def default_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ngs"


def build_cache(
    sounds: Sounds, sample_rate: int, root: Path | None = None, normalize: bool = True, report: Report | None = None
) -> Corpus:
    """Decode the sounds, or find them decoded, and open them as a corpus.

    Unreadable, silent and non-finite files are left out and named in the notes. Raises SoundsError when none is
    left, OSError when the cache cannot be written.
    """
    root = root or default_cache()
    root.mkdir(parents=True, exist_ok=True)
    digests = _digests(sounds, root)
    settings = f"{CACHE_VERSION} {sample_rate}"
    listing = "".join(f"{name}\0{digest}\n" for name, digest in zip(sounds.names, digests, strict=True))
    folder = root / hashlib.blake2b((settings + "\n" + listing).encode(), digest_size=16).hexdigest()
    if not (folder / "index.npz").is_file():
        _decode_all(sounds, sample_rate, folder, report or (lambda done, total: None))
    return _open(folder, sounds, sample_rate, normalize)


def _open(folder: Path, sounds: Sounds, sample_rate: int, normalize: bool) -> Corpus:
    with np.load(folder / "index.npz", allow_pickle=False) as index:
        kept, reasons = index["kept"], index["reasons"]
        starts, lengths, peaks = index["starts"], index["lengths"], index["peaks"]
    if len(kept) == 0:
        detail = f"{sounds.names[0]}: {reasons[0]}"
        raise SoundsError(f"None of the {len(sounds.names)} files in {sounds.root} can be used; the first: {detail}")
    dropped = np.setdiff1d(np.arange(len(sounds.names)), kept)
    notes = list(sounds.notes)
    for reason in dict.fromkeys(str(reasons[index]) for index in dropped):
        names = [sounds.names[index] for index in dropped if reasons[index] == reason]
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        notes.append(f"Left out, {reason} ({len(names)}): {', '.join(names[:5])}{more}")
    attributes, labels = _without_empty(sounds.attributes, sounds.labels[kept])
    return Corpus(
        audio=np.memmap(folder / "audio.i16", dtype=np.int16, mode="r"),
        starts=starts,
        lengths=lengths,
        levels=np.full(len(kept), NORMAL_PEAK, np.float32) if normalize else np.minimum(peaks, 1.0).astype(np.float32),
        labels=labels,
        attributes=attributes,
        names=tuple(sounds.names[index] for index in kept),
        sample_rate=sample_rate,
        notes=tuple(notes),
    )


def _without_empty(attributes: tuple[Attribute, ...], labels: np.ndarray) -> tuple[tuple[Attribute, ...], np.ndarray]:
    """Drop classes that no sound is left of."""
    labels, kept = labels.copy(), []
    for column, attribute in enumerate(attributes):
        present = np.unique(labels[labels[:, column] >= 0, column])
        places = np.full(len(attribute.classes) + 1, -1, dtype=np.int32)
        places[present] = np.arange(len(present))
        labels[:, column] = places[labels[:, column]]
        kept.append(Attribute(attribute.name, tuple(attribute.classes[index] for index in present)))
    return tuple(kept), labels


def _digests(sounds: Sounds, root: Path) -> list[str]:
    """Content digest of each file; files whose path, size and time are known are not read again."""
    memo_path = root / "digests.json"
    try:
        memo: dict[str, list[object]] = json.loads(memo_path.read_text())
    except (OSError, ValueError):
        memo = {}

    def digest(name: str) -> tuple[str, list[object]]:
        path = sounds.root / name
        status = path.stat()
        key = str(path.resolve())
        known = memo.get(key)
        if known and known[:2] == [status.st_size, status.st_mtime_ns]:
            return key, known
        with open(path, "rb") as file:
            content = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
        return key, [status.st_size, status.st_mtime_ns, content]

    with ThreadPoolExecutor() as pool:
        entries = list(pool.map(digest, sounds.names))
    fresh = {key: entry for key, entry in entries if memo.get(key) != entry}
    if fresh:
        beside = memo_path.with_name(f"digests.{os.getpid()}.part")
        beside.write_text(json.dumps(memo | fresh))
        os.replace(beside, memo_path)
    return [str(entry[2]) for _, entry in entries]


def _decode_all(sounds: Sounds, sample_rate: int, folder: Path, report: Report) -> None:
    """Decode in parallel, write in order, beside the folder and renamed when all is done."""
    beside = Path(tempfile.mkdtemp(prefix="decoding-", dir=folder.parent))
    try:
        kept, starts, lengths, peaks = [], [], [], []
        reasons = [""] * len(sounds.names)
        total = 0
        with open(beside / "audio.i16", "wb") as file:
            for index, result in enumerate(_decoded(sounds, sample_rate)):
                if isinstance(result, str):
                    reasons[index] = result
                else:
                    samples, peak = result
                    file.write(samples.tobytes())
                    kept.append(index)
                    starts.append(total)
                    lengths.append(len(samples))
                    peaks.append(peak)
                    total += len(samples)
                report(index + 1, len(sounds.names))
            if not kept:
                file.write(b"\0\0")  # an empty file cannot be mapped
        np.savez(
            beside / "index.npz",
            kept=np.array(kept, dtype=np.int64),
            starts=np.array(starts, dtype=np.int64),
            lengths=np.array(lengths, dtype=np.int64),
            peaks=np.array(peaks, dtype=np.float32),
            reasons=np.array(reasons, dtype=str),
        )
        try:
            os.rename(beside, folder)
        except OSError:
            if not folder.is_dir():  # another process was faster: its result is the same
                raise
    except OSError as error:
        raise OSError(f"The cache of decoded sounds in {folder.parent} cannot be written: {error.strerror}") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _decoded(sounds: Sounds, sample_rate: int) -> Iterator[tuple[np.ndarray, float] | str]:
    """Results of `decode` in order, never more than a few sounds ahead."""
    workers = os.cpu_count() or 1
    pending: deque[Future[tuple[np.ndarray, float] | str]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for name in sounds.names:
            pending.append(pool.submit(decode, sounds.root / name, sample_rate))
            if len(pending) >= 4 * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def decode(path: Path, sample_rate: int) -> tuple[np.ndarray, float] | str:
    """Decode a file to mono int16 [n] at full scale and the peak that full scale stands for; or say why not.

    Offset removed, silence cut from both ends. Long files pass through in blocks.
    """
    try:
        parts = []
        with soundfile.SoundFile(path) as file:
            stream = soxr.ResampleStream(file.samplerate, sample_rate, 1, dtype="float32", quality="HQ")
            while True:
                block = file.read(DECODE_FRAMES, dtype="float32", always_2d=True)
                mono = np.ascontiguousarray(block.mean(axis=1))
                last = len(block) < DECODE_FRAMES
                parts.append(mono if file.samplerate == sample_rate else stream.resample_chunk(mono, last=last))
                if last:
                    break
    except (soundfile.SoundFileError, RuntimeError, OSError):
        return "not readable as sound"
    signal = np.concatenate(parts)
    if not np.isfinite(signal).all():
        return "with NaN or infinite samples"
    if len(signal) == 0:
        return "empty"
    signal -= signal.mean()
    magnitude = np.abs(signal)
    peak = float(magnitude.max())
    if peak < SILENT_PEAK:
        return "silent (peak below -60 dBFS)"
    signal = _trim(signal, magnitude, peak, sample_rate)
    return np.round(signal * (32767 / peak)).astype(np.int16), peak


def _trim(signal: np.ndarray, magnitude: np.ndarray, peak: float, sample_rate: int) -> np.ndarray:
    """Cut the silence before the onset and after the end; a cut end gets a short fade, the onset stays as it is."""
    first = int(np.argmax(magnitude > HEAD_LEVEL * peak)) - int(HEAD_SECONDS * sample_rate)
    last = len(signal) - int(np.argmax(magnitude[::-1] > TAIL_LEVEL * peak)) + int(TAIL_SECONDS * sample_rate)
    trimmed = signal[max(first, 0) : last].copy()
    if last < len(signal):
        fade = min(int(FADE_SECONDS * sample_rate), len(trimmed))
        trimmed[len(trimmed) - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
    return trimmed


def split(corpus: Corpus, share: float, seed: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Indices to train on and to validate on, by file, a share of every class; and notes for the user.

    Depends on names, classes and seed only. A class of fewer than four sounds is all trained on; a single class
    too small to give any is validated on what it was trained on.
    """
    validation: list[int] = []
    small = []
    order = np.argsort(np.array(corpus.names), kind="stable")
    groups = [(place, name) for place, name in enumerate(corpus.attributes[0].classes)]
    for place, name in [*groups, (-1, "")]:
        members = order[corpus.labels[order, 0] == place]
        count = max(round(share * len(members)), 1) if len(members) >= 4 else 0
        if len(members) and not count:
            small.append(name)
        rng = np.random.default_rng([seed, place + 1])
        validation.extend(rng.permutation(members)[:count].tolist())
    notes = []
    if small and validation:
        notes.append(f"Too few sounds to set any aside for validation, all trained on: {', '.join(small)}")
    if not validation:
        notes.append("Too few sounds to set any aside: validation measures the sounds that are trained on")
        everything = np.arange(len(corpus.names))
        return everything, everything, notes
    chosen = np.sort(np.array(validation))
    return np.setdiff1d(np.arange(len(corpus.names)), chosen), chosen, notes
