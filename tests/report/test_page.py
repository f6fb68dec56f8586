"""The page of a report opens from disk in Chromium: it plays, its keys work, and names from strangers stay text."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from matplotlib import image
from tests import browser

from ngs.report.page import write_page
from ngs.report.page_model import (
    Chart,
    MapPath,
    PageMap,
    PagePlayer,
    PageTable,
    PlayerRow,
    ReportPage,
    Section,
    Series,
)
from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.dsp.paths import free_path, map_place
from ngs.runtime.offline.render import decode

SCRIPT, QUOTES, TAG = "<script>alert(1)</script>", "\"&'", "</title><img src=x onerror=alert(2)>"
CLASSES = (SCRIPT, QUOTES, "Hat")
FILES = (f"{SCRIPT}.wav", f"{QUOTES}.wav", "\u2028\u2029é.wav")
RATE, GRAIN, SECONDS, SHORT = 8000, 256, 2.4, 0.3
LEFT, RIGHT = (0.1, 0.8), (0.9, 0.2)  # both ends of a path
Drive = Callable[..., dict[str, Any]]


def a_player(
    folder: Path, name: str, title: str, samples: Array, path: Sequence[tuple[float, float]] = ()
) -> PagePlayer:
    soundfile.write(folder / f"audio/{name}.wav", samples, RATE)
    image.imsave(folder / f"pictures/{name}.png", np.abs(samples[:800].reshape(20, 40)))
    peak, seconds = float(np.abs(samples).max()), len(samples) / RATE
    return PagePlayer(
        name, title, FILES[0], f"audio/{name}.wav", seconds, 20 * np.log10(peak), f"pictures/{name}.png",
        "M0 -50L1000 0L0 50Z", seconds, tuple(path),
    )  # fmt: skip


def a_map(bundle: Bundle) -> PageMap:
    latent_map = bundle.latent_map
    places = np.clip(map_place(latent_map, latent_map["points"]), 0, 1)
    labels = [int(label) for label in latent_map["labels"][:, 0]]
    labels[-1] = -1
    condition = bundle.condition({})
    grains = [decode(bundle, point[None], condition, 0)[:GRAIN] for point in latent_map["points"]]
    file = io.BytesIO()
    soundfile.write(file, np.concatenate(grains), RATE, format="FLAC")
    return PageMap(
        "class", CLASSES, (0.4, 0.2), tuple(places[:, 0].tolist()), tuple(places[:, 1].tolist()), tuple(labels),
        tuple(-1 if label < 0 else label for label in labels), tuple(number / 10 for number in range(len(labels))),
        FILES, ((((0.1, 0.1), (0.9, 0.1), (0.5, 0.9)),), (), ()), (MapPath("linear", (LEFT, RIGHT)),),
        base64.b64encode(file.getvalue()).decode(), GRAIN / RATE,
    )  # fmt: skip


@pytest.fixture(scope="module")
def page(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[ReportPage, str]:
    """A page with hostile names everywhere, and its address."""
    folder = tmp_path_factory.mktemp("report")
    (folder / "audio").mkdir()
    (folder / "pictures").mkdir()
    bundle = Bundle.open(tiny_bundle, "cpu")
    path = free_path("linear", round(SECONDS * RATE / bundle.manifest.hop_length), 0, bundle.latent_map)
    long = [decode(bundle, path, bundle.condition({"class": name}), 0, tail=False) for name in ("Kick", "Snare")]
    short = [long[0][: round(SHORT * RATE)] * gain for gain in (1.0, 0.8, 0.6)]
    pair = PlayerRow(
        SCRIPT,
        FILES[1],
        (replace(a_player(folder, "a", "Original", long[0]), gain=0.25), a_player(folder, "b", QUOTES, long[1])),
    )
    morph = PlayerRow(
        "Morph", "", tuple(a_player(folder, f"m{at}", f"{at}", samples) for at, samples in enumerate(short))
    )
    way = PlayerRow("Path", "", (a_player(folder, "way", TAG, long[1], (LEFT, RIGHT)),))
    words = "x" * 200  # nowhere to break the line
    made = ReportPage(
        TAG, "2026-11-24", "0.1.0", (("classes", ", ".join(CLASSES)),), ((SCRIPT, words), ("licence", TAG)),
        (SCRIPT,), (Chart(SCRIPT, TAG, QUOTES, (Series(SCRIPT, ((0, 1), (1, 0.5))), Series(TAG, ((0, 2),)))),),
        ((SCRIPT, TAG), ("Kick", QUOTES)),
        (PageTable(TAG, ("class", *map(str, range(9)), "word"), ((SCRIPT, *["0.5"] * 9, TAG),), QUOTES),),
        a_map(bundle),
        (Section("pairs", SCRIPT, TAG, (pair,)), Section("others", "Others", "", (morph, way))),
        (("100", 0.2), ("1k", 0.7)),
    )  # fmt: skip
    write_page(made, folder)
    return made, (folder / "index.html").as_uri()


@pytest.fixture(scope="module")
def drive(page: tuple[ReportPage, str], tmp_path_factory: pytest.TempPathFactory) -> Drive:
    """What a task of drive.mjs finds on the page, which logs no error and requests nothing but files."""
    folder = tmp_path_factory.mktemp("chromium")

    def run(task: str, **options: object) -> dict[str, Any]:
        found = browser.drive(Path(__file__).with_name("drive.mjs"), folder, url=page[1], tasks=[task], **options)
        assert found["errors"] == []
        assert set(found["requests"]) <= {"file", "data"}
        result: dict[str, Any] = found[task]
        return result

    return run


def test_everything_is_there_and_names_are_text(drive: Drive, page: tuple[ReportPage, str]) -> None:
    found = drive("contents", rate=RATE)
    sounds = [sound for section in page[0].sections for row in section.rows for sound in row.players]
    assert list(found["sounds"]) == [sound.audio for sound in sounds]
    for sound in sounds:
        assert found["sounds"][sound.audio]["seconds"] == pytest.approx(sound.seconds, abs=0.01)
        assert found["sounds"][sound.audio]["peak"] == pytest.approx(10 ** (sound.peak_db / 20), rel=1e-3)
        assert found["sounds"][sound.audio]["peak"] > 0.01
    assert found["pictures"] == [40] * len(sounds)
    assert found["title"].startswith(TAG)
    assert found["sound_titles"] == [sound.title for sound in sounds]
    assert found["legend"] == [*CLASSES, "unknown"]
    assert found["scripts"] == ["map.js", "page.js"] and "script" not in found["elements"]
    assert found["handlers"] == 0
    assert found["said"] == [TAG, QUOTES]
    assert (found["numbers"], found["words"]) == (["0.5"] * 9, [TAG])
    levels = found["levels"]
    assert levels[0] == 1 and all(after <= before + 1 for before, after in zip(levels, levels[1:], strict=False))


def test_one_sound_plays_at_a_time(drive: Drive) -> None:
    found = drive("play")
    assert found["names"] == [f"Play {SCRIPT}, Original", f"Pause {SCRIPT}, Original"]
    assert (found["one"], found["none"]) == ([True, False], [True, True])
    assert found["sounding"]
    assert SECONDS / 2 - 0.05 <= found["place"] < SECONDS


def test_keys_play_seek_and_compare(drive: Drive) -> None:
    found = drive("keys")
    assert found["stopped"]
    step = SECONDS / 20
    np.testing.assert_allclose(np.diff(found["places"]), [step, step, -step], atol=0.01)
    at, first_paused, second_paused = found["compared"]
    assert at >= found["places"][-1] - 0.01 and first_paused and not second_paused
    assert found["focus"] == ["sound-a", "sound-b", "sound-m0", "sound-b", "sound-a"]


def test_a_row_is_heard_at_one_level_and_sounds_are_downloaded(drive: Drive, page: tuple[ReportPage, str]) -> None:
    found = drive("level")
    assert found["found"] == [["false", 1, 1], ["true", 0.25, 1], ["false", 1, 1]]
    sounds = [sound for section in page[0].sections for row in section.rows for sound in row.players]
    assert found["links"] == [sound.audio for sound in sounds]


def test_a_row_plays_in_turn(drive: Drive) -> None:
    found = drive("turn")
    assert (found["meanwhile"], found["afterwards"]) == ("Stop", "Play in turn")
    assert found["started"] == [f"audio/m{number}.wav" for number in (0, 1, 2, 0)]


def test_the_map_names_and_plays_its_grains(drive: Drive, page: tuple[ReportPage, str]) -> None:
    of = page[0].map
    places = np.stack([of.x, of.y], 1)
    distances = np.linalg.norm(places[:, None] - places, axis=2) + 9 * np.eye(len(places))
    lonely = np.argsort(-distances.min(1))  # far from all others, so that the pointer finds them
    grains = [int(next(at for at in lonely if of.labels[at] == label)) for label in (-1, 1, 0)]
    found = drive("map", grains=grains, hidden=grains[-1])

    def line(index: int) -> str:
        label, owner = of.labels[index], of.owners[index]
        name, file = of.classes[label] if label >= 0 else "unknown", of.files[owner] if owner >= 0 else "unknown file"
        return f"{name}, {file}, {of.times[index]:.2f} s"

    assert found["hovered"] == [line(index) for index in grains]
    assert found["clicked"] == line(grains[-1])
    middle, right, down, left, up = found["marks"]
    assert right[0] > middle[0] and down[1] > right[1] and left[0] < down[0] and up[1] < left[1]
    assert found["said"][0] == found["said"][1]
    assert found["said"][0] in [line(index) for index in range(len(of.x))]
    assert found["shown"] == [["true", True], ["false", False], ["true", True]]
    assert found["beside"] != line(grains[-1])
    assert found["path"] == [False, True]
    assert len(found["heard"]) == 2
    assert found["heard"][0]["offset"] == pytest.approx(grains[-1] * of.grain_seconds)
    for part in found["heard"]:
        assert part["seconds"] == of.grain_seconds and part["peak"] > 0.01
        assert part["whole"] == pytest.approx(len(of.x) * of.grain_seconds, abs=1e-3)
    share = found["way"]["at"] / SECONDS
    expected = [1000 * (LEFT[0] + share * (RIGHT[0] - LEFT[0])), 1000 * (1 - LEFT[1] - share * (RIGHT[1] - LEFT[1]))]
    np.testing.assert_allclose(found["way"]["here"], expected, atol=30)


def test_it_fits_a_phone(drive: Drive, page: tuple[ReportPage, str]) -> None:
    found = drive("phone", grains=[0])
    assert found["overflow"] <= 0
    assert found["said"].endswith(" s")
    assert found["smallest"] >= 44


def test_without_scripts_the_browser_has_its_own_players(drive: Drive) -> None:
    found = drive("plain")
    assert found == {"players": 6, "buttons": 0, "marks": 4}
