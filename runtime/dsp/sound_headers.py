"""Headers of sound files that are wrong about where the samples are, and what libsndfile has to read instead.

Recorders that lost power leave a length of 0, streams one of -1, downloads and copies too much or too little, and FL
Studio puts whole Ogg files into WAV files. The samples are there all the same.
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Callable
from typing import BinaryIO, NamedTuple

LONGER = "has a wrong length in its header, and was read to its end"
CUT = "is cut short or damaged, and was read as far as it goes"
STREAMED = 2**31 - 256  # a 32-bit length from here on is that of a stream that was never closed
SLACK = 8  # bytes that some writers count too much
MOST_CHUNKS = 1000  # before the samples
MOST_FORMAT = 1024  # bytes of a chunk that describes the format
PADDING = 4096  # zeros after the samples up to this many bytes fill a sector
TAGS = {
    *b"AESD ANNO APPL AUTH CHAN COMM COMT DISP FLLR FVER INST JUNK LIST MARK MIDI NAME PEAK SSND _PMX acid".split(),
    *b"bext cart chan data desc ds64 fact free iXML info inst junk kuki mark pakt plst smpl strg umid".split(),
    *(b"ID3 ", b"PAD ", b"cue ", b"fmt ", b"id3 "),
}
TRAILERS = (b"TAG", b"ID3", b"APETAGEX", b"LYRICS")
CONTAINED = (b"OggS", b"fLaC")


class Content(NamedTuple):
    """What to read in place of a file: `head`, and after it the file's bytes from `start` to `stop`."""

    head: bytes
    start: int
    stop: int


class Header(NamedTuple):
    """What a header is worth."""

    instead: Content | None = None  # None: the file may be read as it is
    note: str = ""  # what is wrong with it, "" if nothing is
    frames: int = 0  # that `instead` no longer claims, 0 if it did not know


class _Chunk(NamedTuple):
    tag: bytes
    body: int  # where it begins
    length: int  # as the header has it


def examine(file: BinaryIO) -> Header:
    """Look at the header of a file. Raises OSError."""
    size = file.seek(0, os.SEEK_END)
    magic = _read(file, 0, 12)
    if magic[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64") and magic[8:] == b"WAVE":
        return _wave(file, size, magic[:4])
    if magic[:4] == b"FORM" and magic[8:] in (b"AIFF", b"AIFC"):
        return _patched(file, size, 12, b"SSND", ">4sI", 2)
    if magic[:4] == b"caff":
        return _patched(file, size, 8, b"data", ">4sq", 1)
    if magic[:4] in (b".snd", b"dns."):
        return _au(file, size, ">" if magic[:4] == b".snd" else "<")
    return _flac(file, size, magic)


def _wave(file: BinaryIO, size: int, magic: bytes) -> Header:
    order = ">" if magic == b"RIFX" else "<"
    found, loose = _chunks(file, size, 12, b"data", f"{order}4sI", 2)
    samples, form = found.get(b"data"), found.get(b"fmt ")
    if samples is None or form is None or form.length > MOST_FORMAT:
        return Header()
    if _read(file, samples.body, 4) in CONTAINED:
        return Header(Content(b"", samples.body, size))
    rest, length, large = size - samples.body, samples.length, magic in (b"RF64", b"BW64")
    if large and length == 2**32 - 1 and b"ds64" in found:
        length = struct.unpack("<Q", _read(file, found[b"ds64"].body + 8, 8).ljust(8, b"\0"))[0]
    note = _verdict(file, size, samples._replace(length=length), f"{order}4sI", 2, 2**63 if large else STREAMED)
    if not (note == LONGER or loose or large and length > rest):
        return Header(note=note)
    length = rest if note == LONGER else min(length, rest)
    described = _read(file, form.body, form.length + form.length % 2)
    head = struct.pack(f"{order}4sI", b"fmt ", form.length) + described
    head += struct.pack(f"{order}4sI", b"data", min(length, 2**32 - 1))
    total = min(4 + len(head) + length, 2**32 - 1)
    head = struct.pack(f"{order}4sI", b"RIFX" if order == ">" else b"RIFF", total) + b"WAVE" + head
    return Header(Content(head, samples.body, size), note)


def _patched(file: BinaryIO, size: int, place: int, tag: bytes, layout: str, even: int) -> Header:
    """Of a file of chunks, in which only the length of the samples is corrected."""
    samples = _chunks(file, size, place, tag, layout, even)[0].get(tag)
    if samples is None:
        return Header()
    rest, wide = size - samples.body, layout.endswith("q")
    note = _verdict(file, size, samples, layout, even, 2**63 if wide else STREAMED)
    unknown = wide and samples.length == -1
    if note != LONGER and not (wide and note) and not unknown:
        return Header(note=note)
    head = _read(file, 0, samples.body - struct.calcsize(layout)) + struct.pack(layout, tag, min(rest, 2**32 - 1))
    return Header(Content(head, samples.body, size), "" if unknown else note)


def _au(file: BinaryIO, size: int, order: str) -> Header:
    start, length = struct.unpack(f"{order}2I", _read(file, 4, 8).ljust(8, b"\0"))
    rest = size - start
    if length + SLACK < rest:
        head = _read(file, 0, 8) + b"\xff" * 4
        return Header(Content(head, len(head), size), LONGER)
    return Header(note=CUT if rest + SLACK < length < STREAMED else "")


def _flac(file: BinaryIO, size: int, magic: bytes) -> Header:
    start = 0
    if magic[:3] == b"ID3" and len(magic) >= 10:
        start = 10 + sum((byte & 127) << shift for byte, shift in zip(magic[6:10], (21, 14, 7, 0), strict=True))
    head = bytearray(_read(file, start, 26))
    if head[:4] != b"fLaC" or len(head) < 26:
        return Header()
    frames = int.from_bytes(head[21:26]) & (2**36 - 1)
    head[21] &= 0xF0
    head[22:26] = bytes(4)
    return Header(Content(bytes(head), start + len(head), size), frames=frames)


def _chunks(
    file: BinaryIO, size: int, place: int, last: bytes, layout: str, even: int
) -> tuple[dict[bytes, _Chunk], bool]:
    """The chunks up to the one named `last`, and whether one of odd length was not padded, though it should be."""
    found: dict[bytes, _Chunk] = {}
    step, loose = struct.calcsize(layout), False
    for _ in range(MOST_CHUNKS):
        header = _read(file, place, step)
        if len(header) < step:
            break
        tag, length = struct.unpack(layout, header)
        found.setdefault(tag, _Chunk(tag, place + step, length))
        if tag == last or length < 0:
            break
        place += step + length
        if place > size:  # 64-bit lengths lead to where no file can be read
            break
        if length % even:
            unpadded = _read(file, place, 4) in TAGS
            loose, place = loose or unpadded, place if unpadded else place + 1
    return found, loose


def _verdict(file: BinaryIO, size: int, samples: _Chunk, layout: str, even: int, streamed: int) -> str:
    """Whether the length of the samples is right: "", LONGER or CUT."""
    end, rest = samples.body + samples.length, size - samples.body
    if samples.length < 0 or samples.length >= streamed:
        return ""
    if samples.length > rest:
        return CUT if samples.length > rest + SLACK else ""
    step = struct.calcsize(layout)
    for place in {end, end + samples.length % even}:
        ahead = _read(file, place, step)
        if len(ahead) < step or ahead.startswith(TRAILERS):
            return ""
        tag, length = struct.unpack(layout, ahead)
        if tag in TAGS or all(32 <= byte < 127 for byte in tag) and 0 <= length <= size - place - step:
            return ""
    if samples.length and size - end <= PADDING and not any(_read(file, end, PADDING)):
        return ""
    return LONGER


def _read(file: BinaryIO, place: int, number: int) -> bytes:
    file.seek(place)
    return file.read(number)


class Spliced(io.RawIOBase):
    """A file that begins with other bytes. Where the disk fails it ends: libsndfile cannot be told."""

    def __init__(self, file: BinaryIO, content: Content) -> None:
        self.file, self.content, self.place = file, content, 0
        self.size = len(content.head) + content.stop - content.start

    def tell(self) -> int:
        return self.place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        origins: dict[int, Callable[[], int]] = {os.SEEK_CUR: self.tell, os.SEEK_END: lambda: self.size}
        self.place = max(offset + origins.get(whence, lambda: 0)(), 0)
        return self.place

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        view, head = memoryview(buffer), self.content.head
        wanted = max(min(len(view), self.size - self.place), 0)
        data = head[self.place : self.place + wanted]
        if len(data) < wanted:
            try:
                self.file.seek(self.content.start + self.place + len(data) - len(head))
                data += self.file.read(wanted - len(data))
            except OSError:
                pass
        view[: len(data)] = data
        self.place += len(data)
        return len(data)
