"""What the page of a report shows. Addresses are relative to the page; places on the map are 0 to 1, y upwards."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PagePlayer:
    """A player with its picture."""

    id: str  # unique on the page, letters, digits and hyphens
    title: str
    detail: str  # a file, a seed; may be empty
    audio: str  # address of a WAV file
    seconds: float
    peak_db: float  # below full scale
    picture: str  # address of the spectrogram: time to the right, frequency upwards, logarithmic
    outline: str  # of the waveform, data of a closed SVG path: x is 0 to 1000, y is -100 (up) to 100
    span: float  # seconds that picture and outline stand for: those of the longest sound of the row
    path: tuple[tuple[float, float], ...] = ()  # its grains on the map, evenly in time; empty where there is none


@dataclass(frozen=True)
class PlayerRow:
    """Sounds to hear beside each other."""

    title: str
    detail: str
    players: tuple[PagePlayer, ...]


@dataclass(frozen=True)
class Section:
    id: str
    title: str
    text: str
    rows: tuple[PlayerRow, ...]


@dataclass(frozen=True)
class Series:
    name: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Chart:
    title: str
    x_label: str
    y_label: str
    series: tuple[Series, ...]


@dataclass(frozen=True)
class PageTable:
    title: str
    header: tuple[str, ...]  # the first column names what a row is about, the others are numbers or words
    rows: tuple[tuple[str, ...], ...]
    remark: str


@dataclass(frozen=True)
class MapPath:
    kind: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class PageMap:
    """Grains on the two axes of the latent map. A point's grain is in the recording `grains`, at its number."""

    attribute: str  # whose classes the colours stand for
    classes: tuple[str, ...]
    shares: tuple[float, float]  # of the variance of timbre: what the first axis explains, what the second one adds
    x: tuple[float, ...]
    y: tuple[float, ...]
    labels: tuple[int, ...]  # of each point, into `classes`; -1: unknown
    owners: tuple[int, ...]  # into `files`; -1: unknown
    times: tuple[float, ...]  # seconds from the start of the file
    files: tuple[str, ...]
    contours: tuple[tuple[tuple[tuple[float, float], ...], ...], ...]  # of each class, closed lines of equal density
    paths: tuple[MapPath, ...]
    grains: str  # FLAC file in base64: the grains one after another
    grain_seconds: float  # each of them
    brighter: bool = False  # whether grains further to the right are the brighter ones


@dataclass(frozen=True)
class ReportPage:
    title: str
    made: str  # date
    version: str  # of ngs
    facts: tuple[tuple[str, str], ...]  # name and value: rate, grain, classes, ...
    card: tuple[tuple[str, str], ...]  # model card
    remarks: tuple[str, ...]
    charts: tuple[Chart, ...]  # training curves; may be empty
    tables: tuple[PageTable, ...]
    map: PageMap
    sections: tuple[Section, ...]
    frequencies: tuple[tuple[str, float], ...]  # ticks of every spectrogram: label, 0 (bottom) to 1 (top)
