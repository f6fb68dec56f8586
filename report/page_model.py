"""What the page of a report shows. Addresses are relative to the page. Places on the map are 0 to 1, y upwards."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PagePlayer:
    """One sound with its pictures."""

    id: str  # unique on the page; letters, digits and hyphens
    title: str
    detail: str  # such as a file or a seed; may be empty
    audio: str  # address of a WAV file
    seconds: float
    peak_db: float  # relative to full scale
    picture: str  # address of the spectrogram, its frequencies logarithmic
    outline: str  # of the waveform, as closed SVG path data: x from 0 to 1000, y from -100 (up) to 100
    span: float  # seconds that picture and outline stand for: the length of the longest sound of the row
    path: tuple[tuple[float, float], ...] = ()  # the places of its grains on the map, if it follows a path
    gain: float = 1.0  # at most 1: brings it down to the level of the quietest sound of its row


@dataclass(frozen=True)
class PlayerRow:
    """Sounds to compare."""

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
    header: tuple[str, ...]  # the first column names the rows, the others hold numbers or words
    rows: tuple[tuple[str, ...], ...]
    caption: str


@dataclass(frozen=True)
class MapPath:
    kind: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class PageMap:
    """Grains on the two axes of the latent map. The recording `grains` plays them in the order of the points."""

    attribute: str  # its classes have the colours
    classes: tuple[str, ...]
    shares: tuple[float, float]  # of the variance of timbre: what the first axis explains, what the second adds
    x: tuple[float, ...]
    y: tuple[float, ...]
    labels: tuple[int, ...]  # of each point, an index into `classes`; -1: unknown
    owners: tuple[int, ...]  # of each point, an index into `files`; -1: unknown
    times: tuple[float, ...]  # seconds from the start of the sound
    files: tuple[str, ...]
    contours: tuple[tuple[tuple[tuple[float, float], ...], ...], ...]  # closed lines of equal density, by class
    paths: tuple[MapPath, ...]
    grains: str  # a FLAC file in base64: the grains one after another
    grain_seconds: float  # of each
    brighter: bool = False  # whether timbre gets brighter to the right


@dataclass(frozen=True)
class ReportPage:
    title: str
    made: str  # date
    version: str  # of ngs
    facts: tuple[tuple[str, str], ...]  # name and value: sample rate, grain length, classes and so on
    model_card: tuple[tuple[str, str], ...]  # name and text of each entry
    remarks: tuple[str, ...]
    charts: tuple[Chart, ...]  # training curves; may be empty
    words: tuple[tuple[str, str], ...]  # class and what was measured of its new sounds, in words; may be empty
    tables: tuple[PageTable, ...]
    map: PageMap
    sections: tuple[Section, ...]
    frequencies: tuple[tuple[str, float], ...]  # ticks of every spectrogram: label, place from 0 (bottom) to 1
